"""Many hosts on one PostgreSQL server: at once, killed, and cut off."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable

import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import Outrun
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, SINCE_US, addition, many, row
from tests.archive.store.hosts import assert_whole, host, said
from tests.servers.postgresql import PASSWORD, PostgreSQL, serving

pytestmark = pytest.mark.server


@pytest.fixture
def engine(postgresql_engine: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql_engine


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def has_passed(engine: PostgresqlEngine, sequence: int) -> bool:
    return engine.applied(PLACE, 1) > sequence


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_that_append_at_once_lose_nothing_and_double_nothing(
    engine: PostgresqlEngine, database_url: str, hosts: int
) -> None:
    engine.drop(PLACE)  # they make it themselves, all at once
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(host(database_url, number, 3000)) for number in range(1, hosts + 1)]
        for one in running:
            assert [said(one), said(one)] == ["begun", "done"]

    assert_whole(engine, dict.fromkeys(range(1, hosts + 1), 3000))


def test_of_writers_of_one_lane_one_is_first(engine: PostgresqlEngine) -> None:
    given = many(40, lane="lane-a", segment=1, batch_rows=1)
    outrun = []

    def write() -> None:
        for one in given:
            try:
                engine.append(PLACE, [one])
            except Outrun:
                outrun.append(one.batch.number)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert_whole(engine, {1: 40})
    assert len(outrun) == 80


def test_a_host_that_is_killed_goes_on_from_its_mark(engine: PostgresqlEngine, database_url: str) -> None:
    for turn in range(3):
        with host(database_url, 1, 10_000) as killed, host(database_url, 2 + turn, 500) as other:
            assert said(killed) == "begun"
            until(functools.partial(has_passed, engine, 1000 * turn + 300))
            killed.kill()
            assert [said(other), said(other)] == ["begun", "done"]
        assert_whole(engine, {1: engine.applied(PLACE, 1), **{2 + one: 500 for one in range(turn + 1)}})

    with host(database_url, 1, 10_000) as returned:
        assert [said(returned), said(returned)] == ["begun", "done"]
    assert_whole(engine, {1: 10_000, 2: 500, 3: 500, 4: 500})


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_a_server_that_goes_away_amid_appending_and_comes_back_has_all_that_was_told(how: str) -> None:
    with serving(is_durable=True) as server:
        engine = PostgresqlEngine(server.url(server.make_database()))
        engine.prepare()
        engine.make(PLACE)
        given = many(30_000, lane="lane-a", segment=1)
        told = 0
        away = threading.Timer(0.3, getattr(server, how))
        away.start()
        refusal = ""
        for one in given:
            try:
                engine.append(PLACE, [one])
            except StorageError as exc:
                refusal = str(exc)
                break
            told = one.batch.next_sequence
        away.join()
        assert refusal
        assert PASSWORD not in refusal
        with pytest.raises(StorageError, match="reached"):
            engine.applied(PLACE, 1)

        server.start()

        applied = engine.applied(PLACE, 1)
        assert applied in {told, told + 100}  # what was under way is in whole or not at all
        assert_whole(engine, {1: applied})
        engine.append(PLACE, [one for one in given if one.batch.first_sequence >= applied])
        assert_whole(engine, {1: 30_000})
        engine.close()


def test_connections_that_the_server_ended_are_not_used_again(
    engine: PostgresqlEngine, postgresql: PostgreSQL
) -> None:
    engine.append(PLACE, [addition([row(SINCE_US, 0)])])
    with postgresql.connect() as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname LIKE 'test_%'"
        ).fetchall()
    assert ended
    assert all(is_ended for (is_ended,) in ended)

    assert engine.count(PLACE, ALL) == 1


def test_hosts_that_start_at_once_make_the_tables_once(postgresql_url: str) -> None:
    faults: list[StorageError] = []

    def start() -> None:
        own = PostgresqlEngine(postgresql_url)
        try:
            own.prepare()
            own.make(PLACE)
        except StorageError as exc:
            faults.append(exc)
        own.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    with contextlib.closing(PostgresqlEngine(postgresql_url)) as engine:
        assert engine.places() == {PLACE: False}


@pytest.mark.soak
def test_a_million_requests_are_quick_to_store_and_small(
    engine: PostgresqlEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures are printed; the bounds are far off, for a machine that does other things too."""
    count = 1_000_000
    given = many(count, lane="lane-a", segment=1, batch_rows=1000)
    begun = time.monotonic()
    for at in range(0, len(given), 10):
        engine.append(PLACE, given[at : at + 10])
    rate = count / (time.monotonic() - begun)
    bytes_a_row = engine.size_bytes(PLACE) / count

    with capsys.disabled():
        print(f"\nPostgreSQL: {rate:,.0f} rows/s, {bytes_a_row:.1f} bytes a row")
    assert engine.count(PLACE, ALL) == count
    assert bytes_a_row < 160
    assert rate > 1000
