"""When a period goes, and whether that is earlier than what was in force so far.

Owns the arithmetic alone: no clock, no file, no database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.period import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


DAY_US: Final = 86_400_000_000


class SoFar(msgspec.Struct, frozen=True):
    """What was in force during the last day of steady time: the measure of what would go early.

    Attributes:
        time_us: what the clock says, or said before it leapt ahead.
        retention_days: the longest that was in force.
    """

    time_us: int
    retention_days: int


class Going(msgspec.Struct, frozen=True, kw_only=True):
    """One period that is to be destroyed.

    Attributes:
        period: which one.
        due_us: the day on which it goes, as the settings have it.
        early: why that is earlier than what was in force so far; empty where it is not.
        is_begun: its destruction was begun, or its key is gone already: it is finished in any case.
    """

    period: Period
    due_us: int
    early: str = ""
    is_begun: bool = False


def policy_sentence(retention_days: int) -> str:
    """Return what is promised, as it stands in every certificate."""
    days = "1 day" if retention_days == 1 else f"{retention_days} days"
    return (
        f"Each period of the request log is destroyed {days} after it began, so that no record gets older;"
        " its key is destroyed first, so that copies of it in backups can't be read any more."
    )


def due_us(period: Period, retention_days: int, now_us: int | None = None) -> int:
    """Return when a period goes: its first instant has then reached the retention.

    One that lies ahead of the clock was made while the clock was wrong: it goes so long after it was found.

    Args:
        period: which one.
        retention_days: in force.
        now_us: what the clock says; None = by the period's own time alone.
    """
    return (_found_ahead_us(period, now_us) or period.since_us) + retention_days * DAY_US


def _found_ahead_us(period: Period, now_us: int | None) -> int | None:
    return period.ahead_us if now_us is not None and period.since_us > now_us else None


def going(
    periods: Iterable[Period], *, retention_days: int, now_us: int, so_far: SoFar, acting_as_us: int | None = None
) -> Iterator[Going]:
    """Yield the periods that go, as far as the schedule tells.

    None goes before it has ended, but for one that was found ahead of the clock.

    Args:
        periods: the catalogue's.
        retention_days: in force now.
        now_us: what the clock says.
        so_far: what was in force so far.
        acting_as_us: go by this time instead of the clock's.
    """
    by_us = now_us if acting_as_us is None else acting_as_us
    for period in periods:
        due = due_us(period, retention_days, now_us)
        has_ended = period.until_us <= now_us or _found_ahead_us(period, now_us) is not None
        if period.state == "destroying":
            yield Going(period=period, due_us=due, early=period.early, is_begun=True)
        elif period.state != "destroyed" and due <= by_us and has_ended:
            early = why_early(period, retention_days=retention_days, now_us=now_us, so_far=so_far)
            yield Going(period=period, due_us=due, early=early)


def why_early(period: Period, *, retention_days: int, now_us: int, so_far: SoFar) -> str:
    """Return why a period that goes would have stayed by what was in force so far; empty if it would not."""
    longest_days = max(so_far.retention_days, retention_days)
    if due_us(period, longest_days, now_us) <= min(so_far.time_us, now_us):
        return ""
    if due_us(period, retention_days, now_us) > now_us:
        return "its day has not come: another time was given"
    if due_us(period, longest_days, now_us) > now_us:
        return f"it was to be kept {longest_days} days, and retention_days is {retention_days} now"
    ahead_hours = (now_us - so_far.time_us) // (DAY_US // 24)
    return f"the clock leapt ahead: the last hour that followed on the one before is {ahead_hours} hours ago"
