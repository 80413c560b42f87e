"""Who waits for whom in PostgreSQL, and for how long."""

from __future__ import annotations

import os
import signal
import threading
import time

import psycopg
import pytest

from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store.places import TimeIsUp
from consentkit.archive.store.postgresql import PostgresqlEngine, connections, cutoff, places
from consentkit.archive.store.postgresql.ddl import partition
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, SINCE_US, addition, many, row
from tests.archive.store.hosts import assert_nothing_stays_open, assert_whole, host, said
from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.server

OTHER = "period/2026-11-24.1"


@pytest.fixture
def engine(postgresql_engine: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql_engine


def test_a_place_is_dropped_while_another_is_read(engine: PostgresqlEngine) -> None:
    engine.make(OTHER)
    engine.append(OTHER, many(15_000, lane="lane-a", segment=1))
    engine.append(PLACE, many(1000, lane="lane-a", segment=1))
    reading = engine.in_order(OTHER)
    next(reading)

    begun = time.monotonic()
    engine.drop(PLACE)
    engine.make("period/2026-11-25.1")

    assert time.monotonic() - begun < 5
    assert engine.left(PLACE) == 0
    assert sum(1 for _ in reading) == 14_999


def test_a_place_is_dropped_while_others_append_elsewhere(engine: PostgresqlEngine, database_url: str) -> None:
    engine.make(OTHER)
    engine.append(OTHER, many(1000, lane="lane-a", segment=1))
    with host(database_url, 1, 10_000) as one, host(database_url, 2, 10_000) as two:
        assert [said(one), said(two)] == ["begun", "begun"]
        engine.drop(OTHER)
        assert engine.left(OTHER) == 0
        assert [said(one), said(two)] == ["done", "done"]

    assert_whole(engine, {1: 10_000, 2: 10_000})


def test_a_place_that_is_being_read_is_dropped_when_the_reader_has_left(engine: PostgresqlEngine) -> None:
    engine.append(PLACE, many(15_000, lane="lane-a", segment=1))
    reading = engine.in_order(PLACE)
    next(reading)
    dropping = threading.Thread(target=engine.drop, args=(PLACE,))
    dropping.start()
    time.sleep(0.5)
    assert dropping.is_alive()

    assert sum(1 for _ in reading) == 14_999

    dropping.join(10)
    assert engine.left(PLACE) == 0


def test_a_place_whose_reader_stays_is_not_dropped_and_is_as_before(
    engine: PostgresqlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_LOCK_MS", (20, 40))
    engine.append(PLACE, many(15_000, lane="lane-a", segment=1))
    reading = engine.in_order(PLACE)
    next(reading)

    with pytest.raises(StorageError, match="in time"):
        engine.drop(PLACE)

    assert sum(1 for _ in reading) == 14_999
    assert_whole(engine, {1: 15_000})
    engine.append(PLACE, many(100, lane="lane-b", segment=2))


def test_what_takes_too_long_is_ended_and_others_go_on(engine: PostgresqlEngine, database_url: str) -> None:
    engine.append(PLACE, many(1000, lane="lane-a", segment=1))
    engine.make(OTHER)

    with psycopg.connect(database_url) as alone:
        alone.execute(f"LOCK TABLE {partition('request', PLACE)}")
        with engine.limited(Deadline(0.2)), pytest.raises(TimeIsUp):
            engine.count(PLACE, ALL)
        with engine.limited(Deadline(30.0)):
            assert engine.count(OTHER, ALL) == 0
    with engine.limited(Deadline(0.0)), pytest.raises(TimeIsUp):
        engine.count(PLACE, ALL)
    with engine.limited(Deadline(30.0)):
        assert engine.count(PLACE, ALL) == 1000
    with engine.limited(Deadline(None)):
        assert engine.count(PLACE, ALL) == 1000
    assert engine.count(PLACE, ALL) == 1000


def test_a_stream_that_is_read_too_slowly_is_ended(
    engine: PostgresqlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.1)
    engine.append(PLACE, many(15_000, lane="lane-a", segment=1))

    def slowly() -> None:
        for _ in engine.in_order(PLACE):
            time.sleep(0.0001)

    with engine.limited(Deadline(0.3)), pytest.raises(TimeIsUp):
        slowly()

    assert engine.count(PLACE, ALL) == 15_000


def test_a_server_that_hangs_is_left(
    engine: PostgresqlEngine, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.2)
    engine.append(PLACE, many(20_000, lane="lane-a", segment=1))
    stream = engine.in_order(PLACE)
    with engine.limited(Deadline(3.0)):
        next(stream)
    with postgresql.connect() as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
        ).fetchone()
    assert found is not None
    os.kill(found[0], signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(TimeIsUp):
            list(stream)
        assert time.monotonic() - begun < 10
        assert engine.count(PLACE, ALL) == 20_000  # by another connection
    finally:
        os.kill(found[0], signal.SIGCONT)


def test_who_asks_for_more_connections_than_there_are_is_told(
    engine: PostgresqlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WAIT_SECONDS", 0.05)
    engine.append(PLACE, [addition([row(SINCE_US, 0)])])
    streams = [engine.in_order(PLACE) for _ in range(connections.MOST)]
    for stream in streams:
        next(stream)

    with pytest.raises(StorageError, match="in use"):
        engine.count(PLACE, ALL)

    for stream in streams:
        assert list(stream) == []
    assert engine.count(PLACE, ALL) == 1


def test_what_is_read_on_after_all_was_closed_leaves_no_connection_behind(
    engine: PostgresqlEngine, postgresql: PostgreSQL
) -> None:
    engine.append(PLACE, many(15_000, lane="lane-a", segment=1))
    assert_nothing_stays_open(engine, postgresql, 15_000)
