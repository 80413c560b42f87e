"""Sessions: their limits, and what is kept of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from consentkit.admin import sessions as module
from consentkit.admin.sessions import Sessions
from consentkit.audit import Look
from tests.archive.installation import Installation

MINUTE_US = 60_000_000


class Clock:
    def __init__(self) -> None:
        self.us = time.time_ns() // 1000

    def forward(self, minutes: float) -> None:
        self.us += int(minutes * MINUTE_US)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "_now_us", lambda: clock.us)
    return clock


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(Installation(tmp_path).control)


def test_a_session_ends_after_half_an_hour_without_a_request(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.begin("liga", "192.0.2.7")
    clock.forward(29)
    assert sessions.find(session_id) is not None
    clock.forward(29)
    assert sessions.find(session_id) is not None
    clock.forward(31)
    assert sessions.find(session_id) is None


def test_a_page_left_open_does_not_keep_a_session(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.begin("liga", "192.0.2.7")
    for _ in range(3):
        clock.forward(9)
        assert sessions.find(session_id, is_refresh=True) is not None
    clock.forward(9)
    assert sessions.find(session_id, is_refresh=True) is None


def test_a_session_ends_after_twelve_hours_whatever_is_done(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.begin("liga", "192.0.2.7")
    for _ in range(36):
        clock.forward(20)
        assert sessions.find(session_id) is not None
    clock.forward(1)
    assert sessions.find(session_id) is None


def test_a_session_is_noted_as_used_once_a_minute(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.begin("liga", "")
    clock.forward(0.5)
    sessions.find(session_id)
    clock.forward(0.6)
    sessions.find(session_id)
    (found,) = sessions.of("liga")
    assert found.seen_us == clock.us


def test_a_purpose_holds_for_an_hour(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.begin("liga", "")
    found = sessions.find(session_id)
    assert found is not None
    sessions.look(found.number, Look("incident", "INC-7", "a look at the pages"))
    for minutes, holds in ((25, True), (25, True), (9, True), (2, False)):
        clock.forward(minutes)
        found = sessions.find(session_id)
        assert found is not None
        assert (found.look == Look("incident", "INC-7", "a look at the pages")) is holds


def test_what_waits_for_a_code_waits_five_minutes(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.begin("liga", "", is_pending=True)
    assert sessions.of("liga") == []
    clock.forward(5.1)
    assert sessions.find(session_id) is None


def test_a_clock_that_is_set_back_ends_a_session(sessions: Sessions, clock: Clock) -> None:
    session_id = sessions.begin("liga", "")
    clock.forward(-5)
    assert sessions.find(session_id) is None


def test_the_database_does_not_hold_what_the_browser_has(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    session_id = Sessions(site.control).begin("liga", "")
    with site.control.transaction() as connection:
        assert session_id not in repr(connection.exec_driver_sql("SELECT * FROM session").all())


def test_nobody_has_more_than_twenty(sessions: Sessions, clock: Clock) -> None:
    ids = [sessions.begin("liga", "") for _ in range(25)]
    other = sessions.begin("anna", "")
    assert len(sessions.of("liga")) == 20
    assert sessions.find(ids[4]) is None
    assert sessions.find(ids[5]) is not None
    assert sessions.find(other) is not None


def test_all_others_are_ended_at_once(sessions: Sessions, clock: Clock) -> None:
    kept, ended, other = sessions.begin("liga", ""), sessions.begin("liga", ""), sessions.begin("anna", "")
    found = sessions.find(kept)
    assert found is not None
    sessions.end_all("liga", but=found.number)
    assert [sessions.find(each) is not None for each in (kept, ended, other)] == [True, False, True]
