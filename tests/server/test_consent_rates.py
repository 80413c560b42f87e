"""Rates under real servers: several workers, with and without script, and processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.server.test_kill import MARKS, processes_below
from tests.serving import Server, serving

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
DOCUMENT = {"accept": "text/html"}
WAIT_SECONDS = 30


def totals(consentkit: Command) -> dict[str, int]:
    done = consentkit("consent", "stats", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    names = ("shown", "accepted", "partly", "refused", "changed", "withdrawn", "unscripted")
    return {name: sum(row[name] for row in rows) for name in names}


def wait_until_shown(consentkit: Command, pages: int) -> None:
    """Wait until so many pages are counted: a worker writes them down within a second or so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (shown := totals(consentkit)["shown"]) < pages and time.monotonic() < deadline:
        time.sleep(0.2)
    assert shown == pages


def ask(running: Server, pages: int) -> None:
    """Ask for pages over connections of their own, so that both workers get some."""
    for number in range(pages):
        assert httpx.get(f"{running.url}/page/{number}", headers=DOCUMENT).status_code == 200


def choose(running: Server, *, scripted: bool) -> None:
    """Refuse, take it back, and withdraw, as one visitor."""
    headers = {"sec-fetch-site": "same-origin", "accept": "application/json" if scripted else "text/html"}
    with httpx.Client(base_url=running.url, headers=headers) as visitor:
        for decision in ("reject", "accept", "reject"):
            answer = visitor.post("/consentkit/choice", data={"decision": decision})
            assert answer.status_code == (200 if scripted else 303)


def test_every_page_and_answer_is_counted_once_when_a_worker_and_the_ingester_are_killed(
    consentkit: Command, config: Path, tmp_path: Path
) -> None:
    with serving("tests.server.sites:plain", tmp_path, config=config, workers=2) as running:
        for number, victim in enumerate(("worker", "worker", "ingester"), 1):
            ask(running, 30)
            choose(running, scripted=victim == "worker")
            wait_until_shown(consentkit, 30 * number)
            # The eldest, so that each of the first two workers is killed.
            os.kill(min(processes_below(running, MARKS[victim])), signal.SIGKILL)
        ask(running, 10)
    counted = {
        "shown": 100,
        "accepted": 0,
        "partly": 0,
        "refused": 3,
        "changed": 3,
        "withdrawn": 3,
        "unscripted": 3,
    }
    assert totals(consentkit) == counted
    with serving("tests.server.sites:plain", tmp_path, config=config):
        pass
    assert totals(consentkit) == counted
