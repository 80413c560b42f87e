"""Who looked at a person's rows when and why, and which copies of them were made, as far as the audit can tell.

Owns the match. An entry tells of filters and of a time, so a look is listed where its filters let the person's
rows through: it may have shown them. A look that could not have is left out; one that can't be read counts.
Source: GDPR art. 15(1); CJEU C-579/21 of 22 June 2023: the dates and purposes of each look, and not the names of
those who looked.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit.audit import AuditEntry
from consentkit.control import audit as audit_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.subject.person import Person
    from consentkit.control import Control

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PAGE_ROWS: Final = 1000

# Entries that tell of rows of the request log that were shown; those of a person's export name her alone.
_OF_ROWS: Final = ("log.", "incident.", "audit.exposed", "admin.")
_OWN: Final = "subject.export.page"


class LookedAt(msgspec.Struct, frozen=True, kw_only=True):
    """One look whose filters let the person's rows through.

    Attributes:
        date: ISO 8601 in UTC, to the second.
        purpose: one of the closed list.
        how: the audit's word for it, as in ``log.search``.
    """

    date: str
    purpose: str
    how: str


class CopyMade(msgspec.Struct, frozen=True, kw_only=True):
    """One registered copy that may hold the person's rows.

    Attributes:
        number: in the register of copies.
        date: when it was made.
        purpose: why.
        recipient: for whom; empty = for the operator.
        destroy_by: ISO date.
    """

    number: int
    date: str
    purpose: str
    recipient: str
    destroy_by: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What of a person's rows a look may have shown.

    Attributes:
        oldest_us: time of her first row; no look before it saw one.
        subject: her fingerprint: her earlier exports count too.
        incidents: numbers of the incidents that hold copies of her rows.
    """

    oldest_us: int
    subject: str
    incidents: frozenset[int]


class _Detail(msgspec.Struct, frozen=True):
    filters: dict[str, object] = {}
    since_us: int = 0
    until_us: int = 0
    export: int = 0
    incident: int = 0
    subject: str = ""
    consent_id: str = ""
    recipient: str = ""
    destroy_by: str = ""


def looks_at(control: Control, person: Person, seen: Seen, *, before: int) -> list[LookedAt]:
    """Return the looks that may have shown a person's rows, oldest first.

    Args:
        control: holds the audit.
        person: by address.
        seen: what there was to see.
        before: entries before this number alone.
    """
    return [
        _looked_at(entry)
        for entry, detail in _entries(control)
        if entry.rows
        and seen.oldest_us <= entry.time_us
        and entry.number < before
        and _may_have_shown(entry, detail, person, seen)
    ]


def looks_at_choices(control: Control, person: Person, *, before: int) -> list[LookedAt]:
    """Return the looks at the choices under a consent id, oldest first; arguments as `looks_at` has them."""
    return [
        _looked_at(entry)
        for entry, detail in _entries(control)
        if entry.rows and entry.number < before and detail.consent_id == person.consent_id
    ]


def copies_of(control: Control, person: Person) -> list[CopyMade]:
    """Return the registered copies that may hold a person's rows, oldest first."""
    return [
        CopyMade(
            number=entry.number,
            date=_second(entry.time_us),
            purpose=entry.purpose,
            recipient=detail.recipient,
            destroy_by=detail.destroy_by,
        )
        for entry, detail in _entries(control)
        if entry.action == "copy.made"
        and entry.rows
        and entry.time_us >= person.since_us
        and not detail.subject
        and _lets_through(detail, entry.time_us, person.address, person.since_us, person.until_us)
    ]


def _looked_at(entry: AuditEntry) -> LookedAt:
    return LookedAt(date=_second(entry.time_us), purpose=entry.purpose, how=entry.action)


def _may_have_shown(entry: AuditEntry, detail: _Detail, person: Person, seen: Seen) -> bool:
    if entry.action == _OWN:
        return detail.subject == seen.subject
    if not entry.purpose or not entry.action.startswith(_OF_ROWS):
        return False
    if detail.incident:
        return detail.incident in seen.incidents
    return _lets_through(detail, entry.time_us, person.address, seen.oldest_us, person.until_us)


def _entries(control: Control) -> Iterator[tuple[AuditEntry, _Detail]]:
    """Yield all entries, oldest first; a page or copy of an export has the filters of the export."""
    number = 0
    exports: dict[int, _Detail] = {}
    while page := _page(control, number):
        for entry in page:
            detail = _detail(entry)
            if entry.action.endswith(".export"):
                exports[entry.number] = detail
            elif detail.export in exports:
                begun = exports[detail.export]
                detail = msgspec.structs.replace(detail, filters=begun.filters, subject=begun.subject)
            yield entry, detail
        number = page[-1].number


def _page(control: Control, after: int) -> list[AuditEntry]:
    wanted = select(audit_table).where(audit_table.c.number > after).order_by(audit_table.c.number)
    with control.transaction() as connection:
        rows = connection.execute(wanted.limit(_PAGE_ROWS)).all()
    return [AuditEntry(**row._asdict()) for row in rows]


def _detail(entry: AuditEntry) -> _Detail:
    try:
        return msgspec.json.decode(entry.detail, type=_Detail)
    except (msgspec.DecodeError, TypeError):
        return _Detail()  # of another kind: it names no filter, and so counts


def _lets_through(detail: _Detail, asked_us: int, address: str, first_us: int, last_us: int) -> bool:
    """Tell whether a look lets rows of an address through that lie between two times.

    A shown page says from when its rows are; without that, what was asked for counts.
    """
    filters = detail.filters
    since_us = detail.since_us or _time(filters.get("since"), asked_us, 0)
    until_us = detail.until_us or _time(filters.get("until"), asked_us, asked_us)
    if since_us >= last_us or until_us <= first_us:
        return False
    networks = filters.get("address")
    return not isinstance(networks, list) or not networks or any(_holds(one, address) for one in networks)


def _holds(network: object, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(str(network), strict=False)
    except ValueError:
        return True


def _time(text: object, asked_us: int, otherwise_us: int) -> int:
    """Return a time as it was asked for: ISO 8601, or so long before it was asked."""
    if not isinstance(text, str) or not text:
        return otherwise_us
    if ago := _AGO.fullmatch(text):
        return asked_us - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) // timedelta(microseconds=1)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return otherwise_us
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def _second(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%SZ")
