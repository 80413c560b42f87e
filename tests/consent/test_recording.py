"""A ledger that refuses: a grant is not given, a refusal is owed, kept sealed, and written when it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentkit.consent.ledgercheck import verify_decisions
from consentkit.consent.outcomes import Outcome
from consentkit.consent.owed import FOLDER, OwedDecisions, waiting
from consentkit.consent.recording import Recording
from consentkit.control import Control
from consentkit.crypto import Rotation
from consentkit.errors import StorageError
from tests.consent.proofs import ID, Ledger, decision, shown

COUNTED = (Outcome("", "withdrawn"),)


class Site(Ledger):
    """A ledger whose database can be taken away."""

    is_broken = False

    def open_control(self) -> Control:
        if self.is_broken:
            raise StorageError("control.db", "the control database refused")
        return self.control

    def recording(self) -> Recording:
        return Recording(self.directory, self.keyring, self.open_control)

    @property
    def owed(self) -> list[str]:
        return waiting(self.directory / FOLDER)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def refuse(site: Site, recording: Recording, granted: str = "") -> None:
    site.is_broken = True
    recording.record(decision(granted, "statistics"), COUNTED, shown(), may_wait=True)
    site.is_broken = False


def test_a_grant_that_can_not_be_written_is_not_kept_either(site: Site) -> None:
    site.is_broken = True
    with pytest.raises(StorageError):
        site.recording().record(decision("statistics"), (), shown())
    assert site.owed == []


def test_a_refusal_is_owed_and_written_later_with_the_time_it_was_given(site: Site) -> None:
    recording = site.recording()
    refuse(site, recording)
    assert len(site.owed) == 1
    recording.tend()
    (row,) = site.rows()
    assert (row.denied, site.owed) == ("statistics", [])
    assert row.text_hash
    assert row.minute <= row.written
    assert verify_decisions(site.control).is_good
    with site.control.transaction() as connection:
        assert connection.exec_driver_sql("SELECT kind FROM consent_rate").all() == [("withdrawn",)]


def test_what_is_owed_goes_before_what_comes(site: Site) -> None:
    recording = site.recording()
    refuse(site, recording)
    recording.record(decision("statistics"), (), shown())
    assert [row.granted for row in site.rows()] == ["", "statistics"]


def test_another_worker_writes_what_one_owes_after_a_rotation_of_the_root(site: Site) -> None:
    refuse(site, site.recording())
    list(Rotation(site.keyring, new_root=True).steps())
    other = site.recording()
    other.tend()
    assert (len(site.rows()), site.owed) == (1, [])


def test_a_refusal_that_is_owed_twice_by_one_form_is_written_and_counted_once(site: Site) -> None:
    recording = site.recording()
    site.is_broken = True
    for _ in range(2):
        answer = decision("", "statistics", "")
        recording.record(answer, COUNTED, shown(), once="f" * 64, may_wait=True)
    site.is_broken = False
    assert len(site.owed) == 2
    recording.tend()
    assert (len(site.rows()), site.owed) == (1, [])
    with site.control.transaction() as connection:
        assert connection.exec_driver_sql("SELECT times FROM consent_rate").all() == [(1,)]


def test_what_is_owed_names_nobody_on_the_disk(site: Site) -> None:
    refuse(site, site.recording())
    sealed = (site.directory / FOLDER / site.owed[0]).read_bytes()
    assert ID.encode() not in sealed
    assert b"statistics" not in sealed


def test_a_damaged_one_is_put_aside_and_keeps_no_other(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    recording = site.recording()
    refuse(site, recording)
    path = site.directory / FOLDER / site.owed[0]
    path.write_bytes(path.read_bytes()[:-1])
    refuse(site, recording)  # the damaged one is met here too, and stays, for the database is away
    recording.tend()
    assert (len(site.rows()), site.owed) == (1, [])
    assert path.with_suffix(".damaged").exists()
    assert "damaged" in caplog.text


def test_what_can_not_even_be_kept_is_counted(site: Site) -> None:
    (site.directory / FOLDER).write_text("a file where the folder should be")
    recording = site.recording()
    site.is_broken = True
    with pytest.raises(StorageError):
        recording.record(decision("", "statistics"), (), shown(), may_wait=True)
    assert recording.unkept == 1


def test_no_more_wait_than_a_bound(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.consent.owed.MAX_OWED", 2)
    owed = OwedDecisions(site.directory, site.keyring)
    for _ in range(2):
        owed.add(decision("", "statistics", minute=29_000_000), (), b"")
    with pytest.raises(StorageError, match="wait there already"):
        owed.add(decision("", "statistics", minute=29_000_000), (), b"")


def test_a_ledger_that_still_refuses_is_told_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    recording = site.recording()
    refuse(site, recording)
    site.is_broken = True
    for _ in range(3):
        recording.record(decision("", "statistics"), (), shown(), may_wait=True)
    assert caplog.text.count("decisions are still owed") == 1
    assert len(site.owed) == 4
