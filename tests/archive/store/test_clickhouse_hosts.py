"""Many hosts on one place in ClickHouse, at once."""

from __future__ import annotations

import threading

import pytest

from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.server.engine import Addition, Outrun
from tests.archive.store.additions import ALL, PLACE, many, rows_of
from tests.archive.store.hosts import assert_nothing_stays_open
from tests.servers.clickhouse import ClickHouse, database_of

pytestmark = pytest.mark.server


def test_hosts_write_one_place_at_once_each_in_its_lane(
    clickhouse_cluster_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    engine = ClickHouseEngine(clickhouse_cluster_url)
    engine.prepare()
    lanes = {f"lane-{number}": many(3_000, lane=f"lane-{number}", segment=number) for number in range(4)}
    other = "period/2026-11-24.1"
    for place in (PLACE, other):
        engine.make(place)
        writers = [
            threading.Thread(target=append_in_steps, args=(clickhouse_cluster_url, place, batches))
            for batches in lanes.values()
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

    for place in (PLACE, other):
        assert list(engine.in_order(place)) == [one for batches in lanes.values() for one in rows_of(batches)]
    name = database_of(clickhouse_cluster_url)
    for server in clickhouse_servers:
        assert server.ask(f"SELECT count() > 1000 FROM {name}.request_local") == [(1,)]
    engine.drop(PLACE)
    assert engine.left(PLACE) == 0
    assert engine.count(other, ALL) == 12_000
    engine.close()


def append_in_steps(url: str, place: str, batches: list[Addition]) -> None:
    engine = ClickHouseEngine(url)
    for at in range(0, len(batches), 5):
        engine.append(place, batches[at : at + 5])
    engine.close()


def test_a_copy_of_a_host_that_writes_at_once_is_outrun_and_doubles_nothing(
    clickhouse_engine: ClickHouseEngine, clickhouse_url: str
) -> None:
    batches = many(4_000, lane="lane-a", segment=1)
    outruns: list[int] = []

    def host() -> None:
        own = ClickHouseEngine(clickhouse_url)
        last = 0
        while last < len(batches):
            try:
                own.append(PLACE, batches[last : last + 1])
            except Outrun:
                outruns.append(last)
            found = own.last_batch(PLACE, "lane-a")
            last = found.number if found else 0
        own.close()

    hosts = [threading.Thread(target=host) for _ in range(3)]
    for one in hosts:
        one.start()
    for one in hosts:
        one.join()

    assert list(clickhouse_engine.in_order(PLACE)) == rows_of(batches)
    assert list(clickhouse_engine.batches(PLACE)) == [one.batch for one in batches]


def test_what_is_read_on_after_all_was_closed_leaves_no_connection_behind(
    clickhouse_url: str, clickhouse_servers: list[ClickHouse]
) -> None:
    engine = ClickHouseEngine(clickhouse_url)
    engine.prepare()
    engine.make(PLACE)
    engine.append(PLACE, many(15_000, lane="lane-a", segment=1))
    assert_nothing_stays_open(engine, clickhouse_servers[0], 15_000)
    engine.close()
