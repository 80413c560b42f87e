"""Connections to one server by its native protocol: few, used again, thrown away when broken.

Owns clickhouse-driver, its settings, and what its errors become: one may quote a statement or a host, so no more
than its code goes on.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from typing import TYPE_CHECKING, Any, Final

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException, TypeMismatchError

from consentkit.archive.store.clickhouse.server import (
    NONE,
    PLACE,
    Of,
    StillRunning,
    limit_of_this_thread,
)
from consentkit.control.idle import Idle
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from consentkit.archive.store.clickhouse.address import Address
    from consentkit.archive.store.clickhouse.server import Numbers, Value
    from consentkit.archive.store.requeststore import Limit

# Of one process: the ingester needs two, the admin area one or two a thread that reads.
MOST: Final = 16
KEPT: Final = 4
WAIT_SECONDS: Final = 10.0

_CONNECT_SECONDS: Final = 5
_SILENCE_SECONDS: Final = 120
# A peer that is gone without a word is noticed after half a minute: idle, interval (seconds), probes.
_KEEPALIVE: Final = (15, 5, 3)
# Rows between two looks at the clock while they are streamed.
_ROWS: Final = 4096

# Nothing may be cut short in silence, whatever the user's profile says; sorting and grouping go to the server's
# disk before its memory ends. 10**5 numbers of 19 digits as text are two megabytes.
_READING: Final[dict[str, object]] = {
    "strings_as_bytes": True,
    "max_bytes_before_external_sort": 1 << 28,
    "max_bytes_before_external_group_by": 1 << 28,
    "max_query_size": 1 << 24,
    "timeout_overflow_mode": "throw",
    "read_overflow_mode": "throw",
    "result_overflow_mode": "throw",
    "sort_overflow_mode": "throw",
    "group_by_overflow_mode": "throw",
    "set_overflow_mode": "throw",
    "distinct_overflow_mode": "throw",
    "transfer_overflow_mode": "throw",
    "skip_unavailable_shards": 0,
}
# A block goes on whole and alone: the server neither splits it nor joins it to another, nor answers before it
# has stored it.
_MOST_ROWS: Final = 2**31
_INSERTING: Final[dict[str, object]] = {
    "strings_as_bytes": True,
    "insert_block_size": _MOST_ROWS,
    "max_insert_block_size": _MOST_ROWS,
    "min_insert_block_size_rows": _MOST_ROWS,
    "min_insert_block_size_bytes": 0,
}
_MODERN_INSERTING: Final = {**_INSERTING, "async_insert": 0}

# Codes of ClickHouse's ErrorCodes.cpp.
_SAME_ID_RUNS: Final = 216
_TIMEOUT: Final = 159
_REASONS: Final = {
    60: "the place's tables are not there",
    81: "the database is not there; make it",
    170: "has no such cluster",
    192: "does not let us in",
    193: "does not let us in",
    516: "does not let us in",
    497: "the user may not do this; docs/clickhouse.md says what it needs",
    241: "has not memory enough for this",
    243: "its disk is full",
    252: "is behind with merging; it takes more in a while",
}

# Its warnings are told by our errors, once; it would tell each try by a traceback with the server's address.
logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)


class Connections:
    """At most `MOST` connections at a time, of which `KEPT` are kept for the next who asks; a `Server`.

    Args:
        address: nothing is opened before something is asked.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: Idle[Client] = Idle(KEPT, Client.disconnect)
        self._free = threading.BoundedSemaphore(MOST)
        self._version: tuple[int, int] | None = None

    @property
    def version(self) -> tuple[int, int]:
        """Year and number of its release."""
        if self._version is None:
            with _telling(None), self._lent() as client:
                client.execute("SELECT 1")
                server = client.connection.server_info
                self._version = server.version_major, server.version_minor
        return self._version

    def run(self, statement: str) -> None:
        """Run a statement that returns nothing, to its end."""
        with _telling(None), self._lent() as client:
            client.execute(statement, settings={"max_query_size": _READING["max_query_size"]})

    def read(self, statement: str, shape: Callable[..., Of], numbers: Numbers = NONE) -> list[Of]:
        """Return what a statement selects."""
        limit = limit_of_this_thread()
        with _telling(limit), self._lent() as client:
            progress = client.execute_with_progress(
                statement, external_tables=_tables(numbers), settings=_reading(limit)
            )
            for _ in progress:  # about ten times a second
                if limit is not None and limit.has_passed:
                    client.disconnect()  # by this the server knows that nobody waits
                    limit.check()
            return [shape(*row) for row in progress.get_result()]

    def stream(self, statement: str, shape: Callable[..., Of], numbers: Numbers = NONE) -> Iterator[Of]:
        """Yield what a statement selects."""
        limit = limit_of_this_thread()
        with _telling(limit), self._lent() as client:
            is_read = False
            try:
                rows = client.execute_iter(
                    statement, external_tables=_tables(numbers), settings=_reading(limit), chunk_size=_ROWS
                )
                for chunk in rows:
                    if limit is not None:
                        limit.check()
                    yield from (shape(*row) for row in chunk)
                is_read = True
            finally:
                if not is_read:  # the rest of the answer would meet the next question
                    client.disconnect()

    def insert(
        self, table: str, columns: Sequence[str], rows: Callable[[], Iterable[Sequence[Value]]], *, query_id: str
    ) -> None:
        """Insert rows as one block: all or none."""

        def once_noted() -> Iterator[Sequence[Value]]:
            yield from rows()

        statement = f"INSERT INTO {self._address.database}.{table} ({', '.join(columns)}) VALUES"
        settings = _MODERN_INSERTING if self.version >= (21, 0) else _INSERTING
        with _telling(None), self._lent() as client:
            client.execute(statement, once_noted(), query_id=query_id, settings=settings)

    def close(self) -> None:
        """Close what nobody uses, and the rest as it is given back, until another is asked for."""
        self._idle.close()

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Client]:
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise StorageError(PLACE, f"all {MOST} connections of this process are in use")
        try:
            client = self._idle.take() or self._made()
            try:
                yield client
            finally:
                self._idle.give_back(client)
        finally:
            self._free.release()

    def _made(self) -> Client:
        address = self._address
        options: dict[str, Any] = {
            "connect_timeout": _CONNECT_SECONDS,
            "send_receive_timeout": _SILENCE_SECONDS,
            **address.options,
        }
        return Client(
            address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=address.database,
            secure=address.secure,
            client_name="consentkit",
            tcp_keepalive=_KEEPALIVE,
            **options,
        )


def _reading(limit: Limit | None) -> dict[str, object]:
    if limit is None or math.isinf(limit.remaining):
        return _READING
    limit.check()
    # Whole seconds: the server's own end comes behind ours, for when we are gone.
    return {**_READING, "max_execution_time": min(math.ceil(limit.remaining), 10**6)}


def _tables(numbers: Numbers) -> list[dict[str, object]]:
    return [
        {"name": name, "structure": [("n", "Int64")], "data": [(number,) for number in those]}
        for name, those in numbers.items()
    ]


@contextlib.contextmanager
def _telling(limit: Limit | None) -> Iterator[None]:
    try:
        yield
    except ServerException as exc:
        if exc.code == _SAME_ID_RUNS:
            raise StillRunning from None
        if limit is not None and exc.code == _TIMEOUT:
            limit.check()
        raise StorageError(PLACE, _REASONS.get(exc.code, f"the server refused (code {exc.code})")) from None
    except TypeMismatchError:
        raise StorageError(PLACE, "is told a number that does not fit into 64 bits") from None
    except (Error, OSError, EOFError) as exc:
        if limit is not None:
            limit.check()
        reason = f"can't be reached, or the connection broke ({type(exc).__name__})"
        raise StorageError(PLACE, reason) from None
