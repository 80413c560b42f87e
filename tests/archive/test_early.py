"""What would go earlier than what was in force so far waits until it is confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consentkit.archive import inforce
from consentkit.archive.retention import Outcome, Retention
from consentkit.archive.schedule import SoFar
from consentkit.audit import SYSTEM
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY, WORKER, Installation, detail

if TYPE_CHECKING:
    from pathlib import Path

# The clock of the tests: twenty days after the requests were made.
NOW = MONDAY + 20 * DAY_US


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    site = Installation(tmp_path)
    site.fill(2)
    return site


def start(site: Installation, retention_days: int) -> None:
    inforce.record_start(site.control, SYSTEM, {"requestlog.retention_days": retention_days})


def beats(site: Installation, since_us: int, hours: int) -> int:
    """Let so many hourly heartbeats pass, and return the time of the last."""
    for hour in range(hours):
        inforce.beat(site.control, since_us + hour * HOUR_US)
    return since_us + (hours - 1) * HOUR_US


def run(site: Installation, now_us: int, days: int, *, confirmed_by: str = "") -> Outcome:
    return Retention(site.holdings, days, WORKER, wait_seconds=0.2).run(now_us, confirmed_by=confirmed_by)


def gone(site: Installation) -> list[str]:
    return [name for name, state in site.states().items() if state == "destroyed"]


def test_a_heartbeat_is_written_once_an_hour(site: Installation) -> None:
    at = [NOW, NOW + 1, NOW + HOUR_US - 1, NOW + HOUR_US, NOW]
    assert [inforce.beat(site.control, time_us) for time_us in at] == [True, False, False, True, True]


def test_each_start_records_the_settings_and_what_changed(site: Installation) -> None:
    for settings in ({"a": 1, "b": "x"}, {"a": 1, "b": "x"}, {"a": 2, "c": True}):
        inforce.record_start(site.control, SYSTEM, settings)
    first, same, other = site.audited("settings.in_force")
    assert detail(first) == {"settings": {"a": 1, "b": "x"}, "changed": {}}
    assert detail(same)["changed"] == {}
    assert detail(other)["changed"] == {"a": [1, 2], "b": ["x", None], "c": [None, True]}


def test_without_a_history_periods_go_on_their_day(site: Installation) -> None:
    assert inforce.so_far(site.control, NOW, 10) == SoFar(NOW, 10)
    run(site, NOW, 10)
    assert gone(site) == [*DAYS[:2]]


def test_what_a_shortened_retention_would_destroy_waits_and_is_told_once(site: Installation) -> None:
    start(site, 90)
    start(site, 10)
    for _ in range(2):
        outcome = run(site, NOW, 10)
        assert outcome.certificates == ()
        assert [one.early for one in outcome.waiting] == [
            "it was to be kept 90 days, and retention_days is 10 now"
        ] * 2
    assert gone(site) == []
    assert site.actions("period") == ["period.waiting", "period.waiting"]


def test_what_was_due_by_both_goes_on_its_day(site: Installation) -> None:
    start(site, 20)
    start(site, 10)
    outcome = run(site, NOW, 10)
    assert gone(site) == [DAYS[0]]
    assert [one.period.name for one in outcome.waiting] == [DAYS[1]]


def test_shortening_in_small_steps_is_measured_against_the_longest(site: Installation) -> None:
    for days in (90, 15, 10):
        start(site, days)
    assert len(run(site, NOW, 10).waiting) == 2


def test_a_shortened_setting_that_no_start_has_recorded_waits_too(site: Installation) -> None:
    start(site, 90)
    assert len(run(site, NOW, 10).waiting) == 2


def test_who_confirms_stands_in_a_certificate_that_says_early(site: Installation) -> None:
    start(site, 90)
    start(site, 10)
    first, _ = run(site, NOW, 10, confirmed_by="liga").certificates
    assert detail(first)["early"] is True
    assert str(detail(first)["early_reason"]).endswith("retention_days is 10 now; let go by liga")
    assert first.actor == "liga"


def test_a_day_of_steady_time_confirms(site: Installation) -> None:
    last = beats(site, NOW - 30 * HOUR_US, 30)
    start(site, 90)
    last = beats(site, last + HOUR_US, 1)
    start(site, 10)
    last = beats(site, last + HOUR_US, 24)
    assert len(run(site, last, 10).waiting) == 2
    last = beats(site, last + HOUR_US, 1)
    outcome = run(site, last, 10)
    assert (len(outcome.certificates), outcome.waiting) == (2, ())
    assert detail(outcome.certificates[0])["early"] is True
    assert "a day of steady time" in str(detail(outcome.certificates[0])["early_reason"])


def test_a_retention_made_longer_again_takes_the_waiting_back(site: Installation) -> None:
    start(site, 90)
    run(site, NOW, 10)
    assert site.period(DAYS[0]).early
    run(site, NOW, 90)
    assert site.period(DAYS[0]).early == ""
    last = beats(site, MONDAY + 100 * DAY_US, 1)
    (first, _) = run(site, last, 90).certificates
    assert detail(first)["early"] is False


@pytest.mark.parametrize(
    ("leap_hours", "waits"), [(48, False), (49, True), (24 * 365, True)], ids=["48 h", "49 h", "a year"]
)
def test_a_clock_far_ahead_of_the_last_heartbeat_waits(site: Installation, leap_hours: int, waits: bool) -> None:
    last = beats(site, MONDAY + 9 * DAY_US - 12 * HOUR_US, 3)
    outcome = run(site, last + leap_hours * HOUR_US, 10)
    assert bool(outcome.waiting) is waits
    assert (gone(site) == []) is waits


def test_a_leap_of_the_clock_is_remembered_past_the_next_heartbeat(site: Installation) -> None:
    last = beats(site, MONDAY + 5 * DAY_US, 3)
    last = beats(site, last + 400 * HOUR_US, 24)
    outcome = run(site, last, 10)
    assert (gone(site), len(outcome.waiting)) == ([], 2)
    assert "the clock leapt ahead" in outcome.waiting[0].early
    last = beats(site, last + HOUR_US, 2)
    assert len(run(site, last, 10).certificates) == 2


def test_a_clock_set_back_destroys_nothing_more(site: Installation) -> None:
    last = beats(site, MONDAY + 5 * DAY_US, 30)
    beats(site, last + 1000 * DAY_US, 1)
    inforce.beat(site.control, last + HOUR_US)
    outcome = run(site, last + HOUR_US, 10)
    assert (outcome.waiting, outcome.certificates) == ((), ())


def test_another_time_that_was_given_is_early_and_leaves_no_note(site: Installation) -> None:
    retention = Retention(site.holdings, 10, WORKER, wait_seconds=0.2)
    now = MONDAY + 5 * DAY_US
    outcome = retention.run(now, acting_as_us=NOW)
    assert [one.early for one in outcome.waiting] == ["its day has not come: another time was given"] * 2
    assert site.actions("period.waiting") == []
    outcome = retention.run(now, acting_as_us=NOW, confirmed_by="liga")
    assert [detail(one)["early"] for one in outcome.certificates] == [True, True]


def test_an_earlier_time_that_is_given_destroys_less(site: Installation) -> None:
    retention = Retention(site.holdings, 10, WORKER, wait_seconds=0.2)
    assert len(retention.run(NOW, acting_as_us=MONDAY + 10 * DAY_US).certificates) == 1
