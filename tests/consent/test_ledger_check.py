"""Forged rows: what somebody with the open database changed, and in which place the check finds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consentkit import audit
from consentkit.consent.ledgercheck import verify_decisions
from consentkit.consent.ledgerpruning import note_head
from consentkit.consent.statement import signed_bytes, statement_hash, statement_of
from consentkit.control import decision as table
from tests.consent.proofs import OTHER_ID, Ledger


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "site")
    for granted in ("statistics", "", "statistics"):
        ledger.decide(granted)
        ledger.decide(granted, consent_id=OTHER_ID)
    note_head(ledger.control, audit.SYSTEM)
    return ledger


@pytest.fixture
def ledger(original: Ledger, tmp_path: Path) -> Ledger:
    return original.copy(tmp_path / "site")


def rewritten(ledger: Ledger, granted: str) -> None:
    """Give row 3 another choice and follow every row after it from the one before, as far as no key is needed."""
    before, installation = "", ledger.keys().installation
    for row in ledger.rows():
        changed = msgspec.structs.replace(
            row, granted=granted if row.number == 3 else row.granted, previous_hash=before or row.previous_hash
        )
        before = statement_hash(statement_of(changed, installation))
        with ledger.control.transaction() as connection:
            values = {"granted": changed.granted, "previous_hash": changed.previous_hash, "hash": before}
            connection.execute(table.update().where(table.c.number == row.number).values(values))


def signed_by_another(ledger: Ledger) -> None:
    row = ledger.rows()[2]
    signature = Ed25519PrivateKey.generate().sign(signed_bytes(statement_of(row, ledger.keys().installation)))
    with ledger.control.transaction() as connection:
        connection.execute(table.update().where(table.c.number == 3).values(signature=signature))


def sql(*statements: str) -> Callable[[Ledger], None]:
    return lambda ledger: ledger.sql(*statements)


def changed(what: str) -> Callable[[Ledger], None]:
    return sql(f"UPDATE decision SET {what} WHERE number = 3")


FORGED: list[tuple[str, Callable[[Ledger], None], str]] = [
    ("choice", changed("granted = 'marketing'"), "decision 3 of the ledger was changed"),
    ("time", changed("minute = minute - 60"), "decision 3 of the ledger was changed"),
    ("id", changed("consent_id = ''"), "decision 3 of the ledger was changed"),
    ("text named", changed("text_hash = ''"), "decision 3 of the ledger was changed"),
    ("removed", sql("DELETE FROM decision WHERE number = 3"), "decision 3 of the ledger is missing"),
    ("first removed", sql("DELETE FROM decision WHERE number = 1"), "decision 1 of the ledger is missing"),
    ("moved", sql("UPDATE decision SET number = 9 WHERE number = 6"), "decision 6 of the ledger is missing"),
    ("cut off", sql("DELETE FROM decision WHERE number > 4"), "decision 6 of the ledger is missing: the audit"),
    ("signature", signed_by_another, "decision 3 of the ledger is not signed by a key"),
    ("other's", changed("signature = (SELECT signature FROM decision WHERE number = 1)"), "decision 3 of the"),
    ("key", changed("key_id = 'ffffffffffffffff'"), "decision 3 of the ledger is not signed"),
    ("chained anew", lambda ledger: rewritten(ledger, "marketing"), "decision 3 of the ledger is not signed"),
    ("emptied", changed("pruned_in = 1, granted = ''"), "was emptied, and no certificate names it"),
    ("policy changed", sql("UPDATE policy SET snapshot = CAST('{}' AS BLOB)"), "of the ledger was changed"),
    ("policy removed", sql("DELETE FROM policy"), "decision 1 of the ledger names a policy that is not kept"),
    ("text changed", sql("UPDATE shown_text SET snapshot = CAST('{}' AS BLOB)"), "of the ledger was changed"),
    ("text removed", sql("DELETE FROM shown_text"), "decision 1 of the ledger names a text that is not kept"),
]


@pytest.mark.parametrize(("forge", "expected"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_what_was_forged_is_named(ledger: Ledger, forge: Callable[[Ledger], None], expected: str) -> None:
    assert verify_decisions(ledger.control).is_good
    forge(ledger)
    assert any(expected in fault.reason for fault in verify_decisions(ledger.control).faults)


def test_a_noted_end_is_noted_once(ledger: Ledger) -> None:
    assert note_head(ledger.control, audit.SYSTEM) is None
    ledger.decide("", consent_id=OTHER_ID)
    entry = note_head(ledger.control, audit.SYSTEM)
    assert entry is not None
    assert entry.action == "consent.head"


def test_all_written_anew_contradicts_what_the_audit_has_noted(ledger: Ledger) -> None:
    rewritten(ledger, "marketing")
    places = {fault.place: fault.reason for fault in verify_decisions(ledger.control).faults}
    assert "is another one than the audit has noted" in places["decision 6"]
