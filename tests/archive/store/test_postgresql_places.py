"""Places in PostgreSQL: made, marked, dropped, and what they are called."""

from __future__ import annotations

import logging

import psycopg
import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.postgresql.ddl import partition
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, ROWS, addition
from tests.servers.postgresql import PASSWORD

pytestmark = pytest.mark.server


def test_a_place_is_dropped_whole_and_leaves_nothing(filled: PostgresqlEngine) -> None:
    other = "period/2026-11-24.1"
    filled.make(other)
    filled.append(other, [addition(ROWS)])
    assert filled.left(PLACE) > len(ROWS)
    assert filled.size_bytes(PLACE) > 0

    filled.drop(PLACE)
    filled.drop(PLACE)

    assert (filled.left(PLACE), filled.size_bytes(PLACE), filled.places()) == (0, 0, {other: False})
    assert list(filled.in_order(other)) == ROWS
    with pytest.raises(StorageError, match="tables are not there"):
        filled.count(PLACE, ALL)
    with pytest.raises(StorageError, match="not there"):
        filled.append(PLACE, [addition(ROWS)])


def test_a_dropped_place_can_be_made_again_and_is_empty(filled: PostgresqlEngine) -> None:
    filled.drop(PLACE)
    filled.make(PLACE)
    filled.append(PLACE, [addition(ROWS[:1])])

    assert list(filled.in_order(PLACE)) == ROWS[:1]


def test_what_was_detached_by_hand_is_still_counted_and_dropped(
    filled: PostgresqlEngine, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = partition("request", PLACE)
        connection.execute(f"ALTER TABLE consentkit.request DETACH PARTITION {name}".encode())
        connection.execute(b"DELETE FROM consentkit.place")

    assert filled.left(PLACE) >= len(ROWS)
    filled.drop(PLACE)
    assert filled.left(PLACE) == 0


def test_making_a_place_again_keeps_what_is_in_it(filled: PostgresqlEngine) -> None:
    filled.make(PLACE)

    assert filled.count(PLACE, ALL) == len(ROWS)


def test_a_draft_is_marked_before_it_is_made_and_until_it_is_unmarked(engine: PostgresqlEngine) -> None:
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


def test_a_mark_without_a_place_can_be_taken_away_or_dropped(engine: PostgresqlEngine) -> None:
    for draft in ("incident/8.1", "incident/9.1"):
        engine.mark_draft(draft, is_draft=True)

    engine.mark_draft("incident/8.1", is_draft=False)
    engine.drop("incident/9.1")

    assert engine.places() == {PLACE: False}
    assert engine.left("incident/8.1") == engine.left("incident/9.1") == 0


@pytest.mark.parametrize(
    "name",
    ['period/"; DROP SCHEMA consentkit CASCADE; --', "period/%s.1", "p" * 300, "period/ģ.1", "period/a b"],
    ids=["quote", "placeholder", "long", "letters", "space"],
)
def test_any_name_of_a_place_is_safe(engine: PostgresqlEngine, name: str) -> None:
    engine.make(name)
    engine.append(name, [addition(ROWS)])

    assert engine.count(name, ALL) == len(ROWS)
    assert engine.places() == {PLACE: False, name: False}
    assert engine.count(PLACE, ALL) == 0
    engine.drop(name)
    assert engine.left(name) == 0


def test_names_of_partitions_fit_and_differ() -> None:
    names = {partition("request", place) for place in ("period/2026-11-23.1", "period/2026-11-23-1", "p" * 99, "")}

    assert len(names) == 4
    assert all(len(name.removeprefix("consentkit.")) <= 63 for name in names)


def test_preparing_twice_changes_nothing(filled: PostgresqlEngine) -> None:
    filled.prepare()

    assert filled.count(PLACE, ALL) == len(ROWS)


def test_no_refusal_shows_the_password_or_a_value(
    filled: PostgresqlEngine, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = [PostgresqlEngine(database_url.replace(PASSWORD, "wrong-4711")), PostgresqlEngine("postgresql:///")]
    for one in wrong:
        with pytest.raises(StorageError) as refused:
            one.places()
        assert "4711" not in f"{refused.value!r} {caplog.text}"
    with pytest.raises(StorageError) as refused:
        PostgresqlEngine("postgresql://user:wrong-4711@[::1/db")
    assert "4711" not in repr(refused.value)
    with pytest.raises(StorageError) as refused:
        filled.counts(PLACE, ALL, ("step", 0))
    assert "DivisionByZero" in str(refused.value)
    assert refused.value.__cause__ is None
