"""The admin area of a whole installation, and people of each role who are signed in to it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
from argon2 import PasswordHasher

from consentkit import ConsentKit
from consentkit.admin import passwords
from consentkit.admin.people import People
from consentkit.admin.roles import ROLES
from consentkit.audit import Actor
from tests.archive.installation import Installation
from tests.readymade import begin

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

ROOT = "/consentkit/admin"
PASSWORD = "a password for tests"
ORIGIN = "https://www.example.lv"
STAFF = Actor("operator", "cli")

# What a browser says of a form of our own page, and of a click.
FORM = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def _make(folder: Path) -> None:
    """Make an installation with one person of each role."""
    _add_everybody(People(Installation(folder).control))


def _add_everybody(people: People) -> None:
    for role in ROLES:
        people.add(STAFF, role, [role], hashed())


class Area:
    """An installation with one person of each role; each is called as the role is.

    Use it around the calls of one test, which share an event loop:

        async with Area(tmp_path) as area:
            page = await (await area.client("officer")).get("/health")

    Args:
        folder: an empty one; its ``installation`` can be filled before the area is entered.
        people: False = nobody may sign in.
        retention_days: how long requests are kept.
        options: of `ConsentKit`, as ``authenticate``.
    """

    def __init__(self, folder: Path, *, people: bool = True, retention_days: int = 90, **options: Any) -> None:
        if people:
            begin(folder, f"area-{passwords._HASHER.memory_cost}", _make)
        self.installation = Installation(folder, ingest="external", retention_days=retention_days)
        self.people = People(self.installation.control)
        if people and not self.people.exist():
            _add_everybody(self.people)
        self.kit = ConsentKit(self.installation.settings, **options)
        self.app: ASGIApp = self.kit.wrap(site)
        self._clients: list[httpx.AsyncClient] = []

    async def __aenter__(self) -> Area:
        await self.kit.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.aclose()
        await self.kit.stop()

    def stranger(self, address: str = "192.0.2.7", *, origin: str = ORIGIN) -> Client:
        """Somebody who is not signed in."""
        transport = httpx.ASGITransport(self.app, client=(address, 4711))
        http = httpx.AsyncClient(
            transport=transport, base_url=origin, headers={"accept-language": "en"}, timeout=60
        )
        self._clients.append(http)
        return Client(http)

    async def client(self, name: str, address: str = "192.0.2.7", *, origin: str = ORIGIN) -> Client:
        """A person who is signed in; the name is a role's, or one that was added."""
        client = self.stranger(address, origin=origin)
        answer = await client.sign_in(name)
        assert answer.status_code == 303, answer.text
        return client


class Client:
    """A browser: it keeps cookies, follows nothing, and says of its forms where they come from."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Go to a page; `path` is under the admin area."""
        return await self.http.get(ROOT + path, headers=headers)

    async def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> httpx.Response:
        """Send a form of our own page."""
        content = urlencode(form or {})
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.http.post(ROOT + path, content=content, headers={**FORM, **kind, **headers})

    async def sign_in(self, name: str, password: str = PASSWORD, **form: str) -> httpx.Response:
        """Send the form of the sign-in."""
        return await self.post("/sign-in", {"name": name, "password": password, **form})

    async def look(self, purpose: str = "security", reason: str = "a test of the pages", case: str = "") -> None:
        """Say what personal data is looked at for."""
        form = {"look-purpose": purpose, "look-reason": reason, "look-case": case}
        answer = await self.post("/look", form)
        assert answer.status_code == 303, answer.text


@lru_cache(maxsize=1)
def hashed() -> str:
    """The hash of `PASSWORD`, made once."""
    return passwords.hash_password(PASSWORD)


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """Hash with the least that Argon2 takes, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        for cached in (passwords._nobodys, hashed):
            cached.cache_clear()
        yield
    for cached in (passwords._nobodys, hashed):
        cached.cache_clear()


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything outside of our own pages."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"the site"})


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Run the calls of one test, in a thread of its own: Playwright's loop may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, _awaited(story)).result()


async def _awaited(story: Callable[[], Awaitable[None]]) -> None:
    await story()


def text_of(page: httpx.Response) -> str:
    """The words of a page, without its markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.text).split())
