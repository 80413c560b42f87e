"""Clocks that go wrong: every record is stored once, and none goes unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consentkit.archive import inforce
from consentkit.archive.filing import FAR_US, Filing
from consentkit.archive.period import note_ahead
from consentkit.archive.retention import Retention
from consentkit.archive.spoolreader import SpoolReader
from consentkit.archive.standing import standings
from consentkit.archive.store.sqlite.digest import digest_key, stored_head
from consentkit.archive.store.sqlite.recompute import recomputed_heads, unclaimed_rows
from consentkit.audit import SYSTEM
from consentkit.control import open_sqlcipher
from consentkit.requestlog.record import Gap
from consentkit.requestlog.spool import Spool
from tests.archive.clocks import NOON, RETENTION_DAYS, YEAR_US, by_period, decisions, drain, found, holds, segments
from tests.archive.installation import DAY_US, HOUR_US, MONDAY, Installation, detail, request

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """An installation that has been at work for two days."""
    site = Installation(tmp_path)
    site.store(request(MONDAY - 2 * DAY_US, "/first"))
    return site


@pytest.mark.parametrize(
    ("time_us", "is_marked"),
    [
        (NOON + FAR_US, False),
        (NOON + 5 * DAY_US, True),
        (NOON + 73 * YEAR_US, True),
        (NOON - 30 * DAY_US, False),
        (NOON - 2 * YEAR_US, True),
        (0, True),
        (2**61, True),
        (-1, True),
    ],
    ids=[
        "48 h ahead",
        "days ahead",
        "2099",
        "an outage",
        "before we were there",
        "1970",
        "no date",
        "before 1970",
    ],
)
def test_a_time_that_cant_be_true_is_marked_and_stands_under_the_ingesters(
    site: Installation, time_us: int, is_marked: bool
) -> None:
    site.spool(request(time_us, "/odd"))
    assert drain(site) == 1
    (row,) = found(site)
    assert bool(row.claimed_time) is is_marked
    assert holds(site, "/odd", NOON if is_marked else time_us)
    assert segments(site) == []
    assert decisions(site) == []


def test_records_of_a_long_outage_go_to_their_own_days(site: Installation) -> None:
    times = [NOON - days * DAY_US for days in (1, 10, 30, 89)]
    site.spool(*(request(time_us, f"/{number}") for number, time_us in enumerate(times)))
    drain(site)
    assert [row.claimed_time for row in found(site)] == [""] * 4
    assert all(holds(site, f"/{number}", time_us) for number, time_us in enumerate(times))


def test_many_misdated_records_of_one_moment_stay_in_their_order(site: Installation) -> None:
    count = 400
    ahead = NOON + YEAR_US
    site.spool(*(request(ahead, f"/{number}") for number in range(count)))
    drain(site)
    assert [row.url for row in found(site)] == [f"/{number}" for number in reversed(range(count))]
    assert len({row.time for row in found(site)}) == count
    assert {row.claimed_time for row in found(site)} == {"2027-03-02T12:00:00.000000Z"}


def test_the_last_moment_of_a_day_has_room_for_what_is_misdated(site: Installation) -> None:
    site.spool(*(request(NOON + YEAR_US, f"/{number}") for number in range(40)))
    drain(site, MONDAY + DAY_US - 1)
    assert len(by_period(site)["2026-03-02"]) == 40


def test_a_gap_with_a_time_that_cant_be_true_stands_under_the_ingesters(site: Installation) -> None:
    spool = Spool(site.directory, site.keyring, max_bytes=2**30)
    spool.append(Gap(NOON + YEAR_US, NOON + YEAR_US, 7, "full"))  # type: ignore[arg-type] # the spool's own
    spool.close()
    drain(site)
    period = site.period("2026-03-02")
    connection = open_sqlcipher(site.file(period.place), site.keyring.load(period.key_name), read_only=True)
    assert connection.execute("SELECT since_us, until_us, lost FROM gap").fetchall() == [(NOON, NOON, 7)]
    connection.close()


CLOCKS = {
    "right, then years ahead": (NOON, NOON + 2 * YEAR_US),
    "right, then years behind": (NOON, NOON - 2 * YEAR_US),
    "years ahead, then right": (NOON + 2 * YEAR_US, NOON),
    "years behind, then right": (NOON - 2 * YEAR_US, NOON),
    "the next day": (NOON, NOON + DAY_US),
}


@pytest.mark.parametrize(("first_us", "then_us"), CLOCKS.values(), ids=CLOCKS)
def test_a_segment_read_again_under_another_clock_is_stored_once(
    site: Installation, monkeypatch: pytest.MonkeyPatch, first_us: int, then_us: int
) -> None:
    times = [NOON, NOON + 2 * YEAR_US, NOON + 1, NOON - 2 * YEAR_US, 5, NOON + 3 * DAY_US, NOON + 2]
    site.spool(*(request(time_us, f"/{number}") for number, time_us in enumerate(times)))
    with monkeypatch.context() as patch:
        patch.setattr(SpoolReader, "remove", _fail)  # the crash between commit and deletion
        with pytest.raises(_Crash):
            drain(site, first_us)
    stored = sorted((row.url, row.time) for row in found(site))
    assert drain(site, then_us) == 0
    assert sorted((row.url, row.time) for row in found(site)) == stored
    assert [url for url, _ in stored] == [f"/{number}" for number in range(len(times))]
    assert segments(site) == []
    assert decisions(site) == []


def test_a_crash_after_the_decision_and_before_the_rows_keeps_the_decision(site: Installation) -> None:
    site.spool(request(NOON + 2 * YEAR_US, "/odd"))
    (segment,) = SpoolReader(site.directory, site.keyring).segments()
    Filing(site.catalogue(), now_us=lambda: NOON).period_of(segment, 0, NOON + 2 * YEAR_US)
    assert decisions(site) == [NOON]
    drain(site, NOON + 2 * YEAR_US)
    assert by_period(site)["2026-03-02"] == ["/odd"]
    assert found(site)[0].time == "2026-03-02T12:00:00.000000Z"


def test_a_misdated_record_is_found_once_before_and_after_it_is_stored(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.spool(request(NOON + 2 * YEAR_US, "/odd"))
    assert [row.url for row in found(site)] == ["/odd"]
    with monkeypatch.context() as patch:
        patch.setattr(SpoolReader, "remove", _fail)
        with pytest.raises(_Crash):
            drain(site)
    assert [row.time for row in found(site)] == ["2026-03-02T12:00:00.000000Z"]  # in both places now


def test_a_clock_that_stands_in_a_destroyed_day_loses_nothing(site: Installation) -> None:
    site.fill(days=1)
    Retention(site.holdings, RETENTION_DAYS, SYSTEM).run(MONDAY + 91 * DAY_US, confirmed_by="liga")
    site.store(request(MONDAY + 100 * DAY_US, "/kept"))
    site.spool(request(NOON, "/behind"))
    assert drain(site, NOON) == 1
    assert "/behind" in site.urls()
    assert site.period("2026-03-02").late_dropped == 0


@pytest.fixture
def gone(site: Installation) -> Installation:
    """Monday to Wednesday are destroyed, and the clock stands there again; Thursday is kept."""
    site.fill(days=3)
    site.store(request(MONDAY + 3 * DAY_US, "/thursday"))
    retention = Retention(site.holdings, 1, SYSTEM)
    assert len(retention.run(MONDAY + 3 * DAY_US, confirmed_by="liga").certificates) == 4
    return site


@pytest.mark.parametrize("hours", [1, 13, 23, 25, 47, 60], ids="{} h back".format)
def test_a_clock_that_steps_back_a_little_into_a_destroyed_day_loses_nothing(
    gone: Installation, hours: int
) -> None:
    behind_us = MONDAY + 3 * DAY_US - hours * HOUR_US
    times = [behind_us, behind_us + 1, MONDAY + 3 * DAY_US + 5, MONDAY]
    gone.spool(*(request(time_us, f"/{number}") for number, time_us in enumerate(times)))
    assert drain(gone, behind_us) == 4
    assert sorted(by_period(gone)["2026-03-05"]) == ["/0", "/1", "/2", "/3", "/thursday"]
    claimed = {row.url: bool(row.claimed_time) for row in found(gone)}
    assert claimed == {"/0": True, "/1": True, "/2": False, "/3": True, "/thursday": False}
    assert [one.late_dropped for one in gone.catalogue().list()] == [0] * 5


@pytest.mark.parametrize("then_us", [MONDAY + 3 * DAY_US, NOON + 2 * DAY_US], ids=["put right", "still behind"])
def test_what_was_kept_from_a_destroyed_day_is_stored_once_when_it_is_read_again(
    gone: Installation, monkeypatch: pytest.MonkeyPatch, then_us: int
) -> None:
    gone.spool(request(NOON + 2 * DAY_US, "/behind"), request(NOON + DAY_US, "/more"))
    with monkeypatch.context() as patch:
        patch.setattr(SpoolReader, "remove", _fail)
        with pytest.raises(_Crash):
            drain(gone, NOON + 2 * DAY_US)
    assert drain(gone, then_us) == 0
    assert sorted(row.url for row in found(gone)) == ["/behind", "/more", "/thursday"]


@pytest.mark.parametrize("time_us", [NOON, NOON + YEAR_US], ids=["the clock's own time", "a time far ahead"])
def test_a_clock_that_stands_where_all_is_destroyed_gets_a_period_after_it(
    site: Installation, time_us: int
) -> None:
    site.fill(days=1)
    Retention(site.holdings, RETENTION_DAYS, SYSTEM).run(MONDAY + 91 * DAY_US, confirmed_by="liga")
    site.spool(request(time_us, "/behind"))
    assert drain(site, NOON) == 1
    assert by_period(site)["2026-03-03"] == ["/behind"]


def test_a_late_record_of_a_destroyed_day_is_counted(site: Installation) -> None:
    site.fill(days=1)
    Retention(site.holdings, RETENTION_DAYS, SYSTEM).run(MONDAY + 91 * DAY_US, confirmed_by="liga")
    site.spool(request(NOON, "/late"))
    assert drain(site, MONDAY + 91 * DAY_US) == 0
    assert site.period("2026-03-02").late_dropped == 1


def _fail(*_: object) -> None:
    raise _Crash


class _Crash(Exception):
    """The process ended here."""


def test_a_period_of_the_future_goes_its_retention_after_it_was_found(site: Installation) -> None:
    ahead_us = NOON + 73 * YEAR_US
    site.spool(request(ahead_us, "/2099"))
    drain(site, ahead_us)  # the ingester's clock was wrong too
    (name,) = (one.name for one in site.catalogue().list() if one.since_us > NOON)
    retention = Retention(site.holdings, RETENTION_DAYS, SYSTEM)
    retention.run(NOON)
    retention.run(NOON + DAY_US)
    found_us = site.period(name).ahead_us
    assert found_us == NOON
    assert [detail(entry) for entry in site.audited("period.ahead")] == [{"period": name}]
    (standing,) = (one for one in standings(site.holdings, RETENTION_DAYS, NOON + DAY_US) if one.period == name)
    assert standing.due_us == NOON + RETENTION_DAYS * DAY_US
    steady(site, NOON + 91 * DAY_US)
    retention.run(NOON + RETENTION_DAYS * DAY_US - 1)
    assert site.states()[name] == "open"
    retention.run(NOON + RETENTION_DAYS * DAY_US)
    assert site.states()[name] == "destroyed"


def test_periods_that_only_seemed_ahead_keep_their_own_day(site: Installation) -> None:
    site.fill(days=2)
    note_ahead(site.control, MONDAY - 2 * YEAR_US, SYSTEM)  # the clock was two years behind
    assert site.period("2026-03-02").ahead_us == MONDAY - 2 * YEAR_US
    outcome = Retention(site.holdings, RETENTION_DAYS, SYSTEM).run(NOON)
    assert outcome.certificates == ()
    assert site.period("2026-03-02").ahead_us is None
    assert site.states()["2026-03-03"] == "open"


def test_a_period_made_while_the_clock_was_behind_is_not_destroyed_when_it_is_put_right(
    site: Installation,
) -> None:
    for hour in range(-30, 0):
        inforce.beat(site.control, NOON + hour * HOUR_US)
    behind_us = NOON - 2 * YEAR_US
    site.spool(request(behind_us, "/behind"))
    drain(site, behind_us)
    inforce.beat(site.control, behind_us)
    outcome = Retention(site.holdings, RETENTION_DAYS, SYSTEM).run(NOON)
    assert outcome.certificates == ()
    assert [going.period.name for going in outcome.waiting] == ["2024-03-02"]
    assert "/behind" in site.urls()


def steady(site: Installation, until_us: int) -> None:
    for hour in range(-30, 1):
        inforce.beat(site.control, until_us + hour * HOUR_US)


def test_a_misdated_record_whose_number_is_taken_keeps_its_claim(site: Installation) -> None:
    site.spool(request(NOON, "/honest"), request(NOON + 1, "/too"))
    drain(site)
    site.spool(request(NOON + YEAR_US, "/odd0"), request(NOON + YEAR_US, "/odd1"))
    drain(site)
    claimed = {row.url: row.claimed_time[:4] for row in found(site)}
    assert claimed == {"/honest": "", "/too": "", "/odd0": "2027", "/odd1": "2027"}
    period = site.period("2026-03-02")
    key = site.keyring.load(period.key_name)
    connection = open_sqlcipher(site.file(period.place), key, read_only=True)
    assert list(recomputed_heads(connection, digest_key(key)))[-1] == stored_head(connection)
    assert unclaimed_rows(connection) == 0
    connection.close()
