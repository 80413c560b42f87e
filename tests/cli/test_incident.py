from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consentkit import audit
from consentkit.archive.bundle import check
from consentkit.control import Control
from consentkit.control import incident as incident_table
from consentkit.crypto import Keyring
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
ATTACKER = "203.0.113.66"
OPEN = ("incident", "open", "--purpose", "incident", "--case", "2026-7", "--reason", "guessing of passwords")
NOW = time.time_ns() // 1000
TODAY = datetime.now(UTC).date()


def record(url: str, address: str = "192.0.2.7", agent: str = "curl/8.0") -> Record:
    return Record(
        NOW, address, address, "peer", "GET", "https", "example.lv", url, 0, 401, "complete", 5, 9, agent, ""
    )


@pytest.fixture
def control(config: Path) -> Control:
    """Three requests in the spool, two of them the attacker's."""
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    keyring = Keyring.open(storage.keys, ())
    spool = Spool(storage.directory, keyring, max_bytes=2**30)
    for one in (record("/"), record("/admin[red]", ATTACKER), record("/admin[red]", ATTACKER, "[bold]x")):
        spool.append(one)
    spool.close()
    return Control(storage.directory, keyring)


def audited(control: Control, prefix: str = "incident.") -> list[audit.AuditEntry]:
    with control.transaction() as connection:
        return [entry for entry in audit.entries(connection) if entry.action.startswith(prefix)]


def lines(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture
def opened(control: Control, consentkit: Command) -> dict[str, Any]:
    (listed,) = lines(consentkit(*OPEN, "--address", ATTACKER, "--owner", "Anna", "--json"))
    return listed


def test_an_incident_is_opened_listed_shown_reviewed_exported_and_closed(
    control: Control, consentkit: Command, opened: dict[str, Any], tmp_path: Path
) -> None:
    assert (opened["number"], opened["rows"], opened["owner"], opened["overdue"]) == (1, 2, "Anna", False)
    assert opened["review"] == (TODAY + timedelta(days=90)).isoformat()
    assert opened["filters"] == {"address": [ATTACKER]}
    assert lines(consentkit("incident", "list", "--json")) == [opened]
    rows = lines(consentkit("incident", "show", "1", "--rows", "--purpose", "security", "--json"))
    assert [row["url"] for row in rows] == ["/admin[red]", "/admin[red]"]
    until = (TODAY + timedelta(days=30)).isoformat()
    (moved,) = lines(consentkit("incident", "review", "1", "--until", until, "--reason", "court", "--json"))
    assert moved["review"] == until
    bundle = tmp_path / "bundle.zip"
    run = consentkit("incident", "export", "1", "--purpose", "security", "--for", "police", "-o", str(bundle))
    assert run.returncode == 0, run.stderr
    assert "Copy " in run.stderr
    assert f"Destroy it by {until}." in run.stderr
    assert check(bundle).about["rows"] == 2
    (told,) = lines(consentkit("incident", "close", "1", "--reason", "done", "--yes", "--json"))
    assert (told["kind"], told["rows"], told["reason"]) == ("certificate", 2, "done")
    assert told["hash"] == audited(control)[-1].hash
    (closed,) = lines(consentkit("incident", "list", "--json"))
    assert (closed["state"], closed["filters"]) == ("closed", {})
    assert [entry.action for entry in audited(control)] == [
        "incident.opening",
        "incident.opening.page",
        "incident.opened",
        "incident.show",
        "incident.reviewed",
        "incident.export",
        "incident.export.page",
        "incident.closing",
        "incident.closed",
    ]
    shown = lines(consentkit("incident", "show", "1", "--json"))
    assert [line["kind"] for line in shown[:2]] == ["incident", "entry"]


def test_without_a_purpose_addresses_are_masked_and_rows_refused(
    control: Control, consentkit: Command, opened: dict[str, Any]
) -> None:
    masked = consentkit("incident", "show", "1")
    assert masked.returncode == 0
    assert ATTACKER not in masked.stdout.partition("requests")[2]
    assert "203.0.113.0/24" in masked.stdout
    whole = consentkit("incident", "show", "1", "--purpose", "security")
    assert ATTACKER in whole.stdout.partition("requests")[2]
    assert [entry.purpose for entry in audited(control, "incident.show")] == ["", "security"]
    refused = consentkit("incident", "show", "1", "--rows")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--purpose" in refused.stderr
    assert len(audited(control, "incident.show")) == 2


def test_what_strangers_wrote_is_shown_as_it_is(consentkit: Command, opened: dict[str, Any]) -> None:
    shown = consentkit("incident", "show", "1").stdout
    assert "/admin[red]" in shown
    assert "[bold]x" in shown


REFUSED = {
    "no filter": ((), "--all-rows"),
    "no such day": (("--all-rows", "--review", "2026-13-01"), "--review"),
    "a review in the past": (("--all-rows", "--review", "2020-01-01"), "has passed"),
    "a review in ten years": (("--all-rows", "--review", "2099-01-01"), "more than a year"),
    "a second line": (("--all-rows", "--owner", "a\nb"), "--owner"),
    "an escape": (("--all-rows", "--owner", "\x1b[2J"), "--owner"),
    "no address": (("--address", "999.1.1.1"), "--address"),
}


@pytest.mark.parametrize(("options", "reason"), REFUSED.values(), ids=REFUSED)
def test_wrong_use_opens_nothing(
    control: Control, consentkit: Command, options: tuple[str, ...], reason: str
) -> None:
    run = consentkit(*OPEN, *options)
    assert (run.returncode, run.stdout) == (2, "")
    assert reason in run.stderr
    assert "\x1b" not in run.stderr
    assert not audited(control)


def test_a_hostile_filter_finds_nothing_and_is_listed_harmlessly(control: Control, consentkit: Command) -> None:
    run = consentkit(*OPEN, "--path", "\x1b[31m'; DROP TABLE request --*")
    assert run.returncode == 0, run.stderr
    shown = consentkit("incident", "show", "1")
    assert shown.returncode == 0
    assert "\x1b[31m" not in shown.stdout
    assert lines(consentkit("incident", "list", "--json"))[0]["rows"] == 0


def test_an_overdue_review_is_told_by_the_exit_code(
    control: Control, consentkit: Command, opened: dict[str, Any]
) -> None:
    assert consentkit("incident", "list").returncode == 0
    with control.transaction() as connection:
        connection.execute(incident_table.update().values(review="2026-01-01"))
    run = consentkit("incident", "list")
    assert run.returncode == 1
    assert "2026-01-01 OVERDUE" in run.stdout
    assert "overdue for review: 1" in run.stderr


def test_closing_is_confirmed(control: Control, consentkit: Command, opened: dict[str, Any]) -> None:
    run = consentkit("incident", "close", "1", "--reason", "done")
    assert run.returncode == 2
    assert "--yes" in run.stderr
    assert consentkit("incident", "list", "--json").stdout


@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_person_at_a_terminal_is_asked(
    config: Path, control: Control, opened: dict[str, Any], answer: str
) -> None:
    parent, child = pty.openpty()
    command = [str(Path(sys.executable).with_name("consentkit")), "incident", "close", "1", "--reason", "done"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "CONSENTKIT_CONFIG": str(config)},
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(parent, f"{answer}\n".encode())
    output, errors = process.communicate(timeout=60)
    os.close(parent)
    os.close(child)
    assert process.returncode == 0
    assert "Destroy the 2 rows of incident 1?" in errors
    assert ("Certificate" in output) == (answer == "y")
    assert bool(audited(control, "incident.closed")) == (answer == "y")


def test_a_bundle_is_never_written_over_a_file_or_into_the_store(
    config: Path, control: Control, consentkit: Command, opened: dict[str, Any], tmp_path: Path
) -> None:
    data = Settings.load(config).storage.directory
    there, link = tmp_path / "there.zip", tmp_path / "link.zip"
    there.write_bytes(b"kept")
    link.symlink_to(tmp_path / "elsewhere.zip")
    inside = tmp_path / "inside"
    inside.symlink_to(data)
    places = [
        there,
        link,
        tmp_path,
        tmp_path / "no" / "such.zip",
        data / "x.zip",
        data / ".." / data.name / "x.zip",
        inside / "x.zip",
        tmp_path / "n\x1bame\n" / "x.zip",
    ]
    for place in places:
        run = consentkit("incident", "export", "1", "--purpose", "security", "-o", str(place))
        assert run.returncode == 2, place
        assert "\x1b" not in run.stderr
        assert len(run.stderr.splitlines()) <= 4
    assert there.read_bytes() == b"kept"
    assert not list(data.glob("*.zip"))
    assert not (tmp_path / "elsewhere.zip").exists()
    assert not audited(control, "copy.made")


def test_a_bundle_opens_as_an_ordinary_zip(consentkit: Command, opened: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    assert consentkit("incident", "export", "1", "--purpose", "security", "-o", str(path)).returncode == 0
    with zipfile.ZipFile(path) as found:
        assert found.testzip() is None
        assert {"manifest.json", "signature.json", "index.html"} <= set(found.namelist())


def test_a_bundle_is_checked_anywhere_and_tells_of_a_changed_byte(
    consentkit: Command, control: Control, tmp_path: Path
) -> None:
    path, elsewhere = tmp_path / "case.zip", {"CONSENTKIT_CONFIG": str(tmp_path / "no.toml")}
    assert consentkit(*OPEN, "--all-rows").returncode == 0
    assert consentkit("incident", "export", "1", "--purpose", "security", "-o", str(path)).returncode == 0
    for own, where in (((), elsewhere), (("--own",), {})):
        checked = consentkit("incident", "verify", str(path), *own, **where)
        assert (checked.returncode, "It holds: 6 files" in checked.stdout) == (0, True), checked.stderr
    (told,) = lines(consentkit("incident", "verify", str(path), "--json", **elsewhere))
    assert (told["holds"], told["bundle"], told["about"]["case"]) == (True, "incident", "2026-7")
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as found:
        offset = found.getinfo("requests.ndjson").header_offset + 90
    path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
    checked = consentkit("incident", "verify", str(path), "--json", **elsewhere)
    assert checked.returncode == 1
    assert "It does not hold: requests.ndjson" in checked.stderr
    assert json.loads(checked.stdout)["holds"] is False


def test_a_persons_file_is_no_incidents_bundle(consentkit: Command, control: Control, tmp_path: Path) -> None:
    path = tmp_path / "hers.zip"
    who = ("--address", ATTACKER, "--since", "2020-01-01", "--until", str(TODAY + timedelta(days=1)))
    assert consentkit("subject", "export", "--purpose", "person", *who, "-o", str(path)).returncode == 0
    checked = consentkit("incident", "verify", str(path))
    assert (checked.returncode, "of another kind, 'subject'" in checked.stderr) == (1, True)
