"""What a ClickHouse server refuses, what is told of it, what it ends, and what it leaves behind."""

from __future__ import annotations

import time

import pytest

from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.clickhouse.ddl import columns_of
from consentkit.archive.store.places import TimeIsUp
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, SINCE_US, addition, many, row
from tests.servers.clickhouse import PASSWORD, USER, ClickHouse, database_of, serving

pytestmark = pytest.mark.server


@pytest.fixture
def engine(clickhouse_engine: ClickHouseEngine) -> ClickHouseEngine:
    return clickhouse_engine


def test_an_outage_is_told_without_the_password_and_is_over_with_the_next_call() -> None:
    with serving() as (server,):
        engine = ClickHouseEngine(server.url())
        engine.prepare()
        engine.make(PLACE)
        engine.append(PLACE, [addition([row(SINCE_US, 0)])])
        server.stop()

        for ask in (
            lambda: engine.count(PLACE, ALL),
            lambda: list(engine.in_order(PLACE)),
            lambda: engine.append(PLACE, [addition([row(SINCE_US, 1)], number=2)]),
            lambda: engine.drop(PLACE),
            engine.places,
            engine.prepare,
        ):
            with pytest.raises(StorageError, match="can't be reached") as refused:
                ask()
            assert PASSWORD not in str(refused.value)
            assert USER not in str(refused.value)

        server.start()
        engine.append(PLACE, [addition([row(SINCE_US, 1)], number=2)])
        assert engine.count(PLACE, ALL) == 2
        engine.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((PASSWORD, "another-one"), "does not let us in"),
        (("/default", "/not_there"), "the database is not there"),
    ],
    ids=["password", "database"],
)
def test_a_refusal_is_told_by_its_kind(
    clickhouse_servers: list[ClickHouse], change: tuple[str, str], said: str
) -> None:
    engine = ClickHouseEngine(clickhouse_servers[0].url().replace(*change))

    with pytest.raises(StorageError, match=said) as refused:
        engine.places()

    engine.close()
    assert "another-one" not in str(refused.value)


def test_a_cluster_that_is_not_there_is_told(clickhouse_servers: list[ClickHouse]) -> None:
    engine = ClickHouseEngine(clickhouse_servers[0].url(rest="?cluster=three"))

    with pytest.raises(StorageError, match="no such cluster"):
        engine.prepare()
    engine.close()


def test_a_table_of_others_is_not_taken_for_ours(
    clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    clickhouse_servers[0].ask(f"CREATE TABLE {database_of(clickhouse_url)}.word (a Int8) ENGINE = Memory")

    engine = ClickHouseEngine(clickhouse_url)
    with pytest.raises(StorageError, match="a database of its own"):
        engine.prepare()
    engine.close()


def test_what_takes_longer_than_it_may_is_ended_on_both_sides(
    engine: ClickHouseEngine, clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    server = clickhouse_servers[0]
    engine.append(PLACE, many(2_000, lane="lane-a", segment=1))
    names = ", ".join(name for name in columns_of("request") if name != "sequence")
    server.ask(
        f"INSERT INTO {database_of(clickhouse_url)}.request ({names}, sequence)"
        f" SELECT {names}, 100000 + number FROM {database_of(clickhouse_url)}.request"
        " CROSS JOIN (SELECT number FROM system.numbers LIMIT 2000) WHERE stretch >= 0"
    )
    started = time.monotonic()

    def ask_much() -> None:
        while True:
            engine.counts(PLACE, ALL, ("step", 1))
            list(engine.alike(PLACE, 0, 2**62, [*range(200)]))

    with pytest.raises(TimeIsUp), engine.limited(Deadline(0.3)):
        ask_much()

    assert time.monotonic() - started < 3
    time.sleep(1.0)
    assert server.ask("SELECT count() FROM system.processes WHERE query LIKE '%duration_us%'") == [(1,)]
    assert engine.count(PLACE, ALL) > 2_000_000


def test_what_merges_left_is_counted_until_it_is_deleted_which_is_as_soon_as_it_may_be(
    engine: ClickHouseEngine, clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    server, name = clickhouse_servers[0], database_of(clickhouse_url)
    seconds = 0.0
    for _ in range(3):
        engine.make(PLACE)
        for number in range(1, 9):
            engine.append(PLACE, [addition([row(SINCE_US, number)], number=number)])
        server.ask(f"OPTIMIZE TABLE {name}.request FINAL")

        assert engine.left(PLACE) > 8 + 8 + 1  # requests, batches, the place; words, and what was merged
        started = time.monotonic()
        engine.drop(PLACE)
        seconds += time.monotonic() - started
        assert engine.left(PLACE) == 0
        assert server.ask(f"SELECT count() FROM system.parts WHERE database = '{name}'") == [(0,)]
    assert seconds < 15  # by itself the server looks for what is due every ten seconds


def test_a_driver_that_logs_shows_no_password(engine: ClickHouseEngine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "clickhouse_driver")

    engine.append(PLACE, [addition([row(SINCE_US, 0)])])
    engine.count(PLACE, ALL)

    assert caplog.text
    assert PASSWORD not in caplog.text
