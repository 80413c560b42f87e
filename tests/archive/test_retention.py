from __future__ import annotations

import shutil
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from consentkit.archive.custody import custody
from consentkit.archive.destruction import Order, destroy, finish_rewrite
from consentkit.archive.period import Period
from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.retention import Outcome, Retention
from consentkit.archive.schedule import DAY_US, Going
from consentkit.archive.sealing import seal
from consentkit.archive.truncation import truncate
from consentkit.audit import SYSTEM
from consentkit.errors import KeyUnavailable, StorageError
from tests.archive.installation import DAYS, HOUR_US, MONDAY, WORKER, Installation, detail, request

REPOSITORY = Path(__file__).resolve().parent.parent.parent
STEPS = (
    "announced", "locked", "key destroyed", "file removed", "file removed-wal", "file removed-shm",
    "file removed-journal", "certified",
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def run(site: Installation, now_us: int, *, days: int = 10, confirmed_by: str = "") -> Outcome:
    return Retention(site.holdings, days, SYSTEM, wait_seconds=0.2).run(now_us, confirmed_by=confirmed_by)


def order() -> Order:
    return Order(actor=SYSTEM, retention_days=10, confirmed_by="", wait_seconds=0.2)


def going(site: Installation, name: str = DAYS[0]) -> Going:
    period = site.period(name)
    return Going(period=period, due_us=period.since_us + 10 * DAY_US)


@pytest.mark.parametrize(
    ("now_us", "gone"),
    [
        (MONDAY + 10 * DAY_US - 1, []),
        (MONDAY + 10 * DAY_US, [DAYS[0]]),
        (MONDAY + 12 * DAY_US - 1, [DAYS[0], DAYS[1]]),
        (MONDAY + 400 * DAY_US, list(DAYS[:3])),
    ],
    ids=["a moment before", "to the moment", "two", "long after"],
)
def test_a_period_goes_when_its_first_instant_has_reached_the_retention(
    site: Installation, now_us: int, gone: list[str]
) -> None:
    site.fill(3)
    outcome = run(site, now_us)
    assert [detail(entry)["period"] for entry in outcome.certificates] == gone
    assert [name for name, state in site.states().items() if state == "destroyed"] == gone
    assert site.urls() == sorted(f"/{x}{day}" for day in range(len(gone), 3) for x in "ab")


def test_of_a_destroyed_period_neither_key_nor_file_is_left(site: Installation) -> None:
    site.fill(2)
    run(site, MONDAY + 10 * DAY_US)
    assert [name for name in site.files() if DAYS[0] in name] == []
    assert site.keyring.names("period") == [f"period/{DAYS[1]}.1"]
    with pytest.raises(KeyUnavailable):
        site.keyring.load(f"period/{DAYS[0]}.1")


def test_the_certificate_says_what_went_and_by_which_policy(site: Installation) -> None:
    site.fill(1)
    sealed = seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    assert sealed is not None
    outcome = run(site, MONDAY + 10 * DAY_US)
    (certificate,) = outcome.certificates
    announced, same = site.audited("period.destr")
    assert (announced.action, same) == ("period.destroying", certificate)
    assert (certificate.action, certificate.actor, certificate.origin) == (
        "period.destroyed", "consentkit", "system",
    )  # fmt: skip
    said = detail(certificate)
    assert said["announced_in_entry"] == announced.number
    assert (said["period"], said["generation"], said["rows"]) == (DAYS[0], 1, 2)
    assert (said["since"], said["until"]) == ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
    assert (said["file_hash"], said["bytes"]) == (sealed.file_hash, sealed.bytes)
    assert "destroyed 10 days after it began" in str(said["policy"])
    assert said["early"] is False


def test_a_period_that_was_never_sealed_is_counted_before_it_goes(site: Installation) -> None:
    site.fill(1)
    (certificate,) = run(site, MONDAY + 10 * DAY_US).certificates
    assert detail(certificate)["rows"] == 2
    assert site.actions() == ["period.sealed", "period.destroying", "period.destroyed"]


def test_a_damaged_period_goes_on_its_day_and_its_rows_are_unknown(site: Installation) -> None:
    site.fill(1)
    (site.directory / "requests" / f"{DAYS[0]}.1.db").write_bytes(b"no database" * 1000)
    (certificate,) = run(site, MONDAY + 10 * DAY_US).certificates
    assert detail(certificate)["rows"] is None
    assert site.states() == {DAYS[0]: "destroyed"}


def test_a_period_whose_file_and_key_are_gone_already_gets_its_certificate(site: Installation) -> None:
    site.fill(1)
    (site.directory / "requests" / f"{DAYS[0]}.1.db").unlink()
    site.keyring.destroy(f"period/{DAYS[0]}.1")
    assert len(run(site, MONDAY + 10 * DAY_US).certificates) == 1


def test_the_steps_come_in_their_order(site: Installation) -> None:
    site.fill(1)
    assert tuple(destroy(site.holdings, going(site), order())) == STEPS


@pytest.mark.parametrize("done", range(len(STEPS) + 1), ids=["nothing", *STEPS])
def test_what_a_crash_left_half_done_is_finished_with_one_certificate(site: Installation, done: int) -> None:
    site.fill(2)
    steps = destroy(site.holdings, going(site), order())
    assert tuple(islice(steps, done)) == STEPS[:done]
    steps.close()  # type: ignore[attr-defined] # a generator's: locks go as with the process
    if done:
        assert site.urls() == ["/a1", "/b1"]
    # What was begun is finished though its day has not come by this clock; forward only.
    outcome = run(site, MONDAY + (9 if done else 10) * DAY_US)
    assert outcome.failures == ()
    assert site.states() == {DAYS[0]: "destroyed", DAYS[1]: "open"}
    assert site.actions("period.destr") == ["period.destroying", "period.destroyed"]
    assert [name for name in site.files() if DAYS[0] in name] == []
    assert site.keyring.names("period") == [f"period/{DAYS[1]}.1"]
    assert run(site, MONDAY + 10 * DAY_US).certificates == ()


KILLED = """
import os, sys
from pathlib import Path
from tests.archive.installation import Installation
from tests.archive.test_retention import going, order
from consentkit.archive.destruction import destroy
site = Installation(Path(sys.argv[1]))
steps = destroy(site.holdings, going(site), order())
for _ in range(int(sys.argv[2])):
    next(steps)
os.kill(os.getpid(), 9)
"""


@pytest.mark.server
@pytest.mark.parametrize("done", [1, 2, 3, 5, 7], ids=["1", "2", "3", "5", "7"])
def test_a_process_killed_between_two_steps_leaves_what_the_next_one_finishes(
    site: Installation, tmp_path: Path, done: int
) -> None:
    site.fill(1)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(done)]
    assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == -9
    assert len(run(site, MONDAY).certificates) == 1
    assert site.actions("period.destr") == ["period.destroying", "period.destroyed"]
    assert (site.files(), site.keyring.names("period")) == ([], [])


def test_readers_may_leave_first_and_new_ones_find_nothing(site: Installation) -> None:
    site.fill(1)
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    reading = PeriodLock(site.file(site.period(DAYS[0]).place), exclusive=False)
    outcome = run(site, MONDAY + 10 * DAY_US)
    assert (outcome.certificates, [failure.period for failure in outcome.failures]) == ((), [DAYS[0]])
    assert site.states() == {DAYS[0]: "destroying"}
    assert site.urls() == []
    reading.release()
    assert len(run(site, MONDAY + 10 * DAY_US).certificates) == 1


def test_one_period_that_fails_keeps_no_other_from_going(site: Installation) -> None:
    site.fill(2)
    with PeriodLock(site.directory / "requests" / f"{DAYS[0]}.1.db", exclusive=False):
        outcome = run(site, MONDAY + 20 * DAY_US)
    assert [failure.period for failure in outcome.failures] == [DAYS[0]]
    assert site.states() == {DAYS[0]: "destroying", DAYS[1]: "destroyed"}


def test_two_runs_do_not_do_it_twice(site: Installation) -> None:
    site.fill(1)
    with custody(site.control, wait_seconds=0), pytest.raises(StorageError, match="another retention run"):
        run(site, MONDAY + 10 * DAY_US)
    assert site.states() == {DAYS[0]: "open"}


def test_a_period_is_not_destroyed_before_it_has_ended(site: Installation) -> None:
    site.fill(1)
    retention = Retention(site.holdings, 10, WORKER, wait_seconds=0.2)
    later = MONDAY + 300 * DAY_US
    assert retention.run(MONDAY + DAY_US - 1, acting_as_us=later, confirmed_by="liga").certificates == ()
    assert len(retention.run(MONDAY + DAY_US, acting_as_us=later, confirmed_by="liga").certificates) == 1


@pytest.mark.parametrize("is_control_restored", [True, False], ids=["all of it", "the periods' files alone"])
def test_a_backup_restored_after_destruction_gives_nothing_back(
    site: Installation, tmp_path: Path, is_control_restored: bool
) -> None:
    site.fill(3)
    for name in DAYS[:2]:
        seal(site.holdings, site.period(name), SYSTEM)
    copy = tmp_path / "backup"
    shutil.copytree(site.directory, copy)
    run(site, MONDAY + 10 * DAY_US)
    if is_control_restored:
        shutil.rmtree(site.directory)
        shutil.copytree(copy, site.directory)
    else:
        shutil.copytree(copy / "requests", site.directory / "requests", dirs_exist_ok=True)
    site.open()
    assert f"{DAYS[0]}.1.db" in site.files()
    assert site.urls() == ["/a1", "/a2", "/b1", "/b2"]
    with pytest.raises(KeyUnavailable, match="destroyed"):
        site.keyring.load(f"period/{DAYS[0]}.1")
    # A late record neither stops the ingester nor brings the period back to life.
    site.store(request(MONDAY, "/late"), request(MONDAY + DAY_US, "/c1"))
    assert site.urls() == ["/a1", "/a2", "/b1", "/b2", "/c1"]
    # The next run clears away what came back, with a certificate where the chain has lost it.
    outcome = run(site, MONDAY + 10 * DAY_US)
    assert len(outcome.certificates) == (1 if is_control_restored else 0)
    assert [name for name in site.files() if DAYS[0] in name] == []
    assert site.states()[DAYS[0]] == "destroyed"
    assert site.period(DAYS[0]).late_dropped == 1


def test_keys_that_a_restored_keys_folder_brings_back_are_destroyed_again(
    site: Installation, tmp_path: Path
) -> None:
    site.fill(3)
    seal(site.holdings, site.period(DAYS[1]), SYSTEM)
    shutil.copytree(site.keyring.folder, tmp_path / "keys")
    truncate(site.holdings, site.period(DAYS[1]), SYSTEM, wait_seconds=0.2)
    finish_rewrite(site.holdings, site.period(DAYS[1]), SYSTEM, wait_seconds=0.2)
    run(site, MONDAY + 10 * DAY_US)
    shutil.copytree(tmp_path / "keys", site.keyring.folder, dirs_exist_ok=True)
    assert len(site.keyring.names("period")) == 4
    run(site, MONDAY + 10 * DAY_US)
    assert site.keyring.names("period") == [f"period/{DAYS[1]}.2", f"period/{DAYS[2]}.1"]
    assert site.urls() == ["/a1", "/a2", "/b1", "/b2"]


def test_the_same_backup_does_give_back_what_was_not_destroyed(site: Installation, tmp_path: Path) -> None:
    site.fill(2)
    shutil.copytree(site.directory, tmp_path / "backup")
    shutil.rmtree(site.directory)
    shutil.copytree(tmp_path / "backup", site.directory)
    site.open()
    assert site.urls() == ["/a0", "/a1", "/b0", "/b1"]


def test_a_period_whose_key_is_lost_without_being_destroyed_is_told_by_a_search(site: Installation) -> None:
    site.fill(1)
    (site.keyring.folder / f"period/{DAYS[0]}.1.key").unlink()
    with pytest.raises(KeyUnavailable):
        site.urls()


def test_a_run_over_nothing_does_nothing(site: Installation) -> None:
    assert run(site, time.time_ns() // 1000) == Outcome(certificates=(), waiting=(), failures=())
    assert site.actions() == []


def test_hours_go_by_the_hour(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    one = Period("2026-03-02T05", 1, "open", MONDAY + 5 * HOUR_US, MONDAY + 6 * HOUR_US)
    site.add_period(one)
    assert run(site, one.since_us + 10 * DAY_US - 1).certificates == ()
    assert len(run(site, one.since_us + 10 * DAY_US).certificates) == 1
