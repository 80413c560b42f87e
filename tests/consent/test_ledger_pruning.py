"""Decisions that were proof for long enough: which go, and that the chain of the others holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consentkit import audit
from consentkit.archive.evidence.pruning import needed_from
from consentkit.consent.ledger import decisions_of
from consentkit.consent.ledgerchain import runs
from consentkit.consent.ledgercheck import verify_decisions
from consentkit.consent.ledgerpruning import prune_decisions
from tests.consent.proofs import ID, OTHER_ID, Ledger, shown

DAY = 1440
BEGUN = 29_000_000  # 2025-02-20
KEPT, LIFETIME = 1095, 184


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("ledger") / "site")


@pytest.fixture
def ledger(original: Ledger, tmp_path: Path) -> Ledger:
    return original.copy(tmp_path / "site")


def prune(ledger: Ledger, days: float) -> list[audit.AuditEntry]:
    """Prune so many days after `BEGUN`."""
    return prune_decisions(
        ledger.control,
        audit.SYSTEM,
        now_minute=BEGUN + int(days * DAY),
        keep_days=KEPT,
        lifetime_days=LIFETIME,
    )


def kept(ledger: Ledger) -> list[int]:
    return [row.number for row in ledger.rows() if not row.pruned_in]


def test_a_consent_goes_when_its_lifetime_and_its_proof_have_passed(ledger: Ledger) -> None:
    ledger.decide("statistics", minute=BEGUN)
    assert prune(ledger, KEPT + LIFETIME - 0.01) == []
    (certificate,) = prune(ledger, KEPT + LIFETIME)
    assert (certificate.action, kept(ledger)) == ("consent.pruned", [])
    assert json.loads(certificate.detail)["numbers"] == "1"


def test_a_withdrawn_consent_goes_proof_after_it_was_withdrawn(ledger: Ledger) -> None:
    ledger.decide("statistics", minute=BEGUN)
    ledger.decide("", "statistics", minute=BEGUN + 10 * DAY)
    assert prune(ledger, KEPT + 9.9) == []
    prune(ledger, KEPT + 10)
    assert kept(ledger) == []


def test_a_consent_that_goes_on_keeps_its_own_row_alone(ledger: Ledger) -> None:
    ledger.decide("statistics", minute=BEGUN)
    ledger.decide("statistics,preferences", minute=BEGUN + 100 * DAY)
    ledger.decide("statistics", minute=BEGUN + 1000 * DAY)
    prune(ledger, KEPT + 300)
    assert kept(ledger) == [3]
    assert decisions_of(ledger.control, ID)[0].previous_number == 2


def test_rows_between_kept_ones_lose_all_but_their_place(ledger: Ledger) -> None:
    ledger.decide("statistics", minute=BEGUN)
    ledger.decide("", "statistics", OTHER_ID, minute=BEGUN)
    ledger.decide("statistics", minute=BEGUN + DAY, consent_id="C" * 22)
    (certificate,) = prune(ledger, KEPT + 1)
    emptied = ledger.rows()[1]
    assert (emptied.consent_id, emptied.denied, emptied.minute, emptied.signature) == ("", "", 0, b"")
    assert emptied.pruned_in == certificate.number
    report = verify_decisions(ledger.control)
    assert (report.faults, report.decisions, report.let_go) == ((), 2, 1)


def test_rows_in_front_of_all_kept_ones_go_altogether(ledger: Ledger) -> None:
    for number in range(6):
        ledger.decide("statistics", consent_id=f"{number:022}", minute=BEGUN + number * DAY)
    prune(ledger, KEPT + LIFETIME + 3)
    assert [row.number for row in ledger.rows()] == [5, 6]
    assert verify_decisions(ledger.control).is_good
    ledger.sql("UPDATE decision SET previous_hash = hash WHERE number = 5")
    assert not verify_decisions(ledger.control).is_good


def test_numbers_and_chain_go_on_where_all_was_let_go(ledger: Ledger) -> None:
    ledger.decide("statistics", minute=BEGUN)
    prune(ledger, KEPT + LIFETIME)
    assert ledger.rows() == []
    assert ledger.decide("statistics").number == 2
    report = verify_decisions(ledger.control)
    assert (report.faults, report.decisions, report.let_go) == ((), 1, 1)


def test_a_text_goes_with_the_last_decision_under_it(ledger: Ledger) -> None:
    ledger.decide("statistics", minute=BEGUN, text=shown("one"))
    ledger.decide("statistics", consent_id=OTHER_ID, minute=BEGUN + DAY, text=shown("two"))
    prune(ledger, KEPT + LIFETIME)
    with ledger.control.transaction() as connection:
        (snapshot,) = connection.exec_driver_sql("SELECT snapshot FROM shown_text").scalars()
    assert b'"two"' in snapshot


def test_the_audit_keeps_the_certificates_that_the_chain_needs(ledger: Ledger) -> None:
    ledger.decide("statistics", minute=BEGUN)
    ledger.decide("", "statistics", OTHER_ID, minute=BEGUN)
    (certificate,) = prune(ledger, KEPT + 1)
    for _ in range(3):
        audit.record(ledger.control, audit.SYSTEM, "log.search")
    far = certificate.time_us + 1_000_000_000
    assert needed_from(ledger.control, far, far) == certificate.number


def test_rows_that_go_while_they_are_checked_are_no_fault(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.consent.ledgercheck._PAGE_ROWS", 1)
    for number in range(6):
        ledger.decide("statistics", consent_id=f"{number:022}", minute=BEGUN + number * DAY)

    def let_go(_: float) -> None:
        prune(ledger, KEPT + LIFETIME + 3)

    report = verify_decisions(ledger.control, advance=let_go)
    assert (report.faults, report.decisions + report.let_go) == ((), 6)


def test_many_decisions_go_in_several_certificates(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.consent.ledgerpruning._AT_ONCE", 2)
    for number in range(5):
        ledger.decide("statistics", consent_id=f"{number:022}", minute=BEGUN)
    assert len(prune(ledger, KEPT + LIFETIME)) == 3
    assert verify_decisions(ledger.control).is_good


@pytest.mark.parametrize(
    ("numbers", "written"), [([], ""), ([4], "4"), ([1, 2, 3], "1-3"), ([1, 3, 4, 9], "1,3-4,9")]
)
def test_numbers_are_written_as_runs(numbers: list[int], written: str) -> None:
    assert runs(numbers) == written
