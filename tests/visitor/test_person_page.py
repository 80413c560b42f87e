"""The one-time link of a person who asked for something, over HTTP: what it shows, notes, and never does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from consentkit import ConsentKit, Settings
from consentkit.archive.subject import links, register
from consentkit.archive.subject.requests import Kind, SubjectRequest, find_request, today_utc
from consentkit.audit import Actor
from consentkit.control import Control
from consentkit.crypto import Keyring
from tests.test_kit import page

OFFICER = Actor("liga", "admin")
OURS = {"sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0 hers"}
TODAY = today_utc().isoformat()
FORM = {"address": "1", "since": "2026-01-01", "until": TODAY}

Story = Callable[[httpx.AsyncClient, str], Awaitable[None]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    table = {
        "site": {"operator": "SIA Piemērs", "languages": ["en", "lv"]},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"cookies": [{"name": "theme", "category": "preferences", "purpose": "Light or dark"}]},
    }
    return Settings.from_mapping(table, base=tmp_path)


def tell(settings: Settings, story: Story, *, kind: Kind = "export") -> SubjectRequest:
    """Enter a request, give its link to a story in one browser, and return how the request stands then."""

    async def live() -> SubjectRequest:
        kit = ConsentKit(settings)
        app = kit.wrap(page)
        await kit.start()
        try:
            control = Control(settings.storage.directory, Keyring.open(settings.storage.keys, ()))
            request = register.enter(control, OFFICER, kind, reference="letter 1", received=today_utc())
            token = links.make_link(control, OFFICER, request.number, now_us=time.time_ns() // 1000)
            transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="https://www.example.lv") as browser:
                await story(browser, f"/consentkit/me/{token}")
            return find_request(control, request.number)
        finally:
            await kit.stop()

    return asyncio.run(live())


def test_the_page_shows_what_would_be_noted_and_changes_nothing(settings: Settings) -> None:
    async def story(browser: httpx.AsyncClient, link: str) -> None:
        for _ in range(2):
            answer = await browser.get(link)
            assert answer.status_code == 200
            assert "192.0.2.7" in answer.text
            assert "copy of what this website keeps of you" in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert "<script" not in answer.text
        assert (await browser.head(link)).status_code == 200
        assert "lūdzāt kopiju" in (await browser.get(f"{link}?lang=lv")).text

    assert tell(settings, story).identified == ""


def test_its_form_notes_address_window_and_browser_once(settings: Settings) -> None:
    async def story(browser: httpx.AsyncClient, link: str) -> None:
        answer = await browser.post(link, data={**FORM, "lang": "lv"}, headers=OURS)
        assert answer.status_code == 200
        assert "tas ir pierakstīts" in answer.text, "in the language of the form"
        assert (await browser.get(link)).status_code == 404
        again = await browser.post(link, data=FORM, headers={**OURS, "user-agent": "another"})
        assert again.status_code == 404

    request = tell(settings, story)
    assert (request.identified, request.address, request.agent) == ("link", "192.0.2.7", "Mozilla/5.0 hers")
    assert request.since_us == int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert request.until_us <= time.time_ns() // 1000, "no time to come is theirs"
    assert request.consent_id == ""


def test_the_choices_are_those_of_the_browser_s_own_cookie(settings: Settings) -> None:
    async def story(browser: httpx.AsyncClient, link: str) -> None:
        choice = {"decision": "save", "preferences": "on"}
        await browser.post("/consentkit/choice", data=choice, headers=OURS)
        answer = await browser.post(link, data={"choices": "1"}, headers=OURS)
        assert answer.status_code == 200

    request = tell(settings, story, kind="erase")
    assert (len(request.consent_id), request.address) == (22, "")


def test_another_browser_has_no_choices_to_show(settings: Settings) -> None:
    async def story(browser: httpx.AsyncClient, link: str) -> None:
        assert "keeps no number of a choice" in (await browser.get(link)).text
        answer = await browser.post(link, data={"choices": "1"}, headers=OURS)
        assert answer.status_code == 400
        assert (await browser.get(link)).status_code == 200, "the link stays good"

    assert tell(settings, story).identified == ""


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"address": ""}, id="nothing ticked"),
        pytest.param({"since": "soon"}, id="no date"),
        pytest.param({"since": TODAY, "until": "2026-01-01"}, id="no time"),
        pytest.param({"until": "9999-12-31"}, id="the end of time"),
        pytest.param({"since": "", "until": ""}, id="no days"),
    ],
)
def test_what_can_t_be_noted_is_said_and_uses_nothing_up(settings: Settings, change: dict[str, str]) -> None:
    async def story(browser: httpx.AsyncClient, link: str) -> None:
        answer = await browser.post(link, data={**FORM, **change}, headers=OURS)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert (await browser.get(link)).status_code == 200

    assert tell(settings, story).identified == ""


def test_another_site_s_form_is_refused(settings: Settings) -> None:
    async def story(browser: httpx.AsyncClient, link: str) -> None:
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {}):
            assert (await browser.post(link, data=FORM, headers=headers)).status_code == 403
        assert (await browser.post(link, content=b"{}", headers=OURS)).status_code == 415

    assert tell(settings, story).identified == ""


def test_guessing_ends_after_some_tries_a_minute(settings: Settings) -> None:
    async def story(browser: httpx.AsyncClient, _: str) -> None:
        answers = [await browser.get(f"/consentkit/me/{number:040x}") for number in range(21)]
        assert {answer.status_code for answer in answers[:20]} == {404}
        assert answers[20].status_code == 429

    tell(settings, story)


@pytest.mark.parametrize("token", ["x", "0" * 41, "..", "%00", "A" * 40])
def test_what_is_no_link_is_nowhere(settings: Settings, token: str) -> None:
    async def story(browser: httpx.AsyncClient, _: str) -> None:
        assert (await browser.get(f"/consentkit/me/{token}")).status_code == 404

    tell(settings, story)


def test_two_at_once_note_one(settings: Settings) -> None:
    async def story(browser: httpx.AsyncClient, link: str) -> None:
        statuses: list[int] = []

        async def use() -> None:
            statuses.append((await browser.post(link, data=FORM, headers=OURS)).status_code)

        async with anyio.create_task_group() as group:
            group.start_soon(use)
            group.start_soon(use)
        assert sorted(statuses) == [200, 404]

    tell(settings, story)


def test_the_form_begins_with_the_days_that_the_log_keeps(settings: Settings) -> None:
    first = today_utc() - timedelta(days=settings.requestlog.retention_days)

    async def story(browser: httpx.AsyncClient, link: str) -> None:
        assert f'value="{first.isoformat()}"' in (await browser.get(link)).text

    tell(settings, story)
