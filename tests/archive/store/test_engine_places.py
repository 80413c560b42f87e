"""Places on every engine: made, marked, dropped, and what they are called."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import Engine
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, GREATEST, PLACE, ROWS, SINCE_US, addition, row

# None may end a statement, hide in another or be cut.
NAMES = [
    "period/'; DROP TABLE request; --",
    'period/"; DROP SCHEMA consentkit CASCADE; --',
    "period/%s.1",
    "p" * 300,
    "p" * 300 + "q",
    "period/ģ.1",
    "period/a b",
    "period/\\'",
]


def test_a_place_that_was_made_is_empty(engine: Engine) -> None:
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


def test_preparing_again_keeps_what_is_there(filled: Engine) -> None:
    filled.prepare()

    assert list(filled.in_order(PLACE)) == ROWS
    assert filled.count(PLACE, ALL) == len(ROWS)


def test_making_a_place_again_keeps_what_is_in_it(filled: Engine) -> None:
    filled.make(PLACE)

    assert list(filled.in_order(PLACE)) == ROWS
    assert filled.count(PLACE, ALL) == len(ROWS)


def test_a_place_is_dropped_whole_and_leaves_nothing(filled: Engine) -> None:
    other = "period/2026-11-24.1"
    filled.make(other)
    filled.append(other, [addition(ROWS)])
    assert filled.left(PLACE) > len(ROWS)
    assert filled.size_bytes(PLACE) > 0

    filled.drop(PLACE)
    filled.drop(PLACE)

    assert (filled.left(PLACE), filled.size_bytes(PLACE), filled.places()) == (0, 0, {other: False})
    assert list(filled.in_order(other)) == ROWS


def test_nothing_is_written_to_a_dropped_place_and_nothing_read(filled: Engine) -> None:
    filled.drop(PLACE)

    with pytest.raises(StorageError, match=r"not (made|there)"):
        filled.append(PLACE, [addition(ROWS)])
    refused = pytest.raises(StorageError, match="tables are not there")
    with refused if isinstance(filled, PostgresqlEngine) else nullcontext():
        assert filled.count(PLACE, ALL) == 0
    assert filled.left(PLACE) == 0


def test_a_dropped_place_can_be_made_again_and_is_empty(filled: Engine) -> None:
    filled.drop(PLACE)
    filled.make(PLACE)
    filled.append(PLACE, [addition(ROWS[:1])])

    assert list(filled.in_order(PLACE)) == ROWS[:1]


def test_a_draft_is_marked_before_it_is_made_and_until_it_is_unmarked(engine: Engine) -> None:
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


def test_a_mark_without_a_place_can_be_taken_away_or_dropped(engine: Engine) -> None:
    for draft in ("incident/8.1", "incident/9.1"):
        engine.mark_draft(draft, is_draft=True)

    engine.mark_draft("incident/8.1", is_draft=False)
    engine.drop("incident/9.1")

    assert engine.places() == {PLACE: False}
    assert engine.left("incident/9.1") == 0
    if not isinstance(engine, ClickHouseEngine):  # it adds rows that tell of a place, and drops them with it
        assert engine.left("incident/8.1") == 0
    engine.drop("incident/8.1")
    assert engine.left("incident/8.1") == 0


def test_any_names_of_places_are_safe_side_by_side(engine: Engine) -> None:
    rows = {name: row(SINCE_US + at, at) for at, name in enumerate(NAMES)}
    for name, its in rows.items():
        engine.make(name)
        engine.append(name, [addition([its])])

    assert engine.places() == {PLACE: False, **dict.fromkeys(NAMES, False)}
    assert engine.count(PLACE, ALL) == 0
    assert {name: list(engine.in_order(name)) for name in NAMES} == {name: [its] for name, its in rows.items()}
    assert [engine.count(name, ALL) for name in NAMES] == [1] * len(NAMES)
    for at, name in enumerate(NAMES, 1):
        engine.drop(name)
        assert engine.left(name) == 0, name
        assert engine.places() == {PLACE: False, **dict.fromkeys(NAMES[at:], False)}, name
