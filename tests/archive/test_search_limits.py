"""Searches that end with their time limit say where they go on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store import Cursor, Filters
from consentkit.archive.store.places import Place, TimeIsUp
from consentkit.archive.store.sqlite.reader import SqliteReader
from consentkit.errors import StorageError
from tests.archive.installation import DAY_US, MONDAY, Installation
from tests.archive.searches import archive_of, urls

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Seconds that pass at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_a_search_that_its_time_limit_ends_says_where_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Installation(tmp_path)
    site.fill(4)
    monkeypatch.setattr("consentkit.archive.search.deadline.time.monotonic", Clock())
    found: list[str] = []
    before, rounds = None, 0
    while True:
        search = archive_of(site).search(Filters(), limit=0, before=before, time_limit_seconds=9)
        found += urls(search)
        if search.reached is None:
            break
        assert before is None or search.reached < before
        before, rounds = Cursor.parse(str(search.reached)), rounds + 1
    assert rounds > 1
    assert found == ["/b3", "/a3", "/b2", "/a2", "/b1", "/a1", "/b0", "/a0"]


def test_a_search_without_time_begins_where_it_was_to_begin(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(1)
    start = Cursor(MONDAY + DAY_US)
    search = archive_of(site).search(Filters(), limit=0, before=start, time_limit_seconds=0)
    assert (urls(search), search.reached) == ([], start)


def test_a_statement_that_runs_too_long_is_ended() -> None:
    connection = sqlcipher.connect(":memory:")
    endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
    connection.execute(f"CREATE VIEW request AS {endless}")
    reader = SqliteReader(connection, Place("period", "2026-03-02", 1, MONDAY, MONDAY + DAY_US))
    started = time.monotonic()
    with pytest.raises(TimeIsUp), reader.limited(Deadline(0.05)):
        reader.measure()
    assert time.monotonic() - started < 5
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_fault_within_the_time_is_no_end_of_it() -> None:
    reader = SqliteReader(sqlcipher.connect(":memory:"), Place("period", "2026-03-02", 1, MONDAY, MONDAY + DAY_US))
    with pytest.raises(StorageError, match=r"2026-03-02\.1\.db.*can't be read"), reader.limited(Deadline(60)):
        reader.measure()
