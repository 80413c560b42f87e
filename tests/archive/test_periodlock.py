from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.periodlock import PeriodBusy, PeriodLock, lock_path

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("held", "wanted", "is_given"),
    [(False, False, True), (False, True, False), (True, False, False), (True, True, False)],
    ids=["readers together", "nobody alone beside a reader", "no reader beside one alone", "only one alone"],
)
def test_many_share_and_one_is_alone(tmp_path: Path, held: bool, wanted: bool, is_given: bool) -> None:
    file = tmp_path / "2026-11-23.1.db"
    with PeriodLock(file, exclusive=held):
        if is_given:
            PeriodLock(file, exclusive=wanted, wait_seconds=0).release()
        else:
            with pytest.raises(PeriodBusy, match=r"2026-11-23\.1\.db"):
                PeriodLock(file, exclusive=wanted, wait_seconds=0.1)


def test_a_released_lock_is_free_again(tmp_path: Path) -> None:
    lock = PeriodLock(tmp_path / "a.db", exclusive=True)
    lock.release()
    lock.release()
    with PeriodLock(tmp_path / "a.db", exclusive=True, wait_seconds=0) as again:
        assert again.path == lock.path


def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    take_and_die = (
        "import os, sys; from pathlib import Path; from consentkit.archive.periodlock import PeriodLock\n"
        "lock = PeriodLock(Path(sys.argv[1]), exclusive=True); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", take_and_die, str(file)], check=False).returncode == -9
    PeriodLock(file, exclusive=True, wait_seconds=0).release()


def test_a_lock_whose_file_was_removed_guards_nothing_and_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with PeriodLock(file, exclusive=True):
        lock_path(file).unlink()
        with PeriodLock(file, exclusive=True, wait_seconds=0):
            assert lock_path(file).exists()
