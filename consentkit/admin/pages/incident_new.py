"""Opening an incident: which rows, for which case, why, who answers for it, until when; and the copying.

Owns the form and the page that waits. Copying is the archive's, going on with it `openings`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from consentkit.admin import openings
from consentkit.admin.answer import NOT_FOUND, Entry, Page, Refused, SeeOther, Written
from consentkit.admin.incidentwords import (
    MAX_CASE_CHARACTERS,
    MAX_OWNER_CHARACTERS,
    MAX_REASON_CHARACTERS,
    day_of,
    filter_words,
    one_line,
    review_fault,
    text_fault,
)
from consentkit.admin.masking import Mask
from consentkit.admin.pages.search import FormView, form_view
from consentkit.admin.searching import FIELDS, Asked, asked
from consentkit.admin.visit import Route, Visit
from consentkit.archive.incident.listing import today_utc
from consentkit.archive.incident.opening import Opening
from consentkit.archive.incident.review import MAX_REVIEW_DAYS
from consentkit.archive.incident.terms import Terms
from consentkit.archive.search.overtime import over_time
from consentkit.archive.store.interface import Filters
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.admin.answer import Answer
    from consentkit.archive.search import Archive

# What is counted before anything is copied; older rows are copied all the same.
COUNT_SECONDS: Final = 2.0

_DAY_US: Final = 86_400_000_000
_MAX_ENTRY: Final = 2**53


class Preview(msgspec.Struct, frozen=True):
    """How many rows would be kept; `back_to_us`: older ones are not counted; None where all are."""

    rows: int
    back_to_us: int | None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The form, as it was filled in; `review` is an ISO date, `is_all`: all rows there are, in so many words."""

    case: str
    reason: str
    owner: str
    review: str
    is_all: bool = False


class NewView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_new.html`` is given.

    Attributes:
        form: the filters.
        query: the same in the address.
        preview: how many rows match; None where a filter can't be read.
        given: the form.
        errors: what is wrong, by field.
        fault: why nothing was opened; empty = nothing was tried.
        needs_all: no filter says which rows.
        first_day, last_day: between which the review may be; ISO dates.
    """

    form: FormView
    query: str
    preview: Preview | None
    given: Given
    errors: Mapping[str, str]
    fault: str
    needs_all: bool
    first_day: str
    last_day: str


class OpeningView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``incident_opening.html`` is given: how far it came, its filters, and the way to try again."""

    progress: openings.Progress
    found_by: str
    again: str


async def get_new(visit: Visit) -> Answer:
    """Show how many rows would be kept, and the form."""
    look, log = visit.look, visit.office.settings.keep
    review = today_utc() + timedelta(days=min(log.incident_review, MAX_REVIEW_DAYS))
    given = Given(
        case=look.case if look else "",
        reason=look.reason if look else "",
        owner=visit.entrant.name,
        review=review.isoformat(),
    )
    return await _form(visit, asked(visit), given, {})


async def post_new(visit: Visit) -> Answer:
    """Begin to copy."""
    wanted, form, look = asked(visit), visit.form, visit.look
    given = Given(
        case=one_line(form.get("case", "")),
        reason=one_line(form.get("reason", "")),
        owner=one_line(form.get("owner", "")),
        review=form.get("review", ""),
        is_all=form.get("all") == "1",
    )
    errors, review = _errors(visit, wanted, given), day_of(given.review)
    if errors or wanted.faults or look is None or review is None:
        return await _form(visit, wanted, given, errors)
    terms = Terms(
        case=given.case,
        reason=given.reason,
        owner=given.owner,
        review=review,
        filters=wanted.filters,
        asked=_told(wanted),
        is_all=given.is_all,
    )
    office = visit.office
    opening = Opening(office.archive, office.holdings, visit.entrant.actor, look.purpose, terms)
    try:
        await visit.work(openings.begin, opening)
    except StorageError:
        say = visit.say
        fault = say.gettext("Rows are being copied or destroyed just now. Try again in a minute; nothing is lost.")
        return await _form(visit, wanted, given, {}, fault=fault)
    return SeeOther(path=f"/incidents/opening/{opening.entry}", entry=Written(opening.entry))


async def get_opening(visit: Visit) -> Answer:
    """Show how far the copying came; go on to the incident once it is whole."""
    entry = visit.request.path_params["entry"]
    found = await visit.work(openings.progress, visit.office, entry) if 0 < entry < _MAX_ENTRY else None
    if found is None:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no incident of this number."))
    if found.stage == "done":
        return SeeOther(path=f"/incidents/{found.incident}", notice="incident-opened", entry=Written(entry))
    view = OpeningView(progress=found, found_by=filter_words(found.filters), again=_again(visit, found.filters))
    # It says how many, and of whom nothing: asking every few seconds would fill the audit.
    return Page(template="incident_opening.html", view=view, entry=Written(entry))


async def _form(visit: Visit, wanted: Asked, given: Given, errors: Mapping[str, str], *, fault: str = "") -> Page:
    preview = None if wanted.faults else await visit.work(_count, visit.office.archive, wanted)
    today = today_utc()
    view = NewView(
        form=form_view(visit.say, wanted),
        query=wanted.query(),
        preview=preview,
        given=given,
        errors=errors,
        fault=fault,
        needs_all=wanted.filters == Filters(),
        first_day=today.isoformat(),
        last_day=(today + timedelta(days=MAX_REVIEW_DAYS)).isoformat(),
    )
    detail = {"filters": wanted.given(), "counted": preview.rows if preview else 0}
    entry = Entry(action="incident.count", detail=detail, look=visit.look)
    status = 409 if fault else 400 if errors or wanted.faults else 200
    return Page(template="incident_new.html", view=view, entry=entry, status=status)


def _count(archive: Archive, wanted: Asked) -> Preview:
    found = over_time(archive, wanted.filters, _DAY_US, time_limit_seconds=COUNT_SECONDS)
    # Where nothing at all was counted in time, that is the end asked for, which may lie as far ahead as can be.
    back_to_us = min(found.back_to_us, int(wanted.now.timestamp() * 1_000_000))
    return Preview(sum(found.counts.values()), back_to_us if found.is_cut else None)


def _errors(visit: Visit, wanted: Asked, given: Given) -> dict[str, str]:
    say = visit.say
    found = {
        "case": text_fault(say, given.case, MAX_CASE_CHARACTERS),
        "reason": text_fault(say, given.reason, MAX_REASON_CHARACTERS),
        "owner": text_fault(say, given.owner, MAX_OWNER_CHARACTERS),
        "review": review_fault(say, day_of(given.review)),
    }
    if wanted.filters == Filters() and not given.is_all:
        found["all"] = say.gettext("Say that all rows are meant, or name a filter above.")
    return {name: fault for name, fault in found.items() if fault}


def _told(wanted: Asked) -> dict[str, object]:
    """Return the filters for the record, their times as the instants that they meant when they were asked for."""
    told = wanted.given()
    for name, time_us in (("since", wanted.filters.since_us), ("until", wanted.filters.until_us)):
        if name in told:
            told[name] = datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return told


def _again(visit: Visit, filters: Mapping[str, object]) -> str:
    """Return the query string of the same filters; addresses as tokens."""
    mask = Mask(visit.office.keyring, visit.entrant)
    pairs: list[tuple[str, str]] = []
    for name in FIELDS:
        value = filters.get(name)
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        for one in values:
            text = ("yes" if one else "no") if isinstance(one, bool) else str(one)
            pairs.append((name, mask.seal(text) if name == "address" else text))
    return urlencode(pairs or [("since", "")])


ROUTES: Final = (
    Route(path="/incidents/new", action="incident.open", handler=get_new, needs_look=True),
    Route(path="/incidents/new", action="incident.open", handler=post_new, method="POST", needs_look=True),
    Route(path="/incidents/opening/{entry:int}", action="incident.open", handler=get_opening),
)
