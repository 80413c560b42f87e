"""Cookies as rows of a page: what is declared and when it was met, what nobody declared, what was kept away.

Owns order, filter and paging. Declarations are the registry's, days and counts the inventory's; names of what is
not declared come from outside and are spelled out here.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from consentkit.consent.declared import NECESSARY, OPTIONAL
from consentkit.consent.inventory import Sighting
from consentkit.consent.undeclared import undeclared
from consentkit.web.spelling import spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from consentkit.consent.declared import DeclaredCookie
    from consentkit.consent.inventory import Inventory, Kind
    from consentkit.consent.registry import Registry

Sort: TypeAlias = Literal["name", "category", "last", "set", "sent", "dropped"]
Listed: TypeAlias = Literal["declared", "undeclared", "dropped", "undeletable", "blocked_hosts"]

SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
LISTS: Final[tuple[Listed, ...]] = get_args(Listed)
CATEGORIES: Final = (NECESSARY, *OPTIONAL)
PAGE_ROWS: Final = 50


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What of a list is wanted.

    Attributes:
        text: that the name, provider or service holds, in small letters; empty = any.
        category: empty = any.
        sort: of the declared ones.
        after: key of the row before the page; empty, or one that is gone = from the beginning.
    """

    text: str = ""
    category: str = ""
    sort: Sort = "name"
    after: str = ""


class DeclaredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One declared cookie.

    Attributes:
        key: names the row in an address, and is not shown.
        name, category, purpose, provider, service: as declared; `purpose` in the reader's language.
        lifetime_days: None = until the browser closes.
        is_elsewhere: it lives on another's domain, where this server never meets it.
        last: day on which it was last met; None = never.
        times_set, sent, dropped: how often, at least.
    """

    key: str
    name: str
    category: str
    purpose: str
    provider: str
    service: str
    lifetime_days: int | None
    is_elsewhere: bool
    last: date | None
    times_set: int
    sent: int
    dropped: int


class UndeclaredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One cookie that nobody declared; `declaration` is TOML to paste, empty where none can be written."""

    key: str
    name: str
    is_by_server: bool
    sighting: Sighting
    declaration: str


class NameRow(msgspec.Struct, frozen=True, kw_only=True):
    """One name that was met: of a declaration, or of a host."""

    key: str
    name: str
    sighting: Sighting


Row: TypeAlias = DeclaredRow | UndeclaredRow | NameRow


class PageOf(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rows.

    Attributes:
        rows: of one kind.
        total: how many the filter leaves.
        after: key of the last row, where more follow; empty = there are none.
        is_first: nothing stands before these.
    """

    rows: tuple[Row, ...]
    total: int
    after: str
    is_first: bool


def declared_rows(registry: Registry, met: Inventory, language: str) -> list[DeclaredRow]:
    """Return every declared cookie."""
    return [_declared(cookie, met, language) for cookie in registry.cookies]


def undeclared_rows(registry: Registry, met: Inventory) -> list[UndeclaredRow]:
    """Return what is in use and declared nowhere, what the application sets first."""
    return [
        UndeclaredRow(
            key=one.name,
            name=spelled(one.name),
            is_by_server=one.source == "server",
            sighting=one.sighting,
            declaration=one.declaration,
        )
        for one in undeclared(met, registry)
    ]


def name_rows(met: Inventory, kind: Kind) -> list[NameRow]:
    """Return the names of one kind, the most frequent first."""
    found = sorted(met.of(kind).items(), key=lambda item: (-item[1].count, item[0]))
    return [NameRow(key=name, name=spelled(name), sighting=sighting) for name, sighting in found]


def choose(rows: Sequence[Row], asked: Asked) -> PageOf:
    """Return a page of those rows that are asked for."""
    wanted = [row for row in rows if _fits(row, asked)]
    if wanted and isinstance(wanted[0], DeclaredRow):
        wanted.sort(key=_order(asked.sort))
    keys = [row.key for row in wanted]
    begin = keys.index(asked.after) + 1 if asked.after in keys else 0
    shown = wanted[begin : begin + PAGE_ROWS]
    has_more = begin + PAGE_ROWS < len(wanted)
    return PageOf(
        rows=tuple(shown), total=len(wanted), after=shown[-1].key if has_more else "", is_first=begin == 0
    )


def _declared(cookie: DeclaredCookie, met: Inventory, language: str) -> DeclaredRow:
    is_elsewhere = cookie.third_party

    def times(kind: Kind) -> int:
        sighting = met.of(kind).get(cookie.name)
        # A cookie of this site may have the name of another's, which is never met here.
        return sighting.count if sighting is not None and not is_elsewhere else 0

    return DeclaredRow(
        key=f"{cookie.name} {cookie.service}{' *' if is_elsewhere else ''}",
        name=cookie.name,
        category=cookie.category,
        purpose=cookie.purpose_for(language),
        provider=cookie.provider,
        service=cookie.service,
        lifetime_days=cookie.lifetime_days,
        is_elsewhere=is_elsewhere,
        last=None if is_elsewhere else met.last_of(cookie.name),
        times_set=times("set"),
        sent=times("sent"),
        dropped=times("dropped"),
    )


def _fits(row: Row, asked: Asked) -> bool:
    if not isinstance(row, DeclaredRow):
        return asked.text in row.name.lower()
    if asked.category and row.category != asked.category:
        return False
    return any(asked.text in text.lower() for text in (row.name, row.provider, row.service))


def _order(sort: Sort) -> Callable[[Row], tuple[int, str]]:
    def key(row: Row) -> tuple[int, str]:
        if not isinstance(row, DeclaredRow):
            return 0, row.key
        ranks: Mapping[Sort, int] = {
            "name": 0,
            "category": CATEGORIES.index(row.category) if row.category in CATEGORIES else len(CATEGORIES),
            "last": -(row.last.toordinal() if row.last else 0),
            "set": -row.times_set,
            "sent": -row.sent,
            "dropped": -row.dropped,
        }
        return ranks[sort], row.key.lower()

    return key
