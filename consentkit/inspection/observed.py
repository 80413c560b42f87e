"""What a visitor meets on a site, as values: cookies, storage, hosts and the banner; never what they hold.

Owns the shapes alone. How they are met is `browsing`'s and `calling`'s job, what they mean `findings`'.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from consentkit.errors import ConsentKitError

Visitor: TypeAlias = Literal["undecided", "refusing", "withdrawn", "gpc", "accepting"]
Answer: TypeAlias = Literal["accept", "reject"]

Key = TypeVar("Key")
Value = TypeVar("Value")

VISITORS: Final[tuple[Visitor, ...]] = ("undecided", "refusing", "withdrawn", "gpc", "accepting")

# More than a page in good order has; one that invents names without end must not fill the report.
MAX_FOUND: Final = 500
MAX_TEXT: Final = 200


class InspectionError(ConsentKitError):
    """Say why a site can't be visited, and the way out."""


class CookieFound(msgspec.Struct, frozen=True, kw_only=True):
    """A cookie in the visitor's browser.

    Attributes:
        name: as it is; hostile.
        domain: without a leading dot.
        path: of the cookie.
        lifetime_days: from when it was met; None = until the browser closes.
        http_only: no script reads it.
        page: path of the page after which it was met first.
    """

    name: str
    domain: str
    path: str
    lifetime_days: float | None
    http_only: bool
    page: str


class StorageFound(msgspec.Struct, frozen=True, kw_only=True):
    """A key in localStorage or sessionStorage.

    Attributes:
        key: as it is; hostile.
        area: which of the two.
        host: whose.
        page: as for a cookie.
    """

    key: str
    area: Literal["localStorage", "sessionStorage"]
    host: str
    page: str


class HostFound(msgspec.Struct, frozen=True, kw_only=True):
    """Another host that the browser asked for something.

    Attributes:
        host: without port, lower case.
        page: path of the page that asked first.
    """

    host: str
    page: str


class Size(msgspec.Struct, frozen=True):
    """Size of a button in CSS pixels."""

    width: float
    height: float


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """How the visitor was asked.

    Attributes:
        is_shown: a banner with consentkit's hooks was there to be seen.
        accept, reject: whether there was such a button.
        accept_size, reject_size: where there is a screen.
    """

    is_shown: bool = False
    accept: bool = False
    reject: bool = False
    accept_size: Size | None = None
    reject_size: Size | None = None


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """One visitor's way through the site.

    Attributes:
        visitor: who. Of a withdrawn one, only what was met after the withdrawal counts.
        pages: paths that were opened.
        banner: on the first page.
        cookies, storage, hosts: what was met, each once.
        faults: what could not be done, in words.
    """

    visitor: Visitor
    pages: tuple[str, ...] = ()
    banner: Banner = Banner()
    cookies: tuple[CookieFound, ...] = ()
    storage: tuple[StorageFound, ...] = ()
    hosts: tuple[HostFound, ...] = ()
    faults: tuple[str, ...] = ()


class Notes:
    """Gather what one visitor meets, each thing once, and not more than a report can show."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.faults: list[str] = []
        self.banner = Banner()
        self._cookies: dict[tuple[str, str, str], CookieFound] = {}
        self._storage: dict[tuple[str, str, str], StorageFound] = {}
        self._hosts: dict[str, HostFound] = {}

    def cookie(self, found: CookieFound) -> None:
        """Note a cookie; of one that comes again the longest lifetime counts."""
        key = (found.name, found.domain, found.path)
        before = self._cookies.get(key)
        if before is None:
            _add(self._cookies, key, found)
        elif (found.lifetime_days or 0) > (before.lifetime_days or 0):
            self._cookies[key] = msgspec.structs.replace(before, lifetime_days=found.lifetime_days)

    def store(self, found: StorageFound) -> None:
        """Note a key."""
        _add(self._storage, (found.key, found.area, found.host), found)

    def host(self, found: HostFound) -> None:
        """Note another host."""
        _add(self._hosts, found.host, found)

    def forget(self) -> None:
        """Begin anew, as after a withdrawal; pages and faults stay."""
        self._cookies.clear()
        self._storage.clear()
        self._hosts.clear()

    def walk(self, visitor: Visitor) -> Walk:
        """Return what was gathered."""
        return Walk(
            visitor=visitor,
            pages=tuple(dict.fromkeys(self.pages)),
            banner=self.banner,
            cookies=tuple(sorted(self._cookies.values(), key=lambda one: (one.domain, one.name))),
            storage=tuple(sorted(self._storage.values(), key=lambda one: (one.host, one.key))),
            hosts=tuple(sorted(self._hosts.values(), key=lambda one: one.host)),
            faults=tuple(dict.fromkeys(self.faults)),
        )


def clipped(text: str) -> str:
    """Return a text from outside, not longer than a report shows."""
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _add(found: dict[Key, Value], key: Key, value: Value) -> None:
    if len(found) < MAX_FOUND:
        found.setdefault(key, value)
