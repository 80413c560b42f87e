"""``consentkit audit``, as an officer runs it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from consentkit import audit
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings
from tests.archive.installation import request

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
WHY = ("--purpose", "audit", "--reason", "the yearly review")


@pytest.fixture
def control(config: Path) -> Control:
    """An installation with three requests in the spool."""
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    keyring = Keyring.open(storage.keys, ())
    spool = Spool(storage.directory, keyring, max_bytes=2**30)
    for number in range(3):
        spool.append(request(time.time_ns() // 1000, f"/{number}"))
    spool.close()
    return Control(storage.directory, keyring)


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_entries_are_listed_newest_first_and_the_listing_is_one(consentkit: Command, control: Control) -> None:
    consentkit("log", "search", "--purpose", "security", "--case", "C-7", "--path", "/1")
    audit.record(control, audit.Actor("maris", "admin"), "retention.run")
    listed = objects(consentkit("audit", "list", "--json"))
    assert [(one["number"], one["action"]) for one in listed] == [(2, "retention.run"), (1, "log.search")]
    assert isinstance(listed[1]["detail"], dict)
    assert (listed[1]["rows"], listed[1]["case_id"]) == (1, "C-7")
    assert [one["number"] for one in objects(consentkit("audit", "list", "--json", "--action", "audit.l*"))] == [3]
    assert len(objects(consentkit("audit", "list", "--json", "--limit", "1"))) == 1


@pytest.mark.parametrize(
    "options",
    [("--actor", "maris"), ("--action", "ret*"), ("--since", "1h", "--actor", "maris"), ("--limit", "1")],
)  # fmt: skip
def test_filters_narrow_the_list(consentkit: Command, control: Control, options: tuple[str, ...]) -> None:
    consentkit("log", "search", "--purpose", "security")
    audit.record(control, audit.Actor("maris", "admin"), "retention.run")
    done = consentkit("audit", "list", *options)
    assert "retention.run" in done.stdout
    assert "log.search" not in done.stdout


def test_a_list_for_people_shows_nothing_that_moves_the_cursor(consentkit: Command, control: Control) -> None:
    audit.record(control, audit.Actor("a\x1b[2Jb", "cli"), "log.search")
    assert "\x1b" not in consentkit("audit", "list").stdout


def test_the_rows_that_a_look_has_shown_are_listed_again(consentkit: Command, control: Control) -> None:
    consentkit("log", "search", "--purpose", "security", "--path", "/1")
    look, *rows = objects(consentkit("audit", "exposed", "1", "--json", *WHY))
    assert (look["kind"], look["number"], look["shown"], look["kept"], look["gone"]) == ("look", 1, 1, 1, 0)
    assert [row["url"] for row in rows] == ["/1"]
    begun, shown = (entry for entry in entries(control) if entry.action == "audit.exposed")
    assert (begun.reason, begun.rows, shown.rows) == ("the yearly review", 0, 1)
    assert "1 rows shown, 1 still kept" in consentkit("audit", "exposed", "1", *WHY).stdout


def test_the_looks_of_a_person_are_listed_by_name(consentkit: Command, control: Control) -> None:
    consentkit("log", "search", "--purpose", "security")
    actor = entries(control)[0].actor
    assert "3 rows shown" in consentkit("audit", "exposed", "--actor", actor, "--since", "1h", *WHY).stdout
    assert "No such look" in consentkit("audit", "exposed", "--actor", "nobody", *WHY).stderr


@pytest.mark.parametrize("arguments", [("1",), ("--purpose", "audit")], ids=["no purpose", "nobody named"])
def test_exposed_says_what_it_needs(consentkit: Command, control: Control, arguments: tuple[str, ...]) -> None:
    done = consentkit("audit", "exposed", *arguments)
    assert (done.returncode, done.stdout) == (2, "")


def entries(control: Control) -> list[audit.AuditEntry]:
    with control.transaction() as connection:
        return list(audit.entries(connection))


def test_an_audit_that_holds_says_up_to_where(consentkit: Command, control: Control) -> None:
    consentkit("log", "search", "--purpose", "security")
    done = consentkit("audit", "verify")
    assert done.returncode == 0, done.stdout
    assert "The audit holds: 1 entries, up to entry 1" in done.stdout
    (chain,) = objects(consentkit("audit", "verify", "--json"))
    assert (chain["good"], chain["entries"], chain["decisions"]) == (True, 2, 0)


def test_a_changed_entry_and_a_changed_decision_are_named(consentkit: Command, control: Control) -> None:
    for _ in range(3):
        audit.record(control, audit.SYSTEM, "log.search")
    choice = Decision(
        consent_id="", granted="", denied="statistics", method="banner", revision=1, locale="lv", script=0
    )
    for _ in range(2):
        record_decision(control, choice)
    with control.transaction() as connection:
        connection.execute(text("UPDATE audit SET rows = 7 WHERE number = 2"))
        connection.execute(text("UPDATE decision SET granted = 'statistics' WHERE number = 2"))
    done = consentkit("audit", "verify")
    assert done.returncode == 1
    assert "entry 2 was changed" in done.stdout
    assert "decision 2 of the ledger" in done.stdout


def test_a_restore_is_accepted_with_a_reason_alone(consentkit: Command, control: Control, config: Path) -> None:
    for _ in range(3):
        audit.record(control, audit.SYSTEM, "log.search")
    with control.transaction() as connection:
        connection.execute(text("DELETE FROM audit WHERE number > 1"))
    assert "remembered entry 3 is missing" in consentkit("audit", "verify").stdout
    assert consentkit("audit", "verify").returncode == 1
    assert consentkit("audit", "verify", "--accept-restore").returncode == 2
    done = consentkit("audit", "verify", "--accept-restore", "--reason", "the disk broke")
    assert done.returncode == 0, done.stdout
    assert "Accepted in entry" in done.stderr
    assert [entry.action for entry in entries(control)][-3:] == [
        "audit.verified", "audit.put_back_accepted", "audit.verified",
    ]  # fmt: skip
    assert consentkit("audit", "verify").returncode == 0
