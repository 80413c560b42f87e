"""The list of incidents: what is held beyond its period, for which case, and which reviews are overdue.

Owns the list and its filter. Each incident's own pages are the modules beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.answer import Entry, Page, Refused
from consentkit.admin.incidentwords import State, state_of
from consentkit.admin.visit import Route, Visit
from consentkit.archive.incident.listing import Incident, incidents, today_utc

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.web.texts import Catalogue

PAGE_ROWS: Final = 50
_MAX_DIGITS: Final = 15

_SHOWN: Final = ("", "open", "overdue", "closed")


class Row(msgspec.Struct, frozen=True):
    """One incident and how it stands."""

    incident: Incident
    state: State


class Choice(msgspec.Struct, frozen=True):
    """One filter of the list: its value, its name, how many it shows, and whether it is on."""

    value: str
    label: str
    count: int
    is_current: bool


class IncidentsView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incidents.html`` is given.

    Attributes:
        rows: one page, the last opened first.
        choices: filters.
        shown: the filter that is on.
        overdue: numbers of incidents whose review is overdue, whatever is shown.
        older: number to go on before; 0 = there are no more.
        is_later: this is not the first page.
        any: some incident was ever opened.
        may_open: the entrant may open one.
    """

    rows: tuple[Row, ...]
    choices: tuple[Choice, ...]
    shown: str
    overdue: tuple[int, ...]
    older: int
    is_later: bool
    any: bool
    may_open: bool


async def get_incidents(visit: Visit) -> Page:
    """List them."""
    shown, before = visit.query.get("show", ""), visit.query.get("before", "")
    if (
        shown not in _SHOWN
        or (before and not (before.isascii() and before.isdecimal()))
        or len(before) > _MAX_DIGITS
    ):
        raise Refused(400, visit.say.gettext("The address of this page is not complete. Begin with the newest."))
    found = await visit.work(_all, visit.office)
    view = _view(visit, found, shown, int(before) if before else None)
    return Page(template="incidents.html", view=view, entry=Entry(action="admin.incidents"))


def _view(visit: Visit, found: list[Incident], shown: str, before: int | None) -> IncidentsView:
    today, say = today_utc(), visit.say
    kinds = {
        "": found,
        "open": [one for one in found if one.state != "closed"],
        "overdue": [one for one in found if one.is_overdue(today)],
        "closed": [one for one in found if one.state == "closed"],
    }
    chosen = [one for one in kinds[shown] if before is None or one.number < before]
    page = chosen[:PAGE_ROWS]
    return IncidentsView(
        rows=tuple(Row(one, state_of(say, one)) for one in page),
        choices=tuple(
            Choice(kind, _kind_name(say, kind), len(ones), kind == shown) for kind, ones in kinds.items()
        ),
        shown=shown,
        overdue=tuple(one.number for one in kinds["overdue"]),
        older=page[-1].number if len(chosen) > PAGE_ROWS else 0,
        is_later=before is not None,
        any=bool(found),
        may_open=visit.entrant.may("incident.open"),
    )


def _all(office: Office) -> list[Incident]:
    with office.control.transaction() as connection:
        return incidents(connection)[::-1]


def _kind_name(say: Catalogue, kind: str) -> str:
    names = {
        "open": say.pgettext("incidents", "Open"),
        "overdue": say.pgettext("incidents", "Review overdue"),
        "closed": say.pgettext("incidents", "Closed"),
    }
    return names.get(kind, say.pgettext("incidents", "All"))


ROUTES: Final = (Route(path="/incidents", action="incident.view", handler=get_incidents),)
