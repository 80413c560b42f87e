"""Strangers who ask the admin area for as much as they can: the site in the same worker goes on."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from consentkit import Settings
from consentkit.admin import passwords
from consentkit.admin.people import People
from consentkit.control import Control
from consentkit.crypto import Keyring
from tests.admin.area import FORM, PASSWORD, ROOT, STAFF
from tests.serving import Server, serving

pytestmark = pytest.mark.server

SECRET = "a secret of the tests that has more than 32 characters"
CLIENTS = 24
PAGES = 60


@contextmanager
def guarded(folder: Path, *, people: bool) -> Iterator[Server]:
    """A real server with the admin area, in which somebody may sign in or nobody."""
    config = folder / "consentkit.toml"
    config.write_text('[requestlog]\ningest = "external"\ntrusted_proxies = ["127.0.0.1"]\n')
    if people:
        storage = Settings.load(config).storage
        storage.directory.mkdir(parents=True)
        control = Control(storage.directory, Keyring.open(storage.keys, (SECRET,)))
        People(control).add(STAFF, "liga", ["admin"], passwords.hash_password(PASSWORD))
    environment = {"CONSENTKIT_SECRET": SECRET}
    with serving("tests.admin.guarded_site:app", folder, config=config, environment=environment) as server:
        yield server


@contextmanager
def flood(server: Server, method: str, path: str, form: dict[str, str] | None = None) -> Iterator[Counter[int]]:
    """Ask again and again from many networks, by many names, until the block ends; count the statuses."""
    statuses: Counter[int] = Counter()
    ends = threading.Event()

    def ask(number: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            asked = 0
            while not ends.is_set():
                asked += 1
                address = f"2001:db8:{number:x}:{asked % 65536:x}00::1"
                headers = {**FORM, "x-forwarded-for": address}
                sent = form and {**form, "name": f"name {number} {asked}"}
                statuses[client.request(method, path, data=sent, headers=headers).status_code] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        yield statuses
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def seconds_of_pages(server: Server) -> float:
    """Return the median of the times in which the site's own page is answered."""
    times = []
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for _ in range(PAGES):
            begun = time.perf_counter()
            assert client.get("/").text == "the site"
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


def test_who_floods_the_sign_in_is_told_to_wait_and_the_site_answers(tmp_path: Path) -> None:
    with guarded(tmp_path, people=True) as server:
        form = {"name": "", "password": "not the right password"}
        with flood(server, "POST", f"{ROOT}/sign-in", form) as statuses:
            assert seconds_of_pages(server) < 0.5
        assert statuses[429] > 0
        assert set(statuses) <= {403, 429}
        answer = httpx.post(f"{server.url}{ROOT}/sign-in", data={**form, "name": "liga"}, headers=FORM, timeout=60)
        assert answer.status_code == 403


def test_who_floods_the_closed_area_gets_nothing_and_the_site_answers(tmp_path: Path) -> None:
    with guarded(tmp_path, people=False) as server:
        with flood(server, "GET", f"{ROOT}/sign-in") as statuses:
            assert seconds_of_pages(server) < 0.5
        assert set(statuses) == {404}
