"""What a catalogue restored from a backup doesn't know: that a period was destroyed or rewritten since.

Owns telling the two apart by the traces in the keys folder, and taking a rewritten period back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.archive.period import UNSEALED, change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.audit import Actor


def is_lost(holdings: Holdings, period: Period) -> bool:
    """Tell whether a period that is listed as live was destroyed: its key is, and no later generation is there."""
    return _has_lost_its_key(holdings, period) and not holdings.rows.exists(_present(holdings, period).place)


def take_back(holdings: Holdings, periods: Iterable[Period], actor: Actor) -> None:
    """List the later generation of a period that was rewritten; it counts as open, and is sealed again.

    Raises:
        StorageError: the control database refuses.
    """
    for period in periods:
        fresh = _present(holdings, period)
        if not _has_lost_its_key(holdings, period) or not holdings.rows.exists(fresh.place):
            continue
        with holdings.control.transaction() as connection:
            if change(
                connection, period, ("open", "sealed"), state="open", generation=fresh.generation, **UNSEALED
            ):
                detail = {"period": period.name, "generation": fresh.generation}
                audit.append(connection, actor, "period.taken_back", detail=detail)


def _has_lost_its_key(holdings: Holdings, period: Period) -> bool:
    return period.state in ("open", "sealed") and holdings.keyring.was_destroyed(period.key_name)


def _present(holdings: Holdings, period: Period) -> Period:
    """Return the first generation whose key was not destroyed: the one after the last rewrite."""
    while holdings.keyring.was_destroyed(period.key_name):
        period = msgspec.structs.replace(period, generation=period.generation + 1)
    return period
