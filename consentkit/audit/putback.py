"""A database that was put back to an older copy: told in the audit itself, and accepted there.

Owns how that is noticed, and what the entry ``audit.put_back`` says. It fails every verification until an
officer says that the restore was meant: `acceptance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit.audit.entry import BEFORE_FIRST, Link
from consentkit.audit.reading import newest_first
from consentkit.control import audit

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.audit.memory import Seen

PUT_BACK: Final = "audit.put_back"
ACCEPTED: Final = "audit.put_back_accepted"


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What the database should hold and doesn't: the detail of ``audit.put_back``.

    Attributes:
        remembered_number, remembered_hash: the entry remembered in the keys folder; None = unknown.
        found_number, found_hash: the newest one that is there.
        fault: in words.
    """

    remembered_number: int | None
    remembered_hash: str | None
    found_number: int
    found_hash: str
    fault: str


def loss(connection: Connection, seen: Seen, newest: Link) -> Loss | None:
    """Return what is lost by what was remembered; None where nothing is.

    Args:
        connection: within a transaction.
        seen: what is remembered.
        newest: the newest entry that is there.
    """
    fault = seen.fault if seen.link is None else remembered_fault(connection, seen.link, newest)
    if not fault or seen.is_unusable:
        return None
    return Loss(
        remembered_number=seen.link.number if seen.link else None,
        remembered_hash=seen.link.hash if seen.link else None,
        found_number=newest.number,
        found_hash=newest.hash,
        fault=fault,
    )


def remembered_fault(connection: Connection, link: Link, newest: Link) -> str:
    """Return how the database contradicts the remembered entry; empty = it doesn't."""
    if link == BEFORE_FIRST:
        return ""
    if link.number > newest.number:
        return f"remembered entry {link.number} is missing: the audit ends at entry {newest.number}"
    found = connection.execute(select(audit.c.hash).where(audit.c.number == link.number)).scalar()
    if found is None:
        first = connection.execute(select(func.min(audit.c.number))).scalar()
        # What was pruned can't be compared any more; a gap is found by walking the chain.
        return "" if first is not None and link.number < first else f"remembered entry {link.number} is missing"
    return "" if found == link.hash else f"remembered entry {link.number} is another one"


def is_told(connection: Connection, lost: Loss) -> bool:
    """Tell whether the audit says so already."""
    newest = next(newest_first(connection, PUT_BACK), None)
    if newest is None:
        return False
    told = msgspec.json.decode(newest.detail, type=Loss)
    if lost.remembered_number is None and newest.number not in unaccepted(connection):
        return False  # an earlier loss of the file, which was accepted, says nothing of this one
    return (told.remembered_number, told.remembered_hash) == (lost.remembered_number, lost.remembered_hash)


def unaccepted(connection: Connection) -> list[int]:
    """Return the numbers of the entries ``audit.put_back`` that nobody has accepted, oldest first."""
    accepted = connection.execute(select(func.max(audit.c.number)).where(audit.c.action == ACCEPTED)).scalar()
    of_action = select(audit.c.number).where(audit.c.action == PUT_BACK, audit.c.number > (accepted or 0))
    return [row.number for row in connection.execute(of_action.order_by(audit.c.number))]
