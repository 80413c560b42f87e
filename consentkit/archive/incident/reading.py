"""Reading what an incident holds: its rows, and what they add up to.

Owns opening the file under its lock. Who may look, and its record in the audit, is the caller's duty.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.incident.listing import BadIncident, Incident, find
from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.store.select import iso_time, select_requests
from consentkit.archive.store.tables import TIES, unpack_address
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError
from consentkit.requestlog.record import Gap
from consentkit.requestlog.redact import QUERY_FLAGS, flag_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.search import Found
    from consentkit.archive.search.deadline import Deadline
    from consentkit.archive.store.interface import Cursor, Filters

HOUR_US: Final = 3_600_000_000

_HOURS: Final = """
SELECT id / ?, CASE WHEN status BETWEEN 100 AND 599 THEN status / 100 ELSE 0 END, count(*)
FROM request GROUP BY 1, 2 ORDER BY 1, 2"""

# Rows are counted by their numbers first: sorting integers, not texts, keeps memory small.
_BY_NUMBER: Final = "FROM (SELECT {table} AS id, count(*) AS n FROM request GROUP BY 1) JOIN {table} USING (id)"
_TOP: Final = f"SELECT {{column}}, sum(n) {_BY_NUMBER} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
_STATUSES: Final = "SELECT status, count(*) FROM request GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
_DISTINCT: Final = "SELECT count(DISTINCT address) FROM client"

_GAPS: Final = "SELECT since_us, until_us, lost, reason, network FROM gap ORDER BY since_us, until_us"


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
        StorageError: from every method: the file can't be read.
    """

    def __init__(self, incident: Incident, connection: sqlcipher.Connection) -> None:
        self.incident = incident
        self._connection = connection

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
        with self._told(), deadline.over(self._connection) if deadline else contextlib.nullcontext():
            yield from select_requests(
                self._connection,
                self.incident.period,
                filters,
                limit=limit,
                before=before,
                after=after,
                oldest_first=oldest_first,
                reached=reached,
            )

    def hours(self) -> list[Hour]:
        """Return the time line, oldest hour first; hours without requests are left out."""
        hours: dict[int, dict[int, int]] = {}
        for hour, status_class, count in self._all(_HOURS, TIES * HOUR_US):
            hours.setdefault(hour, {})[status_class] = count
        return [Hour(hour * HOUR_US, by_class) for hour, by_class in hours.items()]

    def counts(self, hours: list[Hour], *, limit: int) -> Counts:
        """Return what the rows add up to.

        Args:
            hours: of `hours`.
            limit: so many values of each list.
        """
        ((rows, first, last),) = self._all("SELECT count(*), min(id), max(id) FROM request")
        ((clients,),) = self._all(_DISTINCT)
        addresses = self._top("client", "address", limit)
        return Counts(
            rows=rows,
            first=iso_time(first // TIES) if rows else "",
            last=iso_time(last // TIES) if rows else "",
            clients=clients,
            days=_days(hours),
            statuses=[Count(str(status), count) for status, count in self._all(_STATUSES, limit)],
            addresses=[Count(unpack_address(packed), count) for packed, count in addresses],
            paths=[Count(path, count) for path, count in self._top("resource", "path", limit)],
            agents=[Count(agent, count) for agent, count in self._top("agent", "user_agent", limit)],
            countries=[Count(country, count) for country, count in self._top("client", "country", limit)],
        )

    def flags(self) -> list[Count]:
        """Return how many rows have a query of each kind, the most frequent first."""
        found: Counter[str] = Counter()
        for bits, count in self._top("resource", "query_flags", 1 << len(QUERY_FLAGS)):
            found.update(dict.fromkeys(flag_names(bits), count))
        return [Count(name, count) for name, count in found.most_common()]

    def gaps(self) -> list[Gap]:
        """Return what the log lost over the time asked for, oldest first."""
        return [Gap(*row) for row in self._all(_GAPS)]

    def _top(self, table: str, column: str, limit: int) -> list[Any]:
        return self._all(_TOP.format(table=table, column=column), limit)

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self._told():
            return list(self._connection.execute(statement, values))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlcipher.Error as exc:
            raise StorageError(self.incident.name, f"can't be read ({exc})") from exc


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
        place = incident.place(holdings)
        try:
            connection = open_sqlcipher(place.file, holdings.keyring.load(place.key_name), read_only=True)
        except sqlcipher.Error as exc:
            raise StorageError(place.file.name, f"can't be opened ({exc})") from exc
        stack.callback(connection.close)
        yield Kept(incident, connection)


def _locked(holdings: Holdings, number: int, stack: contextlib.ExitStack) -> Incident:
    """Lock the present generation, whichever that is when the lock is held."""
    incident = _open_one(holdings, number)
    while True:
        file = incident.place(holdings).file
        if not file.exists():
            raise StorageError(file.name, f"the rows of incident {number} are missing; restore them from a backup")
        lock = PeriodLock(file, exclusive=False)
        present = _open_one(holdings, number)
        if present.generation == incident.generation:
            stack.enter_context(lock)
            return present
        lock.release()
        incident = present


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
