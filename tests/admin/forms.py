"""The forms and links of a page, read as a browser reads them, so that tests follow pages that they don't name."""

from __future__ import annotations

import importlib
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final
from urllib.parse import urldefrag, urljoin

import msgspec

from consentkit.admin.app import PAGES
from consentkit.admin.routing import RouteTable
from consentkit.admin.visit import Route
from tests.admin.area import ROOT

if TYPE_CHECKING:
    from tests.admin.area import Client

ROUTES: Final[tuple[Route, ...]] = tuple(
    route for name in PAGES for route in importlib.import_module(f"consentkit.admin.pages.{name}").ROUTES
)
TABLE: Final = RouteTable(ROUTES)

# So many addresses of one route are opened: with rows and without are two pages.
_MAX_OF_ROUTE: Final = 2


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form.

    Attributes:
        name: of it.
        kind: ``text``, ``hidden``, ``date``, ``checkbox``, ``radio``, ``select``, ``textarea``, ….
        value: as it stands there.
        is_checked: of a check box or a radio button.
    """

    name: str
    kind: str
    value: str = ""
    is_checked: bool = False


class Form(msgspec.Struct):
    """One form: where it goes, under the admin area, and its fields."""

    path: str
    method: str
    fields: list[Field]

    def sent(self) -> dict[str, str]:
        """What a browser sends of it where nobody touches it."""
        fields = self.fields
        return {one.name: one.value for one in fields if one.is_checked or one.kind not in ("checkbox", "radio")}


class Shown(HTMLParser):
    """What a page leads to.

    Attributes:
        links: addresses under the admin area, with their queries.
        forms: all of them.
    """

    def __init__(self, text: str, path: str) -> None:
        super().__init__(convert_charrefs=True)
        self._address = ROOT + path
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._select = ""
        self._is_in_form = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in named:
            address = self._under(named["href"])
            if address:
                self.links.append(address)
        elif tag == "form":
            self.forms.append(Form(self._under(named.get("action", "")), named.get("method", "get").upper(), []))
            self._is_in_form = True
        elif self._is_in_form:
            self._take(tag, named)

    def handle_endtag(self, tag: str) -> None:
        self._is_in_form = self._is_in_form and tag != "form"

    def _take(self, tag: str, named: dict[str, str]) -> None:
        fields, name = self.forms[-1].fields, named.get("name", "")
        if tag == "select":
            self._select = name
            fields.append(Field(name=name, kind="select"))
        elif tag == "option" and (fields[-1].value == "" or "selected" in named):
            fields[-1] = Field(name=self._select, kind="select", value=named.get("value", ""))
        elif tag == "textarea":
            fields.append(Field(name=name, kind="textarea"))
        elif tag in ("input", "button") and name:
            kind = named.get("type", "text" if tag == "input" else "submit")
            value = named.get("value", "on" if kind == "checkbox" else "")
            fields.append(Field(name=name, kind=kind, value=value, is_checked="checked" in named))

    def _under(self, address: str) -> str:
        whole = urldefrag(urljoin(self._address, address)).url
        return whole.removeprefix(ROOT) or "/" if whole.startswith(ROOT) else ""


class Walk:
    """All that a person can open from the start, by links alone.

    Attributes:
        pages: the texts of pages, by address under the admin area.
        files: names of answers that are no pages, by address.
        routes: paths of the routes that were opened.
        faults: addresses to which a link leads and which were not answered well, with their status.
    """

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.routes: set[str] = set()
        self.faults: list[tuple[str, int]] = []

    def forms(self) -> list[tuple[str, Form]]:
        """Return each form once: the address of its page, and the form."""
        found = [(address, form) for address, text in self.pages.items() for form in Shown(text, address).forms]
        return list({(form.path, form.method): (address, form) for address, form in found}.values())


async def walk(client: Client, *starts: str) -> Walk:
    """Follow links from the start, a few of each route; other languages' are left out."""
    found, waiting, seen = Walk(), ["/", *starts], dict[str, int]()
    known = set(waiting)
    for address in waiting:  # grows while it is walked
        path = address.partition("?")[0]
        match = TABLE.find(path, "GET")
        route = match.route.path if match is not None and match.route is not None else path
        if seen.get(route, 0) >= _MAX_OF_ROUTE:
            continue
        seen[route] = seen.get(route, 0) + 1
        answer = await client.get(address)
        if answer.status_code != 200:
            found.faults.append((address, answer.status_code))
            continue
        found.routes.add(route)
        if not answer.headers["content-type"].startswith("text/html"):
            found.files[address] = answer.content
            continue
        found.pages[address] = answer.text
        links = Shown(answer.text, address).links
        new = [link for link in dict.fromkeys(links) if link not in known and "lang=" not in link]
        known.update(new)
        waiting += new
    return found
