"""What people have asked for: kind, deadline, who asks and how that is known, decision.

Owns the shape of a request, and finding them. What is written of them is `register`'s. No name and no mail
address is kept: a reference says where the letter lies. Address, browser and consent id stay while it is open.
Source: GDPR art. 11, 12(2)-(4), 15-18, 21.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec
from sqlalchemy import func, select

from consentkit.archive.subject.person import Person
from consentkit.audit import Look
from consentkit.control import subject_request
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.control import Control

Kind: TypeAlias = Literal["export", "erase", "restrict", "object", "recipients"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Ending: TypeAlias = Literal["done", "refused", "withdrawn"]
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)

Fault: TypeAlias = Literal["missing", "long", "future", "early", "late", "closed", "unknown", "twice"]


class UnfitRequest(ConsentKitError):
    """Refuse what does not fit a request.

    Attributes:
        field: that is at fault.
        fault: what is wrong with it: ``missing``, ``long``, a date in the ``future``, too ``early`` or too
            ``late``, a request that is ``closed`` or ``unknown``, something done ``twice``.
    """

    def __init__(self, field: str, fault: Fault) -> None:
        self.field = field
        self.fault = fault
        super().__init__(f"a person's request: {field} is {fault}")


class SubjectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it stands.

    Attributes:
        number: in the register; its case is ``request 7``.
        kind: what is asked for.
        state: ``open``, or one of `ENDINGS`.
        reference: where the letter lies.
        grounds: of the person, as in an objection; may be empty.
        received, due: ISO dates.
        extension: why it takes longer than a month; empty = it does not.
        address, since_us, until_us, agent: whose requests of the log they are; an empty agent = any.
        consent_id: whose choices.
        identified: ``link``, ``hand``, or empty where it is not known yet who asks.
        identified_reason: why it was believed, by hand.
        handler: who had it last.
        decision: with its reasons.
        copy, certificate, choices_certificate: the audit's entries of what was done; 0 = none.
        entered_us, closed_us: microseconds since 1970 UTC.
    """

    number: int
    kind: Kind
    state: str
    reference: str
    grounds: str = ""
    received: str
    due: str
    extension: str = ""
    address: str = ""
    since_us: int = 0
    until_us: int = 0
    agent: str = ""
    consent_id: str = ""
    identified: str = ""
    identified_reason: str = ""
    handler: str
    decision: str = ""
    copy: int = 0
    certificate: int = 0
    choices_certificate: int = 0
    entered_us: int
    closed_us: int | None = None

    @property
    def case(self) -> str:
        """By which the audit names it."""
        return case_of(self.number)

    @property
    def look(self) -> Look:
        """Why its data is looked at."""
        return Look("person", self.case, self.kind)

    @property
    def visitor(self) -> Person | None:
        """Whose requests of the log they are; None where no address is known."""
        if not self.address:
            return None
        return Person.at(self.address, self.since_us, self.until_us, agent=self.agent)

    @property
    def chooser(self) -> Person | None:
        """Whose choices they are; None where no consent id is known."""
        return Person.of_consent(self.consent_id) if self.consent_id else None

    def is_overdue(self, today: date) -> bool:
        """Tell whether its last day is over and it is open still."""
        return self.state == "open" and date.fromisoformat(self.due) < today

    def days_left(self, today: date) -> int:
        """Return how many days there are to its last one; negative where that is over."""
        return (date.fromisoformat(self.due) - today).days


def case_of(number: int) -> str:
    """Return by which name the audit knows a request."""
    return f"request {number}"


def today_utc() -> date:
    """Return the day, in UTC."""
    return datetime.now(UTC).date()


def find_request(control: Control, number: int) -> SubjectRequest:
    """Return one request.

    Raises:
        UnfitRequest: there is none of this number.
    """
    with control.reading() as connection:
        return read(connection, number)


def list_requests(
    control: Control,
    *,
    state: str = "",
    kind: str = "",
    overdue_on: date | None = None,
    before: int = 0,
    limit: int = 50,
) -> list[SubjectRequest]:
    """Return requests, the newest first.

    Args:
        control: holds the register.
        state, kind: these alone; empty = all.
        overdue_on: those alone that are overdue on this day.
        before: those of a smaller number alone; 0 = all.
        limit: at most so many.
    """
    wanted = select(subject_request).order_by(subject_request.c.number.desc()).limit(limit)
    for column, value in ((subject_request.c.state, state), (subject_request.c.kind, kind)):
        wanted = wanted.where(column == value) if value else wanted
    if overdue_on is not None:
        wanted = wanted.where(subject_request.c.state == "open", subject_request.c.due < overdue_on.isoformat())
    if before:
        wanted = wanted.where(subject_request.c.number < before)
    with control.reading() as connection:
        rows = connection.execute(wanted).all()
    return [SubjectRequest(**row._asdict()) for row in rows]


def count_open(control: Control, today: date) -> tuple[int, int]:
    """Return how many requests are open, and how many of them are overdue."""
    is_overdue = subject_request.c.due < today.isoformat()
    wanted = select(func.count(), func.count().filter(is_overdue)).where(subject_request.c.state == "open")
    with control.reading() as connection:
        opened, overdue = connection.execute(wanted).one()
    return opened, overdue


def read(connection: Connection, number: int) -> SubjectRequest:
    """Return one request within a transaction, as `find_request` does."""
    row = connection.execute(select(subject_request).where(subject_request.c.number == number)).one_or_none()
    if row is None:
        raise UnfitRequest("number", "unknown")
    return SubjectRequest(**row._asdict())
