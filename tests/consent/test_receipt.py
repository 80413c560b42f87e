"""Receipts: they hold years and rotations later, and no byte of one can be changed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.receipt import (
    MAX_RECEIPT_BYTES,
    BadReceipt,
    read_receipt,
    snapshot_hash,
    verify_receipt,
)
from consentkit.consent.receipts import make_receipt
from consentkit.consent.shown import text_hash
from consentkit.consent.statement import minute_of, minute_text
from consentkit.crypto.signatures import BadKeySet, KeySet, installation_id, read_key_set
from tests.consent.proofs import HOST, ID, OPERATOR, OTHER_ID, POLICY, Ledger, shown

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A visitor's three decisions, and those of others, under three keys."""
    ledger = Ledger(tmp_path_factory.mktemp("receipt") / "site")
    ledger.decide("preferences,statistics")
    ledger.decide("statistics", consent_id=OTHER_ID)
    ledger.rotate()
    ledger.decide("statistics", "preferences", text=shown("Mainīt?"))
    ledger.rotate()
    ledger.decide("", "preferences,statistics")
    return ledger


@pytest.fixture(scope="module")
def receipt(ledger: Ledger) -> bytes:
    return ledger.receipt()


@pytest.fixture(scope="module")
def keys(ledger: Ledger) -> KeySet:
    return ledger.keys()


def refusal(file: bytes, keys: KeySet) -> str:
    with pytest.raises(BadReceipt) as caught:
        verify_receipt(file, keys)
    return str(caught.value)


def test_it_has_every_decision_of_the_visitor_and_of_no_one_else(receipt: bytes, keys: KeySet) -> None:
    record = verify_receipt(receipt, keys).receipt
    said = [(each.statement.number, each.statement.granted) for each in record.decisions]
    assert said == [(1, ("preferences", "statistics")), (3, ("statistics",)), (4, ())]
    assert OTHER_ID.encode() not in receipt
    assert (record.consent_id, record.left_out) == (ID, 0)
    assert (record.site.operator, record.site.host) == (OPERATOR, HOST)


def test_it_is_complete_by_itself(receipt: bytes, ledger: Ledger) -> None:
    record = read_receipt(receipt).receipt
    assert set(record.texts) == {text_hash(shown()), text_hash(shown("Mainīt?"))}
    assert set(record.policies) == {text_hash(POLICY)}
    assert {key.key_id for key in record.keys} == {key.key_id for key in ledger.keys().keys}


def test_it_holds_rotations_later_and_against_a_saved_key_set(
    receipt: bytes, ledger: Ledger, tmp_path: Path
) -> None:
    later = ledger.copy(tmp_path / "later")
    for _ in range(3):
        later.rotate()
    saved = msgspec.json.encode(later.keys())
    assert verify_receipt(receipt, read_key_set(saved))
    assert read_key_set(saved).installation == ledger.keys().installation


def test_who_decided_nothing_has_no_receipt(ledger: Ledger) -> None:
    assert make_receipt(ledger.control, "Z" * 22, operator=OPERATOR) is None


def test_any_byte_that_is_changed_is_found(receipt: bytes, keys: KeySet) -> None:
    """Every position, the same bit of each: white space, digits, hashes, base64 and all."""
    for position in range(len(receipt)):
        changed = bytearray(receipt)
        changed[position] ^= 1
        with pytest.raises(BadReceipt):
            verify_receipt(bytes(changed), keys)


@given(st.data())
def test_any_other_change_of_a_few_bytes_is_found(receipt: bytes, keys: KeySet, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(receipt)))
    until = data.draw(st.integers(at, min(at + 20, len(receipt))))
    changed = receipt[:at] + data.draw(st.binary(max_size=20)) + receipt[until:]
    if changed == receipt:
        verify_receipt(changed, keys)
    else:
        assert refusal(changed, keys)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_receipt_are_refused(keys: KeySet, file: bytes) -> None:
    assert refusal(file, keys)


SHAPES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("cut off", lambda file: file[: len(file) // 2], "or not a whole one"),
    ("empty", lambda _: b"", "no receipt of consentkit"),
    ("no JSON", lambda _: b"<html>", "no receipt of consentkit"),
    ("deep", lambda _: b'{"receipt":' + b"[" * 100_000, "no receipt of consentkit"),
    ("too large", lambda file: file + b" " * MAX_RECEIPT_BYTES, "bytes"),
    ("line ends", lambda file: file.replace(b"\n", b"\r\n"), "formatted anew"),
    ("in one line", lambda file: json.dumps(json.loads(file)).encode(), "formatted anew"),
    ("a byte more", lambda file: file + b"\n", "formatted anew"),
    ("a member twice", lambda file: file.replace(b'"made":', b'"made": "", "made":', 1), "formatted anew"),
]


@pytest.mark.parametrize(("change", "expected"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_a_file_that_is_not_as_it_was_handed_out_is_refused(
    receipt: bytes, keys: KeySet, change: Callable[[bytes], bytes], expected: str
) -> None:
    assert expected in refusal(change(receipt), keys)


def written(content: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def first(content: dict[str, Any]) -> dict[str, Any]:
    statement: dict[str, Any] = content["receipt"]["decisions"][0]["statement"]
    return statement


FORGED: list[tuple[str, Change, str]] = [
    ("choice", lambda r: first(r).update(granted=["marketing"]), "the receipt is not signed"),
    ("decision left out", lambda r: r["receipt"]["decisions"].pop(), "the receipt is not signed"),
    ("time", lambda r: r["receipt"].update(made="2031-01-01T00:00Z"), "the receipt is not signed"),
    ("key id", lambda r: r["signature"].update(key_id="ffffffffffffffff"), "none of those given"),
    ("algorithm", lambda r: r["signature"].update(algorithm="none"), "not what it says it is"),
    ("site", lambda r: r["receipt"]["site"].update(installation="0" * 32), "another site"),
    ("format", lambda r: r["receipt"].update(format="consentkit-receipt/2"), "no receipt of consentkit"),
    ("one more member", lambda r: r["receipt"].update(more=1), "no receipt of consentkit"),
]  # fmt: skip


@pytest.mark.parametrize(("forge", "expected"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_what_was_forged_in_good_form_is_refused(
    receipt: bytes, keys: KeySet, forge: Change, expected: str
) -> None:
    content = json.loads(receipt)
    forge(content)
    assert expected in refusal(written(content), keys)


def resigned(ledger: Ledger, receipt: bytes, forge: Change) -> bytes:
    """A receipt that the site's own present key has signed, though its content is not what was recorded."""
    from consentkit import signing  # noqa: PLC0415 - nothing else here needs it

    content = json.loads(receipt)
    forge(content)
    signed = msgspec.json.encode(content["receipt"])
    content["signature"] = msgspec.to_builtins(signing.sign(ledger.control, ledger.keyring, signed))
    return written(content)


RESIGNED: list[tuple[str, Change, str]] = [
    ("choice", lambda r: first(r).update(granted=["marketing"]), "decision 1 is not signed"),
    ("order", lambda r: r["receipt"]["decisions"].reverse(), "does not follow"),
    ("one left out", lambda r: r["receipt"]["decisions"].pop(1), "does not follow"),
    ("first left out", lambda r: r["receipt"]["decisions"].pop(0), "does not follow"),
    ("twice", lambda r: r["receipt"]["decisions"].append(r["receipt"]["decisions"][-1]), "does not follow"),
    ("of another visitor", lambda r: r["receipt"].update(consent_id=OTHER_ID), "not one of this visitor"),
    ("text", lambda r: next(iter(r["receipt"]["texts"].values())).update(title="x"), "than its hash names"),
    ("policy", lambda r: next(iter(r["receipt"]["policies"].values())).update(format=2), "than its hash names"),
    ("dated before the key", lambda r: r["receipt"].update(made="2020-01-01T00:00Z"), "outside of the time"),
    ("no time", lambda r: r["receipt"].update(made="soon"), "has no time"),
]  # fmt: skip


@pytest.mark.parametrize(("forge", "expected"), [row[1:] for row in RESIGNED], ids=[row[0] for row in RESIGNED])
def test_what_even_the_present_key_has_signed_must_have_been_recorded(
    ledger: Ledger, receipt: bytes, keys: KeySet, forge: Change, expected: str
) -> None:
    assert expected in refusal(resigned(ledger, receipt, forge), keys)


def test_another_sites_keys_are_no_keys_of_this_one(receipt: bytes, keys: KeySet, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other")
    other.decide("statistics")
    assert "another site" in refusal(receipt, other.keys())
    mixed = msgspec.structs.replace(other.keys(), installation=keys.installation)
    assert "none of those given" in refusal(receipt, mixed)
    with pytest.raises(BadKeySet, match="not the one of its first key"):
        read_key_set(msgspec.json.encode(mixed))


def test_a_key_set_from_before_the_rotation_knows_nothing_of_the_key(receipt: bytes, keys: KeySet) -> None:
    older = msgspec.structs.replace(keys, keys=keys.keys[:1])
    assert older.installation == installation_id(older.keys)
    assert "none of those given" in refusal(receipt, older)


@pytest.mark.parametrize(
    "saved",
    [b"", b"{}", b"[" * 100_000, b'{"format":"consentkit-keys/1","installation":"","operator":"","keys":[]}'],
    ids=["empty", "nothing in it", "deep", "no keys"],
)
def test_a_file_that_is_no_key_set_is_refused(saved: bytes) -> None:
    with pytest.raises(BadKeySet):
        read_key_set(saved)


def test_many_decisions_are_bounded_and_those_left_out_are_counted(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentkit.consent.receipts.MAX_DECISIONS", 4)
    busy = ledger.copy(tmp_path / "busy")
    for number in range(7):
        busy.decide("statistics" if number % 2 else "", consent_id="M" * 22)
    record = verify_receipt(busy.receipt("M" * 22), busy.keys()).receipt
    assert (len(record.decisions), record.left_out) == (4, 3)


def test_a_receipt_that_would_be_too_large_has_fewer_decisions(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = ledger.copy(tmp_path / "busy")
    for number in range(8):
        busy.decide("statistics" if number % 2 else "", consent_id="M" * 22, text=shown(f"{number}" * 1000))
    whole = busy.receipt("M" * 22)
    monkeypatch.setattr("consentkit.consent.receipts.MAX_RECEIPT_BYTES", len(whole) - 1)
    smaller = verify_receipt(busy.receipt("M" * 22), busy.keys()).receipt
    assert [each.statement.number for each in smaller.decisions] == [9, 10, 11, 12]
    assert smaller.left_out == 4


def documented_check() -> str:
    """The few lines that the document gives to a third party."""
    document = (Path(__file__).parents[2] / "docs/consent-proof.md").read_text(encoding="utf-8")
    return document.partition("```python\n")[2].partition("```")[0]


def test_a_third_party_needs_a_few_lines_and_no_consentkit(receipt: bytes, keys: KeySet, tmp_path: Path) -> None:
    def run() -> str:
        command = [sys.executable, "-W", "ignore", "-c", documented_check()]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stderr

    (tmp_path / "keys.json").write_bytes(msgspec.json.encode(keys))
    (tmp_path / "receipt.json").write_bytes(receipt)
    assert run() == ""
    (tmp_path / "receipt.json").write_bytes(receipt.replace(b'"banner"', b'"embed"', 1))
    assert "InvalidSignature" in run()
    changed = receipt.replace("Piekrītat?".encode(), "Piekrītat.".encode())
    assert changed != receipt
    (tmp_path / "receipt.json").write_bytes(changed)
    assert "InvalidSignature" in run()


@given(st.text(max_size=40))
def test_json_of_another_maker_has_the_same_bytes(text: str) -> None:
    snapshot = {"b": text, "a": [text, 1, True, None]}
    compact = json.dumps(snapshot, ensure_ascii=False, separators=(",", ":"))
    assert snapshot_hash(snapshot) == hashlib.sha256(compact.encode()).hexdigest()


@given(st.integers(0, 2_000_000_000 // 60))
def test_a_minute_is_written_and_read_back(minute: int) -> None:
    assert minute_of(minute_text(minute)) == minute
