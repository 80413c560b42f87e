"""Names are counted in bounded memory, and invented ones do not push out real ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.seen import MAX_NAME_BYTES, TALLY_NAMES, Seen, Tally


def test_a_name_that_comes_often_outlives_a_flood_of_invented_ones() -> None:
    tally = Tally()
    for number in range(20_000):
        tally.add(f"invented-{number}")
        if number % 50 == 0:
            tally.add("real")
    assert "real" in tally.counts
    assert len(tally.counts) <= TALLY_NAMES


@given(st.lists(st.sampled_from("abcdef"), max_size=200))
def test_while_there_is_room_counts_are_exact(names: list[str]) -> None:
    tally = Tally()
    for name in names:
        tally.add(name)
    assert tally.counts == {name: names.count(name) for name in set(names)}


def test_a_name_is_told_as_new_once() -> None:
    seen = Seen()
    assert [seen.meet(b"a"), seen.meet(b"a"), seen.drop("theme"), seen.drop("theme")] == [True, False, True, False]
    assert seen.counts.undeclared == {"a": 2}


def test_a_long_name_is_cut() -> None:
    seen = Seen()
    seen.meet(b"n" * 5_000)
    assert list(seen.counts.undeclared) == ["n" * MAX_NAME_BYTES]
