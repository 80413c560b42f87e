"""How often a sign-in may be tried: by name, by network, over restarts and processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from consentkit.admin import throttle as module
from consentkit.admin.throttle import Throttle
from consentkit.control import Control
from tests.archive.installation import Installation

KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.us = time.time_ns() // 1000

    def forward(self, seconds: float) -> None:
        self.us += int(seconds * 1_000_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "_now_us", lambda: clock.us)
    return clock


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_the_pause_doubles_with_each_failure_up_to_a_quarter_of_an_hour(site: Installation, clock: Clock) -> None:
    throttle = Throttle(site.control, KEY)
    assert [throttle.admit("liga", "192.0.2.7") for _ in range(5)] == [0] * 5
    pauses = []
    for _ in range(14):
        pauses.append(throttle.admit("liga", "192.0.2.7"))
        clock.forward(pauses[-1])
        assert throttle.admit("liga", "192.0.2.7") == 0
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert max(pauses) == pauses[-1] == 900


def test_a_name_under_attack_from_elsewhere_is_open_to_its_owner(site: Installation, clock: Clock) -> None:
    throttle = Throttle(site.control, KEY)
    throttle.admit("liga", "192.0.2.7")
    throttle.succeed("liga", "192.0.2.7")
    for number in range(60):
        throttle.admit("liga", f"2001:db8:0:{number:x}00::1")
    assert throttle.admit("liga", "198.51.100.1") > 0
    assert throttle.admit("liga", "192.0.2.7") == 0


def test_one_network_can_not_try_many_names(site: Installation, clock: Clock) -> None:
    throttle = Throttle(site.control, KEY)
    waits = [throttle.admit(f"name{number}", f"2001:db8::{number:x}") for number in range(25)]
    assert waits[19] == 0
    assert waits[20] > 0
    assert throttle.admit("other", "2001:db8:1::1") == 0


def test_a_restart_forgets_nothing_and_workers_count_together(site: Installation, clock: Clock) -> None:
    for _ in range(5):
        other = Control(site.directory, site.keyring)
        assert Throttle(other, KEY).admit("liga", "192.0.2.7") == 0
    assert Throttle(site.control, KEY).admit("liga", "192.0.2.7") > 0


def test_success_ends_the_pauses_of_this_network_alone(site: Installation, clock: Clock) -> None:
    throttle = Throttle(site.control, KEY)
    for _ in range(6):
        throttle.admit("liga", "192.0.2.7")
        throttle.admit("liga", "198.51.100.1")
    clock.forward(2)
    assert throttle.admit("liga", "192.0.2.7") == 0
    throttle.succeed("liga", "192.0.2.7")
    assert [throttle.admit("liga", "192.0.2.7") for _ in range(5)] == [0] * 5


def test_an_attempt_that_was_not_made_does_not_count(site: Installation, clock: Clock) -> None:
    throttle = Throttle(site.control, KEY)
    for _ in range(40):
        assert throttle.admit("liga", "192.0.2.7") == 0
        throttle.give_back("liga", "192.0.2.7")


def test_a_clock_that_is_set_back_locks_nobody_out_for_long(site: Installation, clock: Clock) -> None:
    throttle = Throttle(site.control, KEY)
    for _ in range(6):
        throttle.admit("liga", "192.0.2.7")
    clock.forward(-30 * 86_400)
    assert throttle.admit("liga", "192.0.2.7") <= 3600


def test_a_flood_of_invented_names_leaves_a_bounded_table(
    site: Installation, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_ROWS", 40)
    throttle = Throttle(site.control, KEY)
    for number in range(60):
        clock.forward(1)
        throttle.admit(f"name{number}", f"198.51.100.{number}")
    with site.control.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM throttle").scalar_one() <= 44
    clock.forward(2 * 86_400)
    throttle.admit("liga", "192.0.2.7")
    with site.control.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM throttle").scalar_one() == 3


def test_names_and_addresses_do_not_stand_in_the_table(site: Installation, clock: Clock) -> None:
    throttle = Throttle(site.control, KEY)
    throttle.admit("liga", "192.0.2.7")
    throttle.succeed("liga", "192.0.2.7")
    with site.control.transaction() as connection:
        text = repr(connection.exec_driver_sql("SELECT * FROM throttle").all())
    assert "liga" not in text
    assert "192.0.2" not in text
