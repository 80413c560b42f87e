"""What each role may do in PostgreSQL."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import psycopg
import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.postgresql.ddl import READER_MAY, WRITER_MAY
from consentkit.control.roles import grants
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, SINCE_US, addition, row
from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.server

OTHER = "period/2026-11-24.1"


@pytest.fixture
def engine(postgresql_engine: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql_engine


@pytest.fixture
def role(postgresql: PostgreSQL) -> Iterator[str]:
    name = f"role_{os.getpid()}"
    with postgresql.connect() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'open'".encode())
    yield name
    with postgresql.connect() as connection:
        connection.execute(f"DROP ROLE {name}".encode())


@contextlib.contextmanager
def engine_of(role: str, may: tuple[str, ...], server: PostgreSQL, url: str) -> Iterator[PostgresqlEngine]:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in grants(role, may):
            connection.execute(statement.encode())
        its = PostgresqlEngine(server.url(url.rpartition("/")[2], user=role, password="open"))
        try:
            yield its
        finally:
            its.close()
            connection.execute(f"DROP OWNED BY {role}".encode())


def test_who_writes_requests_can_not_read_them(
    engine: PostgresqlEngine, postgresql: PostgreSQL, database_url: str, role: str
) -> None:
    engine.append(PLACE, [addition([row(SINCE_US, 0)])])
    with engine_of(role, WRITER_MAY, postgresql, database_url) as writer:
        engine.prepare()  # the owner's shares what was granted with the places there are
        writer.prepare()
        writer.make(PLACE)
        engine.make(OTHER)  # after the rights were given
        writer.append(PLACE, [addition([row(SINCE_US, 1)], number=2)])
        writer.append(OTHER, [addition([row(SINCE_US, 1)])])

        assert writer.places() == {PLACE: False, OTHER: False}
        assert writer.marks(PLACE) == {("w1", 1): 2}
        assert writer.applied(PLACE, 1) == 2
        assert writer.known(PLACE, "client", [11]) == {11}
        last = writer.last_batch(PLACE, "lane-a")
        assert last is not None
        assert last.number == 2
        for refused in (
            lambda: writer.rows(PLACE, ALL, oldest_first=True, limit=1),
            lambda: list(writer.words(PLACE, "client")),
            lambda: list(writer.gaps(PLACE, 0, 1)),
            lambda: writer.make("period/2026-11-26.1"),
            lambda: writer.drop(PLACE),
        ):
            with pytest.raises(StorageError, match="role may not"):
                refused()
    assert engine.count(PLACE, ALL) == 2


def test_who_reads_requests_can_not_change_them(
    engine: PostgresqlEngine, postgresql: PostgreSQL, database_url: str, role: str
) -> None:
    engine.append(PLACE, [addition([row(SINCE_US, 0)])])
    with engine_of(role, READER_MAY, postgresql, database_url) as reader:
        engine.prepare()
        reader.prepare()

        assert len(reader.rows(PLACE, ALL, oldest_first=True, limit=0)) == 1
        assert [word.number for word in reader.words(PLACE, "client")] == [11]
        assert list(reader.gaps(PLACE, 0, 2**62)) == []
        assert reader.left(PLACE) > 1
        with pytest.raises(StorageError, match="role may not"):
            reader.append(PLACE, [addition([row(SINCE_US, 1)], number=2)])
        with pytest.raises(StorageError, match="role may not"):
            reader.drop(PLACE)


def test_a_role_that_may_make_nothing_says_whose_turn_it_is(
    postgresql: PostgreSQL, postgresql_url: str, role: str
) -> None:
    its = PostgresqlEngine(postgresql.url(postgresql_url.rpartition("/")[2], user=role, password="open"))

    with pytest.raises(StorageError, match="db upgrade"):
        its.prepare()
    its.close()
