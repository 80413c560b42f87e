"""One incident: why it is held, whether it is what was copied, what its rows add up to, and its journal.

Owns the page, and notes in the journal. Counting and verifying read the whole file: of a large incident they are
made when they are asked for, and kept for some minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.answer import Entry, Page, SeeOther
from consentkit.admin.incidentcounts import Counted, counted
from consentkit.admin.incidentjournal import Journal, journal_of
from consentkit.admin.incidentsums import KeptSums, Sums, add_up
from consentkit.admin.incidentwords import (
    MAX_REASON_CHARACTERS,
    Copy,
    State,
    busy,
    copies,
    found_by,
    incident_of,
    of_case,
    one_line,
    state_of,
    text_fault,
)
from consentkit.admin.visit import Route, Visit
from consentkit.archive.incident.closing import certificate
from consentkit.archive.incident.listing import BadIncident, Incident
from consentkit.archive.periodlock import PeriodBusy
from consentkit.audit import AuditEntry

if TYPE_CHECKING:
    from consentkit.admin.answer import Answer
    from consentkit.admin.office import Office

# Up to so many rows all is counted and verified with each look; it takes some 0.1 s.
MAX_AT_ONCE: Final = 15_000

# Of larger ones that somebody asked for, in this worker.
large: Final = KeptSums()


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident.html`` is given.

    Attributes:
        incident, state: which one, and how it stands.
        found_by: by which filters, addresses masked; empty where none is kept.
        counted: what its rows add up to; None where there are none, or that was not asked for of late.
        is_large: its rows are added up when that is asked for.
        journal: what was done for its case.
        copies: that were handed out.
        certificate: of its closing; None where it is not closed, or the entry was pruned.
        note, note_error: the form for a note.
        may_change, may_export, may_close: what the entrant may do.
    """

    incident: Incident
    state: State
    found_by: str
    counted: Counted | None
    is_large: bool
    journal: Journal
    copies: tuple[Copy, ...]
    certificate: AuditEntry | None
    note: str
    note_error: str
    may_change: bool
    may_export: bool
    may_close: bool


async def get_incident(visit: Visit) -> Answer:
    """Show one."""
    return await _page(visit, await incident_of(visit))


async def post_note(visit: Visit) -> Answer:
    """Add a note to the journal; it is an entry of the audit, so nobody takes it back."""
    incident, note = await incident_of(visit), one_line(visit.form.get("note", ""))
    if fault := text_fault(visit.say, note, MAX_REASON_CHARACTERS):
        return await _page(visit, incident, note=note, note_error=fault)
    look = msgspec.structs.replace(of_case(visit.look, incident), reason=note)
    entry = Entry(action="incident.note", detail={"incident": incident.number}, look=look)
    return SeeOther(path=f"/incidents/{incident.number}#journal", entry=entry)


async def _page(visit: Visit, incident: Incident, *, note: str = "", note_error: str = "") -> Page:
    office, say = visit.office, visit.say
    sums = None
    if incident.state == "open":
        try:
            sums = await visit.work(_sums, visit, incident)
        except BadIncident:  # closed a moment ago
            incident = await incident_of(visit)
        except PeriodBusy:
            raise busy(say) from None
    view = IncidentView(
        incident=incident,
        state=state_of(say, incident),
        found_by=found_by(incident),
        counted=None if sums is None else counted(visit, sums),
        is_large=incident.rows > MAX_AT_ONCE,
        journal=await visit.work(journal_of, say, office, incident),
        copies=await visit.work(copies, office, incident),
        certificate=await visit.work(_certificate, office, incident),
        note=note,
        note_error=note_error,
        may_change=visit.entrant.may("incident.open"),
        may_export=visit.entrant.may("incident.export"),
        may_close=visit.entrant.may("incident.close"),
    )
    entry = Entry(action="incident.show", detail={"incident": incident.number}, look=of_case(visit.look, incident))
    return Page(template="incident.html", view=view, entry=entry, status=400 if note_error else 200)


def _sums(visit: Visit, incident: Incident) -> Sums | None:
    holdings = visit.office.holdings
    if incident.rows <= MAX_AT_ONCE:
        return add_up(holdings, incident.number)
    if visit.query.get("all") == "1":
        return large.add_up(holdings, incident)
    return large.find(holdings, incident)


def _certificate(office: Office, incident: Incident) -> AuditEntry | None:
    if incident.state != "closed":
        return None
    with office.control.transaction() as connection:
        return certificate(connection, incident.number)


_ONE: Final = "/incidents/{number:int}"

ROUTES: Final = (
    Route(path=_ONE, action="incident.view", handler=get_incident, needs_look=True),
    Route(path=_ONE + "/note", action="incident.open", handler=post_note, method="POST", needs_look=True),
)
