"""Cutting the addresses of a sealed period down to networks, by writing it anew under a new key.

Owns when that is due and the switch: one transaction of the catalogue makes the new generation the present
one, and the generation before is destroyed as a period is. The copy is the store's job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.archive.custody import custody
from consentkit.archive.destruction import finish_rewrite
from consentkit.archive.period import Catalogue, change
from consentkit.archive.schedule import DAY_US
from consentkit.archive.store.addresses import pack_address, unpack_address
from consentkit.errors import ConsentKitError, StorageError
from consentkit.requestlog.truncate import truncate_address

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.audit import Actor


def is_due(period: Period, truncate_after_days: int, now_us: int) -> bool:
    """Tell whether a sealed period's addresses are to be cut by now."""
    return (
        period.state == "sealed"
        and not period.is_truncated
        and period.since_us + truncate_after_days * DAY_US <= now_us
    )


def truncate_due(
    holdings: Holdings, truncate_after_days: int | None, actor: Actor, now_us: int, *, wait_seconds: float
) -> None:
    """Cut the addresses of every period that is due for it, and destroy what earlier rewrites left.

    Args:
        holdings: the store.
        truncate_after_days: the setting; None and 0 = no period is due (0: they are cut in the worker).
        actor: who does it.
        now_us: the clock.
        wait_seconds: how long others may take to leave a period.

    Raises:
        PeriodBusy: somebody did not; all others are done, and this one at the next call.
        KeyUnavailable, StorageError: a period can't be read or written; likewise.
    """
    faults: list[ConsentKitError] = []
    with custody(holdings.control, wait_seconds=wait_seconds):
        for period in Catalogue(holdings.control, "day").known:
            present = period
            try:
                if truncate_after_days and is_due(period, truncate_after_days, now_us):
                    present = truncate(holdings, period, actor, wait_seconds=wait_seconds) or period
                finish_rewrite(holdings, present, actor, wait_seconds=wait_seconds)
            except ConsentKitError as exc:
                faults.append(exc)  # it keeps no other period from being done
    if faults:
        raise faults[0]


def truncate(holdings: Holdings, period: Period, actor: Actor, *, wait_seconds: float) -> Period | None:
    """Write a sealed period anew with cut addresses, and make that the present generation.

    Returns:
        The present generation; None where a late record came meanwhile: it is done after the next seal.

    Raises:
        PeriodBusy, KeyUnavailable, StorageError: the period stays as it was.
    """
    if period.old_generation is not None:
        finish_rewrite(holdings, period, actor, wait_seconds=wait_seconds)
    fresh = msgspec.structs.replace(period, generation=period.generation + 1)
    with holdings.rows.lock(period.place, exclusive=False, wait_seconds=wait_seconds):
        if holdings.rows.file_hash(period.place) != period.file_hash:
            raise StorageError(period.file_name, "is not the file that was sealed; it is left as it is")
        contents = holdings.rows.write_anew(period.place, fresh.place, address=_truncated).contents
        with holdings.control.transaction() as connection:
            values = {**contents.columns, "generation": fresh.generation, "is_truncated": 1}
            if not change(connection, period, ("sealed",), **values, old_generation=period.generation):
                return None
            audit.append(
                connection,
                actor,
                "period.truncated",
                detail={
                    "period": period.name,
                    "generation": fresh.generation,
                    "replaces_file_hash": period.file_hash,
                    **msgspec.structs.asdict(contents),
                },
            )
    return msgspec.structs.replace(fresh, old_generation=period.generation)


def _truncated(packed: bytes) -> bytes:
    return pack_address(truncate_address(unpack_address(packed)))
