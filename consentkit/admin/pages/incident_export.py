"""Handing an incident over: one signed bundle, made while its page waits, and entered in the register of copies.

Owns the form, the page that waits and the download. Writing the bundle is `bundling`'s.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import bundling
from consentkit.admin.answer import NOT_FOUND, Download, Entry, Page, Refused, SeeOther, Written
from consentkit.admin.incidentwords import (
    Copy,
    busy,
    copies,
    day_of,
    gone,
    of_case,
    one_line,
    open_incident_of,
    review_fault,
    text_fault,
)
from consentkit.admin.visit import Route, Visit
from consentkit.archive.export.pending import Progress
from consentkit.archive.incident.evidence import EvidenceOrder
from consentkit.archive.incident.listing import BadIncident, Incident, today_utc
from consentkit.archive.periodlock import PeriodBusy

if TYPE_CHECKING:
    from consentkit.admin.answer import Answer

MAX_RECIPIENT_CHARACTERS: Final = 200


class ExportView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_export.html`` is given.

    Attributes:
        incident: which one.
        recipient, destroy_by: as they were given.
        errors: by field.
        fault: why nothing was begun; empty = nothing was tried.
        copies: that were handed out before.
        today: ISO date.
    """

    incident: Incident
    recipient: str
    destroy_by: str
    errors: Mapping[str, str]
    fault: str
    copies: tuple[Copy, ...]
    today: str


class BundleView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_bundle.html`` is given: the incident's number, how far its bundle came, and its name."""

    number: int
    progress: Progress
    name: str
    has_failed: bool


async def get_export(visit: Visit) -> Answer:
    """Ask for whom, and until when."""
    incident = await open_incident_of(visit)
    destroy_by = max(incident.review, today_utc().isoformat())
    return await _form(visit, incident, "", destroy_by, {})


async def post_export(visit: Visit) -> Answer:
    """Begin the bundle."""
    incident, say = await open_incident_of(visit), visit.say
    recipient, text = one_line(visit.form.get("recipient", "")), visit.form.get("destroy_by", "")
    day = day_of(text)
    errors = {
        "recipient": text_fault(say, recipient, MAX_RECIPIENT_CHARACTERS) if recipient else "",
        "destroy_by": review_fault(say, day),
    }
    errors = {name: fault for name, fault in errors.items() if fault}
    if errors:
        return await _form(visit, incident, recipient, text, errors)
    order = EvidenceOrder(
        operator=visit.office.settings.site.operator,
        output=_file_name(incident.number),
        recipient=recipient,
        destroy_by=day,
    )
    look = of_case(visit.look, incident)
    try:
        name, entry = await visit.work(
            bundling.begin, visit.office, incident.number, visit.entrant.actor, look, order
        )
    except bundling.Occupied:
        fault = say.gettext("Another bundle is being made. Try again when it is done.")
        return await _form(visit, incident, recipient, text, {}, fault=fault)
    except BadIncident:
        raise gone(say) from None
    except PeriodBusy:
        raise busy(say) from None
    return SeeOther(path=f"/incidents/{incident.number}/export/{name}", entry=Written(entry))


async def get_bundle(visit: Visit) -> Answer:
    """Show how far the bundle came, then the way to its file."""
    name, progress = visit.request.path_params["name"], await _progress(visit)
    view = BundleView(
        number=visit.request.path_params["number"],
        progress=progress,
        name=name,
        has_failed=progress.state == "failed" or progress.has_died,
    )
    # It shows nobody's data, and is asked for every few seconds.
    return Page(template="incident_bundle.html", view=view, entry=Written(progress.entry))


async def get_file(visit: Visit) -> Answer:
    """Send the bundle."""
    name, progress = visit.request.path_params["name"], await _progress(visit)
    number = visit.request.path_params["number"]
    path = await visit.work(bundling.pending(visit.office).hand_out, name) if progress.state == "done" else None
    if path is None:
        raise Refused(NOT_FOUND, visit.say.gettext("This bundle is gone: it is kept for an hour. Make another."))
    detail = {"incident": number, "copy": progress.copy}
    entry = Entry(action="incident.export.download", detail=detail, look=visit.look)
    file_name = _file_name(number, progress.begun_us)
    return Download(file_name=file_name, content_type="application/zip", content=path, entry=entry)


async def _form(
    visit: Visit,
    incident: Incident,
    recipient: str,
    destroy_by: str,
    errors: Mapping[str, str],
    *,
    fault: str = "",
) -> Page:
    view = ExportView(
        incident=incident,
        recipient=recipient,
        destroy_by=destroy_by,
        errors=errors,
        fault=fault,
        copies=await visit.work(copies, visit.office, incident),
        today=today_utc().isoformat(),
    )
    entry = Entry(action="admin.incident", detail={"incident": incident.number, "page": "export"})
    return Page(
        template="incident_export.html", view=view, entry=entry, status=409 if fault else 400 if errors else 200
    )


async def _progress(visit: Visit) -> Progress:
    """Return how far the entrant's own bundle came.

    Raises:
        Refused: there is none of this name, or it is another's.
    """
    exports, name = bundling.pending(visit.office), visit.request.path_params["name"]
    found = await visit.work(exports.find, name, visit.entrant.name)
    if found is None or found.format != bundling.FORMAT:
        raise Refused(NOT_FOUND, visit.say.gettext("This bundle is gone: it is kept for an hour. Make another."))
    return found


def _file_name(number: int, time_us: int | None = None) -> str:
    seconds = time.time() if time_us is None else time_us / 1e6
    return f"incident-{number}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(seconds))}.zip"


_EXPORT: Final = "/incidents/{number:int}/export"

ROUTES: Final = (
    Route(path=_EXPORT, action="incident.export", handler=get_export, needs_look=True),
    Route(path=_EXPORT, action="incident.export", handler=post_export, method="POST", needs_look=True),
    Route(path=_EXPORT + "/{name}", action="incident.export", handler=get_bundle),
    Route(path=_EXPORT + "/{name}/file", action="incident.export", handler=get_file, needs_look=True),
)
