from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consentkit import audit
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
HERS, OTHER = "192.0.2.7", "203.0.113.9"
WHY = ("--purpose", "person", "--case", "R-5")
WHO = ("--address", HERS, "--since", "7d")
CONSENT_ID = "abcdefghijklmnopqrst_-"


@pytest.fixture
def control(config: Path) -> Control:
    """A site whose spool holds two requests of hers and one of another's."""
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    keyring = Keyring.open(storage.keys, ())
    spool = Spool(storage.directory, keyring, max_bytes=2**30)
    now = time.time_ns() // 1000
    for number, address in enumerate((HERS, OTHER, HERS)):
        spool.append(
            Record(
                now - 9_000_000 + number,
                address,
                address,
                "peer",
                "GET",
                "https",
                "example.lv",
                f"/{number}",
                0,
                200,
                "complete",
                5,
                9,
                "x",
                "",
            )
        )
    spool.close()
    return Control(storage.directory, keyring)


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def actions(control: Control) -> list[str]:
    with control.transaction() as connection:
        return [entry.action for entry in audit.entries(connection)]


def urls(search: Callable[..., list[dict[str, Any]]]) -> list[str]:
    return sorted(row["url"] for row in search())


def test_a_dry_run_shows_what_would_go_and_erases_nothing(
    consentkit: Command, control: Control, search: Callable[..., list[dict[str, Any]]]
) -> None:
    done = consentkit("subject", "erase", *WHY, *WHO, "--dry-run")
    assert (done.returncode, done.stdout) == (0, "goes: 2 rows in spool\n"), done.stderr
    assert actions(control) == ["subject.planned"]
    assert urls(search) == ["/0", "/1", "/2"]


def test_what_is_erased_is_certified_and_the_certificate_is_found_again(
    consentkit: Command, control: Control, search: Callable[..., list[dict[str, Any]]]
) -> None:
    done = consentkit("subject", "erase", *WHY, *WHO, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    going, certificate = lines(done)
    assert (going["kind"], going["rows"]) == ("going", 2)
    assert (certificate["kind"], certificate["rows"], certificate["spooled"]) == ("certificate", 2, 0)
    assert urls(search) == ["/1"]
    again = consentkit("subject", "certified", *WHO, "--json")
    assert lines(again) == [certificate]
    nobody = consentkit("subject", "certified", "--address", OTHER, "--since", "7d")
    assert (nobody.returncode, nobody.stdout) == (1, "")


def test_of_an_address_that_is_not_there_nothing_is_kept(consentkit: Command, control: Control) -> None:
    done = consentkit("subject", "erase", *WHY, "--address", "198.51.100.77", "--since", "7d", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Nothing of this person is kept" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (WHO, "--purpose"),
        ((*WHY, "--address", HERS), "--since"),
        ((*WHY, *WHO, "--consent-id", CONSENT_ID), "--consent-id"),
        (WHY, "--address"),
        ((*WHY, "--address", "192.0.2.0/24", "--since", "7d"), "--address"),
        ((*WHY, "--consent-id", "short"), "--consent-id"),
        ((*WHY, *WHO), "--yes"),
    ],
    ids=["no purpose", "no time", "both", "neither", "network", "no consent id", "nobody to ask"],
)
def test_wrong_use_is_refused_and_erases_nothing(
    consentkit: Command, control: Control, arguments: tuple[str, ...], named: str
) -> None:
    done = consentkit("subject", "erase", *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "subject.erasing" not in actions(control)


@pytest.mark.parametrize(("answer", "left"), [("n\n", 3), ("y\n", 1)], ids=["no", "yes"])
def test_a_person_at_a_terminal_is_asked(
    config: Path, control: Control, search: Callable[..., list[dict[str, Any]]], answer: str, left: int
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [str(Path(sys.executable).with_name("consentkit")), "subject", "erase", *WHY, *WHO],
        stdin=theirs,
        capture_output=True,
        text=True,
        env={**os.environ, "CONSENTKIT_CONFIG": str(config)},
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert ("Certificate: entry" in done.stdout) is (left == 1)
    assert len(urls(search)) == left


def test_the_file_is_for_its_owner_alone_and_proves_itself(
    consentkit: Command, control: Control, tmp_path: Path
) -> None:
    path = tmp_path / "hers.zip"
    done = consentkit("subject", "export", *WHY, *WHO, "--output", str(path), "--json")
    assert done.returncode == 0, done.stderr
    (copy,) = lines(done)
    assert (copy["rows"], copy["bytes"]) == (2, path.stat().st_size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for own in ((), ("--own",)):
        checked = consentkit("subject", "verify", str(path), *own)
        assert (checked.returncode, "It holds" in checked.stdout) == (0, True), checked.stderr
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as found:
        offset = found.getinfo("requests.ndjson").header_offset + 90
    path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
    checked = consentkit("subject", "verify", str(path))
    assert checked.returncode == 1
    assert "It does not hold" in checked.stderr


def test_a_file_of_another_site_is_not_signed_here(
    consentkit: Command, control: Control, tmp_path: Path, config: Path
) -> None:
    path = tmp_path / "hers.zip"
    assert consentkit("subject", "export", *WHY, *WHO, "--output", str(path)).returncode == 0
    other = tmp_path / "other" / "consentkit.toml"
    other.parent.mkdir()
    other.write_text(config.read_text("utf-8"), "utf-8")
    storage = Settings.load(other).storage
    storage.directory.mkdir()
    Control(storage.directory, Keyring.open(storage.keys, ()))
    checked = consentkit("subject", "verify", str(path), "--own", CONSENTKIT_CONFIG=str(other))
    assert checked.returncode == 1
    assert "none of those given" in checked.stderr


def test_an_export_over_a_file_that_is_there_is_refused(
    consentkit: Command, control: Control, tmp_path: Path
) -> None:
    path = tmp_path / "hers.zip"
    path.write_text("mine")
    done = consentkit("subject", "export", *WHY, *WHO, "--output", str(path))
    assert done.returncode == 2
    assert path.read_text() == "mine"
    assert actions(control) == []


def test_choices_are_handed_over_and_stay_as_proof(
    consentkit: Command, control: Control, config: Path, tmp_path: Path
) -> None:
    record_decision(
        control,
        Decision(
            consent_id=CONSENT_ID,
            granted="statistics",
            denied="",
            method="banner",
            revision=1,
            locale="lv",
            script=1,
        ),
    )
    path = tmp_path / "choices.zip"
    done = consentkit("subject", "export", *WHY, "--consent-id", CONSENT_ID, "--output", str(path))
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(path) as found:
        assert json.loads(found.read("choices.json"))[0]["granted"] == "statistics"
    done = consentkit("subject", "erase", *WHY, "--consent-id", CONSENT_ID, "--yes", "--json")
    stays, certificate = lines(done)
    settings = Settings.load(config)
    days = settings.consent.lifetime_days + settings.keep.proof
    until = datetime.fromtimestamp(time.time() // 60 * 60 + days * 86_400, UTC).date().isoformat()
    assert (stays["kind"], stays["until"], stays["in_force"]) == ("stays", until, True)
    assert certificate["kept"][0]["until"] == until


@pytest.mark.parametrize("command", ["export", "erase"])
def test_an_unknown_consent_id_is_said_to_be_one(
    consentkit: Command, control: Control, tmp_path: Path, command: str
) -> None:
    more = ("--output", str(tmp_path / "x.zip")) if command == "export" else ("--yes",)
    done = consentkit("subject", command, *WHY, "--consent-id", "x" * 22, *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is kept" in done.stderr
    assert not (tmp_path / "x.zip").exists()


def test_a_running_ingester_lets_go_of_today_and_the_log_still_verifies(
    consentkit: Command, control: Control, config: Path, search: Callable[..., list[dict[str, Any]]]
) -> None:
    ingester = subprocess.Popen(
        [str(Path(sys.executable).with_name("consentkit")), "ingest"],
        env={**os.environ, "CONSENTKIT_CONFIG": str(config)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert ingester.stderr is not None
        assert "Storing the log" in ingester.stderr.readline()
        done = consentkit("subject", "erase", *WHY, *WHO, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert lines(done)[-1]["rows"] == 2
        assert ingester.poll() is None
    finally:
        ingester.terminate()
        ingester.communicate(timeout=30)
    assert urls(search) == ["/1"]
    verified = consentkit("log", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
