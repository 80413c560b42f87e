"""The commands that show a visitor's choices, hand out the receipt, and check one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from consentkit import signing
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
ID = "A" * 22


def decision(granted: str, denied: str = "", consent_id: str = ID) -> Decision:
    return Decision(
        consent_id=consent_id, granted=granted, denied=denied, method="banner", revision=1, locale="lv", script=1
    )


@pytest.fixture
def opened(config: Path) -> Control:
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    return Control(storage.directory, Keyring.open(storage.keys, ()))


def test_every_decision_of_a_visitor_is_shown_oldest_first(consentkit: Command, opened: Control) -> None:
    record_decision(opened, decision("preferences,statistics"))
    record_decision(opened, decision("", "preferences,statistics", consent_id=""))
    record_decision(opened, decision("statistics", "preferences"))
    done = consentkit("consent", "show", ID, "--json", "--purpose", "person")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["granted"] for row in rows] == [["preferences", "statistics"], ["statistics"]]
    assert [row["number"] for row in rows] == [1, 3]
    assert rows[1]["previous_number"] == 1
    assert rows[0]["time"].endswith("Z")


def test_without_a_purpose_no_decision_is_shown(consentkit: Command, opened: Control) -> None:
    record_decision(opened, decision("statistics"))
    done = consentkit("consent", "show", ID)
    assert (done.returncode, done.stdout) == (2, "")


def test_what_is_no_consent_id_is_refused(consentkit: Command, opened: Control) -> None:
    done = consentkit("consent", "show", "nonsense", "--purpose", "person")
    assert done.returncode == 2
    assert "consent id" in done.stderr


def receipt_of(consentkit: Command, folder: Path) -> Path:
    path = folder / "receipt.json"
    done = consentkit("consent", "show", ID, "--purpose", "person", "--receipt", str(path))
    assert (done.returncode, "The receipt is in" in done.stderr) == (0, True), done.stderr
    return path


def keys_file(control: Control, folder: Path) -> Path:
    with control.transaction() as connection:
        keys = signing.key_set(connection, control.keyring, "SIA Piemērs")
    path = folder / "keys.json"
    path.write_bytes(msgspec.json.encode(keys))
    return path


def test_hashes_and_signature_are_shown(consentkit: Command, opened: Control) -> None:
    kept = record_decision(opened, decision("statistics"), shown=b"{}")
    done = consentkit("consent", "show", ID, "--purpose", "person")
    assert f"text   {kept.text_hash}" in done.stdout
    assert f"signature good, by key {kept.key_id}" in done.stdout
    with opened.transaction() as connection:
        connection.execute(text("UPDATE decision SET granted = 'marketing'"))
    (row,) = map(
        json.loads, consentkit("consent", "show", ID, "--json", "--purpose", "person").stdout.splitlines()
    )
    assert (row["granted"], row["signature"], row["text_hash"]) == (["marketing"], "bad", kept.text_hash)


def test_a_receipt_is_handed_out_and_holds(consentkit: Command, opened: Control, tmp_path: Path) -> None:
    record_decision(opened, decision("statistics"))
    path = receipt_of(consentkit, tmp_path)
    done = consentkit("consent", "verify", str(path))
    assert done.returncode == 0, done.stderr
    assert f"It holds: 1 decisions under {ID}" in done.stdout
    assert "granted statistics" in done.stdout


def test_it_is_checked_with_saved_keys_and_no_installation(
    consentkit: Command, opened: Control, tmp_path: Path
) -> None:
    record_decision(opened, decision("statistics"))
    path, keys = receipt_of(consentkit, tmp_path), keys_file(opened, tmp_path)
    nowhere = {"CONSENTKIT_CONFIG": "", "CONSENTKIT_STORAGE_DIRECTORY": str(tmp_path / "nothing")}
    done = consentkit("consent", "verify", str(path), "--keys", str(keys), "--json", **nowhere)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["good"], answer["receipt"]["consent_id"]) == (True, ID)
    assert not (tmp_path / "nothing").exists()


def test_it_holds_after_the_keys_were_rotated(consentkit: Command, opened: Control, tmp_path: Path) -> None:
    record_decision(opened, decision("statistics"))
    path = receipt_of(consentkit, tmp_path)
    for _ in range(2):
        signing.replace_key(opened, opened.keyring)
    assert consentkit("consent", "verify", str(path)).returncode == 0


@pytest.mark.parametrize("is_json", [False, True], ids=["words", "json"])
def test_a_changed_receipt_is_told_in_one_sentence(
    consentkit: Command, opened: Control, tmp_path: Path, *, is_json: bool
) -> None:
    record_decision(opened, decision("statistics"))
    path = receipt_of(consentkit, tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"banner"', b'"embed"'))
    done = consentkit("consent", "verify", str(path), *(["--json"] if is_json else []))
    assert done.returncode == 1
    told = json.loads(done.stdout)["fault"] if is_json else done.stderr
    assert "the receipt is not signed by a key of the site" in told


def test_a_file_that_is_no_key_set_is_told(consentkit: Command, opened: Control, tmp_path: Path) -> None:
    record_decision(opened, decision("statistics"))
    path = receipt_of(consentkit, tmp_path)
    done = consentkit("consent", "verify", str(path), "--keys", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "the file of keys can't be used" in done.stderr


def test_who_decided_nothing_gets_no_receipt(consentkit: Command, opened: Control, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    done = consentkit("consent", "show", ID, "--purpose", "person", "--receipt", str(path))
    assert "No decision is kept" in done.stderr
    assert not path.exists()
    assert opened.keys_folder.exists()
