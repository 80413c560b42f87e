"""Attacks on a member of staff whose browser is signed in: by what was recorded, and by another site's pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from html import escape
from urllib.parse import parse_qsl, urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.admin.area import ROOT
from tests.admin.hostile import EVERYTHING, PAYLOAD
from tests.admin.robot import rows
from tests.browser.adminsite import Site, admin_site, sign_in, sign_out
from tests.serving import free_port

pytestmark = pytest.mark.browser

# Runs before any script of a page: what is called is noted, whoever calls it.
_WATCH = "window.ran = []; window.canary = () => window.ran.push('canary');"

_TAKEN = """() => [
  ...window.ran,
  ...[...document.querySelectorAll("canary-x, [canary], [onclick], [onfocus], [onerror], script:not([src])")]
    .map((element) => element.outerHTML.slice(0, 80)),
  ...[...document.links, ...document.forms].map((element) => element.href ?? element.action)
    .filter((address) => !/^https?:$/.test(new URL(address, location).protocol)),
]"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with admin_site(tmp_path_factory.mktemp("admin")) as running:
        yield running


@pytest.fixture(scope="module")
def foreign_port() -> Iterator[int]:
    """A page of another origin that sends a form to, frames, or fetches the address in its query."""

    async def attack(request: Request) -> Response:
        query = dict(parse_qsl(request.url.query))
        address, name = escape(query["to"], quote=True), query["by"]
        pages = {
            "form": f'<form method="post" action="{address}"><input name="reason" value="x"></form>'
            "<script>document.forms[0].submit()</script>",
            "frame": f'<iframe src="{address}"></iframe>',
            "fetch": f"<script>fetch('{address}', {{method: 'POST', credentials: 'include', mode: 'no-cors',"
            " body: new URLSearchParams({reason: 'x'})}).finally(() => document.title = 'done')</script>",
            "read": f"<script>fetch('{address}', {{credentials: 'include'}}).then((answer) => answer.text())"
            ".then((text) => document.title = `read ${text.length}`, () => document.title = 'kept')</script>",
        }
        return HTMLResponse(f"<!doctype html><title>begun</title>{pages[name]}")

    port = free_port()
    app = Starlette(routes=[Route("/", attack)])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield port
    server.should_exit = True
    thread.join()


@pytest.fixture
def page(site: Site, browser: Browser) -> Iterator[Page]:
    context = site.context(browser)
    yield context.new_page()
    context.close()


def test_nothing_that_was_recorded_runs_in_any_page(site: Site, browser: Browser) -> None:
    context = site.context(browser)
    context.add_init_script(_WATCH)
    window = context.new_page()
    said: list[str] = []
    window.on("dialog", lambda dialog: said.append(dialog.message))
    window.on(
        "console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None
    )
    window.on("pageerror", lambda error: said.append(str(error)))
    told = 0
    faults: dict[str, list[str]] = {}
    lists = [f"/consent/cookies?list={name}" for name in ("undeclared", "dropped", "undeletable", "blocked_hosts")]
    tops = [f"/search/top?since=7d&by={by}" for by in ("path", "agent", "host", "referrer")]
    files = ("/file", ".csv", ".json")
    for route, address in [*site.pages().items(), *((each, each) for each in (*lists, *tops, "/search?since=7d"))]:
        if route.endswith(files):
            continue
        window.goto(ROOT + address)
        window.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        told += "canary-x" in window.inner_text("body")
        if taken := [*window.evaluate(_TAKEN), *said]:
            faults[address] = taken
        said.clear()
    context.close()
    assert faults == {}
    assert told > 10  # else nothing hostile was looked at


def test_a_script_in_a_page_would_be_noticed(site: Site, browser: Browser) -> None:
    """Else a watch that sees nothing would pass."""
    context = site.context(browser)
    context.add_init_script(_WATCH)
    window = context.new_page()
    said: list[str] = []
    window.on("console", lambda message: said.append(message.text))
    window.goto(f"{ROOT}/account")
    window.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", PAYLOAD)
    window.wait_for_timeout(300)
    assert window.evaluate(_TAKEN)
    assert window.evaluate("window.ran") == []  # the policy alone keeps a handler from running
    assert any("Policy" in text for text in said)
    context.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another port", "another site"])
@pytest.mark.parametrize("path", ["/sign-out", "/account/sessions/end", "/incidents/1/close", "/retention"])
@pytest.mark.parametrize("by", ["form", "fetch"])
def test_another_origin_changes_nothing(
    site: Site, page: Page, foreign_port: int, by: str, path: str, host: str
) -> None:
    page.goto(f"{ROOT}/account")
    before = rows(site.area.installation)
    with page.expect_request(lambda request: urlsplit(request.url).path == ROOT + path) as sent:
        page.goto(f"http://{host}:{foreign_port}/?by={by}&to={site.root}{path}", wait_until="commit")
    assert sent.value.method == "POST"
    if by == "form":
        page.wait_for_url(site.root + path)
        refused = sent.value.response()
        assert refused is not None
        assert refused.status == 403
    else:  # the browser keeps even the answer's status from the other origin's page
        page.wait_for_function("document.title === 'done'")
    answer = page.goto(f"{site.root}/account")
    assert answer is not None
    assert urlsplit(page.url).path == f"{ROOT}/account"  # still signed in
    assert rows(site.area.installation) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another port", "another site"])
@pytest.mark.parametrize("path", ["/", "/account", "/sign-in"])
def test_another_origin_can_not_frame_a_page(
    site: Site, page: Page, foreign_port: int, path: str, host: str
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"http://{host}:{foreign_port}/?by=frame&to={site.root}{path}")
    page.wait_for_timeout(200)
    assert any("frame-ancestors" in text for text in said)
    [frame] = page.main_frame.child_frames
    assert "consentkit" not in frame.content()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another port", "another site"])
@pytest.mark.parametrize("path", ["/account", "/search?since=7d", "/metrics", "/consent/rates.json"])
def test_another_origin_can_not_read_a_page(
    site: Site, page: Page, foreign_port: int, path: str, host: str
) -> None:
    page.goto(f"http://{host}:{foreign_port}/?by=read&to={site.root}{path}")
    page.wait_for_function("document.title !== 'begun'")
    assert page.title() == "kept"


def test_the_session_is_kept_from_scripts(site: Site, page: Page) -> None:
    page.context.clear_cookies()
    page.goto(f"{ROOT}/account")
    sign_in(page, EVERYTHING)
    assert urlsplit(page.url).path == f"{ROOT}/account"
    assert page.evaluate("document.cookie") == ""
    [cookie] = [each for each in page.context.cookies() if "admin" in each.get("name", "")]
    assert cookie.get("httpOnly") is True
    assert EVERYTHING not in cookie.get("value", "")


def test_the_cookie_of_who_signed_out_opens_nothing(site: Site, browser: Browser) -> None:
    context = site.context(browser)
    window = context.new_page()
    window.goto(f"{ROOT}/account")
    stolen = context.cookies()
    sign_out(window)
    thief = browser.new_context(base_url=site.url)
    thief.add_cookies([{"name": one["name"], "value": one["value"], "url": site.root} for one in stolen])
    other = thief.new_page()
    other.goto(f"{ROOT}/account")
    assert urlsplit(other.url).path == f"{ROOT}/sign-in"
    thief.close()
    context.close()


def test_going_back_after_the_sign_out_shows_nothing_of_the_page(site: Site, browser: Browser) -> None:
    context = site.context(browser)
    window = context.new_page()
    window.goto(f"{ROOT}/search?since=7d&path=%2Fplain")
    assert "/plain" in window.inner_text("main")
    sign_out(window)
    window.go_back()
    window.wait_for_load_state()
    assert "/plain?" not in window.content()
    assert urlsplit(window.url).path == f"{ROOT}/sign-in"
    context.close()
