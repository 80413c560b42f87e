from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.caretaker import Caretaker
from consentkit.archive.child import IngestOrder, settings_in_force
from consentkit.archive.ingest import Ingester, run
from consentkit.archive.periodlock import PeriodLock
from consentkit.settings import Settings
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MINUTE_US, MONDAY, Installation, detail, request

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def house(site: Installation, now_us: int, days: int = 10) -> tuple[Ingester, Caretaker, Clock]:
    ingester, clock = site.ingester(), Clock(now_us)
    return ingester, Caretaker(site.holdings, days, release=ingester.release, now_us=clock), clock


def test_a_period_is_stored_sealed_and_destroyed_without_any_traffic(site: Installation) -> None:
    ingester, caretaker, clock = house(site, MONDAY + HOUR_US)
    caretaker.start({"requestlog.retention_days": 10})
    site.spool(request(MONDAY, "/a"))
    ingester.drain()
    seen = []
    for hour in range(1, 11 * 24, 9):
        clock.now_us = MONDAY + hour * HOUR_US
        ingester.drain()
        caretaker.do()
        if (state := site.states()[DAYS[0]]) not in seen:
            seen.append(state)
    assert seen == ["open", "sealed", "destroyed"]
    assert site.actions("period") == ["period.sealed", "period.destroying", "period.destroyed"]
    assert caretaker.failures == 0
    ingester.close()


def test_a_period_stays_open_for_its_grace(site: Installation) -> None:
    site.fill(1)
    _, caretaker, clock = house(site, MONDAY + DAY_US + 10 * MINUTE_US - 1)
    caretaker.do()
    assert site.states() == {DAYS[0]: "open"}
    clock.now_us += 1
    caretaker.do()
    assert site.states() == {DAYS[0]: "sealed"}


def test_a_start_finishes_what_is_due_before_anything_is_stored(site: Installation) -> None:
    site.fill(1)
    _, caretaker, _ = house(site, MONDAY + 10 * DAY_US)
    caretaker.start({"requestlog.retention_days": 10})
    assert site.states() == {DAYS[0]: "destroyed"}
    assert site.actions()[0] == "settings.in_force"


def test_rounds_keep_their_distance(site: Installation) -> None:
    site.fill(1)
    _, caretaker, clock = house(site, MONDAY + DAY_US)
    caretaker.round(is_drained=True)
    clock.now_us += DAY_US
    caretaker.round(is_drained=True)
    assert site.states() == {DAYS[0]: "open"}


def test_while_the_store_refuses_nothing_is_sealed_and_retention_goes_on(site: Installation) -> None:
    site.fill(2)
    _, caretaker, _ = house(site, MONDAY + 10 * DAY_US)
    caretaker.round(is_drained=False)
    assert site.states() == {DAYS[0]: "destroyed", DAYS[1]: "open"}


def test_a_failure_is_told_once_counted_and_tried_again(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    site.fill(1)
    ingester, caretaker, _ = house(site, MONDAY + 10 * DAY_US)
    with (
        PeriodLock(site.directory / "requests" / f"{DAYS[0]}.1.db", exclusive=False),
        caplog.at_level(logging.ERROR),
    ):
        for _ in range(3):
            caretaker.do()
    told = [record.message for record in caplog.records if record.name == "consentkit.ingest"]
    assert (len(told), caretaker.failures) == (1, 3)
    assert DAYS[0] in told[0]
    site.spool(request(MONDAY + DAY_US, "/on"))
    assert ingester.drain() == 1
    caretaker.do()
    assert site.states()[DAYS[0]] == "destroyed"
    ingester.close()


def test_a_control_database_that_fails_leaves_the_caretaker_alive(site: Installation) -> None:
    site.fill(1)
    _, caretaker, _ = house(site, MONDAY + 10 * DAY_US)
    (site.directory / "control.db").write_bytes(b"damaged" * 1000)
    caretaker.start({})
    assert caretaker.undone.keys() == {"the record of settings", "the heartbeat", "retention"}
    caretaker.do()
    assert caretaker.undone.keys() == {
        "the record of settings",
        "the heartbeat",
        "letting go of periods",
        "retention",
        "the statistics",
        "sealing",
        "the cutting of addresses",
        "the pruning of proof",
        "the pruning of the audit",
        "the pruning of people's requests",
    }
    assert caretaker.failures == 3 + 9  # the start's, and the round's that need it


def test_a_damaged_period_keeps_no_other_from_being_sealed(site: Installation) -> None:
    site.fill(2)
    (site.directory / "requests" / f"{DAYS[0]}.1.db").write_bytes(b"no database" * 1000)
    _, caretaker, _ = house(site, MONDAY + 3 * DAY_US)
    caretaker.do()
    assert site.states() == {DAYS[0]: "open", DAYS[1]: "sealed"}
    assert caretaker.failures == 2  # neither counted nor sealed


def test_the_settings_that_enter_the_audit_hold_no_url_and_no_secret(tmp_path: Path) -> None:
    settings = Settings.from_mapping(
        {"storage": {"url": "postgresql://me:hunter2@db.example.org/x"}, "requestlog": {"retention_days": 30}},
        base=tmp_path,
    )
    in_force = settings_in_force(settings)
    assert in_force["requestlog.retention_days"] == 30
    assert in_force["storage.url"] is True
    assert "hunter2" not in repr(in_force)
    assert IngestOrder.of(settings, ("s" * 32,)).in_force == in_force


def test_a_start_writes_the_settings_in_force(site: Installation) -> None:
    _, caretaker, _ = house(site, MONDAY)
    caretaker.start(settings_in_force(site.settings))
    (entry,) = site.audited("settings.in_force")
    settings = detail(entry)["settings"]
    assert isinstance(settings, dict)
    assert settings["requestlog.retention_days"] == 90
    assert settings["keep.audit"] == 730


def test_an_ingester_that_starts_destroys_what_is_due_and_records_its_settings(site: Installation) -> None:
    site.fill(1)
    stop = threading.Event()
    stop.set()
    run(IngestOrder.of(site.settings, ()), stop)
    assert site.states() == {DAYS[0]: "destroyed"}
    assert site.files() == []
    assert site.actions() == ["settings.in_force", "period.sealed", "period.destroying", "period.destroyed"]


def test_an_ingester_cuts_addresses_on_their_day(tmp_path: Path) -> None:
    site = Installation(tmp_path, truncate_ip_after_days=5)
    site.fill(1)
    ingester, clock = site.ingester(), Clock(MONDAY + 5 * DAY_US)
    caretaker = Caretaker(site.holdings, 90, truncate_after_days=5, release=ingester.release, now_us=clock)
    caretaker.do()
    assert (site.period(DAYS[0]).is_truncated, caretaker.failures) == (1, 0)
    assert site.actions() == ["period.sealed", "period.truncated", "period.generation_destroyed"]
