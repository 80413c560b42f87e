"""A site for children: optional cookies are off for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from consentkit import ConsentKit, Settings
from tests.test_kit import page
from tests.visitor.markup import Markup

URL = "http://www.example.lv"
OURS = {"sec-fetch-site": "same-origin"}
HTML = {"accept": "text/html", "accept-language": "en"}
OFF = "Optional cookies are off on this site."
VISITS = {"name": "visits", "category": "statistics", "purpose": "Counts"}
FILM = {
    "id": "video",
    "name": "Example Video",
    "provider": "Example Video",
    "category": "marketing",
    "purpose": "Films",
    "hosts": ["video.example.net"],
}


def settings(folder: Path, *, deny_only: bool = True, cookies: tuple[dict[str, str], ...] = (VISITS,)) -> Settings:
    services = [FILM] if cookies else []
    consent = {"deny_only": deny_only, "cookies": list(cookies), "services": services}
    storage = {"directory": "data"}
    return Settings.from_mapping(
        {"storage": storage, "requestlog": {"ingest": "external"}, "consent": consent}, base=folder
    )


def visiting(
    settings: Settings,
    story: Callable[[httpx.AsyncClient], Awaitable[Any]],
    cookies: httpx.Cookies | None = None,
) -> Any:
    async def run() -> Any:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(page), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=URL, cookies=cookies) as client:
            try:
                return await story(client)
            finally:
                if cookies is not None:
                    cookies.update(client.cookies)
                await kit.stop()

    return asyncio.run(run())


def test_nobody_is_asked_and_the_settings_say_why(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[str, str]:
        site = await client.get("/", headers=HTML)
        return site.text, (await client.get("/consentkit/settings?lang=en")).text

    site, own = visiting(settings(tmp_path), story)
    banner = Markup(site)
    assert "hidden" in banner.find(id="consentkit")[0]
    assert not banner.find("button", name="decision")
    assert banner.find("a", **{"class": "ck-back"})
    shown = Markup(own)
    assert OFF in shown.text
    assert not shown.find("button", name="decision")
    assert not shown.find("input", type="checkbox")


@pytest.mark.parametrize(
    "form",
    [
        {"decision": "accept"},
        {"decision": "save", "statistics": "on"},
        {"decision": "save", "keep": "on", "service": "video"},
    ],
    ids=["accept", "save", "service"],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"], ids=["form", "script"])
def test_no_grant_is_taken(tmp_path: Path, form: dict[str, str], accept: str) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[httpx.Response, dict[str, Any]]:
        headers = {**OURS, "accept": accept, "accept-language": "en"}
        answer = await client.post("/consentkit/choice", data=form, headers=headers)
        return answer, (await client.get("/consentkit/choice")).json()

    answer, now = visiting(settings(tmp_path), story)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert (OFF in answer.text) is (accept == "text/html")
    assert now["categories"] == {"statistics": False, "marketing": False}
    assert now["decided"]


@pytest.mark.parametrize("decision", ["reject", "save"])
def test_a_refusal_is_taken_and_leaves_nothing(tmp_path: Path, decision: str) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/consentkit/choice", data={"decision": decision, "next": "/x"}, headers=OURS)

    answer = visiting(settings(tmp_path), story)
    assert (answer.status_code, answer.headers["location"]) == (303, "/x")
    assert "set-cookie" not in answer.headers


def test_a_consent_from_before_counts_no_more_and_its_cookies_go(tmp_path: Path) -> None:
    cookies = httpx.Cookies()

    async def agree(client: httpx.AsyncClient) -> None:
        await client.post("/consentkit/choice", data={"decision": "accept"}, headers=OURS)

    async def look(client: httpx.AsyncClient) -> tuple[dict[str, Any], httpx.Response]:
        client.cookies.set("visits", "7")
        return (await client.get("/consentkit/choice")).json(), await client.get("/", headers=HTML)

    visiting(settings(tmp_path, deny_only=False), agree, cookies)
    now, site = visiting(settings(tmp_path), look, cookies)
    assert now["categories"] == {"statistics": False, "marketing": False}
    assert any(field.startswith("visits=;") for field in site.headers.get_list("set-cookie"))
    # So that scripts don't take the cookie that is still there for a choice.
    assert Markup(site.text).find(id="consentkit")[0]["data-revision"] == "0"


def test_where_nothing_is_optional_the_notice_can_be_hidden_as_ever(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[str, str]:
        before = await client.get("/", headers=HTML)
        await client.post("/consentkit/choice", data={"decision": "save"}, headers=OURS)
        return before.text, (await client.get("/", headers=HTML)).text

    before, after = (Markup(text) for text in visiting(settings(tmp_path, cookies=()), story))
    assert "hidden" not in before.find(id="consentkit")[0]
    assert "hidden" in after.find(id="consentkit")[0]


def test_an_embed_shows_the_plain_link_alone(tmp_path: Path) -> None:
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import HTMLResponse  # noqa: PLC0415

    kit = ConsentKit(settings(tmp_path))

    async def film(scope: Any, receive: Any, send: Any) -> None:
        embed = kit.template_context(Request(scope))["consent_embed"]
        markup = embed("video", "<iframe></iframe>", url="https://video.example.net/1", language="en")  # type: ignore[operator]
        await HTMLResponse(f"<html lang=en><body>{markup}</body></html>")(scope, receive, send)

    async def run() -> str:
        transport = httpx.ASGITransport(kit.wrap(film), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            try:
                return (await client.get("/film", headers=HTML)).text
            finally:
                await kit.stop()

    shown = Markup(asyncio.run(run()))
    assert shown.find("a", href="https://video.example.net/1")
    assert not shown.find("template")
    assert not shown.find("button")
    assert "It is not shown here, because optional cookies are off on this site." in shown.text
