"""Which hours are counted and when, and that a count replaces the one before in one transaction.

Owns the record of what is counted. An hour is counted once it has ended; it is looked at again when a later hour
of its period is counted and when the period is sealed, and counted again where it holds more by then. What was
counted from whole addresses stays when the period is written anew with cut addresses or without a person's rows:
counted again, it would give other groups, and the difference of the two could tell what was taken out.

Nothing here is needed to store the log: all of it can be done again, and does nothing where it is done.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import and_, func, select

from consentkit.archive.aggregate.counting import HOUR_US, Measured, count_hour, measure
from consentkit.archive.period import Catalogue
from consentkit.archive.periodlock import PeriodBusy
from consentkit.control import aggregate, aggregate_hour
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consentkit.archive.aggregate.terms import Dimension
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.archive.store.requeststore import Reader
    from consentkit.control import Control

# Records come a moment after their time, and are stored a moment after that.
GRACE_US: Final = 300 * 1_000_000

# No further hour is begun after so long, so that the spool is stored in between.
BUDGET_SECONDS: Final = 0.5

_WAIT_SECONDS: Final = 0.2

# Periods in one question: a database takes so many values and no more.
_NAMES_AT_ONCE: Final = 1000


class CountedHour(msgspec.Struct, frozen=True):
    """One hour as it was counted.

    Attributes:
        period, generation: from which place.
        file_hash: of that place if it was sealed when it was last looked at; empty if not.
        measured: how much it held.
    """

    period: str
    generation: int
    file_hash: str
    measured: Measured


class Aggregator:
    """Count the hours of all periods, as they end.

    Args:
        holdings: the store.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._complete: dict[str, str] = {}  # file hashes of sealed periods in which nothing is left to do

    def run(self, now_us: int, *, budget_seconds: float = BUDGET_SECONDS) -> int:
        """Count hours that have ended, newest period first, until there is no more or the time is up.

        Args:
            now_us: the clock.
            budget_seconds: after which no further hour is begun; one is always.

        Returns:
            How many hours were counted.

        Raises:
            KeyUnavailable, StorageError: a period can't be read; all others are done, and it at the next call.
        """
        deadline = time.monotonic() + budget_seconds
        known = Catalogue(self._holdings.control, "day").known
        waiting = [one for one in known if not one.is_gone and self._complete.get(one.name) != one.file_hash]
        counted = counted_hours(self._holdings.control, waiting)
        done, faults = 0, list[ConsentKitError]()
        for period in waiting:
            hours = _Hours(self._holdings, period, counted[period.name])
            due = owned_hours(period, known, min(period.until_us, now_us - GRACE_US))
            try:
                done += hours.count(due, deadline=deadline)
            except PeriodBusy:
                continue  # it is being sealed or written anew; it is counted in a later round
            except ConsentKitError as exc:
                faults.append(exc)  # it keeps no other period from being counted
                continue
            if hours.is_complete and period.state == "sealed":
                self._complete[period.name] = period.file_hash
            if time.monotonic() >= deadline:
                break
        if faults:
            raise faults[0]
        return done


def finish(holdings: Holdings, period: Period, *, wait_seconds: float = _WAIT_SECONDS) -> None:
    """Count all that is left of a period before it goes, ended or not.

    Raises:
        PeriodBusy, KeyUnavailable, StorageError: it can't be read.
    """
    known = Catalogue(holdings.control, "day").known
    hours = _Hours(holdings, period, counted_hours(holdings.control, [period])[period.name])
    hours.count(owned_hours(period, known, period.until_us), wait_seconds=wait_seconds)


def owned_hours(period: Period, known: Sequence[Period], until_us: int) -> list[int]:
    """Return the hours that end by `until_us` and whose records go to a period.

    Periods may overlap where the rotation was changed; the first in the catalogue's order takes the records.
    """
    whole = range(period.since_us, until_us - HOUR_US + 1, HOUR_US)
    owners = [one for one in known if one.since_us < period.until_us and one.until_us > period.since_us]
    if len(owners) == 1:
        return list(whole)
    return [
        hour_us
        for hour_us in whole
        if next(one for one in owners if one.since_us <= hour_us < one.until_us).name == period.name
    ]


def counted_hours(control: Control, periods: Sequence[Period]) -> dict[str, dict[int, CountedHour]]:
    """Return the hours of some periods that are counted, by the period's name and the hour."""
    found: dict[str, dict[int, CountedHour]] = {period.name: {} for period in periods}
    if not found:
        return found
    hour, cell = aggregate_hour.c, aggregate.c
    total = and_(cell.hour_us == hour.hour_us, cell.dimension == "total")
    requests = func.coalesce(cell.requests, 0).label("requests")
    statement = select(aggregate_hour, requests).outerjoin(aggregate, total)
    names = list(found)
    with control.reading() as connection:
        for start in range(0, len(names), _NAMES_AT_ONCE):
            some = hour.period.in_(names[start : start + _NAMES_AT_ONCE])
            for row in connection.execute(statement.where(some)):
                found[row.period][row.hour_us] = CountedHour(
                    row.period, row.generation, row.file_hash, Measured(row.requests, row.lost)
                )
    return found


class _Look(NamedTuple):
    """What an hour holds; `counts` None = as when it was counted."""

    hour_us: int
    measured: Measured
    counts: Mapping[Dimension, Mapping[str, int]] | None

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield the counts as rows of the table."""
        for dimension, by_value in (self.counts or {}).items():
            for value, requests in by_value.items():
                yield {
                    "hour_us": self.hour_us,
                    "dimension": dimension,
                    "value": value,
                    "requests": requests,
                }


class _Hours:
    """The hours of one period.

    Attributes:
        is_complete: nothing is left to do, until the period changes.
    """

    def __init__(self, holdings: Holdings, period: Period, counted: Mapping[int, CountedHour]) -> None:
        self._holdings = holdings
        self._period = period
        self._counted = counted
        self.is_complete = False

    def count(
        self, due: Sequence[int], *, deadline: float | None = None, wait_seconds: float = _WAIT_SECONDS
    ) -> int:
        """Count what is due and not counted, or not as it is; return how many hours that were.

        Args:
            due: hours that have ended.
            deadline: by the monotonic clock, after which no further hour is begun; None = none.
            wait_seconds: how long who has the period for himself may take to leave it.
        """
        stale = self._stale(due)
        place, holdings = self._period.place, self._holdings
        if stale and holdings.rows.exists(place) and not holdings.keyring.was_destroyed(place.key_name):
            with holdings.rows.lock(place, exclusive=False, wait_seconds=wait_seconds):
                return self._count_locked(stale, deadline)
        self.is_complete = not stale
        return 0

    def _stale(self, due: Sequence[int]) -> list[int]:
        """Return the hours to look at, those that were never counted first."""
        fresh = [hour_us for hour_us in due if hour_us not in self._counted]
        seen = [hour_us for hour_us in due if hour_us in self._counted]
        period = self._period
        return fresh + [
            hour_us
            for hour_us in seen
            if self._counted[hour_us].generation == period.generation
            and (fresh or self._counted[hour_us].file_hash != period.file_hash)
        ]

    def _count_locked(self, stale: Sequence[int], deadline: float | None) -> int:
        looks: list[_Look] = []
        try:
            with self._holdings.rows.reader(self._period.place) as reader:  # number and counts as of one instant
                for hour_us in stale:
                    if looks and deadline is not None and time.monotonic() >= deadline:
                        break
                    looks.append(self._look(reader, hour_us))
        finally:  # what could be counted of a damaged period is kept
            self._store(looks)
        self.is_complete = len(looks) == len(stale)
        return sum(look.counts is not None for look in looks)

    def _look(self, reader: Reader | None, hour_us: int) -> _Look:
        """Count an hour if it holds another number than when it was counted."""
        measured = Measured(0, 0) if reader is None else measure(reader, hour_us)
        before = self._counted.get(hour_us)
        if before is not None and before.measured == measured:
            return _Look(hour_us, measured, None)
        return _Look(hour_us, measured, {} if reader is None else count_hour(reader, hour_us))

    def _store(self, looks: Sequence[_Look]) -> None:
        """Replace what is known of hours, in one transaction; none is there in part."""
        counted = [look.hour_us for look in looks if look.counts is not None]
        if not looks:
            return
        with self._holdings.control.transaction() as connection:
            connection.execute(aggregate.delete().where(aggregate.c.hour_us.in_(counted)))
            if rows := [row for look in looks for row in look.rows()]:
                connection.execute(aggregate.insert(), rows)
            looked_at = aggregate_hour.c.hour_us.in_([look.hour_us for look in looks])
            connection.execute(aggregate_hour.delete().where(looked_at))
            connection.execute(aggregate_hour.insert(), [self._state(look) for look in looks])

    def _state(self, look: _Look) -> dict[str, object]:
        return {
            "hour_us": look.hour_us,
            "period": self._period.name,
            "generation": self._period.generation,
            "file_hash": self._period.file_hash,
            "lost": look.measured.lost,
        }
