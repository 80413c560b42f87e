"""``consentkit log verify`` and ``log anchor``, as an operator runs them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from consentkit import audit
from consentkit.archive.holdings import Holdings
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue
from consentkit.archive.publishing import Publisher
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.sealing import seal
from consentkit.audit import SYSTEM
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings
from tests.archive.installation import request

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def holdings(config: Path) -> Holdings:
    """A sealed period of three requests."""
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    keyring = Keyring.open(storage.keys, ())
    spool = Spool(storage.directory, keyring, max_bytes=2**30)
    yesterday_us = time.time_ns() // 1000 - 86_400_000_000
    for number in range(3):
        spool.append(request(yesterday_us + number, f"/{number}"))
    spool.close()
    control = Control(storage.directory, keyring)
    resolvers = Resolvers(AgentResolver(), PlaceResolver(None, "country"))
    holdings = Holdings.open(storage, keyring, control)
    ingester = Ingester(holdings, Catalogue(control, "day"), resolvers)
    ingester.drain()
    ingester.close()
    for period in Catalogue(control, "day").list():
        seal(holdings, period, SYSTEM)
    return holdings


def period_file(holdings: Holdings) -> Path:
    return next(iter(sorted((holdings.directory / "requests").glob("*.db"))))


def test_what_holds_is_said_up_to_which_entry_and_recorded(consentkit: Command, holdings: Holdings) -> None:
    done = consentkit("log", "verify")
    assert done.returncode == 0, done.stderr
    assert "All holds, as of entry 1 of the audit." in done.stdout
    assert "holds" in done.stdout
    with holdings.control.transaction() as connection:
        (entry,) = audit.newest_first(connection, "log.verified")
    assert json.loads(entry.detail)["result"] == "good"


def test_as_json_each_period_and_the_chain_are_an_object(consentkit: Command, holdings: Holdings) -> None:
    period, chain = map(json.loads, consentkit("log", "verify", "--json").stdout.splitlines())
    assert (period["kind"], period["good"], period["state"], period["rows"]) == ("period", True, "sealed", 3)
    assert (chain["kind"], chain["good"], chain["until"], chain["faults"]) == ("chain", True, 1, [])


def test_what_does_not_hold_is_named_and_ends_with_1(consentkit: Command, holdings: Holdings) -> None:
    file = period_file(holdings)
    content = bytearray(file.read_bytes())
    content[-3000] ^= 1
    file.write_bytes(content)
    done = consentkit("log", "verify")
    assert done.returncode == 1
    assert file.name[:10] in done.stdout
    assert "not the one that entry 1 sealed" in done.stdout
    assert "1 thing does not hold" in done.stderr
    assert consentkit("log", "verify", "--json").returncode == 1


def test_an_anchor_that_was_kept_elsewhere_is_held_against_the_audit(
    consentkit: Command, holdings: Holdings, tmp_path: Path
) -> None:
    printed = consentkit("log", "anchor")
    assert printed.returncode == 0
    anchor = json.loads(printed.stdout)
    assert (anchor["format"], anchor["number"], anchor["operator"]) == ("consentkit-anchor-1", 1, "SIA Piemērs")
    kept = tmp_path / "anchors"
    kept.write_text(printed.stdout, "utf-8")
    assert consentkit("log", "verify", "--anchor", str(kept)).returncode == 0
    assert consentkit("audit", "verify", "--anchor", str(kept)).returncode == 0
    kept.write_text(json.dumps({**anchor, "hash": "0" * 64}))
    for command in ("log", "audit"):
        done = consentkit(command, "verify", "--anchor", str(kept))
        assert done.returncode == 1
        assert "is another one than the anchor of" in done.stdout
    kept.write_text("no anchor")
    done = consentkit("log", "verify", "--anchor", str(kept))
    assert (done.returncode, "line 1 of the anchors" in done.stderr) == (2, True)


def test_an_audit_whose_end_is_gone_fails_both(consentkit: Command, holdings: Holdings) -> None:
    for _ in range(3):
        audit.record(holdings.control, SYSTEM, "log.search")
    with holdings.control.transaction() as connection:
        connection.execute(text("DELETE FROM audit WHERE number > 2"))
    for command in ("audit", "log"):
        done = consentkit(command, "verify")
        assert done.returncode == 1
        assert "entry 4 is missing" in done.stdout or "put back to an older copy" in done.stdout


def test_a_person_at_a_terminal_sees_progress(config: Path, holdings: Holdings) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("consentkit"), "log", "verify"],
        env={**os.environ, "CONSENTKIT_CONFIG": str(config), "TERM": "xterm"},
        stdout=subprocess.PIPE, stderr=child,
    )  # fmt: skip
    os.close(child)
    shown = b""
    try:
        while data := os.read(parent, 4096):
            shown += data
    except OSError:
        pass  # how a pseudo-terminal ends on Linux
    assert process.wait(timeout=60) == 0
    assert b"%" in shown or "━".encode() in shown
    os.close(parent)
    assert process.stdout is not None
    process.stdout.close()


def test_heads_that_were_noted_outside_are_held_against_the_chains(
    consentkit: Command, holdings: Holdings, tmp_path: Path
) -> None:
    Publisher("SIA Piemērs", 90).publish(holdings, time.time_ns() // 1000)
    kept = tmp_path / "noted.ndjson"
    kept.write_bytes((holdings.directory / "published/heads.json").read_bytes())
    done = consentkit("log", "verify", "--heads", str(kept), "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"kind": "heads", "good": True, "noted": 1, "unchecked_hashes": 0, "faults": []}
    kept.write_text(kept.read_text().replace("consentkit-heads/1", "consentkit-heads/2"))
    assert consentkit("log", "verify", "--heads", str(kept)).returncode == 2
