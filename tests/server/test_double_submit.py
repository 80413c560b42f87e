"""One form sent again and again at once, to two workers: one row, one id, one count."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest

from consentkit import Settings
from consentkit.control import Control
from consentkit.crypto import Keyring
from tests.serving import serving

pytestmark = pytest.mark.server

Command: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

TIMES = 20


def ids_of(url: str, decision: str, *, scripted: bool) -> set[str | None]:
    """Send the form of one page so often at once, each over its own connection; return the ids that came back."""
    page = httpx.get(f"{url}/page/1", headers={"accept": "text/html"}).text
    once = re.search(r'name="once" value="([\w-]{16})"', page)
    assert once is not None
    form = {"decision": decision, "via": "banner", "once": once[1]}
    headers = {"sec-fetch-site": "same-origin", "accept": "application/json" if scripted else "text/html"}

    def send(_: int) -> str | None:
        answer = httpx.post(f"{url}/consentkit/choice", data=form, headers=headers, timeout=60)
        assert answer.status_code == (200 if scripted else 303)
        return answer.cookies.get("consentkit_id")

    with ThreadPoolExecutor(TIMES) as senders:
        return set(senders.map(send, range(TIMES)))


def rows_of(config: Path) -> list[tuple[str, str]]:
    storage = Settings.load(config).storage
    with Control(storage.directory, Keyring.open(storage.keys, ())).transaction() as connection:
        found = connection.exec_driver_sql("SELECT consent_id, granted FROM decision ORDER BY number")
        return [(row[0], row[1]) for row in found]


def counted(consentkit: Command) -> dict[str, int]:
    done = consentkit("consent", "stats", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: sum(row[name] for row in rows) for name in ("accepted", "refused", "unscripted")}


@pytest.mark.parametrize("scripted", [True, False], ids=["script", "plain form"])
def test_a_form_that_is_sent_twenty_times_at_once_is_one_answer(
    consentkit: Command, config: Path, tmp_path: Path, *, scripted: bool
) -> None:
    with serving("tests.server.sites:plain", tmp_path, config=config, workers=2) as running:
        (consent_id,) = ids_of(running.url, "accept", scripted=scripted)
        assert ids_of(running.url, "reject", scripted=scripted) == {None}
    assert [row[0] for row in rows_of(config)] == [consent_id, ""]
    assert counted(consentkit) == {"accepted": 1, "refused": 1, "unscripted": 0 if scripted else 2}
