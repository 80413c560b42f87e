"""The steps of a person's request: entered, identified, given more time, served, closed, forgotten.

Owns that each step and its entry in the audit are one transaction. Who asks is emptied when a request is closed;
the rest goes with a clock of its own, as old as the audit gets. What a request leads to is done by `export`,
`erasure` and `restriction`. Source: GDPR art. 12(2)-(4).
"""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from sqlalchemy import delete, update

from consentkit import audit
from consentkit.archive.subject.certificate import identity
from consentkit.archive.subject.deadlines import due_day
from consentkit.archive.subject.person import Person
from consentkit.archive.subject.requests import (
    Ending,
    Kind,
    SubjectRequest,
    UnfitRequest,
    read,
    today_utc,
)
from consentkit.audit import SYSTEM
from consentkit.control import subject_link, subject_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from consentkit.audit import Actor
    from consentkit.control import Control
    from consentkit.crypto import Keyring

MAX_REFERENCE: Final = 120
MAX_TEXT: Final = 2000

_EARLIEST: Final = date(2018, 5, 25)


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and how that is known.

    Attributes:
        visitor: by address, time and browser; None = not so.
        chooser: by consent id; None = not so.
        by: ``link`` or ``hand``.
        reason: why it is believed; for ``hand``.
    """

    visitor: Person | None = None
    chooser: Person | None = None
    by: Literal["link", "hand"]
    reason: str = ""


def enter(
    control: Control, actor: Actor, kind: Kind, *, reference: str, received: date, grounds: str = ""
) -> SubjectRequest:
    """Enter a request.

    Raises:
        UnfitRequest: a text is missing or too long, or the day of receipt lies ahead, or long before.
    """
    reference, grounds = (
        bounded("reference", reference, MAX_REFERENCE),
        bounded("grounds", grounds, MAX_TEXT, least=0),
    )
    if received > today_utc():
        raise UnfitRequest("received", "future")
    if received < _EARLIEST:
        raise UnfitRequest("received", "early")
    request = SubjectRequest(
        number=0,
        kind=kind,
        state="open",
        reference=reference,
        grounds=grounds,
        received=received.isoformat(),
        due=due_day(received).isoformat(),
        handler=actor.name,
        entered_us=time.time_ns() // 1000,
    )
    row = {name: value for name, value in msgspec.structs.asdict(request).items() if name != "number"}
    with control.transaction() as connection:
        made = connection.execute(subject_request.insert().values(row).returning(subject_request.c.number))
        request = msgspec.structs.replace(request, number=made.scalar_one())
        detail = {"request": request.number, "kind": kind, "received": request.received, "due": request.due}
        audit.append(connection, actor, "subject.request.entered", look=request.look, detail=detail)
    return request


def identify(control: Control, keyring: Keyring, actor: Actor, number: int, who: Identified) -> SubjectRequest:
    """Say who asks; what was known before is replaced.

    Raises:
        UnfitRequest: the request is closed, or by hand no reason is given.
    """
    with control.transaction() as connection:
        return identify_in(connection, keyring, actor, number, who)


def identify_in(
    connection: Connection, keyring: Keyring, actor: Actor, number: int, who: Identified
) -> SubjectRequest:
    """Do what `identify` does, within a transaction."""
    request = opened(connection, number)
    reason = bounded("reason", who.reason, MAX_TEXT) if who.by == "hand" else ""
    if who.visitor is None and who.chooser is None:
        raise UnfitRequest("address", "missing")
    found = who.visitor or Person()
    values = {
        "address": found.address,
        "since_us": found.since_us,
        "until_us": found.until_us,
        "agent": found.agent,
        "consent_id": who.chooser.consent_id if who.chooser else "",
        "identified": who.by,
        "identified_reason": reason,
    }
    people = [person for person in (who.visitor, who.chooser) if person is not None]
    detail = {"by": who.by, "reason": reason, "persons": [identity(keyring, person) for person in people]}
    return change(connection, actor, request, "subject.request.identified", detail, **values)


def extend(control: Control, actor: Actor, number: int, reason: str, *, today: date) -> SubjectRequest:
    """Take two months more, once, within the first: the person has been told why.

    Raises:
        UnfitRequest: it is closed or was extended, the first month is over, or no reason is given.
    """
    reason = bounded("extension", reason, MAX_TEXT)
    with control.transaction() as connection:
        request = opened(connection, number)
        if request.extension:
            raise UnfitRequest("extension", "twice")
        if request.is_overdue(today):
            raise UnfitRequest("extension", "late")
        due = due_day(date.fromisoformat(request.received), is_extended=True).isoformat()
        detail = {"due": due, "reason": reason}
        return change(connection, actor, request, "subject.request.extended", detail, due=due, extension=reason)


def note_done(
    control: Control,
    actor: Actor,
    number: int,
    *,
    copy: int = 0,
    certificate: int = 0,
    choices_certificate: int = 0,
) -> SubjectRequest:
    """Note by which entries of the audit something was done for it."""
    done = {"copy": copy, "certificate": certificate, "choices_certificate": choices_certificate}
    values = {name: entry for name, entry in done.items() if entry}
    with control.transaction() as connection:
        return change(connection, actor, opened(connection, number), "subject.request.served", values, **values)


def close(control: Control, actor: Actor, number: int, ending: Ending, decision: str) -> SubjectRequest:
    """Close a request with its decision, and forget by what the person was known.

    Raises:
        UnfitRequest: it is closed, or nothing is said of the decision.
    """
    decision = bounded("decision", decision, MAX_TEXT)
    values = {
        "state": ending,
        "decision": decision,
        "closed_us": time.time_ns() // 1000,
        **dict.fromkeys(("address", "agent", "consent_id"), ""),
    }
    with control.transaction() as connection:
        request = opened(connection, number)
        connection.execute(delete(subject_link).where(subject_link.c.request == number))
        detail = {"ending": ending, "decision": decision, "due": request.due}
        return change(connection, actor, request, "subject.request.closed", detail, **values)


def opened(connection: Connection, number: int) -> SubjectRequest:
    """Return one request that is open.

    Raises:
        UnfitRequest: there is none, or it is closed.
    """
    request = read(connection, number)
    if request.state != "open":
        raise UnfitRequest("state", "closed")
    return request


def change(
    connection: Connection,
    actor: Actor,
    request: SubjectRequest,
    action: str,
    detail: Mapping[str, object],
    **values: object,
) -> SubjectRequest:
    """Change a request and write its entry."""
    handled = {} if actor == SYSTEM else {"handler": actor.name}
    where = subject_request.c.number == request.number
    connection.execute(update(subject_request).where(where).values({**values, **handled}))
    audit.append(connection, actor, action, look=request.look, detail={"request": request.number, **detail})
    return read(connection, request.number)


def bounded(field: str, text: str, most: int, *, least: int = 1) -> str:
    """Return a text without the space around it.

    Raises:
        UnfitRequest: it is missing or too long.
    """
    text = text.strip()
    if len(text) < least:
        raise UnfitRequest(field, "missing")
    if len(text) > most:
        raise UnfitRequest(field, "long")
    return text
