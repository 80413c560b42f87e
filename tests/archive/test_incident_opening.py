"""Opening an incident: the audit first, and whatever breaks off leaves nothing behind."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from consentkit.archive.incident.listing import BadIncident
from consentkit.archive.incident.review import MAX_REVIEW_DAYS
from consentkit.archive.store import Filters
from consentkit.errors import StorageError
from tests.archive.incidents import (
    TODAY,
    days,
    finish,
    held,
    listed,
    names,
    opened,
    opening,
    searched,
)
from tests.archive.installation import Installation, detail


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return days(tmp_path_factory.mktemp("days"))


@pytest.fixture
def installation(made: Path, tmp_path: Path) -> Installation:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


def test_the_look_is_in_the_audit_before_a_row_is_read(installation: Installation) -> None:
    one = opening(installation)
    assert not installation.actions("incident.")
    steps = one.run()
    assert next(steps).done == "announced"
    (begun,) = installation.audited("incident.")
    assert (begun.action, begun.purpose, begun.case_id) == ("incident.opening", "incident", "2026-7")
    assert detail(begun)["filters"] == {"since": "1970-01-01"}
    assert not names(installation)
    assert [(step.done, step.rows) for step in steps] == [
        ("drafted", 0),
        ("keyed", 0),
        ("copied", 7),
        ("written", 0),
        ("entered", 0),
    ]
    told = installation.audited("incident.")
    assert [(entry.action, entry.rows) for entry in told] == [
        ("incident.opening", 0),
        ("incident.opening.page", 7),
        ("incident.opened", 0),
    ]
    assert one.incident is not None
    said = detail(told[-1])
    assert (said["incident"], said["generation"], said["rows"]) == (1, 1, 7)
    assert said["file_hash"] == one.incident.file_hash


def test_where_the_audit_fails_nothing_is_copied(installation: Installation) -> None:
    with installation.control.transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refused BEFORE INSERT ON audit WHEN NEW.action = 'incident.opening.page'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    with pytest.raises(StorageError, match="refused"):
        opened(installation)
    assert not names(installation)
    assert not listed(installation)
    assert not installation.keyring.names("incident")


def test_a_refusal_is_entered_by_the_opening_itself(installation: Installation) -> None:
    """Not by who asked for it: else, for a moment, nobody is at it and nothing says why."""
    (installation.directory / "incidents").write_text("where a folder should be")
    one = opening(installation)
    with pytest.raises(StorageError, match="can't be written"):
        list(one.run())
    announced, failed = installation.audited("incident.")
    assert (announced.action, failed.action) == ("incident.opening", "incident.opening_failed")
    assert (failed.purpose, failed.case_id, failed.actor) == ("incident", "2026-7", announced.actor)
    said = detail(failed)
    assert (said["incident"], said["opening"]) == (one.number, announced.number)
    assert "can't be written" in str(said["reason"])


STEPS = ("announced", "drafted", "copied", "written", "keyed")


@pytest.mark.parametrize("step", STEPS)
def test_an_opening_that_breaks_off_leaves_nothing(installation: Installation, step: str) -> None:
    steps = opening(installation).run()
    assert step in (one.done for one in steps)
    steps.close()  # type: ignore[attr-defined]
    assert not names(installation)
    assert not listed(installation)
    assert not installation.keyring.names("incident")


@pytest.mark.server
@pytest.mark.parametrize("step", [*STEPS, "entered"])
def test_a_killed_opening_leaves_nothing_that_the_next_does_not_throw_away(
    installation: Installation, step: str
) -> None:
    child = os.fork()
    if not child:
        for one in opening(installation).run():
            if one.done == step:
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert finish(installation) == []
    if step == "entered":
        assert len(held(installation)) == 7
        return
    assert not names(installation)
    assert not installation.keyring.names("incident")
    assert opened(installation).number == 1
    assert held(installation) == searched(installation)


def test_a_disk_that_refuses_leaves_nothing_half_made(installation: Installation) -> None:
    (installation.directory / "incidents").mkdir()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    one = opening(installation).run()
    assert next(one).done == "announced"
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, limit[1]))
    try:
        with pytest.raises((StorageError, OSError)) as caught:
            list(one)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    assert isinstance(caught.value, StorageError)
    finish(installation)
    assert not names(installation)
    assert not listed(installation)
    assert opened(installation).rows == 7


def test_what_no_entry_knows_of_and_bears_no_mark_is_left_alone(installation: Installation) -> None:
    """A control database from before an incident must not cost the evidence."""
    shutil.copy(installation.directory / "control.db", installation.directory / "older.db")
    opened(installation)
    for suffix in ("-wal", "-shm"):
        (installation.directory / f"control.db{suffix}").unlink(missing_ok=True)
    (installation.directory / "older.db").replace(installation.directory / "control.db")
    installation.open()
    assert finish(installation) == []
    assert names(installation) == ["1.1.db"]
    assert opened(installation).number == 2


REFUSED = {
    "no filter": ({"filters": Filters()}, "--all-rows"),
    "a review that is over": ({"review": TODAY - timedelta(days=1)}, "has passed"),
    "a review too far off": ({"review": TODAY + timedelta(days=MAX_REVIEW_DAYS + 1)}, "more than a year"),
    "no reason": ({"reason": "  "}, "--reason is empty"),
    "a line end in the case": ({"case": "7\n8"}, "--case holds"),
    "an escape in the reason": ({"reason": "\x1b[2J"}, "--reason holds"),
    "a turned text": ({"owner": "anna\u202egpj"}, "--owner holds"),
    "a long case": ({"case": "7" * 101}, "at most 100"),
}


@pytest.mark.parametrize(("changes", "reason"), REFUSED.values(), ids=REFUSED)
def test_terms_that_are_not_allowed_are_refused_before_anything(
    installation: Installation, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(BadIncident, match=reason):
        opening(installation, **changes)
    assert not installation.actions("incident.")
