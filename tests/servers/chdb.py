"""A modern ClickHouse within the process of the tests, by chdb; ask for the fixture `chdb_session`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import pytest

from consentkit.archive.store.clickhouse.address import Address
from consentkit.archive.store.clickhouse.server import NONE, Value

Of = TypeVar("Of")


class Answer(Protocol):
    """What chdb gives back, in the format that was asked for."""

    def bytes(self) -> bytes: ...


class Session(Protocol):
    """What is used of chdb's session."""

    def query(self, statement: str, form: str = "CSV", /) -> Answer: ...
    def close(self) -> None: ...


@pytest.fixture(scope="session")
def chdb_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A modern ClickHouse within this process, which has one for all tests."""
    module = pytest.importorskip("chdb.session", reason="needs chdb: pip install chdb")
    session: Session = module.Session(str(tmp_path_factory.mktemp("chdb")))
    yield session
    session.close()


class ChdbServer:
    """A `Server` over chdb: the statements of the engine, run by a modern ClickHouse in this process.

    It has no protocol, so what belongs to that (one insert at a time under an id, reconnecting) is not in it.

    Args:
        session: of the whole run.
        address: whose database is made.
    """

    def __init__(self, session: Session, address: Address) -> None:
        self._session = session
        self._database = address.database
        self.run(f"CREATE DATABASE IF NOT EXISTS {self._database}")

    @property
    def version(self) -> tuple[int, int]:
        year, number = self._session.query("SELECT version()", "TSVRaw").bytes().decode().split(".")[:2]
        return int(year), int(number)

    def run(self, statement: str) -> None:
        self._session.query(statement)

    def read(
        self, statement: str, shape: Callable[..., Of], numbers: Mapping[str, Sequence[int]] = NONE
    ) -> list[Of]:
        for name, those in numbers.items():
            self.run(f"CREATE TABLE default.{name} (n Int64) ENGINE = Memory")
            self.run(f"INSERT INTO default.{name} VALUES {', '.join(f'({number})' for number in those)}")
        try:
            return [shape(*row) for row in self._rows(statement)]
        finally:
            for name in numbers:
                self.run(f"DROP TABLE default.{name}")

    def stream(
        self, statement: str, shape: Callable[..., Of], numbers: Mapping[str, Sequence[int]] = NONE
    ) -> Iterator[Of]:
        yield from self.read(statement, shape, numbers)

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Callable[[], Iterable[Sequence[Value]]],
        *,
        query_id: str,
    ) -> None:
        values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows())
        if values:
            self.run(f"INSERT INTO {self._database}.{table} ({', '.join(columns)}) VALUES {values}")

    def close(self) -> None:
        """Leave the session to the run."""

    def _rows(self, statement: str) -> Iterator[list[int | bytes]]:
        pa = pytest.importorskip("pyarrow")  # which chdb brings
        settings = "output_format_arrow_string_as_string = 0"
        found = self._session.query(f"{statement} SETTINGS {settings}", "ArrowStream").bytes()
        if found:
            for batch in pa.ipc.open_stream(found):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _literal(value: Value) -> str:
    return f"unhex('{value.hex()}')" if isinstance(value, bytes) else str(value)
