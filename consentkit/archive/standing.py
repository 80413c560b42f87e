"""How retention stands: each period with what it holds, when it goes or went, and whether it is overdue.

Owns the view that the command line, health and the admin area show. It changes nothing, and no row's content
is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.period import kept
from consentkit.archive.retention import Retention
from consentkit.archive.schedule import due_us
from consentkit.audit import SYSTEM
from consentkit.errors import ConsentKitError, StorageError

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period

# The ingester looks each minute; what is still there after so many has been missed.
OVERDUE_AFTER_US: Final = 15 * 60 * 1_000_000

_WAIT_SECONDS: Final = 2.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One period as it stands. Times are microseconds since 1970 UTC.

    Attributes:
        period: name.
        state: ``open``, ``sealed``, ``destroying`` or ``destroyed``.
        rows, bytes, oldest_us: what it holds, or held when it was sealed; None where that is not known.
        is_truncated: its addresses are cut to networks.
        due_us: when it goes.
        destroyed_us: when it went; None while it is there.
        waits: why it is to go early and is not yet confirmed; empty where it is not.
        is_overdue: it should have gone, and nothing holds it.
        late_dropped: records that came after its destruction.
        fault: why it can't be read; empty where it can.
    """

    period: str
    state: str
    rows: int | None
    bytes: int | None
    oldest_us: int | None
    is_truncated: bool
    due_us: int
    destroyed_us: int | None
    waits: str
    is_overdue: bool
    late_dropped: int
    fault: str


def standings(
    holdings: Holdings, retention_days: int, now_us: int, *, gone_since_us: int | None = 0
) -> list[Standing]:
    """Return all periods, newest first.

    Args:
        holdings: the store.
        retention_days: in force.
        now_us: the clock.
        gone_since_us: of the destroyed ones those that began at this time or later; None = none of them.

    Raises:
        StorageError: the control database refuses.
    """
    listed = kept(holdings.control, gone_since_us=gone_since_us)
    plan = Retention(holdings, retention_days, SYSTEM).plan(now_us, listed=listed)
    waits = {going.period.name: going.early for going in plan if not going.is_begun}
    begun = {going.period.name for going in plan if going.is_begun}
    found = []
    for period in listed:
        measured, fault = _measured(holdings, period)
        due = due_us(period, retention_days, now_us)
        is_late = due + OVERDUE_AFTER_US <= now_us
        found.append(
            Standing(
                period=period.name,
                state="destroying" if period.name in begun else period.state,
                rows=measured.rows,
                bytes=measured.bytes,
                oldest_us=measured.oldest_us,
                is_truncated=bool(period.is_truncated),
                due_us=due,
                destroyed_us=period.destroyed_us,
                waits="" if period.is_gone else waits.get(period.name, ""),
                is_overdue=period.state != "destroyed" and is_late and not waits.get(period.name),
                late_dropped=period.late_dropped,
                fault=fault,
            )
        )
    return found


def _measured(holdings: Holdings, period: Period) -> tuple[Period, str]:
    """Return the period with what it holds: of an open one, as it is now."""
    if period.state != "open":
        return period, ""
    place = period.place
    try:
        if holdings.keyring.was_destroyed(place.key_name) or not holdings.rows.exists(place):
            return period, ""
        with holdings.reading(place, wait_seconds=_WAIT_SECONDS) as reader:
            rows, oldest_us = (0, None) if reader is None else reader.measure()
        size = holdings.rows.size_bytes(place)
        return msgspec.structs.replace(period, rows=rows, bytes=size, oldest_us=oldest_us), ""
    except ConsentKitError as exc:
        return period, str(exc)
    except OSError:
        return period, str(StorageError(period.file_name, "can't be read"))
