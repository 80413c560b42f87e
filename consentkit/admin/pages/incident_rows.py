"""The rows of an incident, newest first, addresses masked until they are shown for its case.

Owns what the audit says of each page. How a page is found within its time is `incidentlook`'s, how rows are shown
`rowview`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import rowview
from consentkit.admin.answer import Entry, Page, Refused
from consentkit.admin.incidentlook import Part, look_into
from consentkit.admin.incidentwords import busy, gone, of_case, open_incident_of
from consentkit.admin.looking import PATIENT_SECONDS, SECONDS
from consentkit.admin.masking import Mask
from consentkit.admin.pages.search import FormView, form_view
from consentkit.admin.searching import Asked, asked
from consentkit.admin.visit import Route, Visit
from consentkit.admin.writing import Writing
from consentkit.archive.exposure import page_detail
from consentkit.archive.incident.listing import BadIncident, Incident
from consentkit.archive.periodlock import PeriodBusy
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.admin.answer import Answer


class RowsView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_rows.html`` is given.

    Attributes:
        incident: which one.
        form: the filters.
        rows: one page; None where a filter can't be read.
        newer, older: query strings of the pages beside it; None = there is none.
        reached_us: how far a search came that its time limit ended; None where it was not.
        upwards: it went on to later rows.
        seconds: how long it was given.
        patient: query string of a longer search, where nothing was reached; empty = something was.
        here: this very page's.
        is_revealed: addresses are shown.
    """

    incident: Incident
    form: FormView
    rows: tuple[rowview.Row, ...] | None
    newer: str | None
    older: str | None
    reached_us: int | None
    upwards: bool
    seconds: int
    patient: str
    here: str
    is_revealed: bool


async def get_rows(visit: Visit) -> Answer:
    """Show a page of rows."""
    return await _answer(visit, is_revealed=False)


async def post_reveal(visit: Visit) -> Answer:
    """Show the same page with its addresses: what an incident holds never changes but by an erasure."""
    return await _answer(visit, is_revealed=True)


async def _answer(visit: Visit, *, is_revealed: bool) -> Answer:
    incident = await open_incident_of(visit)
    wanted = asked(visit, since="")
    try:
        # What is shown again with its addresses was found before: it must not be less for want of time.
        part = (
            None
            if wanted.faults
            else await visit.work(
                look_into, visit.office.holdings, incident.number, wanted, is_patient=is_revealed
            )
        )
    except BadIncident:
        raise gone(visit.say) from None
    except PeriodBusy:
        raise busy(visit.say) from None
    except StorageError:
        raise Refused(503, visit.say.gettext("The requests of this incident can't be read.")) from None
    found = part.rows if part else ()
    detail = {"incident": incident.number, "filters": wanted.given(), **page_detail(wanted.filters, found)}
    entry = Entry(
        action="incident.reveal" if is_revealed else "incident.show",
        detail=detail,
        rows=len(found),
        look=of_case(visit.look, incident),
    )
    view = _view(visit, incident, wanted, part, is_revealed=is_revealed)
    return Page(template="incident_rows.html", view=view, entry=entry, status=400 if wanted.faults else 200)


def _view(visit: Visit, incident: Incident, wanted: Asked, part: Part | None, *, is_revealed: bool) -> RowsView:
    say, write, mask = visit.say, Writing(visit.say), Mask(visit.office.keyring, visit.entrant)
    form = msgspec.structs.replace(form_view(say, wanted), presets=())  # so long ago means nothing here
    return RowsView(
        incident=incident,
        form=form,
        rows=None
        if part is None
        else rowview.rows(part.rows, wanted, say=say, write=write, mask=mask, is_revealed=is_revealed),
        newer=wanted.at(after=part.newer) if part and part.newer is not None else None,
        older=wanted.at(before=part.older) if part and part.older is not None else None,
        reached_us=part.reached.time_us if part and part.reached else None,
        upwards=wanted.after is not None,
        seconds=int(PATIENT_SECONDS if wanted.is_patient else SECONDS),
        patient=wanted.at(before=wanted.before, after=wanted.after, long="1") if part and part.is_stuck else "",
        here=wanted.at(before=wanted.before, after=wanted.after),
        is_revealed=is_revealed,
    )


_ROWS: Final = "/incidents/{number:int}/rows"

ROUTES: Final = (
    Route(path=_ROWS, action="incident.view", handler=get_rows, needs_look=True),
    Route(path=_ROWS + "/reveal", action="incident.view", handler=post_reveal, method="POST", needs_look=True),
)
