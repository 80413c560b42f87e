"""Rows that may only be stored: which they are, since when, and until when.

Owns reading the table. Restricting and lifting is `subject.restriction`'s job, leaving such rows out of what is
shown `archive.search`'s; that they go on their day stays as it is, unless an incident holds them. Who looks for
the case of a restriction, for legal claims, sees its rows. Source: GDPR art. 18(1), (2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import or_, select

from consentkit.control import restriction as restriction_table

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import ColumnElement

    from consentkit.control import Control


class Restriction(msgspec.Struct, frozen=True, kw_only=True):
    """One restriction.

    Attributes:
        number: its own.
        request: number of the person's request.
        network: address or CIDR; empty where it was lifted.
        agent: User-Agent; empty = any.
        since_us, until_us: of the rows; microseconds since 1970 UTC.
        case_id: by which a look sees the rows all the same.
        reason: in words.
        begun_us, lifted_us: when it came into force, and when it was lifted.
        last_day: ISO date; empty = until it is lifted.
    """

    number: int
    request: int
    network: str
    agent: str
    since_us: int
    until_us: int
    case_id: str
    reason: str
    begun_us: int
    last_day: str = ""
    lifted_us: int | None = None


def in_force(control: Control, today: date) -> list[Restriction]:
    """Return the restrictions in force on a day, the oldest first."""
    table = restriction_table
    return _read(
        control, table.c.lifted_us.is_(None) & or_(table.c.last_day == "", table.c.last_day >= today.isoformat())
    )


def of_request(control: Control, number: int) -> list[Restriction]:
    """Return the restrictions that were made for a request, the oldest first."""
    return _read(control, restriction_table.c.request == number)


def _read(control: Control, where: ColumnElement[bool]) -> list[Restriction]:
    wanted = select(restriction_table).where(where).order_by(restriction_table.c.number)
    with control.transaction() as connection:
        rows = connection.execute(wanted).all()
    return [Restriction(**row._asdict()) for row in rows]
