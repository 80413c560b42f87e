"""A server that refuses, dies or loses its answer in the midst of storing: all rows are there once afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import psycopg
import pytest

from consentkit.archive.store.clickhouse.connections import Connections
from consentkit.archive.store.server.engine import Addition
from consentkit.archive.store.server.store import ServerStore
from consentkit.errors import StorageError
from tests.stores.conftest import SERVERS
from tests.stores.sites import Site

POSTGRESQL = [one for one in SERVERS if one.values[0] == "postgresql"]
CLICKHOUSE = [one for one in SERVERS if str(one.values[0]).startswith("clickhouse")]


@pytest.fixture(autouse=True)
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are a dozen of them."""
    monkeypatch.setattr("consentkit.archive.ingest._BYTES_A_ROUND", 8_000)


def drained(site: Site, *, tries: int) -> int:
    """Store all, beginning again after each failure, now and then by a new process; return how many there were."""
    ingester, failures = site.ingester(), 0
    while True:
        try:
            ingester.drain()
        except StorageError:
            failures += 1
            assert failures < tries
            ingester.close()
            if failures % 3 == 0:
                ingester = site.ingester()
        else:
            ingester.close()
            return failures


def check(site: Site) -> None:
    assert site.found() == site.expected()
    assert site.faults() == {}
    assert site.workers() == []


@pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")
@pytest.mark.parametrize("seed", [1, 2])
def test_appends_that_fail_or_whose_answer_is_lost_lose_and_double_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    store = site.holdings.rows
    assert isinstance(store, ServerStore)
    engine, rng = store._engine, random.Random(seed)
    append = engine.append

    def unreliable(place: str, additions: Sequence[Addition]) -> None:
        fate = rng.random()
        if fate < 0.25:
            raise StorageError("the server", "refuses")
        if fate < 0.35:
            append(place, additions[: len(additions) // 2])
            raise StorageError("the server", "took some, and went away")
        append(place, additions)
        if fate < 0.6:
            raise StorageError("the server", "did all, and went away")

    monkeypatch.setattr(engine, "append", unreliable)
    assert drained(site, tries=300) > 3
    monkeypatch.undo()
    check(site)


REFUSES = "RAISE EXCEPTION 'refused'"
DIES = "PERFORM pg_terminate_backend(pg_backend_pid())"


@pytest.mark.parametrize("backend", POSTGRESQL, indirect=True, scope="session")
@pytest.mark.parametrize("does", [REFUSES, DIES], ids=["refuses", "connection lost"])
@pytest.mark.parametrize("table", ["word", "gap", "request", "batch"])
def test_a_statement_that_postgresql_ends_leaves_nothing_half_done(site: Site, table: str, does: str) -> None:
    site.holdings.rows.lying("period")  # makes the tables
    body = f"""
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF random() < 0.5 OR TG_TABLE_NAME LIKE 'gap%' THEN {does}; END IF; RETURN NEW; END $$;
CREATE TRIGGER fail BEFORE INSERT ON consentkit.{table} FOR EACH ROW EXECUTE FUNCTION fail()"""
    with psycopg.connect(site.where.url, autocommit=True) as connection:
        connection.execute(body)
        ingester = site.ingester()
        for _ in range(3):
            with pytest.raises(StorageError):
                ingester.drain()
        connection.execute(f"DROP TRIGGER fail ON consentkit.{table}")
        assert drained(site, tries=2) == 0
        ingester.close()
    check(site)


@pytest.mark.parametrize("backend", CLICKHOUSE, indirect=True, scope="session")
@pytest.mark.parametrize("is_done", [False, True], ids=["before it", "after it"])
def test_an_append_that_breaks_off_at_any_insert_into_clickhouse_is_completed(
    site: Site, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    insert: Callable[..., None] = Connections.insert
    count = fails_at = 0

    def breaking(self: Connections, *args: object, **kwargs: object) -> None:
        nonlocal count
        count += 1
        if count >= fails_at:
            if is_done:
                insert(self, *args, **kwargs)
            raise StorageError("ClickHouse", "went away")
        insert(self, *args, **kwargs)

    site.holdings.rows.lying("period")  # makes the tables
    monkeypatch.setattr(Connections, "insert", breaking)
    while True:
        count, fails_at = 0, fails_at + 1
        ingester = site.ingester()
        try:
            ingester.drain()
            break
        except StorageError:
            ingester.close()
    ingester.close()
    assert fails_at > 3
    monkeypatch.undo()
    check(site)
