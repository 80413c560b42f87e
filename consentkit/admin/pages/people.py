"""People's requests: the list with its deadlines, and entering a new one.

Owns both pages. The steps of a request are `people_request`'s; what is written, and its entries in the audit,
`archive.subject`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final
from urllib.parse import urlencode

import msgspec

from consentkit.admin.answer import Answer, Entry, Page, SeeOther, Written
from consentkit.admin.subjects import Standing, fault_words, kind_hint, kind_name, standing, state_name
from consentkit.admin.visit import Route, Visit
from consentkit.archive.restrictions import Restriction, in_force
from consentkit.archive.subject import register
from consentkit.archive.subject.requests import (
    ENDINGS,
    KINDS,
    UnfitRequest,
    count_open,
    list_requests,
    today_utc,
)

_PAGE_ROWS: Final = 50
_MAX_NUMBER: Final = 2**53


class PeopleView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``people.html`` is given.

    Attributes:
        rows: one page, newest first.
        kinds, states: to choose from, each with its name.
        kind, state, only_overdue: as they were chosen.
        opened, overdue: of all requests.
        older: address of the page after this one; empty = there is none.
        restrictions: in force.
    """

    rows: tuple[Standing, ...]
    kinds: tuple[tuple[str, str], ...]
    states: tuple[tuple[str, str], ...]
    kind: str
    state: str
    only_overdue: bool
    opened: int
    overdue: int
    older: str
    restrictions: tuple[Restriction, ...]


class NewView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``people_new.html`` is given: kinds with name and hint, what was typed, and what is wrong with it."""

    kinds: tuple[tuple[str, str, str], ...]
    given: Mapping[str, str]
    today: str
    errors: Mapping[str, str] = {}


async def get_people(visit: Visit) -> Answer:
    """List the requests."""
    kind, state = visit.query.get("kind", ""), visit.query.get("state", "")
    only_overdue = visit.query.get("overdue") == "1"
    before = _number(visit.query.get("before", "0"))
    chosen = {"kind": kind, "state": state, "overdue": "1" if only_overdue else ""}
    view = await visit.work(_people, visit, chosen, before)
    filters = {name: value[:16] for name, value in chosen.items() if value}
    return Page(template="people.html", view=view, entry=Entry(action="admin.people", detail={"filters": filters}))


async def get_new(visit: Visit) -> Answer:
    """Show an empty form."""
    return _new_page(visit, {"received": today_utc().isoformat()})


async def post_new(visit: Visit) -> Answer:
    """Enter a request."""
    kind = next((each for each in KINDS if each == visit.form.get("kind")), None)
    if kind is None:
        return _new_page(visit, visit.form, {"kind": visit.say.gettext("Choose one of them.")})
    received = _day(visit.form.get("received", ""))
    if received is None:
        return _new_page(visit, visit.form, {"received": visit.say.gettext("This is no date.")})
    try:
        request = await visit.work(
            register.enter,
            visit.office.control,
            visit.entrant.actor,
            kind,
            reference=visit.form.get("reference", ""),
            received=received,
            grounds=visit.form.get("grounds", ""),
        )
    except UnfitRequest as exc:
        return _new_page(visit, visit.form, {exc.field: fault_words(visit.say, exc)})
    return SeeOther(path=f"/people/{request.number}", notice="request-entered", entry=Written(0))


def _number(text: str) -> int:
    """Return a number of a query; 0 = it is none."""
    is_number = text.isascii() and text.isdecimal() and len(text) < len(str(_MAX_NUMBER))
    return int(text) if is_number else 0


def _people(visit: Visit, chosen: Mapping[str, str], before: int) -> PeopleView:
    control, say, today = visit.office.control, visit.say, today_utc()
    only_overdue = bool(chosen["overdue"])
    found = list_requests(
        control,
        state=chosen["state"],
        kind=chosen["kind"],
        overdue_on=today if only_overdue else None,
        before=before,
        limit=_PAGE_ROWS + 1,
    )
    opened, overdue = count_open(control, today)
    older = ""
    if len(found) > _PAGE_ROWS:
        query = {name: value for name, value in chosen.items() if value}
        older = f"?{urlencode({**query, 'before': found[_PAGE_ROWS - 1].number}, errors='replace')}"
    return PeopleView(
        rows=tuple(standing(say, one, today) for one in found[:_PAGE_ROWS]),
        kinds=tuple((each, kind_name(say, each)) for each in KINDS),
        states=tuple((each, state_name(say, each)) for each in ("open", *ENDINGS)),
        kind=chosen["kind"],
        state=chosen["state"],
        only_overdue=only_overdue,
        opened=opened,
        overdue=overdue,
        older=older,
        restrictions=tuple(in_force(control, today)),
    )


def _new_page(visit: Visit, given: Mapping[str, str], errors: Mapping[str, str] | None = None) -> Page:
    say = visit.say
    view = NewView(
        kinds=tuple((each, kind_name(say, each), kind_hint(say, each)) for each in KINDS),
        given=dict(given),
        today=today_utc().isoformat(),
        errors=errors or {},
    )
    entry = Entry(action="admin.people.new")
    return Page(template="people_new.html", view=view, entry=entry, status=400 if errors else 200)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


ROUTES: Final = (
    Route(path="/people", action="people.view", handler=get_people),
    Route(path="/people/new", action="people.decide", handler=get_new),
    Route(path="/people/new", method="POST", action="people.decide", handler=post_new),
)
