"""Which entries of the audit may go after ``[keep] audit``, and which are still needed.

Owns the rule: an entry stays, with all after it, as long as it tells of a period that is kept, an incident
that is not closed, a copy whose day has not come, a restore that nobody accepted, the settings in force, or
decisions that were let go, without which the ones kept would not follow from each other.
Cutting is `audit.pruning`'s job.
"""

from __future__ import annotations

from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlalchemy import func, select

from consentkit import audit
from consentkit.archive import inforce
from consentkit.archive.destruction import iso_second
from consentkit.archive.evidence.entries import details
from consentkit.archive.schedule import DAY_US
from consentkit.audit.putback import unaccepted
from consentkit.audit.reading import after
from consentkit.consent import ledgerchain
from consentkit.control import audit as audit_table
from consentkit.control import incident as incident_table
from consentkit.control import period as period_table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.audit import Actor, AuditEntry
    from consentkit.control import Control


class _Copy(msgspec.Struct, frozen=True):
    """What ``copy.made`` says: the ISO date by which the copy must be destroyed; empty = it holds no row."""

    destroy_by: str = ""


def prune_due(
    control: Control, actor: Actor, *, keep_days: int, now_us: int, retention_days: int
) -> AuditEntry | None:
    """Remove what was kept for long enough and is needed no more; return the entry that says so, if there is one.

    A clock that leapt ahead makes nothing old: the measure is the time that heartbeats followed each other by.

    Raises:
        StorageError: nothing was removed.
    """
    before_us = inforce.so_far(control, now_us, retention_days).time_us - keep_days * DAY_US
    with control.transaction() as connection:
        oldest_us = connection.execute(select(func.min(audit_table.c.time_us))).scalar()
    if oldest_us is None or oldest_us >= before_us:
        return None
    return audit.prune(
        control,
        actor,
        before_us=before_us,
        needed_from=needed_from(control, before_us, now_us),
        kept_days=keep_days,
    )


def needed_from(control: Control, before_us: int, now_us: int) -> int | None:
    """Return the first entry older than `before_us` that is still needed at `now_us`; None = none is."""
    with control.transaction() as connection:
        needed = [
            *unaccepted(connection)[:1],
            *_settings_in_force(connection),
            *ledgerchain.needed_entries(connection),
        ]
        kept = _Kept(_kept_periods(connection), _day(now_us), _open_incidents(connection))
    old = takewhile(lambda entry: entry.time_us < before_us, after(control, 0))
    needed += islice((entry.number for entry in old if _is_needed(entry, kept)), 1)
    return min(needed, default=None)


class _Kept(NamedTuple):
    """What entries may tell of that is still there."""

    periods: set[str]
    today: str
    has_open_incidents: bool


def _is_needed(entry: AuditEntry, kept: _Kept) -> bool:
    if entry.action.startswith("period."):
        return any(detail.name in kept.periods for detail in details(entry))
    if entry.action.startswith("incident."):
        return kept.has_open_incidents
    return entry.action == "copy.made" and msgspec.json.decode(entry.detail, type=_Copy).destroy_by >= kept.today


def _kept_periods(connection: Connection) -> set[str]:
    kept = select(period_table.c.name).where(period_table.c.state != "destroyed")
    return {row.name for row in connection.execute(kept)}


def _open_incidents(connection: Connection) -> bool:
    return bool(
        connection.execute(
            select(func.count()).select_from(incident_table).where(incident_table.c.closed_us.is_(None))
        ).scalar()
    )


def _day(time_us: int) -> str:
    return iso_second(time_us)[:10]


def _settings_in_force(connection: Connection) -> list[int]:
    newest = next(audit.newest_first(connection, "settings.in_force"), None)
    return [newest.number] if newest else []
