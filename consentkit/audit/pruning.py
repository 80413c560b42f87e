"""Letting go of the oldest entries when they have been kept for long enough.

Owns the cut: from the front alone, with its entry ``audit.pruned`` in the same transaction, which names the
entry and hash after which the chain now begins. Which entries are still needed is the caller's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select

from consentkit.audit.reading import PRUNED, Pruned, last_number
from consentkit.audit.writing import append
from consentkit.control import audit

if TYPE_CHECKING:
    from consentkit.audit.entry import Actor, AuditEntry
    from consentkit.control import Control


def prune(
    control: Control, actor: Actor, *, before_us: int, needed_from: int | None, kept_days: int
) -> AuditEntry | None:
    """Remove the entries before an instant, and return the entry that says so.

    The newest entry stays in any case, and so does each that is younger, or needed, with all after it.

    Args:
        control: the control database.
        actor: who does it.
        before_us: what is older goes; microseconds since 1970 UTC.
        needed_from: the first entry that something kept still needs; None = nothing does.
        kept_days: the setting, for the entry.

    Returns:
        The entry; None where nothing was to go.

    Raises:
        StorageError: nothing was removed.
    """
    with control.transaction() as connection:
        young = connection.execute(select(func.min(audit.c.number)).where(audit.c.time_us >= before_us)).scalar()
        ends = (bound for bound in (young, needed_from, last_number(connection)) if bound is not None)
        last = connection.execute(
            select(audit.c.number, audit.c.hash)
            .where(audit.c.number < min(ends))
            .order_by(audit.c.number.desc())
            .limit(1)
        ).one_or_none()
        if last is None:
            return None
        gone = connection.execute(audit.delete().where(audit.c.number <= last.number)).rowcount
        pruned = Pruned(last.number, last.hash, gone, kept_days)
        return append(connection, actor, PRUNED, detail=msgspec.structs.asdict(pruned))
