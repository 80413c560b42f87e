"""Sealing: a period that has ended becomes what nobody writes, with its hash in the audit.

Owns what a seal is to catalogue and audit; what it is to the rows, their store's. When a period is due for it is
the caretaker's business; that a late record opens it again, the ingester's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.period import change
from consentkit.archive.periodlock import READER_SECONDS

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.archive.store.places import Contents
    from consentkit.audit import Actor

# Records come a moment after their time: a request is recorded under the time at which it began.
GRACE_US: Final = 600 * 1_000_000


def is_ripe(period: Period, now_us: int) -> bool:
    """Tell whether an open period has ended so long ago that nothing more is expected."""
    return period.state == "open" and period.until_us + GRACE_US <= now_us


def seal(
    holdings: Holdings, period: Period, actor: Actor, *, wait_seconds: float = READER_SECONDS
) -> Contents | None:
    """Seal an open period: whole, durable, hashed, told to the audit.

    A crash on the way leaves an open period that is sealed as if nothing had been.

    Returns:
        What it holds; None where nothing is stored of it, or it is not open any more.

    Raises:
        PeriodBusy: somebody is in it.
        KeyUnavailable, StorageError: it can't be opened or written.
    """
    if not holdings.rows.exists(period.place):
        return None
    with holdings.rows.lock(period.place, exclusive=True, wait_seconds=wait_seconds):
        return seal_locked(holdings, period, actor)


def seal_locked(holdings: Holdings, period: Period, actor: Actor) -> Contents | None:
    """Do as `seal`, for a caller who holds the period's exclusive lock and keeps it."""
    contents = holdings.rows.seal(period.place)
    with holdings.control.transaction() as connection:
        if not change(connection, period, ("open",), state="sealed", **contents.columns):
            return None
        audit.append(
            connection,
            actor,
            "period.sealed",
            detail={
                "period": period.name,
                "generation": period.generation,
                **msgspec.structs.asdict(contents),
            },
        )
    return contents
