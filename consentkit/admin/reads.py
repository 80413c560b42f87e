"""The looks at personal data since the audit was last reviewed.

Owns counting them and the newest few. Marking them as reviewed is the audit page's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit import audit
from consentkit.audit import AuditEntry
from consentkit.control import audit as entries
from consentkit.control import total

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.control import Control

REVIEWED: Final = "audit.reviewed"


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at since the last review.

    Attributes:
        reviewed_us: when that was, microseconds since 1970 UTC; None = never.
        until: the last entry that was reviewed; 0 = none was.
        count: entries that gave a purpose.
        rows: shown in all.
        people: who looked.
        newest: the last few of them.
    """

    reviewed_us: int | None
    until: int
    count: int
    rows: int
    people: int
    newest: tuple[AuditEntry, ...]


class _Review(msgspec.Struct, frozen=True):
    """The detail of a review: up to which entry."""

    until: int = 0


def since_review(control: Control, *, newest: int) -> Reads:
    """Return the looks since the last review.

    Args:
        control: the control database.
        newest: how many of them to return.

    Raises:
        StorageError: the control database refuses.
    """
    with control.transaction() as connection:
        review = _newest_review(connection)
        until = _until(review) if review else 0
        wanted = (entries.c.number > until, entries.c.purpose != "")
        summed = select(func.count(), total(entries.c.rows), func.count(entries.c.actor.distinct()))
        count, rows, people = connection.execute(summed.where(*wanted)).one()
        listed = select(entries).where(*wanted).order_by(entries.c.number.desc()).limit(newest)
        found = tuple(AuditEntry(**row._asdict()) for row in connection.execute(listed))
    return Reads(
        reviewed_us=review.time_us if review else None,
        until=until,
        count=count,
        rows=rows,
        people=people,
        newest=found,
    )


def reviewed_until(connection: Connection) -> int:
    """Return the last entry that was reviewed; 0 = none was."""
    review = _newest_review(connection)
    return _until(review) if review else 0


def _newest_review(connection: Connection) -> AuditEntry | None:
    return next(audit.newest_first(connection, REVIEWED), None)


def _until(review: AuditEntry) -> int:
    try:
        return msgspec.json.decode(review.detail, type=_Review).until or review.number
    except msgspec.DecodeError:
        return review.number
