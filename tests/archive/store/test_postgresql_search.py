"""What PostgreSQL answers of what is stored."""

from __future__ import annotations

import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import Among, GapRow, Row, Wanted, Withheld
from tests.archive.store.additions import ALL, DAY_US, PLACE, ROWS, SINCE_US, UNTIL_US, addition, many, row

pytestmark = pytest.mark.server

GREATEST = 2**63 - 1


def sequences(rows: list[Row]) -> list[int]:
    return [one.sequence for one in rows]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ALL, [3, 4, 1, 2, 0]),
        (ALL._replace(since_us=SINCE_US + 5, until_us=UNTIL_US - 1), [4, 1, 2]),
        (ALL._replace(since_us=0, until_us=2**62), [3, 4, 1, 2, 0]),
        (ALL._replace(until_us=SINCE_US), []),
        (ALL._replace(all_of=[Among("client", [2, 3])]), [3, 1, 2]),
        (ALL._replace(all_of=[Among("client", [1, 2]), Among("client", [2, 3])]), [1, 2]),
        (ALL._replace(all_of=[Among("client", [])]), []),
        (ALL._replace(any_of=[Among("resource", [7]), Among("referrer", [9])]), [1, 2]),
        (ALL._replace(any_of=[Among("resource", [])]), []),
        (ALL._replace(statuses=[(404, 404), (0, 0)]), [3, 1, 2]),
        (ALL._replace(statuses=[(500, 599)]), [4]),
        (ALL._replace(outcome=1), [2]),
        (ALL._replace(none_of=[Withheld([2], SINCE_US, UNTIL_US, None)]), [3, 4, 0]),
        (ALL._replace(none_of=[Withheld([1, 2], SINCE_US + 1, UNTIL_US, [1, 3])]), [3, 2, 0]),
        (ALL._replace(none_of=[Withheld([2], SINCE_US, SINCE_US + 5, None)]), [3, 4, 1, 2, 0]),
        (ALL._replace(none_of=[Withheld([], 0, GREATEST, None), Withheld([3], 0, GREATEST, [])]), [3, 4, 1, 2, 0]),
    ],
    ids=[
        "all",
        "time",
        "any time",
        "no time",
        "clients",
        "twice",
        "none of",
        "any of",
        "any of none",
        "statuses",
        "class",
        "outcome",
        "withheld",
        "withheld agents",
        "withheld time",
        "withheld nothing",
    ],
)
def test_rows_are_found_by_what_is_wanted(filled: PostgresqlEngine, wanted: Wanted, found: list[int]) -> None:
    newest_first = filled.rows(PLACE, wanted, oldest_first=False, limit=0)
    oldest_first = filled.rows(PLACE, wanted, oldest_first=True, limit=0)

    assert sorted(sequences(newest_first)) == sorted(found)
    assert [one.time_us for one in newest_first] == [ROWS[at].time_us for at in found]
    assert [one.time_us for one in oldest_first] == [ROWS[at].time_us for at in reversed(found)]
    assert filled.count(PLACE, wanted) == len(found)
    assert filled.rows(PLACE, wanted, oldest_first=False, limit=1) == newest_first[:1] or len(found) > 1


def test_a_limit_gives_the_first_rows_alone(filled: PostgresqlEngine) -> None:
    assert sequences(filled.rows(PLACE, ALL, oldest_first=False, limit=2)) == [3, 4]
    assert sequences(filled.rows(PLACE, ALL, oldest_first=True, limit=1)) == [0]


def test_times_within_one_tick_and_over_its_edge_are_in_order(engine: PostgresqlEngine) -> None:
    edge = (SINCE_US >> 20) + 1 << 20
    times = [edge + 1, edge - 1, edge, edge + (1 << 20), edge - 2, edge + 2]
    engine.append(PLACE, [addition([row(time_us, at) for at, time_us in enumerate(times)])])

    found = [one.time_us for one in engine.rows(PLACE, ALL, oldest_first=True, limit=0)]

    assert found == sorted(times)
    assert [engine.nth_time(PLACE, ALL, at) for at in range(7)] == [*sorted(times, reverse=True), None]
    assert engine.ends(PLACE, edge - 1, edge + 2) == (edge - 1, edge + 1)


def test_ends_are_of_the_stretch(filled: PostgresqlEngine) -> None:
    assert filled.ends(PLACE, 0, 2**62) == (SINCE_US, UNTIL_US - 1)
    assert filled.ends(PLACE, SINCE_US + 1, UNTIL_US - 1) == (SINCE_US + 5, SINCE_US + DAY_US // 2)
    assert filled.ends(PLACE, SINCE_US + 6, SINCE_US + 7) is None


def test_counts_by_each_column_and_by_time(filled: PostgresqlEngine) -> None:
    half = DAY_US // 2
    steps = [(SINCE_US // half, 3), (SINCE_US // half + 1, 2)]

    assert sorted(filled.counts(PLACE, ALL, "client")) == [(1, 2), (2, 2), (3, 1)]
    assert sorted(filled.counts(PLACE, ALL, "status")) == [(0, 1), (200, 1), (404, 2), (599, 1)]
    assert sorted(filled.counts(PLACE, ALL, "outcome")) == [(0, 3), (1, 1), (2, 1)]
    assert sorted(filled.counts(PLACE, ALL, ("step", half))) == steps
    assert filled.counts_by_status(PLACE, half) == [
        (SINCE_US // half, 2, 1),
        (SINCE_US // half, 4, 2),
        (SINCE_US // half + 1, 0, 1),
        (SINCE_US // half + 1, 5, 1),
    ]


def test_what_is_alike_comes_together(filled: PostgresqlEngine) -> None:
    filled.append(PLACE, [addition([row(SINCE_US, 9, client=1, agent=1, result=800)], number=2)])

    found = sorted(filled.alike(PLACE, SINCE_US, SINCE_US + DAY_US - 1, [1000, 3500, 3501]))

    assert found == [(1, 1, 31, 800, 2, 2), (1, 3, 31, 2396, 1, 1), (2, 1, 7, 1616, 2, 1), (2, 2, 31, 1617, 2, 1)]
    assert {one[4] for one in filled.alike(PLACE, 0, 2**62, [])} == {0}


@pytest.mark.parametrize(
    ("since_us", "until_us", "touches"),
    [(10, 21, True), (20, 21, True), (21, 99, False), (0, 10, False), (0, 11, True)],
    ids=["within", "its end", "after", "before", "its begin"],
)
def test_a_gap_is_found_by_the_time_it_touches(
    engine: PostgresqlEngine, since_us: int, until_us: int, touches: bool
) -> None:
    engine.append(PLACE, [addition([], gaps=[GapRow(1, 0, 10, 20, b"g")], words=[])])

    assert bool(list(engine.gaps(PLACE, since_us, until_us))) is touches


def test_a_hundred_thousand_numbers_are_a_condition_like_any_other(engine: PostgresqlEngine) -> None:
    engine.append(PLACE, many(2000, lane="lane-a", segment=1))
    numbers = [*range(10**9, 10**9 + 100_000), 7]
    wanted = ALL._replace(all_of=[Among("client", numbers)])
    left_out = ALL._replace(none_of=[Withheld(numbers, 0, GREATEST, numbers)])

    found = engine.rows(PLACE, wanted, oldest_first=True, limit=0)

    assert found
    assert {one.client for one in found} == {7}
    assert engine.count(PLACE, left_out) == 2000 - sum(one.agent == 7 for one in found)
    assert engine.known(PLACE, "client", numbers) == {7}


def test_streams_give_all_in_order_whatever_the_size(engine: PostgresqlEngine) -> None:
    first, second = many(15_000, lane="lane-a", segment=2), many(9_000, lane="lane-b", segment=1)
    engine.append(PLACE, [*first, *second])

    found = [(one.segment, one.sequence) for one in engine.in_order(PLACE)]

    assert found == [(1, at) for at in range(9_000)] + [(2, at) for at in range(15_000)]
    assert sum(count for *_, count in engine.alike(PLACE, 0, GREATEST, [10**5])) == 24_000


def test_a_stream_that_is_left_early_is_in_nobody_s_way(engine: PostgresqlEngine) -> None:
    engine.append(PLACE, many(15_000, lane="lane-a", segment=2))
    for _ in range(40):  # more often than there are connections
        stream = engine.in_order(PLACE)
        next(stream)
        del stream

    engine.drop(PLACE)

    assert engine.left(PLACE) == 0
