"""The end of a hold: saying that the rows are still needed, and until when, or letting them go.

Owns both forms, and that what is confirmed is what was shown. How rows are destroyed is the archive's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.answer import Entry, Page, SeeOther, Written
from consentkit.admin.incidentwords import (
    MAX_REASON_CHARACTERS,
    Copy,
    State,
    busy,
    copies,
    day_of,
    gone,
    incident_of,
    one_line,
    open_incident_of,
    review_fault,
    state_of,
    text_fault,
)
from consentkit.admin.pages.incident import large
from consentkit.admin.visit import Route, Visit
from consentkit.archive.incident.closing import certificate, close
from consentkit.archive.incident.listing import BadIncident, Incident, today_utc
from consentkit.archive.incident.review import MAX_REVIEW_DAYS, move_review
from consentkit.archive.periodlock import PeriodBusy
from consentkit.audit import Look

if TYPE_CHECKING:
    from consentkit.admin.answer import Answer


class ReviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_review.html`` is given: the form as filled in, what is wrong by field, the limits."""

    incident: Incident
    state: State
    until: str
    reason: str
    errors: Mapping[str, str]
    first_day: str
    last_day: str
    may_close: bool


class CloseView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_close.html`` is given.

    Attributes:
        incident: which one.
        shown: what of it is confirmed.
        reason: as it was given.
        errors: by field.
        has_changed: it is not what was confirmed.
        copies: that are not reached.
    """

    incident: Incident
    shown: str
    reason: str
    errors: Mapping[str, str]
    has_changed: bool
    copies: tuple[Copy, ...]


async def get_review(visit: Visit) -> Answer:
    """Ask until when, and why."""
    incident = await open_incident_of(visit)
    days = min(visit.office.settings.keep.incident_review, MAX_REVIEW_DAYS)
    return _review_form(visit, incident, (today_utc() + timedelta(days=days)).isoformat(), "", {})


async def post_review(visit: Visit) -> Answer:
    """Move the review."""
    incident, say = await open_incident_of(visit), visit.say
    until, reason = visit.form.get("until", ""), one_line(visit.form.get("reason", ""))
    day = day_of(until)
    errors = {"until": review_fault(say, day), "reason": text_fault(say, reason, MAX_REASON_CHARACTERS)}
    errors = {name: fault for name, fault in errors.items() if fault}
    if errors or day is None:
        return _review_form(visit, incident, until, reason, errors)
    try:
        await visit.work(
            move_review,
            visit.office.holdings,
            incident.number,
            visit.entrant.actor,
            until=day,
            look=Look("incident", reason=reason),
            today=today_utc(),
        )
    except BadIncident:
        raise gone(say) from None
    return SeeOther(path=f"/incidents/{incident.number}", notice="incident-reviewed", entry=Written(0))


async def get_close(visit: Visit) -> Answer:
    """Show what would be destroyed."""
    incident = await incident_of(visit)
    if incident.state == "closed":
        raise gone(visit.say)
    return await _close_form(visit, incident, "", {})


async def post_close(visit: Visit) -> Answer:
    """Destroy what was shown, if it is still that."""
    incident, say = await incident_of(visit), visit.say
    if incident.state == "closed":
        raise gone(say)
    reason = one_line(visit.form.get("reason", ""))
    fault = text_fault(say, reason, MAX_REASON_CHARACTERS)
    has_changed = visit.form.get("shown") != _shown(incident)
    if fault or has_changed:
        return await _close_form(
            visit, incident, reason, {"reason": fault} if fault else {}, has_changed=has_changed
        )
    try:
        number = await visit.work(_close, visit, incident, Look("incident", reason=reason))
    except BadIncident:  # somebody else was faster
        raise gone(say) from None
    except PeriodBusy:
        raise busy(say) from None
    return SeeOther(path=f"/incidents/{incident.number}", notice="incident-closed", entry=Written(number))


def _close(visit: Visit, incident: Incident, look: Look) -> int:
    office = visit.office
    large.forget(office.holdings, incident)
    for _ in close(office.holdings, incident.number, visit.entrant.actor, look):
        pass
    with office.control.transaction() as connection:
        entry = certificate(connection, incident.number)
    return entry.number if entry else 0


def _review_form(visit: Visit, incident: Incident, until: str, reason: str, errors: Mapping[str, str]) -> Page:
    today = today_utc()
    view = ReviewView(
        incident=incident,
        state=state_of(visit.say, incident),
        until=until,
        reason=reason,
        errors=errors,
        first_day=today.isoformat(),
        last_day=(today + timedelta(days=MAX_REVIEW_DAYS)).isoformat(),
        may_close=visit.entrant.may("incident.close"),
    )
    entry = Entry(action="admin.incident", detail={"incident": incident.number, "page": "review"})
    return Page(template="incident_review.html", view=view, entry=entry, status=400 if errors else 200)


async def _close_form(
    visit: Visit, incident: Incident, reason: str, errors: Mapping[str, str], *, has_changed: bool = False
) -> Page:
    view = CloseView(
        incident=incident,
        shown=_shown(incident),
        reason=reason,
        errors=errors,
        has_changed=has_changed,
        copies=await visit.work(copies, visit.office, incident),
    )
    entry = Entry(action="admin.incident", detail={"incident": incident.number, "page": "close"})
    status = 409 if has_changed else 400 if errors else 200
    return Page(template="incident_close.html", view=view, entry=entry, status=status)


def _shown(incident: Incident) -> str:
    """Return what is confirmed: this generation with these rows."""
    return f"{incident.generation}-{incident.file_hash}"


_REVIEW: Final = "/incidents/{number:int}/review"
_CLOSE: Final = "/incidents/{number:int}/close"

ROUTES: Final = (
    Route(path=_REVIEW, action="incident.open", handler=get_review),
    Route(path=_REVIEW, action="incident.open", handler=post_review, method="POST"),
    Route(path=_CLOSE, action="incident.close", handler=get_close),
    Route(path=_CLOSE, action="incident.close", handler=post_close, method="POST", needs_confirmation=True),
)
