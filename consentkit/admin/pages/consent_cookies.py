"""Cookies: what is declared and when it was met, what nobody declared, what was kept from visitors.

Owns the page and its address. The rows are `cookierows`'. Nothing here is about a person.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from consentkit.admin import cookierows, met, wording
from consentkit.admin.answer import Answer, Entry, Page
from consentkit.admin.cookierows import CATEGORIES, LISTS, SORTS, Asked, Listed, PageOf, Row
from consentkit.admin.visit import Route, Visit
from consentkit.consent.inventory import KEPT_DAYS
from consentkit.consent.sightings import NETWORKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consentkit.web.texts import Catalogue

_MOST_CHARACTERS: Final = 128


class ListLink(msgspec.Struct, frozen=True, kw_only=True):
    """One of the lists, with how many it holds."""

    label: str
    query: str
    count: int
    is_current: bool


class CookiesView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent_cookies.html`` is given.

    Attributes:
        listed: which of the lists is shown.
        lists: all of them.
        page: rows of this one.
        asked: the filter.
        categories, sorts: to choose from, with their names; a declared cookie's category is named by the first.
        undeclared: how many cookies nobody declared.
        is_blocked: those that the application sets are kept from visitors.
        last, days: the last day on which anything was met, and on how many; None and 0 = never.
        kept_days, networks: bounds of what is shown.
        first, next: queries of the first page and of the following one; empty = there is none.
    """

    listed: Listed
    lists: tuple[ListLink, ...]
    page: PageOf
    asked: Asked
    categories: tuple[tuple[str, str], ...]
    sorts: tuple[tuple[str, str], ...]
    undeclared: int
    is_blocked: bool
    last: date | None
    days: int
    kept_days: int
    networks: int
    first: str
    next: str


async def get_cookies(visit: Visit) -> Answer:
    """Show one of the lists."""
    return Page(
        template="consent_cookies.html",
        view=await visit.work(_view, visit),
        entry=Entry(action="admin.cookies"),
    )


def _view(visit: Visit) -> CookiesView:
    office, say = visit.office, visit.say
    inventory = met.inventory(office)
    listed: Listed = next((each for each in LISTS if each == visit.query.get("list")), "declared")
    asked = _asked(visit.query)
    rows: dict[Listed, Sequence[Row]] = {
        "declared": cookierows.declared_rows(office.registry, inventory, say.language),
        "undeclared": cookierows.undeclared_rows(office.registry, inventory),
        "dropped": cookierows.name_rows(inventory, "dropped"),
        "undeletable": cookierows.name_rows(inventory, "undeletable"),
        "blocked_hosts": cookierows.name_rows(inventory, "blocked_hosts"),
    }
    page = cookierows.choose(rows[listed], asked)
    fields = _fields(listed, asked)
    return CookiesView(
        listed=listed,
        lists=tuple(
            ListLink(
                label=label,
                query=urlencode({"list": each}),
                count=len(rows[each]),
                is_current=each == listed,
            )
            for each, label in zip(LISTS, _list_labels(say), strict=True)
        ),
        page=page,
        asked=asked,
        categories=tuple((each, wording.category_name(say, each)) for each in CATEGORIES),
        sorts=tuple(zip(SORTS, _sort_labels(say), strict=True)),
        undeclared=len(rows["undeclared"]),
        is_blocked=office.settings.consent.undeclared == "block",
        last=inventory.last,
        days=inventory.days,
        kept_days=KEPT_DAYS,
        networks=NETWORKS,
        first="" if page.is_first else urlencode(fields),
        next=urlencode({**fields, "after": page.after}, errors="replace") if page.after else "",
    )


def _asked(query: Mapping[str, str]) -> Asked:
    category, sort = query.get("category", ""), query.get("sort", "")
    return Asked(
        text=query.get("text", "").strip().lower()[:_MOST_CHARACTERS],
        category=category if category in CATEGORIES else "",
        sort=next((each for each in SORTS if each == sort), "name"),
        after=query.get("after", "")[: 4 * _MOST_CHARACTERS],
    )


def _fields(listed: Listed, asked: Asked) -> dict[str, str]:
    """Return what an address of the same list says, as far as it differs from the usual."""
    fields = {"list": listed, "text": asked.text, "category": asked.category, "sort": asked.sort}
    usual = {"list": "declared", "text": "", "category": "", "sort": "name"}
    return {name: value for name, value in fields.items() if value != usual[name]}


def _list_labels(say: Catalogue) -> tuple[str, ...]:
    return (
        say.pgettext("cookies", "Declared"),
        say.pgettext("cookies", "Undeclared"),
        say.pgettext("cookies", "Dropped"),
        say.pgettext("cookies", "Not deletable"),
        say.gettext("Blocked hosts"),
    )


def _sort_labels(say: Catalogue) -> tuple[str, ...]:
    return (
        say.pgettext("cookie", "Name"),
        say.gettext("Category"),
        say.gettext("Last seen"),
        say.pgettext("cookie", "Set"),
        say.pgettext("cookie", "Sent"),
        say.pgettext("cookie", "Dropped"),
    )


ROUTES: Final = (Route(path="/consent/cookies", action="consent.view", handler=get_cookies),)
