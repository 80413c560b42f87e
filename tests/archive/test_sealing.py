from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.periodlock import PeriodBusy, PeriodLock
from consentkit.archive.sealing import is_ripe, seal
from consentkit.audit import SYSTEM
from consentkit.errors import StorageError
from tests.archive.installation import (
    DAY_US,
    DAYS,
    HOUR_US,
    MINUTE_US,
    MONDAY,
    Installation,
    detail,
    request,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.mark.parametrize(
    ("state", "after_end_us", "expected"),
    [
        ("open", 10 * MINUTE_US, True),
        ("open", 10 * MINUTE_US - 1, False),
        ("open", -1, False),
        ("sealed", DAY_US, False),
        ("destroyed", DAY_US, False),
    ],
)
def test_a_period_is_ripe_ten_minutes_after_its_end(
    site: Installation, state: str, after_end_us: int, expected: bool
) -> None:
    period = site.catalogue().period_of(MONDAY)
    period = type(period)(period.name, 1, state, period.since_us, period.until_us)
    assert is_ripe(period, period.until_us + after_end_us) is expected


def test_a_sealed_period_is_one_file_with_its_hash_in_the_audit(site: Installation) -> None:
    site.fill(1)
    contents = seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    assert contents is not None
    period, file = site.period(DAYS[0]), site.directory / "requests" / "2026-03-02.1.db"
    assert (period.state, period.rows, period.oldest_us) == ("sealed", 2, MONDAY + HOUR_US)
    assert period.bytes == file.stat().st_size
    assert period.file_hash == hashlib.sha256(file.read_bytes()).hexdigest()
    assert site.files() == ["2026-03-02.1.db", "2026-03-02.1.db-lock"]
    (entry,) = site.audited()
    assert (entry.action, detail(entry)["file_hash"]) == ("period.sealed", period.file_hash)


def test_reading_a_sealed_period_leaves_it_as_it_was_hashed(site: Installation) -> None:
    site.fill(1)
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    assert site.urls() == ["/a0", "/b0"]
    content = (site.directory / "requests" / "2026-03-02.1.db").read_bytes()
    assert hashlib.sha256(content).hexdigest() == site.period(DAYS[0]).file_hash
    assert site.files() == ["2026-03-02.1.db", "2026-03-02.1.db-lock"]


def test_a_late_record_opens_a_sealed_period_which_is_sealed_again(site: Installation) -> None:
    site.fill(1)
    first = seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    site.store(request(MONDAY + 3 * HOUR_US, "/late"))
    period = site.period(DAYS[0])
    assert (period.state, period.rows, period.file_hash) == ("open", None, "")
    second = seal(site.holdings, period, SYSTEM)
    assert first is not None
    assert second is not None
    assert (second.rows, second.file_hash != first.file_hash) == (3, True)
    assert site.urls() == ["/a0", "/b0", "/late"]
    assert site.actions() == ["period.sealed", "period.reopened", "period.sealed"]


def test_a_period_in_which_somebody_reads_is_not_sealed(site: Installation) -> None:
    site.fill(1)
    reading = PeriodLock(site.file(site.period(DAYS[0]).place), exclusive=False)
    with pytest.raises(PeriodBusy):
        seal(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0.1)
    reading.release()
    assert seal(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0) is not None


def test_a_period_that_the_ingester_writes_is_sealed_after_it_let_go(site: Installation) -> None:
    site.spool(request(MONDAY, "/a"))
    ingester = site.ingester()
    ingester.drain()
    with pytest.raises(PeriodBusy):
        seal(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0.1)
    ingester.release(MONDAY + HOUR_US)
    with pytest.raises(PeriodBusy):
        seal(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0.1)
    ingester.release(MONDAY + DAY_US)
    assert seal(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0) is not None


@pytest.mark.parametrize("state", ["sealed", "destroying"])
def test_a_period_that_is_not_open_is_not_sealed(site: Installation, state: str) -> None:
    site.fill(1)
    listed = site.period(DAYS[0])
    site.set_state(DAYS[0], state)
    assert seal(site.holdings, listed, SYSTEM) is None
    assert site.actions() == []


def test_a_period_without_a_file_is_left(site: Installation) -> None:
    assert seal(site.holdings, site.catalogue().period_of(MONDAY), SYSTEM) is None
    assert site.states() == {DAYS[0]: "open"}


def test_a_damaged_period_is_told_and_stays_open(site: Installation) -> None:
    site.fill(1)
    (site.directory / "requests" / "2026-03-02.1.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match=r"2026-03-02\.1\.db"):
        seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    assert site.states() == {DAYS[0]: "open"}


@pytest.mark.parametrize("state", ["destroying", "destroyed"])
def test_a_record_for_a_destroyed_period_is_counted_once_and_drains(site: Installation, state: str) -> None:
    site.fill(2)
    site.set_state(DAYS[0], state)
    site.spool(
        *(request(MONDAY + number, f"/late{number}") for number in range(3)), request(MONDAY + DAY_US, "/c")
    )
    assert site.urls() == ["/a1", "/b1", "/c"]
    ingester = site.ingester()
    assert ingester.drain() == 1
    assert ingester.drain() == 0
    assert site.period(DAYS[0]).late_dropped == 3
    assert list((site.directory / "spool").glob("*/[0-9]*")) == []
    assert site.urls() == ["/a1", "/b1", "/c"]
