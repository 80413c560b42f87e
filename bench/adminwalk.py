"""Which pages of the admin area there are: those of the table of routes, and those that they lead to.

Owns finding addresses. How long they take, or what they show, is their readers' business.
"""

from __future__ import annotations

import importlib
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urldefrag, urljoin

from consentkit.admin.app import PAGES
from consentkit.admin.routing import RouteTable

if TYPE_CHECKING:
    import httpx

_MAX_PAGES: Final = 400


def route_table() -> RouteTable:
    """Return the routes of all pages."""
    modules = (importlib.import_module(f"consentkit.admin.pages.{name}") for name in PAGES)
    return RouteTable(route for module in modules for route in module.ROUTES)


class Links(HTMLParser):
    """Collect the addresses that a page's links lead to, in their order.

    Args:
        text: the page.
        address: its own, by which the others are read.

    Attributes:
        all: paths with their queries.
        older: that of the link to older rows; empty = there is none.
    """

    def __init__(self, text: str, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self._address = address
        self.all: list[str] = []
        self.older = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a link."""
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            address = urldefrag(urljoin(self._address, named["href"])).url
            self.all.append(address)
            if named.get("rel") == "next":
                self.older = address


class Pages:
    """Find one address of each page that a person can open, without doing anything.

    Args:
        client: signed in.
        root: of the admin area.
    """

    def __init__(self, client: httpx.Client, root: str) -> None:
        self._client = client
        self._root = root
        self._found: dict[str, str] = {}

    def found(self) -> dict[str, str]:
        """Return an address by its route's path, both under the admin area; pages without a parameter first."""
        if not self._found:
            self._walk()
        return self._found

    def _walk(self) -> None:
        table = route_table()
        waiting = [route.path for route in table.routes if route.method == "GET" and "{" not in route.path]
        seen = set(waiting)
        for address in waiting:  # grows while it is walked
            answer = self._client.get(self._root + address)
            if answer.status_code != 200:
                continue
            match = table.find(address.partition("?")[0], "GET")
            if match is not None and match.route is not None:
                self._found.setdefault(match.route.path, address)
            if not answer.headers["content-type"].startswith("text/html"):
                continue
            for link in Links(answer.text, self._root + address).all:
                below = link.removeprefix(self._root)
                match = table.find(below.partition("?")[0], "GET") if link.startswith(self._root) else None
                is_new = match is not None and match.route is not None and match.route.path not in self._found
                if is_new and below not in seen and len(seen) < _MAX_PAGES:
                    seen.add(below)
                    waiting.append(below)
