"""The day by which the record of a request that comes now will be gone.

Owns that question for a worker, which loads no database: the schedule's and the countdown's arithmetic for one
record. A test holds it against both.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consentkit.settings import Settings

_LENGTHS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


def last_day(settings: Settings, now: datetime) -> date:
    """Return the day in UTC on which the record's period is destroyed, which may be earlier and is never later.

    Holds aside: what an incident holds is a copy of its own, with its own review.

    Args:
        settings: in force.
        now: when the request came; UTC.
    """
    log = settings.requestlog
    since = now.replace(minute=0, second=0, microsecond=0)
    if log.rotate == "day":
        since = since.replace(hour=0)
    due = since + timedelta(days=log.retention_days)
    over = wound_down_on(settings)
    if over is None:
        return due.date()
    # What comes after the countdown is over goes as soon as its period has ended.
    end = max(datetime(over.year, over.month, over.day, tzinfo=UTC), since + _LENGTHS[log.rotate])
    return min(due, end).date()


def wound_down_on(settings: Settings) -> date | None:
    """Return the day on which all but what is held goes, since the service has ended; None while it goes on."""
    site = settings.site
    if site.service_ended is None:
        return None
    return site.service_ended + timedelta(days=site.wind_down_days)
