"""Requests of today in an admin area, and what a search page says of them."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import msgspec

from tests.archive.installation import MINUTE_US, request

if TYPE_CHECKING:
    import httpx

    from consentkit.requestlog.record import Record

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def recent(minutes_ago: float, url: str = "/", **changes: Any) -> Record:
    """A request of so many minutes ago; `changes` are of a record's fields."""
    record = request(time.time_ns() // 1000 - int(minutes_ago * MINUTE_US), url)
    return msgspec.structs.replace(record, **changes)


def many(rows: int, *, since_minutes: float = 1) -> list[Record]:
    """So many requests of seven addresses and three paths, a second apart."""
    return [
        recent(
            since_minutes + number / 60,
            f"/p{number % 3}?page=1",
            client_address=f"203.0.113.{number % 7 + 1}",
            status=(200, 404, 500)[number % 3],
            user_agent=FIREFOX if number % 2 else "curl/8.0",
            method="POST" if number % 5 == 0 else "GET",
        )
        for number in range(rows)
    ]


class Element(msgspec.Struct):
    """One start tag."""

    name: str
    attributes: dict[str, str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


class Shown:
    """A page, read as a browser reads it."""

    def __init__(self, page: httpx.Response) -> None:
        reader = _Reader()
        reader.feed(page.text)
        self.elements = reader.elements
        self.texts = [text for text in reader.texts if text]

    def values(self, name: str) -> list[str]:
        """What the fields of requests say, where they are shown."""
        return [after for text, after in zip(self.texts, self.texts[1:], strict=False) if text == name]

    @property
    def request_ids(self) -> list[str]:
        """Of the rows, in their order."""
        rows = [one.attributes for one in self.elements if one.attributes.get("class") == "ck-row"]
        return [row["id"].removeprefix("r-") for row in rows]

    @property
    def paths(self) -> list[str]:
        """Addresses of all links."""
        return [_path(one) for one in self.elements if one.name == "a"]

    @property
    def records(self) -> list[str]:
        """Addresses of the pages of the rows."""
        return [_path(one) for one in self.elements if "data-record" in one.attributes]

    @property
    def scripts(self) -> list[str]:
        """Names of the scripts that it loads, without the hashes of their content."""
        sources = [one.attributes["src"] for one in self.elements if one.name == "script"]
        return [source.rpartition("/")[2].partition(".")[0] for source in sources]

    def links(self, title: str) -> list[str]:
        """Addresses of links with a title, under the admin area."""
        return [_path(one) for one in self.elements if one.attributes.get("title") == title]

    def link(self, rel: str) -> str:
        """Address of the page before or after; empty where there is none."""
        return next((_path(one) for one in self.elements if one.attributes.get("rel") == rel), "")

    def field(self, name: str) -> str:
        """What stands in a field."""
        return next(one.attributes["value"] for one in self.elements if one.attributes.get("id") == f"f-{name}")

    def hidden(self, name: str) -> str:
        return next(one.attributes["value"] for one in self.elements if one.attributes.get("name") == name)

    def action(self, path: str) -> str:
        """Where the form goes whose address begins so."""
        found = (one.attributes["action"] for one in self.elements if one.name == "form")
        return next(_under(action) for action in found if _under(action).startswith(path))


def _path(element: Element) -> str:
    return _under(element.attributes["href"])


def _under(address: str) -> str:
    return f"/search{address}" if address.startswith("?") else address.removeprefix("/consentkit/admin")
