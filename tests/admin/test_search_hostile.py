"""Requests that were made to attack whoever looks at them: every logged field, in every page of the search."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser

from tests.admin.area import PASSWORD, Area, run
from tests.admin.search_area import Shown, recent

pytestmark = pytest.mark.custody

PAYLOADS = (
    "<script>window.taken=1</script>",
    '"><img src=x onerror=window.taken=1>',
    "' onmouseover='window.taken=1",
    "javascript:window.taken=1",
    "{{ 7*7 }}{% raw %}",
    "</textarea></title><svg/onload=window.taken=1>",
    "\u202e\u2066 <b>turned</b>",
)
PAGES = (
    "/search?since=1h&text=taken",
    "/search?since=1h&text=7*7",
    "/search?since=1h&text=turned",
    "/search/top?since=1h&by=path",
    "/search/top?since=1h&by=agent",
    "/search/top?since=1h&by=host",
    "/search/top?since=1h&by=referrer",
    "/search?path=%22%3E%3Cscript%3Ewindow.taken%3D1%3C/script%3E&status=%3Cimg%20src=x%3E&since=%22%20onfocus=%22",
    "/search/export?text=%3Cscript%3Ewindow.taken%3D1%3C/script%3E&host=%22%3E%3Cimg%20src=x%20onerror=1%3E",
)


def fill(area: Area) -> None:
    area.installation.store(
        *(
            recent(
                1 + number,
                f"/{text}?q={text}",
                user_agent=f"agent {text}",
                referrer_host=text,
                host=text,
                method=text[:30],
                outcome="complete",
            )
            for number, text in enumerate(PAYLOADS)
        )
    )


def test_what_was_logged_never_becomes_markup(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        fill(area)
        async with area:
            client = await area.client("investigator")
            await client.look()
            officer = await area.client("officer")
            await officer.look()
            shown = 0
            for address in PAGES:
                page = Shown(await (officer if "export" in address else client).get(address))
                shown += len(page.request_ids)
                assert page.scripts == ["admin", *(["admin-rows"] if page.records else [])], address
                assert not [one for one in page.elements if one.name in {"img", "b", "iframe", "object"}], address
                names = {name for one in page.elements for name in one.attributes}
                assert not {name for name in names if name.startswith("on") or name in {"style", "srcdoc"}}, (
                    address
                )
                links = [one.attributes.get("href", "/") for one in page.elements if one.name in {"a", "form"}]
                assert all(link.startswith(("/", "?")) or link == "#main" for link in links), address
            assert shown == len(PAYLOADS), "each was on a page"

    run(story)


@contextmanager
def served(area: Area) -> Iterator[str]:
    """Serve an area; yields its address."""
    server = uvicorn.Server(uvicorn.Config(area.app, port=0, log_level="error", lifespan="on"))
    runner = threading.Thread(target=server.run, daemon=True)
    runner.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/consentkit/admin"
    finally:
        server.should_exit = True
        runner.join(20)


@pytest.mark.server
@pytest.mark.browser
def test_in_a_browser_nothing_of_it_runs_and_a_record_opens_by_keyboard(tmp_path: Path, browser: Browser) -> None:
    area = Area(tmp_path)
    fill(area)
    with served(area) as root:
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{root}/sign-in")
        page.fill("[name=name]", "investigator")
        page.fill("[name=password]", PASSWORD)
        page.click("main button")
        page.goto(f"{root}/look")
        page.check("[name=look-purpose][value=security]")
        page.fill("[name=look-reason]", "a test of the pages")
        page.click("main button")
        for address in PAGES[:-1]:
            page.goto(root + address)
            assert page.evaluate("window.taken") is None
        page.goto(root + PAGES[0])
        assert page.locator("tr.ck-row").count() >= 5
        link = page.locator("a[data-record]").first
        link.focus()
        page.keyboard.press("Enter")
        page.locator(".ck-row .ck-record").first.get_by_text("user_agent").wait_for()
        assert link.get_attribute("aria-expanded") == "true"
        page.keyboard.press("Enter")
        assert page.locator(".ck-row .ck-record").count() == 0
        assert link.get_attribute("aria-expanded") == "false"
        assert page.evaluate("window.taken") is None
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.close()
    assert not faults
