"""How many requests match, step by step of time.

Owns the order of periods, and saying how far back it came. Where nothing but a time is asked for, the statistics
know it without looking at a row.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store.places import TimeIsUp

if TYPE_CHECKING:
    from consentkit.archive.period import Period
    from consentkit.archive.search.archive import Archive
    from consentkit.archive.search.restricted import Restrictions
    from consentkit.archive.search.waiting import Waiting
    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.requeststore import Reader


class OverTime(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests match in each step of time.

    Attributes:
        counts: by the step's first instant, microseconds since 1970 UTC; steps without a request are not there.
        back_to_us: the time from which on all that match were counted.
        is_cut: the time limit kept older ones out.
    """

    counts: dict[int, int]
    back_to_us: int
    is_cut: bool


def over_time(
    archive: Archive, filters: Filters, step_us: int, *, time_limit_seconds: float | None = None
) -> OverTime:
    """Count the requests that match by steps of time, the newest period first; not those that are restricted.

    Args:
        archive: the log.
        filters: what to match.
        step_us: length of a step in microseconds; steps begin at its multiples since 1970 UTC.
        time_limit_seconds: past it, what was counted so far is returned; a period that it ended is left out.

    Raises:
        StorageError, KeyUnavailable: as a search.
    """
    counts: Counter[int] = Counter()
    back_to_us, is_cut = filters.until_us, False
    deadline = Deadline(time_limit_seconds)
    try:
        waiting = archive.waiting(archive.periods())  # before the periods: as in a search
        waiting.load(filters, deadline)
        counting = _Counting(archive, waiting, filters, step_us, archive.restrictions())
        periods = archive.periods_of(filters, waiting)
        sieve = archive.sieve(filters, periods, waiting, deadline)
        for period in periods:
            if sieve.keeps(period):
                counts.update(counting.of(period, deadline))
            back_to_us = max(period.since_us, filters.since_us)
    except TimeIsUp:
        is_cut = True
    counted = {step * step_us: number for step, number in sorted(counts.items())}
    return OverTime(counts=counted, back_to_us=back_to_us, is_cut=is_cut)


class _Counting(NamedTuple):
    """What is counted in each period."""

    archive: Archive
    waiting: Waiting
    filters: Filters
    step_us: int
    restrictions: Restrictions

    def of(self, period: Period, deadline: Deadline) -> dict[int, int]:
        """Count what matches in one period by the number of the step.

        Raises:
            TimeIsUp: it is not whole.
        """
        held = deadline.within(READER_SECONDS)

        def read(stored: Reader | None, present: Period) -> Counter[int]:
            found: Counter[int] = Counter()
            withheld = self.restrictions.of(present)
            for reader in (stored, self.waiting.rows(present, stored)):
                if reader is not None:
                    with reader.limited(held):
                        found.update(reader.counts_over_time(self.filters, self.step_us, withheld=withheld))
            return found

        deadline.check()
        return self.archive.stored.read(period, read, deadline=deadline) or {}
