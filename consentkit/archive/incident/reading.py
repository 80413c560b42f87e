"""Reading what an incident holds: its rows, and what they add up to.

Owns opening the copy under its lock. Who may look, and its record in the audit, is the caller's duty.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consentkit.archive.incident.listing import BadIncident, Incident, find
from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.store.addresses import pack_address
from consentkit.archive.store.interface import Filters, iso_time
from consentkit.errors import StorageError
from consentkit.requestlog.redact import flag_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.search.deadline import Deadline
    from consentkit.archive.store.interface import Cursor
    from consentkit.archive.store.places import By, Found
    from consentkit.archive.store.requeststore import Reader
    from consentkit.requestlog.record import Gap

HOUR_US: Final = 3_600_000_000

_Order: TypeAlias = "Callable[[str], str | int | bytes]"


class Hour(msgspec.Struct, frozen=True):
    """How many requests one hour holds, by the first digit of their status; 0 = none was sent.

    Attributes:
        time_us: its beginning; microseconds since 1970 UTC.
        by_class: counts by class, those of none left out.
    """

    time_us: int
    by_class: dict[int, int]

    @property
    def total(self) -> int:
        """All requests of the hour."""
        return sum(self.by_class.values())


class Count(msgspec.Struct, frozen=True):
    """How often one value is there."""

    value: str
    requests: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident's rows add up to; lists have the most frequent values first, and no more than asked for.

    Attributes:
        rows: requests.
        first, last: ISO 8601 in UTC; empty where there are no rows.
        clients: how many addresses.
    """

    rows: int
    first: str
    last: str
    clients: int
    days: list[Count]
    statuses: list[Count]
    addresses: list[Count]
    paths: list[Count]
    agents: list[Count]
    countries: list[Count]


class Kept:
    """An open incident's rows, while they are read.

    Raises:
        StorageError: from every method: the rows can't be read.
    """

    def __init__(self, incident: Incident, reader: Reader) -> None:
        self.incident = incident
        self._reader = reader

    def rows(
        self,
        filters: Filters,
        *,
        limit: int = 0,
        before: Cursor | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
        deadline: Deadline | None = None,
        reached: Callable[[int], None] | None = None,
    ) -> Iterator[Found]:
        """Yield matching rows, newest first; arguments as `archive.search` has them.

        Args:
            filters, limit, before, after, oldest_first: as said.
            deadline: when to give up; None = never.
            reached: told, in microseconds since 1970 UTC, up to where all that matches was given.

        Raises:
            TimeIsUp: it gave up.
        """
        with self._reader.limited(deadline) if deadline else contextlib.nullcontext():
            yield from self._reader.rows(
                filters, limit=limit, before=before, after=after, oldest_first=oldest_first, reached=reached
            )

    def hours(self) -> list[Hour]:
        """Return the time line, oldest hour first; hours without requests are left out."""
        hours: dict[int, dict[int, int]] = {}
        for hour, status_class, count in self._reader.counts_by_status(HOUR_US):
            hours.setdefault(hour, {})[status_class] = count
        return [Hour(hour * HOUR_US, by_class) for hour, by_class in hours.items()]

    def counts(self, hours: list[Hour], *, limit: int) -> Counts:
        """Return what the rows add up to.

        Args:
            hours: of `hours`.
            limit: so many values of each list.
        """
        rows, first_us = self._reader.measure()
        last = next(self._reader.rows(Filters(), limit=1), None)
        return Counts(
            rows=rows,
            first="" if first_us is None else iso_time(first_us),
            last="" if last is None else iso_time(last[0].time_us),
            clients=self._reader.clients(),
            days=_days(hours),
            statuses=self._top("status", limit, order=int),
            addresses=self._top("address", limit, order=pack_address),
            paths=self._top("path", limit),
            agents=self._top("agent", limit),
            countries=self._top("country", limit),
        )

    def flags(self) -> list[Count]:
        """Return how many rows have a query of each kind, the most frequent first."""
        found: Counter[str] = Counter()
        counts = self._reader.counts(Filters(), "query-flags")
        for bits, count in sorted(counts.items(), key=lambda one: (-one[1], int(one[0]))):
            found.update(dict.fromkeys(flag_names(int(bits)), count))
        return [Count(name, count) for name, count in found.most_common()]

    def gaps(self) -> list[Gap]:
        """Return what the log lost over the time asked for, oldest first."""
        return sorted(self._reader.gaps(Filters()).values(), key=lambda gap: (gap.since_us, gap.until_us))

    def _top(self, by: By, limit: int, *, order: _Order = str) -> list[Count]:
        """Return the most frequent values; of equally frequent ones the first in their order."""
        counts = self._reader.counts(Filters(), by)
        most = nsmallest(limit, counts.items(), key=lambda one: (-one[1], order(one[0])))
        return [Count(value, count) for value, count in most]


@contextlib.contextmanager
def reading(holdings: Holdings, number: int) -> Iterator[Kept]:
    """Open an incident's rows; whoever closes or rewrites it waits until the block ends.

    Raises:
        BadIncident: there is none, or it holds nothing any more.
        PeriodBusy: it is just being closed or written anew.
        KeyUnavailable, StorageError: it can't be opened.
    """
    with contextlib.ExitStack() as stack:
        incident = _locked(holdings, number, stack)
        reader = stack.enter_context(holdings.rows.reader(incident.place()))
        if reader is None:
            raise _missing(incident)
        yield Kept(incident, reader)


def _locked(holdings: Holdings, number: int, stack: contextlib.ExitStack) -> Incident:
    """Lock the present generation, whichever that is when the lock is held."""
    incident = _open_one(holdings, number)
    while True:
        if not holdings.rows.exists(incident.place()):
            raise _missing(incident)
        lock = holdings.rows.lock(incident.place(), exclusive=False, wait_seconds=READER_SECONDS)
        present = _open_one(holdings, number)
        if present.generation == incident.generation:
            stack.enter_context(lock)
            return present
        lock.release()
        incident = present


def _missing(incident: Incident) -> StorageError:
    reason = f"the rows of {incident.name} are missing; restore them from a backup"
    return StorageError(incident.place().stem, reason)


def _open_one(holdings: Holdings, number: int) -> Incident:
    with holdings.control.transaction() as connection:
        incident = find(connection, number)
    if incident.state != "open":
        raise BadIncident(f"incident {number} is {incident.state}: its rows are gone")
    return incident


def _days(hours: list[Hour]) -> list[Count]:
    days: dict[str, int] = {}
    for hour in hours:
        day = iso_time(hour.time_us)[:10]
        days[day] = days.get(day, 0) + hour.total
    return [Count(day, count) for day, count in days.items()]
