"""Which of many places need not be opened: a server says so of those alone of which it is sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.clickhouse.ddl import TABLES
from consentkit.archive.store.postgresql import PostgresqlEngine, statements
from consentkit.archive.store.server.engine import Engine, GapRow, Word
from tests.archive.store.additions import PLACE, ROWS, SINCE_US, UNTIL_US, addition, words_of
from tests.servers.postgresql import PostgreSQL

OTHERS = [f"period/2026-11-{day}.1" for day in (20, 21, 22)]
GONE, EMPTY, NEVER = OTHERS
GAP = GapRow(1, 9, SINCE_US + 10, SINCE_US + 20, b"sealed")
HERE, NOBODY = 2**62 + 7, 2**63 - 1


@pytest.fixture
def engine(tables: Engine) -> Iterator[Engine]:
    """Two places with the same rows, of which the second has no client that is looked up, and one without any."""
    tables.make(PLACE)
    found = Word("client", 77, b"client 77", HERE)
    tables.append(PLACE, [addition(ROWS, gaps=[GAP], words=[*words_of(ROWS), found])])
    for place in (GONE, EMPTY):
        tables.make(place)
    tables.append(GONE, [addition(ROWS)])
    yield tables
    for place in tables.places():
        tables.drop(place)


def lacking(engine: Engine, lookups: Mapping[str, list[int]], *, since_us: int = 0, until_us: int = 1) -> set[str]:
    return engine.lacking(lookups, since_us, until_us)


def test_a_place_with_one_of_the_hashes_is_not_lacking(engine: Engine) -> None:
    assert lacking(engine, {PLACE: [HERE]}) == set()
    assert lacking(engine, {PLACE: [NOBODY, HERE]}) == set()
    assert lacking(engine, {PLACE: [NOBODY]}) == {PLACE}
    assert lacking(engine, {PLACE: list(range(1, 400))}) == {PLACE}


def test_each_place_is_asked_for_its_own_hashes(engine: Engine) -> None:
    assert lacking(engine, {PLACE: [HERE], GONE: [NOBODY]}) == {GONE}


@pytest.mark.parametrize(
    ("since_us", "until_us", "touches"),
    [
        (0, 2**62, True),
        (SINCE_US + 20, UNTIL_US, True),
        (SINCE_US, SINCE_US + 11, True),
        (SINCE_US + 21, UNTIL_US, False),
        (SINCE_US, SINCE_US + 10, False),
    ],
    ids=["all time", "its end", "its beginning", "after it", "before it"],
)
def test_a_place_with_a_gap_in_the_time_is_not_lacking(
    engine: Engine, since_us: int, until_us: int, touches: bool
) -> None:
    found = lacking(engine, {PLACE: [NOBODY], GONE: [NOBODY]}, since_us=since_us, until_us=until_us)
    assert found == ({GONE} if touches else {PLACE, GONE})


def test_of_a_place_that_is_gone_or_was_never_there_nothing_is_sure(engine: Engine) -> None:
    assert lacking(engine, {GONE: [NOBODY]}) == {GONE}
    engine.drop(GONE)
    assert GONE not in lacking(engine, {GONE: [NOBODY], PLACE: [NOBODY]})
    assert NEVER not in lacking(engine, {NEVER: [NOBODY], PLACE: [NOBODY]})
    assert lacking(engine, {PLACE: [NOBODY]}) == {PLACE}


def dropped_by_steps(engine: Engine, place: str) -> Iterator[str]:
    """Drop a place, yielding after each step that could be the last; most engines know but one."""
    if isinstance(engine, ClickHouseEngine):
        shards = engine._shards
        for table in TABLES:
            for number, server in enumerate(shards.all):
                server.run(f"ALTER TABLE {shards.database}.{table}{shards.suffix} DROP PARTITION '{place}'")
                yield f"{table} of shard {number}"
    else:
        engine.drop(place)
        yield "all"


def test_a_place_that_is_being_dropped_is_not_lacking(engine: Engine) -> None:
    for step in dropped_by_steps(engine, PLACE):
        assert lacking(engine, {PLACE: [HERE], GONE: [NOBODY]}) <= {GONE}, step


@pytest.mark.server
def test_postgresql_finds_the_hashes_of_many_places_by_their_indexes_in_one_statement(
    postgresql: PostgreSQL, postgresql_url: str
) -> None:
    engine = PostgresqlEngine(postgresql_url)
    engine.prepare()
    places = [f"period/2026-10-{day:02}.1" for day in range(1, 13)]
    words = [Word("client", number, b"x" * 200, number) for number in range(1, 2000)]
    for place in places:
        engine.make(place)
        engine.append(place, [addition([], words=words)])
    asked = statements.lacking([(place, [NOBODY]) for place in places], 0, 1)
    with postgresql.connect(postgresql_url.rpartition("/")[2]) as connection:
        connection.execute("ANALYZE")
        plan = [line for (line,) in connection.execute(f"EXPLAIN {asked.text}", asked.values)]
    engine.close()
    assert sum("Scan using word_" in line and "_lookup_" in line for line in plan) == len(places)
    assert not any("Seq Scan on word_" in line for line in plan)
