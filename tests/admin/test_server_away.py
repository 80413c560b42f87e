"""While the database server is away: what the staff, visitors and monitoring are told, and that nothing breaks."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest

from consentkit import ConsentKit
from consentkit.admin import app, monitoring
from consentkit.admin.people import People
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings
from tests.admin.area import ORIGIN, STAFF, Client, hashed, run, site, text_of
from tests.servers.postgresql import PASSWORD, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.server

TOKEN = "a-token-of-monitoring-in-the-tests"
COOKIES = [{"name": "visits", "category": "statistics", "purpose": "Counts visits", "lifetime_days": 30}]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with serving() as server:
        yield server


class Away:
    """A site over a server that is there, and then is not."""

    def __init__(self, folder: Path, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONSENTKIT_MONITORING_TOKEN", TOKEN)
        self.server = server
        storage = {"directory": str(folder / "data"), "url": server.url(server.make_database())}
        given = {"storage": storage, "requestlog": {"ingest": "external"}, "consent": {"cookies": COOKIES}}
        self.settings = Settings.from_mapping(given, base=folder)
        self.settings.storage.directory.mkdir(mode=0o700)
        control = Control(
            self.settings.storage.directory, Keyring.open(self.settings.storage.keys, ()), storage["url"]
        )
        People(control).add(STAFF, "admin", ["admin", "viewer"], hashed())
        control.close()
        self.kit = ConsentKit(self.settings)
        self.app = self.kit.wrap(site)

    async def __aenter__(self) -> Away:
        await self.kit.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.start()  # what waits is stored at the end
        await self.kit.stop()

    def browser(self) -> Client:
        transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 4711))
        headers = {"accept-language": "en"}
        return Client(httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers, timeout=60))


def assert_says_so(page: httpx.Response) -> None:
    """The page says that the database does not answer, and what to do."""
    assert (page.status_code, page.headers.get("retry-after")) == (503, "60"), str(page.request.url.path)
    assert "The database does not answer" in text_of(page)
    assert "consentkit doctor" in text_of(page)
    assert PASSWORD not in page.text


@pytest.fixture
def away(tmp_path: Path, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> Away:
    return Away(tmp_path, server, monkeypatch)


def test_a_page_of_the_admin_area_says_so_and_what_to_do(away: Away, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with away:
            staff, stranger = away.browser(), away.browser()
            assert (await staff.sign_in("admin")).status_code == 303
            assert (await staff.get("/health")).status_code == 200
            away.server.crash()
            with caplog.at_level(logging.ERROR, "consentkit"):
                pages = [
                    await staff.get("/health"),
                    await staff.get("/"),
                    await stranger.sign_in("admin"),
                ]
        for page in pages:
            assert_says_so(page)
        assert "a page of the admin area can't be shown: postgresql" in caplog.text
        assert PASSWORD not in caplog.text

    run(story)


def test_the_form_of_the_sign_in_is_shown_for_as_long_as_it_is_known_that_somebody_may(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("consentkit.admin.app.time", SimpleNamespace(monotonic=lambda: now_s))

    async def story() -> None:
        nonlocal now_s
        async with away:
            stranger = away.browser()
            assert (await stranger.get("/sign-in")).status_code == 200
            away.server.crash()
            now_s += app._KNOWN_S - 1
            within = await stranger.get("/sign-in")
            now_s += 1
            after = await stranger.get("/sign-in")
        assert within.status_code == 200
        assert 'name="password"' in within.text
        assert_says_so(after)

    run(story)


def test_monitoring_hears_that_it_is_away(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(monitoring, "_EXAMINED_SECONDS", 0.0)

    async def story() -> None:
        async with away:
            asker = away.browser()
            token = {"authorization": f"Bearer {TOKEN}"}
            before = await asker.get("/metrics", **token)
            away.server.crash()
            later = await asker.get("/metrics", **token)
        up = 'consentkit_server_up{kind="postgresql",host="127.0.0.1"}'
        assert f"{up} 1\n" in before.text
        assert 'consentkit_check{check="postgresql.answers",level="good"} 1' in before.text
        assert later.status_code == 200
        assert f"{up} 0\n" in later.text
        assert 'consentkit_check{check="postgresql.answers",level="bad"} 1' in later.text

    run(story)


def test_a_visitor_can_refuse_and_is_told_what_can_not_be_done(away: Away) -> None:
    async def story() -> None:
        async with away:
            visitor, other = away.browser().http, away.browser().http
            form = {"sec-fetch-site": "same-origin"}
            granted = await visitor.post("/consentkit/choice", data={"decision": "accept"}, headers=form)
            assert granted.status_code == 303
            assert (await visitor.get("/consentkit/receipt")).status_code == 200
            away.server.crash()
            receipt = await visitor.get("/consentkit/receipt")
            withdrawn = await visitor.post("/consentkit/choice", data={"decision": "reject"}, headers=form)
            refused = await other.post("/consentkit/choice", data={"decision": "reject"}, headers=form)
            late = await away.browser().http.post("/consentkit/choice", data={"decision": "accept"}, headers=form)
            page = await other.get("/")
            notice = await other.get("/consentkit/privacy")
        assert (receipt.status_code, receipt.headers["retry-after"]) == (503, "60")
        assert "can&#39;t reach its records at the moment" in text_of(receipt)
        assert "could not be saved" not in text_of(receipt)
        assert (withdrawn.status_code, refused.status_code) == (303, 303)
        assert late.status_code == 503
        assert "Optional cookies were not switched on" in text_of(late)
        assert (page.text, notice.status_code) == ("the site", 200)

    run(story)
