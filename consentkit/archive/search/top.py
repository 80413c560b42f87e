"""The most frequent values of the newest rows that match.

Owns the bounds that keep a count from reading the whole table: so many rows and so much
time. Counts over everything are the aggregates' job.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.search.deadline import Deadline
from consentkit.archive.search.gaps import in_order
from consentkit.archive.search.waiting import Losses
from consentkit.archive.store.places import TimeIsUp
from consentkit.errors import StorageError
from consentkit.requestlog.record import Gap
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.period import Period
    from consentkit.archive.search.archive import Archive
    from consentkit.archive.search.waiting import Waiting
    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.requeststore import Reader

By: TypeAlias = Literal[
    "address", "path", "agent", "status", "host", "referrer", "country", "browser", "device-type"
]
BY: Final[tuple[By, ...]] = get_args(By)

ROWS: Final = 100_000


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """How often each value is there.

    Attributes:
        counts: (value, requests), most frequent first.
        rows: requests that were counted: the newest that match.
        back_to_us: the time from which on all that match were counted; microseconds since 1970 UTC.
        ended_by: what kept older ones out: ``rows``, ``time``, or empty where nothing did.
        gaps: what was lost in that time, oldest first.
        losses: what of the spool could not be read.
        restricted: rows that match and may only be stored, in the periods that were counted.
    """

    counts: list[tuple[str, int]]
    rows: int
    back_to_us: int
    ended_by: Literal["", "rows", "time"]
    gaps: list[Gap]
    losses: Losses
    restricted: int = 0


def top(
    archive: Archive, filters: Filters, by: By, *, rows: int = ROWS, time_limit_seconds: float | None = None
) -> Top:
    """Count the newest matching requests by one of their values.

    Args:
        archive: the log.
        filters: what to match.
        by: what to count by.
        rows: when so many are counted, older periods are left out, and of the one in which that was reached the
            older rows.
        time_limit_seconds: past it, what was counted so far is returned.

    Raises:
        StorageError, KeyUnavailable: as a search.
    """
    counting = _Counting(archive, filters, by, rows, Deadline(time_limit_seconds))
    try:
        counting.run()
    except TimeIsUp:
        counting.ended_by = "time"
    return counting.result()


class _Counted(msgspec.Struct, frozen=True):
    """The counts of one period; `first_us` where older rows of it were left out."""

    counts: dict[str, int]
    gaps: dict[FrameId, Gap]
    first_us: int | None
    restricted: int = 0


class _Counting:
    """Sum up period by period, the newest first, at most about so many rows.

    Attributes:
        ended_by: as in what is returned.
    """

    def __init__(self, archive: Archive, filters: Filters, by: By, rows: int, deadline: Deadline) -> None:
        self._archive = archive
        self._filters = filters
        self._by = by
        self._limit = rows
        self._deadline = deadline
        self._restrictions = archive.restrictions()
        self._counts: Counter[str] = Counter()
        self._rows = 0
        self._back_to_us = filters.until_us
        self._gaps: dict[FrameId, Gap] = {}
        self._losses = Losses()
        self._restricted = 0
        self.ended_by: Literal["", "rows", "time"] = ""

    def run(self) -> None:
        """Count until all is counted, or as many rows as are wanted.

        Raises:
            TimeIsUp: of the period that was next nothing was counted.
        """
        archive, filters, deadline = self._archive, self._filters, self._deadline
        waiting = archive.waiting(archive.periods())  # before the periods: as in a search
        waiting.load(filters, deadline)
        self._gaps.update(waiting.gaps)
        self._losses = waiting.losses
        periods = archive.periods_of(filters, waiting)
        sieve = archive.sieve(filters, periods, waiting, deadline)
        for period in periods:
            if self._rows >= self._limit:
                self.ended_by = "rows"
                break
            deadline.check()
            first_us = self._add(period, waiting) if sieve.keeps(period) else None
            self._back_to_us = max(period.since_us, filters.since_us)
            if first_us is not None:
                self._back_to_us, self.ended_by = first_us, "rows"
                break

    def result(self) -> Top:
        """Return what was counted so far."""
        return Top(
            counts=sorted(self._counts.items(), key=lambda one: (-one[1], one[0])),
            rows=self._rows,
            back_to_us=self._back_to_us,
            ended_by=self.ended_by,
            gaps=in_order(self._gaps),
            losses=self._losses,
            restricted=self._restricted,
        )

    def _add(self, period: Period, waiting: Waiting) -> int | None:
        """Count in one period; return from which time on, None = all of it.

        Raises:
            TimeIsUp: nothing of it was counted.
        """
        held = self._deadline.within(READER_SECONDS)

        def read(stored: Reader | None, present: Period) -> _Counted:
            readers = [one for one in (stored, waiting.rows(present, stored)) if one]
            counted = self._count(readers, present, self._limit - self._rows, held)
            return replace(counted, gaps={} if stored is None else stored.gaps(self._filters))

        try:
            counted = self._archive.stored.read(period, read, deadline=self._deadline)
        except TimeIsUp:
            self._deadline.check()
            raise StorageError(period.file_name, "this count takes too long; ask for a shorter time") from None
        if counted is None:
            return None
        self._counts.update(counted.counts)
        self._rows += sum(counted.counts.values())
        self._gaps.update(counted.gaps)
        self._restricted += counted.restricted
        return counted.first_us

    def _count(self, readers: Sequence[Reader], period: Period, rows: int, held: Deadline) -> _Counted:
        """Count in what is stored of a period and in what waits for it, both from the same time on."""
        filters, counts = self._filters, Counter[str]()
        withheld = self._restrictions.of(period)
        first_us: int | None = None
        for reader in readers:
            with reader.limited(held):
                edge_us = reader.edge(filters, rows, withheld=withheld)
            if edge_us is not None:
                first_us, filters = edge_us, replace(filters, since_us=edge_us)
        for reader in readers:
            with reader.limited(held):
                counts.update(reader.counts(filters, self._by, withheld=withheld))
        restricted = sum(self._restrictions.count(reader, period, self._filters) for reader in readers)
        return _Counted(counts, {}, first_us, restricted)
