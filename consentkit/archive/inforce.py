"""What is in force, and what was: the settings of each start, and an hourly heartbeat of the clock.

Owns both records and the judgement that follows from them. Retention by a shortened setting or by a clock
that was set wrong would destroy what nobody meant to; so what was in force during the last day of steady
time, which is twenty-four heartbeats, is remembered beside what is in force now.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit import audit
from consentkit.archive.schedule import SoFar
from consentkit.control import heartbeat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from consentkit.audit import Actor, AuditEntry
    from consentkit.control import Control

HOUR_US: Final = 3_600_000_000
STEADY_BEATS: Final = 24

# Longer than a site is usually down; past it, nobody can tell an outage from a clock set wrong.
LEAP_US: Final = 48 * HOUR_US

_ACTION: Final = "settings.in_force"
_KEPT_BEATS: Final = 200
_RETENTION: Final = "requestlog.retention_days"


def beat(control: Control, now_us: int) -> bool:
    """Write the heartbeat of this hour if it is not written; return whether it was written now."""
    with control.transaction() as connection:
        newest = connection.execute(
            select(heartbeat.c.number, heartbeat.c.time_us).order_by(heartbeat.c.number.desc()).limit(1)
        ).one_or_none()
        if newest is not None and newest.time_us // HOUR_US == now_us // HOUR_US:
            return False
        number = newest.number + 1 if newest else 1
        connection.execute(
            heartbeat.insert().values(number=number, time_us=now_us, audit_number=audit.last_number(connection))
        )
        connection.execute(heartbeat.delete().where(heartbeat.c.number <= number - _KEPT_BEATS))
    return True


def record_start(control: Control, actor: Actor, settings: Mapping[str, object]) -> AuditEntry:
    """Write the settings in force, and what changed since the last start, into the audit.

    Args:
        control: the control database.
        actor: who starts.
        settings: by dotted name; no secret among them.
    """
    with control.transaction() as connection:
        before = next((_settings(entry) for entry in audit.newest_first(connection, _ACTION)), None)
        changed = {
            name: [None if before is None else before.get(name), settings.get(name)]
            for name in sorted({*settings, *(before or {})})
            if before is not None and before.get(name) != settings.get(name)
        }
        return audit.append(connection, actor, _ACTION, detail={"settings": dict(settings), "changed": changed})


def so_far(control: Control, now_us: int, retention_days: int) -> SoFar:
    """Return what was in force during the last day of steady time.

    Args:
        control: the control database.
        now_us: what the clock says.
        retention_days: in force now.
    """
    with control.transaction() as connection:
        beats = connection.execute(
            select(heartbeat.c.time_us, heartbeat.c.audit_number)
            .order_by(heartbeat.c.number.desc())
            .limit(STEADY_BEATS + 1)
        ).all()[::-1]
        # Fewer heartbeats than a day has: all that is known of is within it.
        since_number = beats[0].audit_number if len(beats) > STEADY_BEATS else 0
        longest = _longest_retention(connection, since_number)
    times = [*(row.time_us for row in beats), now_us]
    trusted = next((before for before, after in pairwise(times) if after - before > LEAP_US), now_us)
    return SoFar(min(trusted, now_us), max(longest, retention_days))


def settings_so_far(control: Control) -> list[Mapping[str, object]]:
    """Return the settings of each start of the last day of steady time, and those with which it began."""
    found: list[Mapping[str, object]] = []
    with control.transaction() as connection:
        since_number = _beginning(connection)
        for entry in audit.newest_first(connection, _ACTION):
            found.append(_settings(entry))
            if entry.number <= since_number:
                break
    return found


def _beginning(connection: Connection) -> int:
    """Return the audit's last entry before the last day of steady time; 0 where there was no whole one yet."""
    beats = connection.execute(
        select(heartbeat.c.audit_number).order_by(heartbeat.c.number.desc()).limit(STEADY_BEATS + 1)
    ).all()
    return int(beats[-1].audit_number) if len(beats) > STEADY_BEATS else 0


def _longest_retention(connection: Connection, since_number: int) -> int:
    """Return the longest retention in force after an entry of the audit; 0 = none is recorded."""
    longest = 0
    for entry in audit.newest_first(connection, _ACTION):
        days = _settings(entry).get(_RETENTION)
        longest = max(longest, days if isinstance(days, int) else 0)
        if entry.number <= since_number:
            break  # this one was in force when the day began
    return longest


def _settings(entry: AuditEntry) -> dict[str, object]:
    return msgspec.json.decode(entry.detail, type=_Detail).settings


class _Detail(msgspec.Struct, frozen=True):
    settings: dict[str, object]
