"""Places in PostgreSQL as partitions: what they are called, and what was done to them by hand."""

from __future__ import annotations

import logging

import psycopg
import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.postgresql.ddl import partition
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, ROWS
from tests.servers.postgresql import PASSWORD

pytestmark = pytest.mark.server


@pytest.fixture
def engine(postgresql_engine: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql_engine


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


def test_names_of_partitions_fit_and_differ() -> None:
    names = {partition("request", place) for place in ("period/2026-11-23.1", "period/2026-11-23-1", "p" * 99, "")}

    assert len(names) == 4
    assert all(len(name.removeprefix("consentkit.")) <= 63 for name in names)


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
