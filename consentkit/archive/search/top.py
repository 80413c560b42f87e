"""The most frequent values of the newest rows that match.

Owns the statements, and the bounds that keep a count from reading the whole table: so many rows and so much
time. Counts over everything are the aggregates' job.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.search.deadline import Deadline, TimeIsUp
from consentkit.archive.search.gaps import in_order, stored_gaps
from consentkit.archive.search.waiting import Losses
from consentkit.archive.store.matching import match
from consentkit.archive.store.select import row_bounds
from consentkit.archive.store.tables import TIES, unpack_address
from consentkit.errors import StorageError
from consentkit.requestlog.record import Gap
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.period import Period
    from consentkit.archive.search.archive import Archive
    from consentkit.archive.search.restricted import Restrictions
    from consentkit.archive.search.waiting import Waiting
    from consentkit.archive.store.interface import Filters

By: TypeAlias = Literal[
    "address", "path", "agent", "status", "host", "referrer", "country", "browser", "device-type"
]
BY: Final[tuple[By, ...]] = get_args(By)

ROWS: Final = 100_000

_COLUMNS: Final[dict[By, tuple[str, str]]] = {
    "address": ("client", "address"),
    "path": ("resource", "path"),
    "agent": ("agent", "user_agent"),
    "host": ("resource", "host"),
    "referrer": ("referrer", "host"),
    "country": ("client", "country"),
    "browser": ("agent", "browser"),
    "device-type": ("agent", "device_type"),
}

_WHERE: Final = "FROM request r WHERE r.id >= ? AND r.id < ? {conditions}"
_EDGE: Final = f"SELECT r.id {_WHERE} ORDER BY r.id DESC LIMIT 1 OFFSET ?"
_STATUS: Final = f"SELECT r.status, count(*) {_WHERE} GROUP BY 1"
# Counted by numbers first, so that a text is looked up once.
_TEXT: Final = f"""
SELECT t.{{column}}, sum(k.n)
FROM (SELECT r.{{table}} AS id, count(*) AS n {_WHERE} GROUP BY 1) k
  JOIN {{table}} t ON t.id = k.id
GROUP BY 1"""  # noqa: S608 - our own names


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
        known = {period.name: period for period in (*archive.periods(), *waiting.periods.values())}
        for period in sorted(known.values(), key=lambda one: one.since_us, reverse=True):
            if period.since_us >= filters.until_us or period.until_us <= filters.since_us:
                continue
            if counting.rows >= rows:
                ended_by = "rows"
                break
            deadline.check()
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

    counts: dict[object, int]
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
        self._counts: Counter[object] = Counter()
        self.rows = 0
        self.gaps: dict[FrameId, Gap] = {}

    def add(self, archive: Archive, period: Period, waiting: Waiting, rows: int, deadline: Deadline) -> int | None:
        """Count at most about so many rows of one period; return from which time on, None = all of it.

        Raises:
            TimeIsUp: nothing of it was counted.
        """
        held = deadline.within(READER_SECONDS)

        def read(connection: sqlcipher.Connection | None, present: Period) -> _Counted:
            return self._count([connection, waiting.rows(present, connection)], present, rows, held)

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
        counts: Counter[str] = Counter()
        for value, count in self._counts.items():
            counts[unpack_address(value) if isinstance(value, bytes) else str(value)] += count
        return sorted(counts.items(), key=lambda one: (-one[1], one[0]))

    def _count(
        self, places: list[sqlcipher.Connection | None], period: Period, rows: int, held: Deadline
    ) -> _Counted:
        """Count in a period's file and in what waits for it, both from the same row on."""
        first, last = row_bounds(period, self._filters, None, None)
        low, counts = first, Counter[object]()
        withheld = self._restrictions.of(period)
        matching = [(place, match(place, self._filters, withheld)) for place in places if place is not None]
        restricted = sum(self._restrictions.count(place, period, self._filters) for place, _ in matching)
        for place, wanted in matching:
            if wanted is not None:
                with held.over(place):
                    values = (low, last, *wanted.values, rows)
                    edge = place.execute(_EDGE.format(conditions=wanted.conditions), values).fetchone()
                low = low if edge is None else edge[0] + 1
        for place, wanted in matching:
            if wanted is not None:
                with held.over(place):
                    found = place.execute(self._statement(wanted.conditions), (low, last, *wanted.values))
                    counts.update(dict(found))
        gaps = {} if places[0] is None else stored_gaps(places[0], self._filters)
        first_us = None if low == first else period.since_us + -(-low // TIES)
        return _Counted(counts, gaps, first_us, restricted)

    def _statement(self, conditions: str) -> str:
        if self._by == "status":
            return _STATUS.format(conditions=conditions)
        table, column = _COLUMNS[self._by]
        return _TEXT.format(table=table, column=column, conditions=conditions)
