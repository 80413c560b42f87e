"""Services allowed one by one: what an answer grants, what is recorded, what passes, how it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit, Settings
from consentkit.visitor.guarded import guarded
from tests.visitor.test_app import OURS, URL, cookies_of, ledger

PAGE = (
    '<!doctype html><html lang="en"><head><title>x</title></head><body>'
    '<template data-consent="marketing" data-service="video"><p>film</p></template>'
    '<template data-consent="marketing"><p>advert</p></template></body></html>'
)
ALLOW = {"decision": "save", "keep": "on", "via": "embed", "service": "video"}
REMOVE = {"decision": "save", "keep": "on", "via": "settings", "remove": "video"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    def service(name: str) -> dict[str, object]:
        return {
            "id": name,
            "name": f"Example {name}",
            "provider": "Example Ltd",
            "category": "marketing",
            "purpose": f"Plays a {name}",
            "cookies": [{"name": f"{name}_quality", "lifetime_days": 30}],
            "storage_keys": [f"{name}-*"],
        }

    table = {
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {
            "cookies": [{"name": "visits", "category": "statistics", "purpose": "Counts"}],
            "services": [service("video"), service("game")],
        },
    }
    return Settings.from_mapping(table, base=tmp_path)


async def show(request: Request) -> Response:
    response = HTMLResponse(PAGE)
    for name in ("video_quality", "game_quality", "visits"):
        response.set_cookie(name, "1")
    if request.url.path == "/shared":
        response.headers["cache-control"] = "public, max-age=60"
    return response


SITE = Starlette(routes=[Route("/", show), Route("/shared", show)])


class Visitor:
    """A visitor without script, who answers and then looks at the page."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def answer(self, form: dict[str, str], status: int = 303) -> dict[str, str]:
        response = await self._client.post("/consentkit/choice", data=form, headers=OURS)
        assert response.status_code == status
        return cookies_of(response)

    async def look(self, path: str = "/") -> httpx.Response:
        return await self._client.get(path, headers={"accept": "text/html", "accept-encoding": "identity"})

    def marks(self) -> str:
        return (self._client.cookies.get("consentkit") or "..").split(".")[1]


def visiting(settings: Settings, story: Any) -> Any:
    async def run() -> Any:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(SITE), client=("192.0.2.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            try:
                return await story(Visitor(client))
            finally:
                await kit.stop()

    return asyncio.run(run())


def test_allowing_a_service_lets_its_cookies_pass_and_leaves_all_else_undecided(settings: Settings) -> None:
    async def story(visitor: Visitor) -> tuple[str, httpx.Response]:
        await visitor.answer(ALLOW)
        return visitor.marks(), await visitor.look()

    marks, page = visiting(settings, story)
    assert marks == "+video"
    assert set(cookies_of(page)) == {"video_quality"}
    assert 'data-state="ask"' in page.text


def test_the_server_sends_allowed_markup_in_place_to_its_visitor_alone(settings: Settings) -> None:
    async def story(visitor: Visitor) -> tuple[httpx.Response, httpx.Response]:
        await visitor.answer(ALLOW)
        return await visitor.look(), await visitor.look("/shared")

    own, shared = visiting(settings, story)
    assert '<p>film</p><template data-consent="marketing"><p>advert</p></template></body></html>' in own.text
    assert int(own.headers["content-length"]) == len(own.content)
    assert own.headers["cache-control"] == "private"
    assert PAGE.partition("<body>")[2] in shared.text


def test_each_step_stands_in_the_ledger(settings: Settings) -> None:
    async def story(visitor: Visitor) -> str:
        consent_id = (await visitor.answer(ALLOW))["consentkit_id"]
        await visitor.answer(ALLOW)  # changes nothing
        await visitor.answer({**ALLOW, "service": "game"})
        await visitor.answer(REMOVE)
        await visitor.answer({"decision": "save", "via": "settings", "statistics": "on"})
        await visitor.answer({"decision": "reject", "via": "settings"})
        return consent_id

    rows = ledger(settings, visiting(settings, story))
    assert [(row.granted, row.denied, row.method) for row in rows] == [
        ("+video", "", "embed"),
        ("+game,+video", "", "embed"),
        ("+game", "+video", "settings"),
        ("statistics,+game", "marketing", "settings"),
        ("", "statistics,marketing,+game", "withdrawal"),
    ]


@pytest.mark.parametrize(
    ("answers", "marks"),
    [
        ([{"decision": "accept"}], "s1m1"),
        ([{"decision": "reject"}], "s0m0"),
        ([REMOVE], ""),
        ([{"decision": "save"}], "s0m0+video"),
        ([{"decision": "save", "marketing": "on"}, {"decision": "save"}], "s0m0"),
        ([{**ALLOW, "service": "nobody"}], "+video"),
        ([{"decision": "save", "keep": "on", "statistics": "on"}], "s1+video"),
        ([{"decision": "save", "keep": "on", "statistics": "off"}], "s0+video"),
    ],
    ids=["accept", "reject", "remove", "others", "category withdrawn", "unknown", "one granted", "one refused"],
)
def test_what_later_answers_leave_of_it(settings: Settings, answers: list[dict[str, str]], marks: str) -> None:
    async def story(visitor: Visitor) -> str:
        await visitor.answer(ALLOW)
        for form in answers:
            await visitor.answer(form)
        return visitor.marks()

    assert visiting(settings, story) == marks


def test_removing_it_expires_its_cookies_and_the_id(settings: Settings) -> None:
    async def story(visitor: Visitor) -> dict[str, str]:
        await visitor.answer(ALLOW)
        await visitor.look()
        return await visitor.answer(REMOVE)

    fields = visiting(settings, story)
    assert fields["video_quality"] == ""
    assert fields["consentkit_id"] == ""


def test_the_settings_list_what_is_allowed_by_itself(settings: Settings) -> None:
    async def story(visitor: Visitor) -> tuple[str, str]:
        before = (await visitor.look("/consentkit/settings?lang=en")).text
        await visitor.answer(ALLOW)
        return before, (await visitor.look("/consentkit/settings?lang=en")).text

    before, after = visiting(settings, story)
    assert "You always allow" not in before
    assert "Example Ltd. Plays a video" in after
    assert 'aria-label="Remove Example video"' in after


def test_a_service_too_many_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    many = [
        {
            "id": f"s{n}",
            "name": "S",
            "provider": "S",
            "category": "marketing",
            "purpose": "S",
            "hosts": ["s.example"],
        }
        for n in range(17)
    ]
    table = {
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"services": many},
    }

    async def story(visitor: Visitor) -> tuple[str, str]:
        for number in range(16):
            await visitor.answer({**ALLOW, "service": f"s{number}"})
        before = visitor.marks()
        assert await visitor.answer({**ALLOW, "service": "s16"}, status=400) == {}
        return before, visitor.marks()

    before, after = visiting(Settings.from_mapping(table, base=tmp_path), story)
    assert before == after
    assert before.count("+") == 16


def test_the_guard_is_told_every_name_that_a_script_can_write(settings: Settings) -> None:
    text = guarded(ConsentKit(settings).registry)
    assert '["visits","statistics","","drop"]' in text
    assert '["video_quality","marketing","video","drop"]' in text
    assert '["video-*","marketing","video","drop"]' in text


@pytest.mark.parametrize(
    ("table", "scripts"),
    [
        ({}, []),
        ({"guard": True}, ["known", "guard"]),
        ({"signals": ["matomo"]}, ["known", "matomo-consent"]),
        ({"guard": True, "signals": ["google", "matomo"]}, ["known", "guard", "google-consent", "matomo-consent"]),
    ],
    ids=["none", "guard", "signal", "all"],
)
def test_what_is_switched_on_stands_first_in_the_head(
    tmp_path: Path, table: dict[str, object], scripts: list[str]
) -> None:
    async def story(visitor: Visitor) -> str:
        return (await visitor.look()).text

    data = {"storage": {"directory": "data"}, "requestlog": {"ingest": "external"}, "consent": table}
    head = visiting(Settings.from_mapping(data, base=tmp_path), story).partition("<head>")[2].partition("<link")[0]
    assert [each.partition(".")[0] for each in head.split("/static/")[1:]] == scripts
