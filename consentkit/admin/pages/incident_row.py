"""All that is known of one row of an incident, by the names that the command line and the bundles use.

Owns the page. A link to it holds nothing but the place of the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import rowview
from consentkit.admin.answer import NOT_FOUND, Entry, Page, Refused
from consentkit.admin.incidentlook import row_at
from consentkit.admin.incidentwords import busy, gone, of_case, open_incident_of
from consentkit.admin.visit import Route, Visit
from consentkit.archive.exposure import page_detail
from consentkit.archive.incident.listing import BadIncident, Incident
from consentkit.archive.periodlock import PeriodBusy
from consentkit.archive.search.typed import parse_cursor
from consentkit.archive.store.interface import Filters
from consentkit.errors import BadSearch, StorageError

if TYPE_CHECKING:
    from consentkit.archive.search import Found
    from consentkit.archive.store.interface import Cursor


class IncidentRowView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_row.html`` is given: the incident, and the fields of its row that have a value, masked."""

    incident: Incident
    fields: tuple[tuple[str, str], ...]


async def get_row(visit: Visit) -> Page:
    """Show one row."""
    incident = await open_incident_of(visit)
    place, row = await _found(visit, incident)
    detail = {
        "incident": incident.number,
        "filters": {"at": str(place)},
        **page_detail(Filters(), [row]),
    }
    entry = Entry(action="incident.show", detail=detail, rows=1, look=of_case(visit.look, incident))
    view = IncidentRowView(incident=incident, fields=rowview.fields(row[1], is_revealed=False))
    return Page(template="incident_row.html", view=view, entry=entry)


async def _found(visit: Visit, incident: Incident) -> tuple[Cursor, Found]:
    say = visit.say
    try:
        place = parse_cursor("at", visit.query.get("at", ""))
        row = await visit.work(row_at, visit.office.holdings, incident.number, place)
    except BadSearch:
        raise Refused(400, say.gettext("This address is damaged. Begin the search anew.")) from None
    except BadIncident:
        raise gone(say) from None
    except PeriodBusy:
        raise busy(say) from None
    except StorageError:
        raise Refused(503, say.gettext("The requests of this incident can't be read.")) from None
    if row is None:
        raise Refused(NOT_FOUND, say.gettext("There is no such request any more, or it may not be shown."))
    return place, row


ROUTES: Final = (
    Route(path="/incidents/{number:int}/rows/row", action="incident.view", handler=get_row, needs_look=True),
)
