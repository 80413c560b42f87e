from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consentkit import audit
from consentkit.archive import inforce
from consentkit.archive.holdings import Holdings
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
DAY_US = 86_400_000_000
NOW = time.time_ns() // 1000
RETENTION_DAYS = 90
OLD, NEW = 100, 5  # days ago: past the retention, and within it


def name_of(days_ago: int) -> str:
    return datetime.fromtimestamp((NOW - days_ago * DAY_US) / 1e6, UTC).strftime("%Y-%m-%d")


def at(days_ago: int) -> str:
    """Return the time as an option."""
    return datetime.fromtimestamp((NOW - days_ago * DAY_US) / 1e6, UTC).isoformat()


def record(time_us: int) -> Record:
    address = "192.0.2.7"
    return Record(
        time_us, address, address, "peer", "GET", "https", "example.lv", "/", 0, 200, "complete", 5, 9, "x", ""
    )


@pytest.fixture
def control(config: Path) -> Control:
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    return Control(storage.directory, Keyring.open(storage.keys, ()))


@pytest.fixture
def stored(config: Path, control: Control) -> Control:
    """A period that is past its day and one that is not."""
    storage = Settings.load(config).storage
    keyring = Keyring.open(storage.keys, ())
    spool = Spool(storage.directory, keyring, max_bytes=2**30)
    for days_ago in (OLD, NEW, NEW):
        spool.append(record(NOW - days_ago * DAY_US))
    spool.close()
    resolvers = Resolvers(AgentResolver(), PlaceResolver(None, "country"))
    ingester = Ingester(Holdings.open(storage, keyring, control), Catalogue(control, "day"), resolvers)
    ingester.drain()
    ingester.close()
    return control


def lines(done: subprocess.CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, done.stdout.splitlines()) if line["kind"] == kind]


def actions(control: Control) -> list[str]:
    with control.transaction() as connection:
        return [entry.action for entry in audit.entries(connection)]


def states(control: Control) -> dict[str, str]:
    return {period.name: period.state for period in Catalogue(control, "day").list()}


def test_status_shows_each_period_and_fails_when_one_is_overdue(consentkit: Command, stored: Control) -> None:
    done = consentkit("retention", "status", "--json")
    assert done.returncode == 1
    (policy,) = lines(done, "policy")
    assert "90 days after it began" in policy["text"]
    new, old = lines(done, "period")
    assert (new["period"], new["state"], new["rows"], new["overdue"]) == (name_of(NEW), "open", 2, False)
    assert (old["period"], old["rows"], old["overdue"], old["waits"]) == (name_of(OLD), 1, True, "")
    assert old["due"] == f"{name_of(OLD - RETENTION_DAYS)}T00:00:00Z"
    assert old["oldest"].startswith(name_of(OLD))
    assert old["bytes"] > 0
    assert name_of(OLD) in done.stderr


def test_status_for_people_is_a_table_with_the_policy(consentkit: Command, stored: Control) -> None:
    done = consentkit("retention", "status")
    assert "OVERDUE" in done.stdout
    assert name_of(NEW) in done.stdout
    assert "its key is destroyed first" in done.stdout


def test_after_a_run_nothing_is_overdue(consentkit: Command, stored: Control) -> None:
    done = consentkit("retention", "run", "--json")
    assert done.returncode == 0, done.stderr
    (certificate,) = lines(done, "certificate")
    assert (certificate["period"], certificate["rows"], certificate["early"]) == (name_of(OLD), 1, False)
    assert actions(stored) == ["period.sealed", "period.destroying", "period.destroyed"]
    status = consentkit("retention", "status", "--json")
    assert status.returncode == 0
    assert [(one["state"], one["destroyed"] is None) for one in lines(status, "period")] == [
        ("open", True),
        ("destroyed", False),
    ]


def test_a_dry_run_says_what_goes_and_why_and_destroys_nothing(consentkit: Command, stored: Control) -> None:
    done = consentkit("retention", "run", "--dry-run")
    assert done.returncode == 0
    assert f"{name_of(OLD)}  due since {name_of(OLD - RETENTION_DAYS)} 00:00" in done.stdout
    assert name_of(NEW) not in done.stdout
    assert set(states(stored).values()) == {"open"}


def test_what_another_time_makes_early_waits_for_yes(consentkit: Command, stored: Control) -> None:
    later = at(NEW - RETENTION_DAYS - 1)
    done = consentkit("retention", "run", "--json", "--now", later)
    assert done.returncode == 0, done.stderr
    assert [one["period"] for one in lines(done, "waiting")] == [name_of(NEW)]
    assert [one["period"] for one in lines(done, "certificate")] == [name_of(OLD)]
    done = consentkit("retention", "run", "--json", "--now", later, "--yes")
    (certificate,) = lines(done, "certificate")
    assert (certificate["period"], certificate["early"]) == (name_of(NEW), True)
    assert set(states(stored).values()) == {"destroyed"}


def test_a_shortened_retention_waits_and_is_not_overdue(
    consentkit: Command, stored: Control, config: Path
) -> None:
    inforce.record_start(stored, audit.SYSTEM, {"requestlog.retention_days": 365})
    done = consentkit("retention", "run")
    assert "EARLY: it was to be kept 365 days" in done.stdout
    assert "waits to be confirmed" in done.stdout
    status = consentkit("retention", "status", "--json")
    assert status.returncode == 0
    assert lines(status, "period")[1]["waits"].startswith("it was to be kept 365 days")
    assert consentkit("retention", "run", "--yes").returncode == 0
    assert states(stored)[name_of(OLD)] == "destroyed"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [("n\n", "open"), ("y\n", "destroyed")],
    ids=["no", "yes"],
)
def test_a_person_at_a_terminal_is_asked(config: Path, stored: Control, answers: str, expected: str) -> None:
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("consentkit")), "retention", "run"]
    environment = {**os.environ, "CONSENTKIT_CONFIG": str(config)}
    os.write(ours, answers.encode())
    done = subprocess.run(
        command, stdin=theirs, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "Destroy 1 period?" in done.stderr
    assert states(stored)[name_of(OLD)] == expected
    assert ("Nothing was destroyed." in done.stdout) is (expected == "open")


def test_a_time_that_cannot_be_meant_is_refused(consentkit: Command, stored: Control) -> None:
    done = consentkit("retention", "run", "--now", "tomorrow")
    assert done.returncode == 2
    assert "--now" in done.stderr


def test_where_nothing_is_due_it_says_so(consentkit: Command, control: Control) -> None:
    done = consentkit("retention", "run")
    assert (done.returncode, done.stdout) == (0, "Nothing is due.\n")
