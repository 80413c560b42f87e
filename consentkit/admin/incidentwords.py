"""What the pages of incidents share: which one is meant, what its state is called, what may be written of it.

Owns no page. What an incident is, and what may be done with it, is the archive's.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.admin.answer import NOT_FOUND, Refused
from consentkit.admin.masking import masked
from consentkit.archive.incident.listing import BadIncident, Incident, find, today_utc
from consentkit.archive.incident.review import MAX_REVIEW_DAYS
from consentkit.audit import AuditEntry, Listing, Look

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.admin.visit import Visit
    from consentkit.web.texts import Catalogue

MAX_CASE_CHARACTERS: Final = 100
MAX_OWNER_CHARACTERS: Final = 100
MAX_REASON_CHARACTERS: Final = 2000

_MAX_NUMBER: Final = 2**53
_MAX_SHOWN_CHARACTERS: Final = 400


class State(msgspec.Struct, frozen=True):
    """What the state of an incident is called, and its tone."""

    name: str
    tone: str


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was handed out, as the register of copies has it.

    Attributes:
        number: of the audit's entry.
        time_us: when, microseconds since 1970 UTC.
        actor: who made it.
        recipient: for whom; empty = for himself.
        destroy_by: ISO date.
        rows: requests in it.
        sha256: of the file, in hexadecimal.
    """

    number: int
    time_us: int
    actor: str
    recipient: str = ""
    destroy_by: str = ""
    rows: int = 0
    sha256: str = ""


class _Told(msgspec.Struct, frozen=True):
    incident: int = 0
    recipient: str = ""
    destroy_by: str = ""
    rows: int = 0
    sha256: str = ""


async def incident_of(visit: Visit) -> Incident:
    """Return the incident that the address names.

    Raises:
        Refused: there is none.
    """
    number = visit.request.path_params["number"]
    found = await visit.work(_found, visit.office, number)
    if found is None:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no incident of this number."))
    return found


async def open_incident_of(visit: Visit) -> Incident:
    """Return the incident that the address names, which still holds rows.

    Raises:
        Refused: there is none, or it is closed.
    """
    incident = await incident_of(visit)
    if incident.state != "open":
        raise gone(visit.say)
    return incident


def gone(say: Catalogue) -> Refused:
    """Return what ends a request for rows that are no more."""
    return Refused(409, say.gettext("This incident is closed: its rows are gone. Its certificate stays."))


def busy(say: Catalogue) -> Refused:
    """Return what ends a request for rows that somebody is just closing, or writing anew."""
    return Refused(409, say.gettext("This incident is being changed just now. Try again in a minute."))


def state_of(say: Catalogue, incident: Incident) -> State:
    """Return how an incident stands today."""
    if incident.is_overdue(today_utc()):
        return State(say.pgettext("incident", "Review overdue"), "bad")
    if incident.state == "open":
        return State(say.pgettext("incident", "Open"), "info")
    if incident.state == "closing":
        return State(say.pgettext("incident", "Being closed"), "warn")
    return State(say.pgettext("incident", "Closed"), "")


def of_case(look: Look | None, incident: Incident) -> Look:
    """Return why somebody looks, with the incident's own case."""
    return msgspec.structs.replace(look or Look("incident"), case=incident.case_id)


def one_line(text: str) -> str:
    """Return text without line breaks and without space around it."""
    return " ".join(text.split())


def text_fault(say: Catalogue, text: str, most: int) -> str:
    """Return what is wrong with words that are kept and shown to others; empty = nothing."""
    if not text:
        return say.gettext("This is needed.")
    if len(text) > most:
        return say.gettext("At most {most} characters.", most=most)
    return "" if text.isprintable() else say.gettext("Write plain text: there is a sign in it that is not shown.")


def day_of(text: str) -> date | None:
    """Return the day that an ISO date names; None where it names none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def review_fault(say: Catalogue, day: date | None) -> str:
    """Return what is wrong with a review date; empty = nothing."""
    if day is None:
        return say.gettext("Write a day as 2026-11-23.")
    ahead = (day - today_utc()).days
    if ahead < 0:
        return say.gettext("This day has passed.")
    if ahead > MAX_REVIEW_DAYS:
        return say.gettext("At most a year ahead: at each review it can be moved on.")
    return ""


def found_by(incident: Incident) -> str:
    """Return the filters by which the rows were found, addresses masked; empty where none is kept."""
    return filter_words(msgspec.json.decode(incident.filters, type=dict[str, object]))


def filter_words(filters: dict[str, object]) -> str:
    """Return filters as one line, addresses masked."""
    parts = []
    for name, value in sorted(filters.items()):
        values = value if isinstance(value, list | tuple) else [value]
        texts = [masked(str(one)) if name == "address" else str(one) for one in values]
        parts.append(f"{name}={','.join(texts)}")
    text = " ".join(parts)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…"


def copies(office: Office, incident: Incident) -> tuple[Copy, ...]:
    """Return the bundles that were handed out, newest first.

    Raises:
        StorageError: the audit can't be read.
    """
    found = []
    for entry in audit.listed(office.control, Listing(action="copy.made", case=incident.case_id)):
        told = _told(entry)
        if told.incident == incident.number:
            own = {name: getattr(told, name) for name in ("recipient", "destroy_by", "rows", "sha256")}
            found.append(Copy(number=entry.number, time_us=entry.time_us, actor=entry.actor, **own))
    return tuple(found)


def _told(entry: AuditEntry) -> _Told:
    try:
        return msgspec.json.decode(entry.detail, type=_Told)
    except msgspec.DecodeError:
        return _Told()  # damaged: the chain tells of it


def _found(office: Office, number: int) -> Incident | None:
    if not 0 < number < _MAX_NUMBER:
        return None
    try:
        with office.control.transaction() as connection:
            return find(connection, number)
    except BadIncident:
        return None
