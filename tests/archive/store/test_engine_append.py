"""What every engine stores of batches: each once, in order, or refused."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.server.engine import KINDS, Among, Engine, GapRow, Outrun, Row, Wanted, Word
from consentkit.errors import StorageError
from tests.archive.store.additions import (
    ALL,
    GREATEST,
    PLACE,
    ROWS,
    SHARED,
    SINCE_US,
    UNTIL_US,
    addition,
    row,
    words_of,
)
from tests.archive.store.engines import COMPLETING, EVERY_BUT_CHDB


def test_a_batch_comes_back_as_it_was_given(engine: Engine) -> None:
    gap = GapRow(1, 5, SINCE_US + 3, SINCE_US + 9, b"\0sealed\0'\\")
    given = addition(ROWS, gaps=[gap])

    engine.append(PLACE, [given])

    assert list(engine.in_order(PLACE)) == ROWS
    assert list(engine.batches(PLACE)) == [given.batch]
    assert list(engine.gaps(PLACE, SINCE_US, UNTIL_US)) == [("w1", 1, gap)]
    assert {kind: sorted(engine.words(PLACE, kind)) for kind in KINDS} == {
        kind: [word for word in words_of(ROWS) if word.kind == kind] for kind in KINDS
    }


def test_appending_nothing_changes_nothing(engine: Engine) -> None:
    engine.append(PLACE, [])
    assert engine.marks(PLACE) == {}

    engine.append(PLACE, [addition([], words=[])])

    assert engine.count(PLACE, ALL) == 0
    assert engine.marks(PLACE) == {("w1", 1): 1}


def test_a_batch_that_is_appended_twice_is_in_once(filled: Engine) -> None:
    before = filled.left(PLACE)
    completes = isinstance(filled, ClickHouseEngine)  # by the same call: it finds nothing to do but store words

    with nullcontext() if completes else pytest.raises(Outrun):
        filled.append(PLACE, [addition(ROWS, words=[] if completes else None)])

    assert filled.left(PLACE) == before
    assert list(filled.in_order(PLACE)) == ROWS


@pytest.mark.parametrize(
    ("lane", "number", "first"),
    [("lane-a", 3, 5), ("lane-a", 1, 5), ("lane-a", 2, 4), ("lane-b", 1, 0), ("lane-b", 2, 5)],
    ids=["a batch is missing", "number taken", "frame applied", "segment of another lane", "lane begins late"],
)
def test_batches_that_do_not_follow_are_refused_whole(stored: Engine, lane: str, number: int, first: int) -> None:
    new_segment = addition([row(SINCE_US, 0, segment=2, client=77)], lane="lane-c", segment=2)

    with pytest.raises(Outrun):
        stored.append(SHARED, [new_segment, addition([row(SINCE_US, first)], lane=lane, number=number)])

    assert list(stored.in_order(SHARED)) == ROWS
    assert stored.last_batch(SHARED, "lane-c") is None
    assert stored.known(SHARED, "client", [77]) == set()


def test_marks_tell_the_next_frame_and_the_newest_segments_alone_if_asked(filled: Engine) -> None:
    filled.append(PLACE, [addition([row(SINCE_US, 7, segment=2)], number=2, segment=2)])
    filled.append(PLACE, [addition([row(SINCE_US, 9)], number=3)])

    assert filled.marks(PLACE) == {("w1", 1): 10, ("w2", 2): 8}
    assert filled.marks(PLACE, newest=1) == {("w1", 1): 10}
    assert (filled.applied(PLACE, 1), filled.applied(PLACE, 2), filled.applied(PLACE, 3)) == (10, 8, 0)


def test_batches_are_of_their_lanes(engine: Engine) -> None:
    two = [addition([row(SINCE_US, 0)]), addition([row(SINCE_US, 1)], number=2)]
    other = addition([row(SINCE_US, 0, segment=2)], lane="lane-b", segment=2)

    engine.append(PLACE, [*two, other])

    assert engine.last_batch(PLACE, "lane-a") == two[1].batch
    assert engine.last_batch(PLACE, "lane-b") == other.batch
    assert list(engine.batches(PLACE)) == [two[0].batch, two[1].batch, other.batch]


def test_a_word_is_given_once_however_often_it_was_stored(filled: Engine) -> None:
    again = Word("client", 1, b"sealed otherwise")

    filled.append(PLACE, [addition([row(SINCE_US, 9, client=1)], number=2, words=[again, again])])

    (sealed,) = [word.sealed for word in filled.words(PLACE, "client") if word.number == 1]
    assert sealed in ({b"client 1", again.sealed} if isinstance(filled, ClickHouseEngine) else {b"client 1"})
    assert filled.known(PLACE, "client", [1, 2, 99]) == {1, 2}
    assert filled.known(PLACE, "agent", [99]) == set()


def test_the_smallest_and_the_greatest_numbers_are_kept(engine: Engine) -> None:
    least = Row(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1)
    most = Row(GREATEST, 0, 2**32 - 1, *[GREATEST] * 8)
    if isinstance(engine, ClickHouseEngine):  # four times a status is far below 32 bits
        most = most._replace(result=2**31 - 1)
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


@pytest.mark.parametrize("tables", EVERY_BUT_CHDB, indirect=True)
@pytest.mark.parametrize(
    "hostile",
    [row(2**63, 0), row(-(2**63) - 1, 0), row(SINCE_US, 1, client=2**63)],
    ids=["time", "negative", "word"],
)
def test_a_number_that_does_not_fit_is_refused_and_nothing_is_in(engine: Engine, hostile: Row) -> None:
    words = words_of([row(SINCE_US, 0)])

    with pytest.raises(StorageError, match="64 bits"):
        engine.append(PLACE, [addition([row(SINCE_US, 0), hostile], words=words)])

    assert engine.count(PLACE, ALL) == 0
    assert engine.marks(PLACE) == {}


@pytest.mark.parametrize("tables", COMPLETING, indirect=True)
def test_the_same_call_again_adds_what_was_missing(filled: Engine) -> None:
    second = addition([row(SINCE_US, 9)], number=2)

    filled.append(PLACE, [addition(ROWS), second])

    assert [one.sequence for one in filled.in_order(PLACE)] == [0, 1, 2, 3, 4, 9]
    assert filled.last_batch(PLACE, "lane-a") == second.batch
