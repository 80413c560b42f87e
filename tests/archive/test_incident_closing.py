"""Letting go of an incident: closing it, its reviews, and what comes back from backups."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from consentkit.archive.destruction import destroy_place
from consentkit.archive.incident.begun import finish_begun
from consentkit.archive.incident.closing import certificate, close
from consentkit.archive.incident.integrity import verify
from consentkit.archive.incident.listing import (
    BadIncident,
    Incident,
    find,
    overdue_reviews,
)
from consentkit.archive.incident.reading import reading
from consentkit.archive.incident.review import move_review
from consentkit.archive.retention import Retention
from consentkit.archive.store import Filters
from consentkit.audit import Look
from consentkit.control import incident as incident_table
from consentkit.errors import KeyUnavailable, StorageError
from tests.archive.incidents import (
    TODAY,
    days,
    finish,
    held,
    listed,
    names,
    opened,
    searched,
)
from tests.archive.installation import (
    DAY_US,
    MONDAY,
    WORKER,
    Installation,
    detail,
)

LOOK = Look("incident", reason="the case is closed")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return days(tmp_path_factory.mktemp("days"))


@pytest.fixture
def installation(made: Path, tmp_path: Path) -> Installation:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


def test_the_period_goes_on_its_day_and_the_incident_stays(installation: Installation) -> None:
    installation.store()
    before = searched(installation)
    opened(installation)
    outcome = Retention(installation.holdings, 90, WORKER).run(MONDAY + 400 * DAY_US, confirmed_by="liga")
    assert len(outcome.certificates) == 3
    assert not outcome.failures
    assert searched(installation) == []
    assert held(installation) == before
    assert verify(installation.holdings, listed(installation)[0]).fault == ""


def steps_of_closing(installation: Installation) -> Iterator[str]:
    return close(installation.holdings, 1, WORKER, LOOK, wait_seconds=1)


def test_a_closed_incident_is_gone_and_certified(installation: Installation) -> None:
    incident = opened(installation)
    assert list(steps_of_closing(installation))[-1] == "certified"
    assert names(installation) == []
    assert installation.keyring.was_destroyed("incident/1.1")
    with installation.control.transaction() as connection:
        closed, told = find(connection, 1), certificate(connection, 1)
    assert (closed.state, closed.filters, closed.closed_us is not None) == ("closed", "{}", True)
    assert told is not None
    assert (told.actor, told.case_id, told.reason) == ("liga", "2026-7", "the case is closed")
    said = detail(told)
    assert (said["rows"], said["file_hash"], said["closed_by"]) == (7, incident.file_hash, "liga")
    assert installation.actions("incident.clos") == ["incident.closing", "incident.closed"]
    with pytest.raises(BadIncident, match="closed"):
        held(installation)
    with pytest.raises(BadIncident, match="already"):
        list(steps_of_closing(installation))


CLOSING = ("announced", "locked", "key destroyed", "file removed", "certified")


@pytest.mark.parametrize("step", CLOSING)
def test_a_closing_that_breaks_off_is_finished_by_the_next_run_of_retention(
    installation: Installation, step: str
) -> None:
    incident = opened(installation)
    steps = steps_of_closing(installation)
    assert step in steps
    steps.close()  # type: ignore[attr-defined]
    assert not Retention(installation.holdings, 90, WORKER).run(MONDAY + 3 * DAY_US).failures
    assert names(installation) == []
    assert not installation.keyring.names("incident")
    assert installation.actions("incident.clos") == ["incident.closing", "incident.closed"]
    assert detail(installation.audited("incident.closed")[0])["file_hash"] == incident.file_hash


def test_a_reader_is_waited_for_and_what_was_begun_is_finished_later(installation: Installation) -> None:
    opened(installation)
    with reading(installation.holdings, 1) as kept:
        with pytest.raises(StorageError, match="in use"):
            list(close(installation.holdings, 1, WORKER, LOOK, wait_seconds=0.05))
        assert len(list(kept.rows(Filters()))) == 7
        assert finish_begun(installation.holdings, WORKER, wait_seconds=0.05)[0][0] == "incident 1"
    assert finish(installation) == []
    assert names(installation) == []


def test_a_backup_from_before_the_closing_does_not_bring_the_rows_back(installation: Installation) -> None:
    opened(installation)
    backup = installation.directory.with_name("backup")
    shutil.copytree(installation.directory, backup)
    list(steps_of_closing(installation))
    shutil.rmtree(installation.directory)
    shutil.copytree(backup, installation.directory)
    installation.open()
    with pytest.raises(KeyUnavailable):
        held(installation)
    assert finish(installation) == []
    assert names(installation) == []
    (told,) = installation.audited("incident.closed")
    assert "older copy" in told.reason


def test_files_and_keys_that_come_back_after_a_closing_go_again(installation: Installation) -> None:
    opened(installation)
    file = installation.directory / "incidents" / "1.1.db"
    kept_file, key = file.read_bytes(), installation.keyring.load("incident/1.1")
    list(steps_of_closing(installation))
    file.write_bytes(kept_file)
    installation.keyring.put("incident/1.1", key)
    assert finish(installation) == []
    assert names(installation) == []
    assert not installation.keyring.names("incident")
    assert opened(installation).number == 2


def written_anew(installation: Installation, incident: Incident) -> None:
    """Do to the files what an erasure does, and nothing to the control database."""
    installation.holdings.rows.write_anew(incident.place(), incident.place(2))


def test_the_generation_that_an_erasure_left_behind_is_destroyed(installation: Installation) -> None:
    incident = opened(installation)
    written_anew(installation, incident)
    with installation.control.transaction() as connection:
        connection.execute(incident_table.update().values(generation=2, old_generation=1))
    assert finish(installation) == []
    assert names(installation) == ["1.2.db"]
    assert installation.keyring.was_destroyed("incident/1.1")
    assert listed(installation)[0].old_generation is None
    assert installation.actions("incident.generation") == ["incident.generation_destroyed"]
    assert len(held(installation)) == 7


def test_an_older_control_database_takes_back_what_was_written_anew_since(installation: Installation) -> None:
    incident = opened(installation)
    written_anew(installation, incident)
    for _ in destroy_place(installation.holdings, incident.place(), wait_seconds=1):
        pass
    assert finish(installation) == []
    (present,) = listed(installation)
    assert (present.state, present.generation) == ("open", 2)
    assert len(held(installation)) == 7
    assert verify(installation.holdings, present).fault == ""


def test_the_review_date_moves_with_a_reason_and_is_told_when_it_is_over(installation: Installation) -> None:
    incident = opened(installation, review=TODAY)
    tomorrow = TODAY + timedelta(days=1)
    with installation.control.transaction() as connection:
        assert overdue_reviews(connection, TODAY) == []
        assert [one.number for one in overdue_reviews(connection, tomorrow)] == [1]
    look = Look("incident", reason="the police asks")
    moved = move_review(installation.holdings, 1, WORKER, until=TODAY + timedelta(days=30), look=look, today=TODAY)
    assert moved.review == (TODAY + timedelta(days=30)).isoformat()
    (told,) = installation.audited("incident.reviewed")
    assert (told.case_id, told.reason) == (incident.case_id, "the police asks")
    assert detail(told)["review_before"] == TODAY.isoformat()
    with installation.control.transaction() as connection:
        assert overdue_reviews(connection, tomorrow) == []
    list(steps_of_closing(installation))
    with installation.control.transaction() as connection:
        assert overdue_reviews(connection, date(9999, 1, 1)) == []
    with pytest.raises(BadIncident, match="closed"):
        move_review(installation.holdings, 1, WORKER, until=TODAY, look=look, today=TODAY)
