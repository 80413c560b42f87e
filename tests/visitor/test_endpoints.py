"""Decorators of the site's own endpoints: who is served, what others are shown, what the framework sees."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit, Settings, SettingsError, exempt, requires_consent

PAGE = "<html><head></head><body>text</body></html>"
SAME = {"sec-fetch-site": "same-origin"}

api = FastAPI()


@api.get("/items/{number}")
@requires_consent("preferences")
async def read_item(number: int, wanted: str = "none") -> dict[str, object]:
    return {"number": number, "wanted": wanted}


@api.get("/sync")
@requires_consent("preferences")
def read_in_a_thread() -> dict[str, str]:
    return {"served": "sync"}


@api.get("/own")
@requires_consent("preferences")
async def read_with_request(request: Request) -> dict[str, str]:
    return {"path": request.url.path}


@requires_consent("preferences")
async def show(_: Request) -> Response:
    return PlainTextResponse("served")


@exempt
async def show_bare(request: Request) -> Response:
    return HTMLResponse(PAGE)


@exempt
def show_bare_in_a_thread(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def show_page(request: Request) -> Response:
    return HTMLResponse(PAGE)


class Method(HTTPEndpoint):
    @requires_consent("preferences")
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("served")


site = Starlette(
    routes=[
        Route("/needs", show),
        Route("/method", Method),
        Route("/bare", show_bare),
        Route("/bare-sync", show_bare_in_a_thread),
        Route("/page", show_page),
    ]
)


def visiting(folder: Path, app: Any, story: Callable[[httpx.AsyncClient], Awaitable[Any]], **consent: Any) -> Any:
    cookie = {"name": "theme", "category": "preferences", "purpose": "Light or dark"}
    table = {
        "site": {"languages": ["en", "lv"]},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"cookies": [cookie], **consent},
    }

    async def run() -> Any:
        kit = ConsentKit(Settings.from_mapping(table, base=folder))
        transport = httpx.ASGITransport(kit.wrap(app), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://www.example.com") as client:
            try:
                return await story(client)
            finally:
                await kit.stop()

    return asyncio.run(run())


async def accept(client: httpx.AsyncClient) -> None:
    response = await client.post("/consentkit/choice", data={"decision": "accept"}, headers=SAME)
    assert response.status_code == 303


def test_fastapi_endpoints_are_served_after_consent_with_their_own_parameters(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[Any]:
        before = [(await client.get(path)).status_code for path in ("/items/7", "/sync", "/own")]
        await accept(client)
        after = [(await client.get(path)).json() for path in ("/items/7?wanted=x", "/sync", "/own")]
        wrong = (await client.get("/items/seven")).status_code
        return [before, after, wrong]

    assert visiting(tmp_path, api, story) == [
        [403, 403, 403],
        [{"number": 7, "wanted": "x"}, {"served": "sync"}, {"path": "/own"}],
        422,
    ]


def test_the_description_of_an_api_shows_nothing_of_ours() -> None:
    parameters = api.openapi()["paths"]["/items/{number}"]["get"]["parameters"]
    assert [each["name"] for each in parameters] == ["number", "wanted"]
    assert inspect.signature(show).parameters.keys() == {"_"}


@pytest.mark.parametrize("path", ["/needs", "/method"])
def test_starlette_endpoints_are_served_after_consent(tmp_path: Path, path: str) -> None:
    async def story(client: httpx.AsyncClient) -> list[Any]:
        before = await client.get(path)
        await accept(client)
        return [before.status_code, (await client.get(path)).text]

    assert visiting(tmp_path, site, story) == [403, "served"]


def test_who_has_not_granted_is_shown_the_way_to_the_settings(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        page = await client.get("/needs?lang=en")
        script = await client.get("/needs", headers={"accept": "application/json"})
        return [page, script]

    page, script = visiting(tmp_path, site, story)
    assert "/consentkit/settings?" in page.text
    assert "Without them some content waits for your permission." in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "Cookie" in page.headers["vary"]
    assert script.json() == {
        "error": "consent_required",
        "category": "preferences",
        "settings": "/consentkit/settings",
    }


def test_an_app_that_runs_without_us_grants_nothing() -> None:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="http://example.com") as client:
            return await client.get("/needs")

    assert asyncio.run(ask()).status_code == 403


def test_a_category_that_does_not_exist_is_told_at_import() -> None:
    with pytest.raises(SettingsError, match="preferences, statistics, marketing"):
        requires_consent("necesary")


def test_an_exempt_page_stays_as_it_is(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[str]:
        headers = {"accept": "text/html"}
        return [(await client.get(path, headers=headers)).text for path in ("/bare", "/bare-sync", "/page")]

    bare, in_a_thread, page = visiting(tmp_path, site, story)
    assert [bare, in_a_thread] == [PAGE, PAGE]
    assert "ck-first" in page


async def catch_all(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def own_statement(request: Request) -> Response:
    return Response(b'{"gpc": false}', media_type="application/json")


@pytest.mark.parametrize(
    ("app", "statement"),
    [
        pytest.param(Starlette(), True, id="an app that has nothing there"),
        pytest.param(Starlette(routes=[Route("/{path:path}", catch_all)]), True, id="a page for all addresses"),
        pytest.param(
            Starlette(routes=[Route("/.well-known/gpc.json", own_statement)]), False, id="one of its own"
        ),
    ],
)
def test_the_statement_on_privacy_signals_is_ours_unless_the_app_has_one(
    tmp_path: Path, app: Starlette, *, statement: bool
) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        path = "/.well-known/gpc.json"
        return [await client.get(path), await client.head(path), await client.post(path)]

    got, head, post = visiting(tmp_path, app, story)
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/json"
    assert got.json()["gpc"] is statement
    assert head.text == ""
    assert post.status_code in (404, 405)
    if statement:
        assert got.json()["lastUpdate"] == "2026-11-23"
        assert head.headers["content-length"] == str(len(got.content))


def test_reports_are_taken_small_and_from_our_own_pages(tmp_path: Path) -> None:
    body = b'{"csp-report": {"blocked-uri": "https://video.example.net/x"}}'
    cases = [
        (204, body, {"content-type": "application/csp-report"}),
        (204, body, {"content-type": "application/csp-report", "sec-fetch-site": "same-origin"}),
        (403, body, {"content-type": "application/csp-report", "sec-fetch-site": "cross-site"}),
        (403, body, {"content-type": "application/csp-report", "origin": "https://evil.example.net"}),
        (415, body, {"content-type": "text/plain"}),
        (400, b"{}", {"content-type": "application/csp-report"}),
        (413, body + b" " * 8192, {"content-type": "application/csp-report"}),
    ]

    async def story(client: httpx.AsyncClient) -> list[int]:
        post = client.post
        return [
            (await post("/consentkit/csp-report", content=sent, headers=with_)).status_code
            for _, sent, with_ in cases
        ]

    assert visiting(tmp_path, site, story) == [status for status, _, _ in cases]


def test_a_grant_that_widens_the_pages_policy_asks_for_a_reload(tmp_path: Path) -> None:
    service = {
        "id": "video",
        "name": "Example Video",
        "provider": "Example Video Limited",
        "category": "marketing",
        "purpose": "Plays videos",
        "hosts": ["video.example.net"],
        "country": "IE",
    }

    async def story(client: httpx.AsyncClient) -> list[Any]:
        client.headers.update({"accept": "application/json", **SAME})
        found = []
        for decision in ("reject", "accept"):
            answer = await client.post("/consentkit/choice", data={"decision": decision})
            page = await client.get("/page", headers={"accept": "text/html"})
            found += [answer.json()["reload"], "video.example.net" in page.headers["content-security-policy"]]
        return found

    assert visiting(tmp_path, site, story, csp="enforce", services=[service]) == [False, False, True, True]
