"""The control database: what a reader sees, and what it is kept from."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentkit.archive.period import destroyed, kept, new_period, oldest_kept_us
from consentkit.control import Control
from consentkit.control import period as period_table
from consentkit.crypto import Keyring
from consentkit.errors import StorageError

DAY_US = 86_400_000_000
NOON_US = 20_000 * DAY_US + DAY_US // 2


@pytest.fixture
def control(tmp_path: Path) -> Control:
    (tmp_path / "data").mkdir()
    return Control(tmp_path / "data", Keyring.open(tmp_path / "keys", ()))


def enter(control: Control, days_ago: int, state: str) -> str:
    period = new_period(NOON_US - days_ago * DAY_US, "day")
    values = {"file_hash": "", "is_truncated": 0, "early": "", "late_dropped": 0}
    row = {"name": period.name, "generation": 1, "since_us": period.since_us, "until_us": period.until_us}
    with control.transaction() as connection:
        gone = {"destroyed_us": NOON_US - days_ago} if state == "destroyed" else {}
        connection.execute(period_table.insert().values({**row, **values, "state": state, **gone}))
    return period.name


def test_a_reader_waits_for_no_writer_and_sees_one_moment(control: Control) -> None:
    enter(control, 1, "sealed")
    with control.transaction() as writing:
        writing.exec_driver_sql("UPDATE period SET state = 'destroyed'")
        with control.reading() as reading:
            assert reading.exec_driver_sql("SELECT state FROM period").scalar_one() == "sealed"
    with control.reading() as reading:
        assert reading.exec_driver_sql("SELECT state FROM period").scalar_one() == "destroyed"
        enter(control, 2, "sealed")
        assert reading.exec_driver_sql("SELECT count(*) FROM period").scalar_one() == 1


def test_a_reader_can_not_write(control: Control) -> None:
    with pytest.raises(StorageError, match="refused"), control.reading() as reading:
        reading.exec_driver_sql("DELETE FROM period")


def test_a_reader_reads_on_when_another_has_put_the_database_under_another_key(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    keyring = Keyring.open(tmp_path / "keys", ())
    control = Control(tmp_path / "data", keyring)
    name = enter(control, 1, "sealed")
    Control.rekeyed(tmp_path / "data", Keyring.open(tmp_path / "keys", ()))
    with control.reading() as reading:
        assert reading.exec_driver_sql("SELECT name FROM period").scalar_one() == name


def test_of_the_destroyed_periods_those_are_listed_that_are_asked_for(control: Control) -> None:
    assert (kept(control), destroyed(control), oldest_kept_us(control)) == ([], (0, None), None)
    states = ("open", "sealed", "destroying", "destroyed", "destroyed")
    names = [enter(control, days_ago, state) for days_ago, state in enumerate(states)]
    assert [period.name for period in kept(control)] == names[:3]
    since_us = new_period(NOON_US - 3 * DAY_US, "day").since_us
    assert [period.name for period in kept(control, gone_since_us=since_us)] == names[:4]
    assert destroyed(control) == (2, NOON_US - 3)
    assert oldest_kept_us(control) == new_period(NOON_US - 2 * DAY_US, "day").since_us
