"""What PostgreSQL stores of batches: all or none, and once."""

from __future__ import annotations

import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import KINDS, Among, GapRow, Outrun, Row, Wanted, Word
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, ROWS, SINCE_US, UNTIL_US, addition, row, words_of

pytestmark = pytest.mark.server

GREATEST = 2**63 - 1  # of 64 bits


def test_a_batch_comes_back_as_it_was_given(engine: PostgresqlEngine) -> None:
    gap = GapRow(1, 5, SINCE_US + 3, SINCE_US + 9, b"\0sealed\0")
    given = addition(ROWS, gaps=[gap])

    engine.append(PLACE, [given])

    assert list(engine.in_order(PLACE)) == ROWS
    assert list(engine.batches(PLACE)) == [given.batch]
    assert list(engine.gaps(PLACE, SINCE_US, UNTIL_US)) == [("w1", 1, gap)]
    assert {kind: sorted(engine.words(PLACE, kind)) for kind in KINDS} == {
        kind: [word for word in words_of(ROWS) if word.kind == kind] for kind in KINDS
    }


def test_a_place_that_was_made_is_empty(engine: PostgresqlEngine) -> None:
    assert engine.places() == {PLACE: False}
    assert engine.count(PLACE, ALL) == 0
    assert engine.rows(PLACE, ALL, oldest_first=True, limit=0) == []
    assert engine.ends(PLACE, 0, GREATEST) is None
    assert engine.nth_time(PLACE, ALL, 0) is None
    assert engine.marks(PLACE) == {}
    assert engine.last_batch(PLACE, "lane-a") is None
    assert engine.applied(PLACE, 1) == 0
    assert engine.known(PLACE, "client", []) == set()
    assert list(engine.alike(PLACE, 0, GREATEST, [])) == []
    assert engine.left(PLACE) == 1  # the row that tells of it


def test_appending_nothing_changes_nothing(engine: PostgresqlEngine) -> None:
    engine.append(PLACE, [])
    engine.append(PLACE, [addition([], words=[])])

    assert engine.count(PLACE, ALL) == 0
    assert engine.marks(PLACE) == {("w1", 1): 1}


def test_a_batch_that_is_appended_twice_is_in_once(filled: PostgresqlEngine) -> None:
    with pytest.raises(Outrun):
        filled.append(PLACE, [addition(ROWS)])

    assert list(filled.in_order(PLACE)) == ROWS


@pytest.mark.parametrize(
    ("lane", "number", "first"),
    [("lane-a", 3, 5), ("lane-a", 1, 5), ("lane-a", 2, 4), ("lane-b", 1, 0), ("lane-b", 2, 5)],
    ids=["a batch is missing", "number taken", "frame applied", "segment of another lane", "lane begins late"],
)
def test_batches_that_do_not_follow_are_refused_whole(
    filled: PostgresqlEngine, lane: str, number: int, first: int
) -> None:
    new_segment = addition([row(SINCE_US, 0, segment=2, client=77)], lane="lane-c", segment=2)

    with pytest.raises(Outrun):
        filled.append(PLACE, [new_segment, addition([row(SINCE_US, first)], lane=lane, number=number)])

    assert list(filled.in_order(PLACE)) == ROWS
    assert filled.last_batch(PLACE, "lane-c") is None
    assert filled.known(PLACE, "client", [77]) == set()


def test_marks_tell_the_next_frame_and_the_newest_segments_alone_if_asked(filled: PostgresqlEngine) -> None:
    filled.append(PLACE, [addition([row(SINCE_US, 7, segment=2)], number=2, segment=2)])
    filled.append(PLACE, [addition([row(SINCE_US, 9)], number=3)])

    assert filled.marks(PLACE) == {("w1", 1): 10, ("w2", 2): 8}
    assert filled.marks(PLACE, newest=1) == {("w1", 1): 10}
    assert (filled.applied(PLACE, 1), filled.applied(PLACE, 2), filled.applied(PLACE, 3)) == (10, 8, 0)


def test_the_last_batch_is_of_its_lane(engine: PostgresqlEngine) -> None:
    two = [addition([row(SINCE_US, 0)]), addition([row(SINCE_US, 1)], number=2)]
    other = addition([row(SINCE_US, 0, segment=2)], lane="lane-b", segment=2)

    engine.append(PLACE, [*two, other])

    assert engine.last_batch(PLACE, "lane-a") == two[1].batch
    assert engine.last_batch(PLACE, "lane-b") == other.batch
    assert list(engine.batches(PLACE)) == [two[0].batch, two[1].batch, other.batch]


def test_a_word_that_is_there_stays_as_it_is(filled: PostgresqlEngine) -> None:
    again = Word("client", 1, b"sealed otherwise")

    filled.append(PLACE, [addition([row(SINCE_US, 9, client=1)], number=2, words=[again, again])])

    assert [word.sealed for word in filled.words(PLACE, "client") if word.number == 1] == [b"client 1"]
    assert filled.known(PLACE, "client", [1, 2, 99]) == {1, 2}
    assert filled.known(PLACE, "agent", [99]) == set()


def test_the_smallest_and_the_greatest_numbers_are_kept(engine: PostgresqlEngine) -> None:
    least = Row(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1)
    most = Row(GREATEST, 0, 2**32 - 1, *[GREATEST] * 8)
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


@pytest.mark.parametrize(
    "hostile",
    [row(2**63, 0), row(-(2**63) - 1, 0), row(SINCE_US, 2**32)],
    ids=["time", "negative", "sequence"],
)
def test_a_number_that_does_not_fit_is_refused_and_nothing_is_in(engine: PostgresqlEngine, hostile: Row) -> None:
    with pytest.raises(StorageError, match="64 bits"):
        engine.append(PLACE, [addition([row(SINCE_US, 0), hostile._replace(client=11)])])

    assert engine.count(PLACE, ALL) == 0
    assert engine.marks(PLACE) == {}


@pytest.mark.parametrize("lane", ["la\0ne", "la\udcffne"], ids=["NUL", "surrogate"])
def test_text_that_the_server_can_not_hold_is_refused_without_showing_it(
    engine: PostgresqlEngine, lane: str
) -> None:
    with pytest.raises(StorageError) as refused:
        engine.append(PLACE, [addition(ROWS, lane=lane)])

    assert "la" not in str(refused.value).replace("place", "")
    assert engine.count(PLACE, ALL) == 0
