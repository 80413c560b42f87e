"""Which period a frame goes to: that of its own time, unless its time can't be true.

Owns that decision, and that it stays the same when a segment is read again under another clock. A wrong clock
would otherwise make a period of 2099 that nobody destroys for 73 years, or one of 1970 that is destroyed at
once. How a record stands in the period that it goes to is the store's business.

A time can't be true that lies more than 48 hours ahead of the clock; or that lies before this installation and
beyond the retention: who spooled through a long outage holds records that are honestly old, and those go to
their own period. Nor can the clock's own, when it stands before the end of a period that is destroyed already:
none goes before it has ended, so the clock has gone back, and its records go to the newest period that is kept.
For the rest, what lies in a period of the catalogue goes there, as it did when it was read the first time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import select

from consentkit.archive.schedule import DAY_US
from consentkit.archive.store.interface import Misfiled
from consentkit.control import audit, misdated
from consentkit.crypto import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.period import Catalogue, Period
    from consentkit.archive.spoolreader import Segment
    from consentkit.control import Control

# What a clock may be wrong by and a record still be found where one looks for it.
FAR_US: Final = 48 * 3_600_000_000

# From the end of a period: room for all frames of a segment, a microsecond each.
_ROOM_US: Final = 1_000_000


class Filing:
    """Decide where frames go, for one ingester.

    Args:
        catalogue: the periods; a decision is noted in its database before the first frame is stored by it.
        retention_days: in force; None = no time is too old.
        now_us: the clock, in microseconds since 1970 UTC.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        retention_days: int | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._catalogue = catalogue
        self._retention_days = retention_days
        self._now_us = now_us
        self._noted = decided(catalogue.control)

    def misfiled(self, segment: Segment) -> Misfiled | None:
        """Return what was decided of a segment; None where all of it goes by its own time so far."""
        return self._noted.get((segment.worker, segment.number))

    def period_of(self, segment: Segment, sequence: int, time_us: int) -> Period:
        """Return the period that a frame goes to, entering it in the catalogue if it is new.

        Raises:
            StorageError: a decision can't be noted; nothing may be stored by it.
        """
        noted = self.misfiled(segment)
        if noted is not None and noted.holds(sequence, time_us):
            return self._catalogue.period_of(noted.time_us)
        # One decision a segment: what came before it, or has a time that it believes, goes by its time.
        if noted is None and (instead := self._instead(time_us)) is not None:
            return self._note(segment, sequence, *instead)
        return self._catalogue.period_of(time_us)

    def forget(self, segment: Segment) -> None:
        """Take back what was decided of a segment that is deleted."""
        if self._noted.pop((segment.worker, segment.number), None) is None:
            return
        sync_directory(segment.path.parent)  # it must not come back without its decision
        of_segment = (misdated.c.worker == segment.worker, misdated.c.segment == segment.number)
        with self._catalogue.control.transaction() as connection:
            connection.execute(misdated.delete().where(*of_segment))

    def _instead(self, time_us: int) -> tuple[Period, _Believed] | None:
        """Return where a frame goes whose time can't be true, and which times can; None where its own can."""
        known = self._catalogue.known_period(time_us)
        now_us = self._now_us()
        if known is not None:
            has_gone_back = known.is_gone and now_us < known.until_us
            return self._newest_kept() if has_gone_back else None
        if time_us <= now_us + FAR_US and not self._is_too_old(time_us, now_us):
            return None
        present = self._catalogue.period_of(now_us)
        if present.is_gone:
            return self._newest_kept()
        believed = _around(present)
        return None if believed.since_us <= time_us < believed.until_us else (present, believed)

    def _newest_kept(self) -> tuple[Period, _Believed]:
        """Return the period that is nearest to the true time while the clock stands where all is destroyed.

        Where none is kept, it is a new one after all that were. The time of a destroyed one is not believed.
        """
        known = self._catalogue.known
        gone = [one for one in known if one.is_gone]
        present = next((one for one in known if not one.is_gone), None)
        if present is None:
            present = self._catalogue.period_of(max(one.until_us for one in gone))
        since_us, until_us = _around(present)
        return present, _Believed(
            max([since_us, *(one.until_us for one in gone if one.until_us <= present.since_us)]),
            min([until_us, *(one.since_us for one in gone if one.since_us >= present.until_us)]),
        )

    def _is_too_old(self, time_us: int, now_us: int) -> bool:
        if self._retention_days is None or time_us >= now_us - max(self._retention_days * DAY_US, FAR_US):
            return False
        return time_us < _began_us(self._catalogue, now_us) - FAR_US

    def _note(self, segment: Segment, sequence: int, period: Period, believed: _Believed) -> Period:
        time_us = min(max(self._now_us(), period.since_us), period.until_us - _ROOM_US)
        noted = Misfiled(sequence, time_us, *believed)
        place = {"worker": segment.worker, "segment": segment.number}
        with self._catalogue.control.transaction() as connection:
            connection.execute(misdated.insert().values(**place, **noted._asdict()))
        self._noted[segment.worker, segment.number] = noted
        return period


class _Believed(NamedTuple):
    """The times that can be true, for the records of one segment."""

    since_us: int
    until_us: int


def decided(control: Control) -> dict[tuple[str, int], Misfiled]:
    """Return what was decided of segments, by worker and number."""
    with control.transaction() as connection:
        return {
            (row.worker, row.segment): Misfiled(row.first_sequence, row.time_us, row.since_us, row.until_us)
            for row in connection.execute(select(misdated))
        }


def _around(period: Period) -> _Believed:
    return _Believed(period.since_us - FAR_US, period.until_us + FAR_US)


def _began_us(catalogue: Catalogue, now_us: int) -> int:
    """Return a time before which nothing that is spooled can have been written."""
    with catalogue.control.transaction() as connection:
        first = connection.execute(select(audit.c.time_us).order_by(audit.c.number).limit(1)).scalar_one_or_none()
    return min([now_us if first is None else first, *(period.since_us for period in catalogue.known)])
