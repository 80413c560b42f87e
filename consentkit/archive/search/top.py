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
    from consentkit.archive.search.restricted import Restrictions
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
    counting = _Counting(filters, by, archive.restrictions())
    back_to_us = filters.until_us
    ended_by: Literal["", "rows", "time"] = ""
    deadline = Deadline(time_limit_seconds)
    losses = Losses()
    try:
        waiting = archive.waiting(archive.periods())  # before the periods: as in a search
        waiting.load(filters, deadline)
        counting.gaps.update(waiting.gaps)
        losses = waiting.losses
        periods = archive.periods_of(filters, waiting)
        sieve = archive.sieve(filters, periods, waiting, deadline)
        for period in periods:
            if counting.rows >= rows:
                ended_by = "rows"
                break
            deadline.check()
            first_us: int | None = None
            if sieve.keeps(period):
                first_us = counting.add(archive, period, waiting, rows - counting.rows, deadline)
            back_to_us = max(period.since_us, filters.since_us)
            if first_us is not None:
                back_to_us, ended_by = first_us, "rows"
                break
    except TimeIsUp:
        ended_by = "time"
    return Top(
        counts=counting.in_order(),
        rows=counting.rows,
        back_to_us=back_to_us,
        ended_by=ended_by,
        gaps=in_order(counting.gaps),
        losses=losses,
        restricted=counting.restricted,
    )


class _Counted(msgspec.Struct, frozen=True):
    """The counts of one period; `first_us` where older rows of it were left out."""

    counts: dict[str, int]
    gaps: dict[FrameId, Gap]
    first_us: int | None
    restricted: int = 0


class _Counting:
    """Sum up period by period."""

    def __init__(self, filters: Filters, by: By, restrictions: Restrictions) -> None:
        self._filters = filters
        self._restrictions = restrictions
        self.restricted = 0
        self._by = by
        self._counts: Counter[str] = Counter()
        self.rows = 0
        self.gaps: dict[FrameId, Gap] = {}

    def add(self, archive: Archive, period: Period, waiting: Waiting, rows: int, deadline: Deadline) -> int | None:
        """Count at most about so many rows of one period; return from which time on, None = all of it.

        Raises:
            TimeIsUp: nothing of it was counted.
        """
        held = deadline.within(READER_SECONDS)

        def read(stored: Reader | None, present: Period) -> _Counted:
            readers = [one for one in (stored, waiting.rows(present, stored)) if one]
            counted = self._count(readers, present, rows, held)
            return replace(counted, gaps={} if stored is None else stored.gaps(self._filters))

        try:
            counted = archive.stored.read(period, read, deadline=deadline)
        except TimeIsUp:
            deadline.check()
            raise StorageError(period.file_name, "this count takes too long; ask for a shorter time") from None
        if counted is None:
            return None
        self._counts.update(counted.counts)
        self.rows += sum(counted.counts.values())
        self.gaps.update(counted.gaps)
        self.restricted += counted.restricted
        return counted.first_us

    def in_order(self) -> list[tuple[str, int]]:
        """Return what was counted, most frequent first."""
        return sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))

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
