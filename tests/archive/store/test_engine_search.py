"""What every engine answers of what is stored."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store import clickhouse, postgresql
from consentkit.archive.store.places import TimeIsUp
from consentkit.archive.store.server.engine import (
    KINDS,
    Addition,
    Among,
    Engine,
    GapRow,
    Kind,
    Row,
    Wanted,
    Withheld,
)
from tests.archive.store.additions import (
    ALL,
    DAY_US,
    GREATEST,
    PLACE,
    ROWS,
    SHARED,
    SINCE_US,
    UNTIL_US,
    addition,
    many,
    row,
)
from tests.archive.store.engines import CONNECTED, EVERY_BUT_CHDB, SERVERS
from tests.archive.store.sqlengine import SqlEngine

MOST_CONNECTIONS = max(clickhouse.connections.MOST, postgresql.connections.MOST)
HOUR_US = 3_600_000_000
GAP = "period/2026-11-21.1"  # has one


def sequences(rows: list[Row]) -> list[int]:
    return [one.sequence for one in rows]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(ALL, [3, 4, 1, 2, 0], id="all"),
        pytest.param(ALL._replace(since_us=SINCE_US + 5, until_us=UNTIL_US - 1), [4, 1, 2], id="time"),
        pytest.param(ALL._replace(since_us=0, until_us=2**62), [3, 4, 1, 2, 0], id="any time"),
        pytest.param(ALL._replace(until_us=SINCE_US), [], id="no time"),
        pytest.param(ALL._replace(all_of=[Among("client", [2, 3])]), [3, 1, 2], id="clients"),
        pytest.param(ALL._replace(all_of=[Among("client", [1, 2]), Among("client", [2, 3])]), [1, 2], id="twice"),
        pytest.param(ALL._replace(all_of=[Among("client", [])]), [], id="none of"),
        pytest.param(ALL._replace(any_of=[Among("resource", [7]), Among("referrer", [9])]), [1, 2], id="any of"),
        pytest.param(ALL._replace(any_of=[Among("resource", [])]), [], id="any of none"),
        pytest.param(ALL._replace(statuses=[(404, 404), (0, 0)]), [3, 1, 2], id="statuses"),
        pytest.param(ALL._replace(statuses=[(500, 599)]), [4], id="class"),
        pytest.param(ALL._replace(outcome=1), [2], id="outcome"),
        pytest.param(ALL._replace(none_of=[Withheld([2], SINCE_US, UNTIL_US, None)]), [3, 4, 0], id="withheld"),
        pytest.param(
            ALL._replace(none_of=[Withheld([1, 2], SINCE_US + 1, UNTIL_US, [1, 3])]),
            [3, 2, 0],
            id="withheld agents",
        ),
        pytest.param(
            ALL._replace(none_of=[Withheld([2], SINCE_US, SINCE_US + 5, None)]),
            [3, 4, 1, 2, 0],
            id="withheld time",
        ),
        pytest.param(
            ALL._replace(none_of=[Withheld([], 0, GREATEST, None), Withheld([3], 0, GREATEST, [])]),
            [3, 4, 1, 2, 0],
            id="withheld nothing",
        ),
    ],
)
def test_rows_are_found_by_what_is_wanted(stored: Engine, wanted: Wanted, found: list[int]) -> None:
    newest_first = stored.rows(SHARED, wanted, oldest_first=False, limit=0)
    oldest_first = stored.rows(SHARED, wanted, oldest_first=True, limit=0)

    assert sorted(sequences(newest_first)) == sorted(found)
    assert [one.time_us for one in newest_first] == [ROWS[at].time_us for at in found]
    assert [one.time_us for one in oldest_first] == [ROWS[at].time_us for at in reversed(found)]
    assert stored.count(SHARED, wanted) == len(found)
    first = stored.rows(SHARED, wanted, oldest_first=False, limit=1)
    assert [one.time_us for one in first] == [ROWS[at].time_us for at in found[:1]]


def test_a_limit_gives_the_first_rows_alone(stored: Engine) -> None:
    assert sequences(stored.rows(SHARED, ALL, oldest_first=False, limit=2)) == [3, 4]
    assert sequences(stored.rows(SHARED, ALL, oldest_first=True, limit=1)) == [0]


def test_ends_are_of_the_stretch(stored: Engine) -> None:
    assert stored.ends(SHARED, 0, 2**62) == (SINCE_US, UNTIL_US - 1)
    assert stored.ends(SHARED, SINCE_US + 1, UNTIL_US - 1) == (SINCE_US + 5, SINCE_US + DAY_US // 2)
    assert stored.ends(SHARED, SINCE_US + 6, SINCE_US + 7) is None


def test_counts_by_each_column_and_by_time(stored: Engine) -> None:
    half = DAY_US // 2
    steps = [(SINCE_US // half, 3), (SINCE_US // half + 1, 2)]

    assert sorted(stored.counts(SHARED, ALL, "client")) == [(1, 2), (2, 2), (3, 1)]
    assert sorted(stored.counts(SHARED, ALL, "status")) == [(0, 1), (200, 1), (404, 2), (599, 1)]
    assert sorted(stored.counts(SHARED, ALL, "outcome")) == [(0, 3), (1, 1), (2, 1)]
    assert sorted(stored.counts(SHARED, ALL, ("step", half))) == steps
    assert stored.counts_by_status(SHARED, half) == [
        (SINCE_US // half, 2, 1),
        (SINCE_US // half, 4, 2),
        (SINCE_US // half + 1, 0, 1),
        (SINCE_US // half + 1, 5, 1),
    ]


@pytest.mark.parametrize("tables", EVERY_BUT_CHDB, indirect=True)
def test_nothing_is_asked_when_the_time_is_up_already(stored: Engine) -> None:
    with pytest.raises(TimeIsUp), stored.limited(Deadline(0)):
        stored.count(SHARED, ALL)

    assert stored.count(SHARED, ALL) == len(ROWS)


def test_times_within_one_tick_and_over_its_edge_are_in_order(engine: Engine) -> None:
    edge = (SINCE_US >> 20) + 1 << 20
    times = [edge + 1, edge - 1, edge, edge + (1 << 20), edge - 2, edge + 2]
    engine.append(PLACE, [addition([row(time_us, at) for at, time_us in enumerate(times)])])

    found = [one.time_us for one in engine.rows(PLACE, ALL, oldest_first=True, limit=0)]

    assert found == sorted(times)
    assert [engine.nth_time(PLACE, ALL, at) for at in range(7)] == [*sorted(times, reverse=True), None]
    assert engine.ends(PLACE, edge - 1, edge + 2) == (edge - 1, edge + 1)


def test_what_is_alike_comes_together(filled: Engine) -> None:
    filled.append(PLACE, [addition([row(SINCE_US, 9, client=1, agent=1, result=800)], number=2)])

    found = sorted(filled.alike(PLACE, SINCE_US, SINCE_US + DAY_US - 1, [1000, 3500, 3501]))

    assert found == [(1, 1, 31, 800, 2, 2), (1, 3, 31, 2396, 1, 1), (2, 1, 7, 1616, 2, 1), (2, 2, 31, 1617, 2, 1)]
    assert {one[4] for one in filled.alike(PLACE, 0, 2**62, [])} == {0}


@pytest.fixture(scope="module")
def with_gap(tables: Engine) -> Iterator[Engine]:
    tables.make(GAP)
    tables.append(GAP, [addition([], gaps=[GapRow(1, 0, 10, 20, b"g")], words=[])])
    yield tables
    tables.drop(GAP)


@pytest.mark.parametrize(
    ("since_us", "until_us", "touches"),
    [(10, 21, True), (20, 21, True), (21, 99, False), (0, 10, False), (0, 11, True)],
    ids=["within", "its end", "after", "before", "its begin"],
)
def test_a_gap_is_found_by_the_time_it_touches(
    with_gap: Engine, since_us: int, until_us: int, touches: bool
) -> None:
    assert bool(list(with_gap.gaps(GAP, since_us, until_us))) is touches


def test_a_hundred_thousand_numbers_are_a_condition_like_any_other(engine: Engine) -> None:
    engine.append(PLACE, many(2000, lane="lane-a", segment=1))
    numbers = [*range(10**9, 10**9 + 100_000), 7]
    wanted = ALL._replace(all_of=[Among("client", numbers)])
    left_out = ALL._replace(none_of=[Withheld(numbers, 0, GREATEST, numbers)])

    found = engine.rows(PLACE, wanted, oldest_first=True, limit=0)

    assert found
    assert {one.client for one in found} == {7}
    assert engine.count(PLACE, left_out) == 2000 - sum(one.agent == 7 for one in found)
    assert engine.known(PLACE, "client", numbers) == {7}


@functools.cache
def large() -> list[Addition]:
    """More than any server sends at once, the later segment first."""
    return [*many(15_000, lane="lane-a", segment=2), *many(9_000, lane="lane-b", segment=1)]


@pytest.mark.parametrize("tables", SERVERS, indirect=True)
def test_streams_give_all_in_order_whatever_the_size(engine: Engine) -> None:
    engine.append(PLACE, large())

    found = [(one.segment, one.sequence) for one in engine.in_order(PLACE)]

    assert found == [(1, at) for at in range(9_000)] + [(2, at) for at in range(15_000)]
    assert sum(count for *_, count in engine.alike(PLACE, 0, GREATEST, [10**5])) == 24_000


@pytest.mark.parametrize("tables", CONNECTED, indirect=True)
def test_a_stream_that_is_left_early_is_in_nobody_s_way(engine: Engine) -> None:
    engine.append(PLACE, large())
    for _ in range(MOST_CONNECTIONS + 2):
        stream = engine.in_order(PLACE)
        next(stream)
        del stream

    assert engine.count(PLACE, ALL) == 24_000
    engine.drop(PLACE)
    assert engine.left(PLACE) == 0


@pytest.mark.parametrize("tables", SERVERS, indirect=True)
def test_all_answers_are_those_of_an_engine_that_is_easy_to_read(engine: Engine, tmp_path: Path) -> None:
    plain = SqlEngine(tmp_path / "plain.db")
    plain.prepare()
    plain.make(PLACE)
    for lane, segment in (("lane-a", 1), ("lane-b", 2), ("lane-c", 3)):
        batches = many(700, lane=lane, segment=segment, seed=segment)
        engine.append(PLACE, batches)
        plain.append(PLACE, batches)

    for seed in range(8):
        wanted = a_search(random.Random(seed))
        assert answers(engine, wanted) == answers(plain, wanted), seed
    assert list(engine.in_order(PLACE)) == list(plain.in_order(PLACE))
    assert list(engine.batches(PLACE)) == list(plain.batches(PLACE))
    assert engine.marks(PLACE) == plain.marks(PLACE)
    for step_us in (HOUR_US, DAY_US):
        assert engine.counts_by_status(PLACE, step_us) == plain.counts_by_status(PLACE, step_us)
    plain.close()


def a_search(chance: random.Random) -> Wanted:
    """Return anything that can be asked."""

    def some(kind: Kind, most: int) -> Among:
        return Among(kind, chance.sample(range(60), chance.choice((0, 1, 3, most))))

    since_us = SINCE_US + chance.randrange(-DAY_US // 4, DAY_US)
    numbers = some("client", 50).numbers
    agents = chance.choice((None, some("agent", 9).numbers))
    return Wanted(
        since_us if chance.random() < 0.5 else 0,
        since_us + chance.randrange(DAY_US) if chance.random() < 0.5 else 2**62,
        [some("client", 50)] * chance.randrange(2) + [some("agent", 9)] * chance.randrange(2),
        [some("resource", 60), some("client", 50)] if chance.random() < 0.3 else (),
        [(200, 299), (404, 404)] if chance.random() < 0.3 else (),
        chance.choice((None, None, 0, 2)),
        [Withheld(numbers, SINCE_US, since_us + HOUR_US, agents)] if chance.random() < 0.5 else (),
    )


def answers(engine: Engine, wanted: Wanted) -> list[object]:
    """Return all that an engine says of a search."""
    bys: list[object] = [*KINDS, "status", "outcome", ("step", HOUR_US)]
    return [
        *(
            [found.time_us for found in engine.rows(PLACE, wanted, oldest_first=first, limit=limit)]
            for first in (True, False)
            for limit in (0, 1, 50)
        ),
        sorted(engine.rows(PLACE, wanted, oldest_first=True, limit=0)),
        engine.count(PLACE, wanted),
        engine.ends(PLACE, wanted.since_us, wanted.until_us),
        [engine.nth_time(PLACE, wanted, skipped) for skipped in (0, 1, 70, 5000)],
        [sorted(engine.counts(PLACE, wanted, by)) for by in bys],  # type: ignore[arg-type]
        sorted(engine.alike(PLACE, wanted.since_us, wanted.until_us, [1000, 10**5])),
    ]
