"""The admin area of a filled installation under a real server, and members of staff in a real browser.

Owns the site, the sign-in by its form, and the list of pages. What must hold of them is said by the tests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from tests.admin.area import FORM, PASSWORD, ROOT, Area, cheap_hashes
from tests.admin.forms import TABLE, Shown
from tests.admin.hostile import EVERYTHING, fill
from tests.serving import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_START_SECONDS = 20.0
REASON = "a look at the pages"


class Site:
    """A running area.

    Attributes:
        area: with its installation, filled.
        url: of the site.
        root: of the admin area.
    """

    def __init__(self, area: Area, url: str) -> None:
        self.area = area
        self.url = url
        self.root = url + ROOT
        self._pages: dict[str, dict[str, str]] = {}

    def context(self, browser: Browser, name: str = EVERYTHING, **options: Any) -> BrowserContext:
        """A fresh profile in which somebody is signed in and has said what he looks for; no name = nobody."""
        context = browser.new_context(base_url=self.url, locale="en", **options)
        context.set_default_timeout(20_000)
        if name:
            with self._signed_in(name) as client:
                cookies = [(each.name, each.value or "") for each in client.cookies.jar]
            context.add_cookies([{"name": each, "value": value, "url": self.root} for each, value in cookies])
        return context

    def pages(self, name: str = EVERYTHING) -> dict[str, str]:
        """An address of each page that a person reaches by links from the start, by its route's path."""
        if name not in self._pages:
            with self._signed_in(name) as client:
                self._pages[name] = self._walked(client)
        return self._pages[name]

    def _walked(self, client: httpx.Client) -> dict[str, str]:
        found: dict[str, str] = {}
        waiting = ["/"]
        for address in waiting:  # grows while it is walked
            match = TABLE.find(address.partition("?")[0], "GET")
            if match is None or match.route is None or match.route.path in found:
                continue
            answer = client.get(self.root + address)
            assert answer.status_code == 200, (address, answer.status_code)
            found[match.route.path] = address
            if answer.headers["content-type"].startswith("text/html"):
                waiting += [link for link in Shown(answer.text, address).links if "lang=" not in link]
        return found

    @contextmanager
    def _signed_in(self, name: str) -> Iterator[httpx.Client]:
        forms = {
            "/sign-in": {"name": name, "password": PASSWORD},
            "/look": {"look-purpose": "security", "look-reason": REASON, "look-case": "INC-1"},
        }
        with httpx.Client(timeout=30, headers={"accept-language": "en"}) as client:
            for path, form in forms.items():
                assert client.post(self.root + path, data=form, headers=FORM).status_code == 303
            yield client


@contextmanager
def admin_site(folder: Path) -> Iterator[Site]:
    """Serve an installation in which all that can be is hostile, until the block ends."""
    with cheap_hashes():
        area = Area(folder)
        fill(area.installation, area.people)
        with serving_area(area) as site:
            yield site


@contextmanager
def serving_area(area: Area) -> Iterator[Site]:
    """Serve an area that was filled, until the block ends."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(area.app, port=port, log_level="error", proxy_headers=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        yield Site(area, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join()


def sign_in(page: Page, name: str) -> None:
    """Fill in the form that is open, and see the page that answers."""
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    with page.expect_navigation():
        page.click("main button")


def sign_out(page: Page) -> None:
    """Open the person's menu, leave by it, and see the page that answers."""
    page.click(".ck-account summary")
    with page.expect_navigation():
        page.click("form[action$='/sign-out'] button")
