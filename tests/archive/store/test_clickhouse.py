"""What the engine of ClickHouse stores and answers: Debian's server, two shards, and a modern one by chdb."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.server.engine import (
    KINDS,
    Among,
    Engine,
    GapRow,
    Kind,
    Outrun,
    Row,
    Wanted,
    Withheld,
    Word,
)
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, DAY_US, PLACE, SINCE_US, UNTIL_US, addition, many, row, words_of
from tests.archive.store.sqlengine import SqlEngine
from tests.servers.chdb import ChdbServer, Session
from tests.servers.clickhouse import CLUSTER, ClickHouse, database_on

pytestmark = pytest.mark.server

GREATEST = 2**63 - 1
HOUR_US = 3_600_000_000
# Each differs from the others in what a search asks for.
ROWS = [
    row(SINCE_US, 0, client=1, agent=1, result=200 * 4),
    row(SINCE_US + 5, 1, client=2, agent=1, result=404 * 4, resource=7),
    row(SINCE_US + 5, 2, client=2, agent=2, result=404 * 4 + 1, referrer=9),
    row(SINCE_US + DAY_US - 1, 3, client=3, agent=2, result=0 * 4 + 2, duration_us=900, claimed_us=0),
    row(SINCE_US + DAY_US // 2, 4, client=1, agent=3, result=599 * 4, duration_us=1000),
]
MODERN = "modern"
_names = itertools.count(1)


@pytest.fixture(scope="module", params=["Debian's", "two shards", MODERN])
def tables(request: pytest.FixtureRequest) -> Iterator[ClickHouseEngine]:
    """An engine whose tables are there, in a database of its own."""
    if request.param == MODERN:
        session: Session = request.getfixturevalue("chdb_session")
        url = f"clickhouse://127.0.0.1/contract_{next(_names)}"
        engine = ClickHouseEngine(url, connect=partial(ChdbServer, session))
        engine.prepare()
        yield engine
        return
    servers: list[ClickHouse] = request.getfixturevalue("clickhouse_servers")
    is_cluster = request.param == "two shards"
    with database_on(servers if is_cluster else servers[:1]) as name:
        engine = ClickHouseEngine(servers[0].url(name, rest=f"?cluster={CLUSTER}" if is_cluster else ""))
        engine.prepare()
        yield engine
        engine.close()


@pytest.fixture
def engine(tables: ClickHouseEngine) -> Iterator[ClickHouseEngine]:
    tables.make(PLACE)
    yield tables
    for place in tables.places():
        tables.drop(place)


@pytest.fixture
def filled(engine: ClickHouseEngine) -> ClickHouseEngine:
    engine.append(PLACE, [addition(ROWS)])
    return engine


def sequences(rows: list[Row]) -> list[int]:
    return [one.sequence for one in rows]


def test_a_batch_comes_back_as_it_was_given(engine: ClickHouseEngine) -> None:
    gap = GapRow(1, 5, SINCE_US + 3, SINCE_US + 9, b"\0sealed\0'\\")
    given = addition(ROWS, gaps=[gap])

    engine.append(PLACE, [given])

    assert list(engine.in_order(PLACE)) == ROWS
    assert list(engine.batches(PLACE)) == [given.batch]
    assert list(engine.gaps(PLACE, SINCE_US, UNTIL_US)) == [("w1", 1, gap)]
    assert {kind: sorted(engine.words(PLACE, kind)) for kind in KINDS} == {
        kind: [word for word in words_of(ROWS) if word.kind == kind] for kind in KINDS
    }


def test_a_place_that_was_made_is_empty(engine: ClickHouseEngine) -> None:
    assert engine.places() == {PLACE: False}
    assert engine.count(PLACE, ALL) == 0
    assert engine.rows(PLACE, ALL, oldest_first=True, limit=0) == []
    assert engine.rows(PLACE, ALL, oldest_first=True, limit=5) == []
    assert engine.ends(PLACE, 0, GREATEST) is None
    assert engine.nth_time(PLACE, ALL, 0) is None
    assert engine.marks(PLACE) == {}
    assert engine.last_batch(PLACE, "lane-a") is None
    assert engine.applied(PLACE, 1) == 0
    assert engine.known(PLACE, "client", []) == set()
    assert list(engine.gaps(PLACE, 0, GREATEST)) == []
    assert list(engine.alike(PLACE, 0, GREATEST, [])) == []
    assert engine.left(PLACE) == 1  # the row that tells of it


def test_preparing_again_keeps_what_is_there(filled: ClickHouseEngine) -> None:
    filled.prepare()

    assert list(filled.in_order(PLACE)) == ROWS


def test_appending_nothing_changes_nothing(engine: ClickHouseEngine) -> None:
    engine.append(PLACE, [])
    assert engine.marks(PLACE) == {}

    engine.append(PLACE, [addition([], words=[])])

    assert engine.count(PLACE, ALL) == 0
    assert engine.marks(PLACE) == {("w1", 1): 1}


def test_the_same_call_again_changes_nothing(filled: ClickHouseEngine) -> None:
    before = filled.left(PLACE)

    filled.append(PLACE, [addition(ROWS, words=[])])

    assert filled.left(PLACE) == before
    assert list(filled.in_order(PLACE)) == ROWS


def test_the_same_call_again_adds_what_was_missing(filled: ClickHouseEngine) -> None:
    second = addition([row(SINCE_US, 9)], number=2)

    filled.append(PLACE, [addition(ROWS), second])

    assert sequences(list(filled.in_order(PLACE))) == [0, 1, 2, 3, 4, 9]
    assert filled.last_batch(PLACE, "lane-a") == second.batch


@pytest.mark.parametrize(
    ("lane", "number", "first"),
    [("lane-a", 3, 5), ("lane-a", 1, 5), ("lane-a", 2, 4), ("lane-b", 1, 0), ("lane-b", 2, 5)],
    ids=["a batch is missing", "number taken", "frame applied", "segment of another lane", "lane begins late"],
)
def test_batches_that_do_not_follow_are_refused_whole(
    filled: ClickHouseEngine, lane: str, number: int, first: int
) -> None:
    new_segment = addition([row(SINCE_US, 0, segment=2, client=77)], lane="lane-c", segment=2)

    with pytest.raises(Outrun):
        filled.append(PLACE, [new_segment, addition([row(SINCE_US, first)], lane=lane, number=number)])

    assert list(filled.in_order(PLACE)) == ROWS
    assert filled.last_batch(PLACE, "lane-c") is None
    assert filled.known(PLACE, "client", [77]) == set()


def test_marks_tell_the_next_frame_and_the_newest_segments_alone_if_asked(filled: ClickHouseEngine) -> None:
    filled.append(PLACE, [addition([row(SINCE_US, 7, segment=2)], number=2, segment=2)])
    filled.append(PLACE, [addition([row(SINCE_US, 9)], number=3)])

    assert filled.marks(PLACE) == {("w1", 1): 10, ("w2", 2): 8}
    assert filled.marks(PLACE, newest=1) == {("w1", 1): 10}
    assert (filled.applied(PLACE, 1), filled.applied(PLACE, 2), filled.applied(PLACE, 3)) == (10, 8, 0)


def test_batches_are_of_their_lanes(engine: ClickHouseEngine) -> None:
    two = [addition([row(SINCE_US, 0)]), addition([row(SINCE_US, 1)], number=2)]
    other = addition([row(SINCE_US, 0, segment=2)], lane="lane-b", segment=2)

    engine.append(PLACE, [*two, other])

    assert engine.last_batch(PLACE, "lane-a") == two[1].batch
    assert engine.last_batch(PLACE, "lane-b") == other.batch
    assert list(engine.batches(PLACE)) == [two[0].batch, two[1].batch, other.batch]


def test_a_word_is_given_once_however_often_it_was_stored(filled: ClickHouseEngine) -> None:
    again = Word("client", 1, b"sealed otherwise")

    filled.append(PLACE, [addition([row(SINCE_US, 9, client=1)], number=2, words=[again, again])])

    (sealed,) = [word.sealed for word in filled.words(PLACE, "client") if word.number == 1]
    assert sealed in {b"client 1", b"sealed otherwise"}
    assert filled.known(PLACE, "client", [1, 2, 99]) == {1, 2}
    assert filled.known(PLACE, "agent", [99]) == set()


def test_all_answers_are_those_of_an_engine_that_is_easy_to_read(engine: ClickHouseEngine, tmp_path: Path) -> None:
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
        summed(engine.alike(PLACE, wanted.since_us, wanted.until_us, [1000, 10**5])),
    ]


def summed(alike: Iterator[tuple[int, ...]]) -> dict[tuple[int, ...], int]:
    """Return the counts of what is alike, whether it came together or one by one."""
    counts: dict[tuple[int, ...], int] = {}
    for *what, count in alike:
        counts[tuple(what)] = counts.get(tuple(what), 0) + count
    return counts


@pytest.mark.parametrize(
    ("since_us", "until_us", "touches"),
    [(10, 21, True), (20, 21, True), (21, 99, False), (0, 10, False), (0, 11, True)],
    ids=["within", "its end", "after", "before", "its begin"],
)
def test_a_gap_is_found_by_the_time_it_touches(
    engine: ClickHouseEngine, since_us: int, until_us: int, touches: bool
) -> None:
    engine.append(PLACE, [addition([], gaps=[GapRow(1, 0, 10, 20, b"g")], words=[])])

    assert bool(list(engine.gaps(PLACE, since_us, until_us))) is touches


def test_the_smallest_and_the_greatest_numbers_are_kept(engine: ClickHouseEngine) -> None:
    least = Row(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1)
    most = Row(GREATEST, 0, 2**32 - 1, GREATEST, GREATEST, GREATEST, GREATEST, 2**31 - 1, 5, 6, 7)
    words = [Word("agent", GREATEST, bytes(range(256)) * 16), Word("agent", 0, b"")]

    engine.append(PLACE, [addition([least, most], segment=0, words=words)])

    assert list(engine.in_order(PLACE)) == [least, most]
    assert sorted(engine.words(PLACE, "agent")) == sorted(words)
    assert engine.known(PLACE, "agent", [GREATEST, 2**63 - 2]) == {GREATEST}
    assert engine.applied(PLACE, 0) == 2**32
    assert engine.count(PLACE, Wanted(0, GREATEST)) == 1  # before, not until
    assert engine.rows(
        PLACE, Wanted(0, 2**70, all_of=[Among("client", [GREATEST])]), oldest_first=True, limit=0
    ) == [most]


def test_a_hundred_thousand_numbers_are_a_condition_like_any_other(engine: ClickHouseEngine) -> None:
    engine.append(PLACE, many(2000, lane="lane-a", segment=1))
    numbers = [*range(10**9, 10**9 + 100_000), 7]
    wanted = ALL._replace(all_of=[Among("client", numbers)])
    left_out = ALL._replace(none_of=[Withheld(numbers, 0, GREATEST, numbers)])

    found = engine.rows(PLACE, wanted, oldest_first=True, limit=0)

    assert found
    assert {one.client for one in found} == {7}
    assert engine.count(PLACE, left_out) == 2000 - sum(one.agent == 7 for one in found)
    assert engine.known(PLACE, "client", numbers) == {7}


def test_a_place_is_dropped_whole_and_leaves_nothing(filled: ClickHouseEngine) -> None:
    other = "period/2026-11-24.1"
    filled.make(other)
    filled.append(other, [addition(ROWS)])
    assert filled.left(PLACE) > len(ROWS)
    assert filled.size_bytes(PLACE) > 0

    filled.drop(PLACE)
    filled.drop(PLACE)

    assert (filled.left(PLACE), filled.size_bytes(PLACE), filled.places()) == (0, 0, {other: False})
    assert list(filled.in_order(other)) == ROWS
    with pytest.raises(StorageError, match="not made"):
        filled.append(PLACE, [addition(ROWS)])
    assert filled.count(PLACE, ALL) == 0


def test_a_dropped_place_can_be_made_again_and_is_empty(filled: ClickHouseEngine) -> None:
    filled.drop(PLACE)
    filled.make(PLACE)
    filled.append(PLACE, [addition(ROWS[:1])])

    assert list(filled.in_order(PLACE)) == ROWS[:1]


def test_a_draft_is_marked_before_it_is_made_and_until_it_is_unmarked(engine: ClickHouseEngine) -> None:
    draft = "incident/7.1"

    engine.mark_draft(draft, is_draft=True)
    assert engine.places()[draft] is True
    engine.make(draft)
    engine.mark_draft(draft, is_draft=True)
    assert engine.places()[draft] is True
    engine.mark_draft(draft, is_draft=False)
    assert engine.places()[draft] is False
    engine.drop(draft)
    assert draft not in engine.places()


def test_a_mark_without_a_place_can_be_taken_away_or_dropped(engine: ClickHouseEngine) -> None:
    for draft in ("incident/8.1", "incident/9.1"):
        engine.mark_draft(draft, is_draft=True)

    engine.mark_draft("incident/8.1", is_draft=False)
    engine.drop("incident/9.1")

    assert engine.places() == {PLACE: False}
    assert engine.left("incident/9.1") == 0


@pytest.mark.parametrize(
    "name",
    ["period/'; DROP TABLE request; --", "period/%s.1", "p" * 300, "period/ģ.1", "period/a b", "period/\\'"],
    ids=["quote", "placeholder", "long", "letters", "space", "backslash"],
)
def test_any_name_of_a_place_is_safe(engine: ClickHouseEngine, name: str) -> None:
    engine.make(name)
    engine.append(name, [addition(ROWS)])

    assert engine.count(name, ALL) == len(ROWS)
    assert engine.places() == {PLACE: False, name: False}
    assert engine.count(PLACE, ALL) == 0
    engine.drop(name)
    assert engine.left(name) == 0
