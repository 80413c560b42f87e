"""Reading the statistics: sums by value, series over time, and availability by day.

Owns the shapes that the command line and the admin area show. Nothing here is personal data, so no purpose is
asked for and no look is recorded. Values come from requests: whoever shows them escapes them.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import and_, select

from consentkit.archive.aggregate import terms
from consentkit.archive.aggregate.counting import HOUR_US
from consentkit.control import aggregate, aggregate_hour

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consentkit.archive.aggregate.terms import Dimension
    from consentkit.control import Control

Step: TypeAlias = Literal["hour", "day"]

_STEP_US: Final[dict[Step, int]] = {"hour": HOUR_US, "day": 24 * HOUR_US}


class Count(msgspec.Struct, frozen=True):
    """How many requests have one value."""

    value: str
    requests: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of a stretch of time by one dimension.

    Attributes:
        counts: most requests first, ``other`` last.
        requests: all that were counted.
        untold: those among them of hours with too few addresses to be told by anything.
        hours: that were counted, also those without requests.
    """

    counts: tuple[Count, ...]
    requests: int
    untold: int
    hours: int


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a series.

    Attributes:
        time_us: its first instant, microseconds since 1970 UTC.
        counts: requests by value; empty where there were none, and where there were too few addresses.
        requests: all that were counted.
        hours: of the step that were counted: where a day has fewer than 24, nothing is known of the others.
    """

    time_us: int
    counts: dict[str, int]
    requests: int
    hours: int


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """How a day's requests were answered.

    Attributes:
        day: ISO 8601 date, UTC.
        answered: requests answered without a fault of the server; with those of hours in which a fault met
            fewer than ten addresses.
        failed: requests answered by 5xx or ended by an error of the application; with those of hours in which
            fewer than ten addresses were spared.
        untold: requests of hours with too few addresses to tell.
        lost: records that are known to be missing.
        hours_known: hours that the figures speak of.
        hours_unknown: hours without a request, without a log, or with too few addresses: not up, not down.
        hours_with_few_failures: of those known, in which a fault met fewer than ten addresses.
    """

    day: str
    answered: int
    failed: int
    untold: int
    lost: int
    hours_known: int
    hours_unknown: int
    hours_with_few_failures: int

    @property
    def share(self) -> float | None:
        """The share of requests that were answered, 0 to 1; None where nothing is known."""
        known = self.answered + self.failed
        return self.answered / known if known else None


def read(control: Control, since_us: int, until_us: int, dimension: Dimension) -> Counts:
    """Return the requests of a stretch of time by one dimension.

    Args:
        control: the control database.
        since_us, until_us: of the hours that begin from, and before; microseconds since 1970 UTC.
        dimension: one of `DIMENSIONS`.

    Raises:
        StorageError: the control database refuses.
    """
    counts: Counter[str] = Counter()
    requests = hours = 0
    for hour in _hours(control, since_us, until_us, dimension):
        counts.update(hour.counts)
        requests += hour.requests
        hours += 1
    by_size = sorted(counts.items(), key=lambda item: (item[0] == terms.OTHER, -item[1], item[0]))
    return Counts(
        counts=tuple(Count(value, number) for value, number in by_size),
        requests=requests,
        untold=requests - counts.total(),
        hours=hours,
    )


def series(control: Control, dimension: Dimension, since_us: int, until_us: int, step: Step) -> tuple[Point, ...]:
    """Return a dimension over time, oldest first; steps of which nothing is known are not there.

    Args:
        control: the control database.
        dimension: one of `DIMENSIONS`.
        since_us, until_us: as in `read`.
        step: of UTC.

    Raises:
        StorageError: the control database refuses.
    """
    points = []
    for time_us, hours in _by_step(_hours(control, since_us, until_us, dimension), _STEP_US[step]):
        counts: Counter[str] = Counter()
        for hour in hours:
            counts.update(hour.counts)
        requests = sum(hour.requests for hour in hours)
        points.append(Point(time_us=time_us, counts=dict(counts), requests=requests, hours=len(hours)))
    return tuple(points)


def availability_by_day(control: Control, since_us: int, until_us: int) -> tuple[Availability, ...]:
    """Return how the requests of each day were answered, oldest first; days without a counted hour are not there.

    Args:
        control: the control database.
        since_us, until_us: as in `read`. Hours beyond them are neither known nor unknown.

    Raises:
        StorageError: the control database refuses.
    """
    day_us = _STEP_US["day"]
    days = []
    for time_us, hours in _by_step(_hours(control, since_us, until_us, "availability"), day_us):
        first, last = max(since_us, time_us), min(until_us, time_us + day_us)
        days.append(_availability(time_us, hours, -(-last // HOUR_US) - -(-first // HOUR_US)))
    return tuple(days)


class _Hour(NamedTuple):
    time_us: int
    requests: int
    lost: int
    counts: dict[str, int]


def _availability(time_us: int, hours: list[_Hour], asked: int) -> Availability:
    counts: Counter[str] = Counter()
    for hour in hours:
        counts.update(hour.counts)
    known = sum(bool(hour.counts) and terms.OTHER not in hour.counts for hour in hours)
    answered = counts[terms.ANSWERED] + counts[terms.FEW_FAILED]
    failed = counts[terms.FAILED] + counts[terms.FEW_ANSWERED]
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return Availability(
        day=day.date().isoformat(),
        answered=answered,
        failed=failed,
        untold=sum(hour.requests for hour in hours) - answered - failed,
        lost=sum(hour.lost for hour in hours),
        hours_known=known,
        hours_unknown=asked - known,
        hours_with_few_failures=sum(terms.FEW_FAILED in hour.counts for hour in hours),
    )


def _hours(control: Control, since_us: int, until_us: int, dimension: Dimension) -> list[_Hour]:
    """Return the hours that were counted, oldest first, each with its cells of one dimension."""
    hour, cell = aggregate_hour.c, aggregate.c
    wanted = and_(cell.hour_us == hour.hour_us, cell.dimension.in_({dimension, "total"}))
    statement = (
        select(hour.hour_us, hour.lost, cell.dimension, cell.value, cell.requests)
        .outerjoin(aggregate, wanted)
        .where(hour.hour_us >= since_us, hour.hour_us < until_us)
        .order_by(hour.hour_us)
    )
    found: dict[int, _Hour] = {}
    with control.reading() as connection:
        for row in connection.execute(statement):
            one = found.setdefault(row.hour_us, _Hour(row.hour_us, 0, row.lost, {}))
            if row.dimension == "total":
                one = found[row.hour_us] = one._replace(requests=row.requests)
            if row.dimension == dimension:
                one.counts[row.value] = row.requests
    return list(found.values())


def _by_step(hours: Iterable[_Hour], step_us: int) -> Iterator[tuple[int, list[_Hour]]]:
    steps: dict[int, list[_Hour]] = {}
    for hour in hours:
        steps.setdefault(hour.time_us // step_us * step_us, []).append(hour)
    yield from steps.items()
