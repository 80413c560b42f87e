"""Reading one place's file: the embedded `Reader`.

Owns turning a driver's error into ours, and ending what runs past its limit. What is asked is the business of
`select`, `counts` and `hours`; who opens the file, and when it is closed, that of `reading`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.places import TimeIsUp
from consentkit.archive.store.sqlite import hours
from consentkit.archive.store.sqlite.counts import Counting, by_status
from consentkit.archive.store.sqlite.files import file_name
from consentkit.archive.store.sqlite.matching import count_withheld, rows_of
from consentkit.archive.store.sqlite.select import select_requests
from consentkit.archive.store.sqlite.tables import TIES
from consentkit.errors import StorageError
from consentkit.requestlog.record import Gap
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consentkit.archive.store.interface import Cursor, Filters
    from consentkit.archive.store.places import By, Found, HourRequest, HourWords, Marks, Place, RowsOf
    from consentkit.archive.store.requeststore import Limit

# Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS: Final = 20_000

_GAPS: Final = """
SELECT g.worker, g.number, gap.sequence, gap.since_us, gap.until_us, gap.lost, gap.reason, gap.network
FROM gap JOIN batch b ON b.id = gap.batch JOIN segment g ON g.id = b.segment
WHERE gap.since_us < ? AND gap.until_us >= ?"""
_MARKS: Final = "SELECT worker, number, next_sequence FROM segment ORDER BY id DESC LIMIT ?"
_ALL: Final = -1


class SqliteReader:
    """One place's file, open for reading, as `Reader` has it.

    Args:
        connection: the file.
        place: which one it is.
    """

    def __init__(self, connection: sqlcipher.Connection, place: Place) -> None:
        self.place = place
        self._connection = connection
        self._limit: Limit | None = None

    @contextlib.contextmanager
    def limited(self, limit: Limit) -> Iterator[None]:
        """End the statements in the block when the limit passes.

        Raises:
            TimeIsUp: it did.
        """
        self._limit = limit
        self._connection.set_progress_handler(lambda: limit.has_passed, _STEPS)
        try:
            yield
        finally:
            self._limit = None
            self._connection.set_progress_handler(None, 0)

    def rows(
        self,
        filters: Filters,
        *,
        limit: int,
        before: Cursor | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
        reached: Callable[[int], None] | None = None,
        withheld: Sequence[RowsOf] = (),
    ) -> Iterator[Found]:
        """Yield matching rows."""
        with self._told():
            yield from select_requests(
                self._connection,
                self.place,
                filters,
                limit=limit,
                before=before,
                after=after,
                oldest_first=oldest_first,
                reached=reached,
                withheld=withheld,
            )

    def count_withheld(self, filters: Filters, withheld: Sequence[RowsOf]) -> int:
        """Return how many rows match, and are left out all the same."""
        with self._told():
            return count_withheld(self._connection, self.place, filters, withheld)

    def edge(self, filters: Filters, rows: int, *, withheld: Sequence[RowsOf] = ()) -> int | None:
        """Return the time from which on at most so many of the newest rows match."""
        with self._told():
            return Counting(self._connection, self.place, filters, withheld).edge(rows)

    def counts(self, filters: Filters, by: By, *, withheld: Sequence[RowsOf] = ()) -> dict[str, int]:
        """Count matching rows by a value."""
        with self._told():
            return Counting(self._connection, self.place, filters, withheld).by(by)

    def counts_over_time(
        self, filters: Filters, step_us: int, *, withheld: Sequence[RowsOf] = ()
    ) -> dict[int, int]:
        """Count matching rows by steps of time."""
        with self._told():
            return Counting(self._connection, self.place, filters, withheld).over_time(step_us)

    def counts_by_status(self, step_us: int) -> list[tuple[int, int, int]]:
        """Count all rows by step and class of status."""
        with self._told():
            return by_status(self._connection, self.place, step_us)

    def clients(self) -> int:
        """Return how many addresses there are."""
        return self._number("SELECT count(DISTINCT address) FROM client")

    def count_of(self, rows: RowsOf) -> int:
        """Return how many rows are somebody's."""
        text, values = rows_of(rows, self.place)
        return self._number(f"SELECT count(*) FROM request r WHERE {text}", *values)

    def gaps(self, filters: Filters) -> dict[FrameId, Gap]:
        """Return the gaps that touch the time of a search."""
        with self._told():
            rows = self._connection.execute(_GAPS, (filters.until_us, filters.since_us))
            return {FrameId(*row[:3]): Gap(*row[3:]) for row in rows}

    def marks(self, newest: int = 0) -> Marks:
        """Return the marks, by worker and segment."""
        with self._told():
            rows = self._connection.execute(_MARKS, (newest or _ALL,))
            return {(worker, number): mark for worker, number, mark in rows}

    def measure(self) -> tuple[int, int | None]:
        """Return how many requests there are, and the time of the first."""
        with self._told():
            return measure(self._connection, self.place)

    def measure_hour(self, hour_us: int) -> tuple[int, int]:
        """Return how many requests one hour has, and how many are known to be lost."""
        with self._told():
            return hours.measure(self._connection, self.place, hour_us)

    def hour_words(self, hour_us: int) -> HourWords:
        """Return what the numbers of one hour's requests stand for."""
        with self._told():
            return hours.words(self._connection, self.place, hour_us)

    def hour_requests(self, hour_us: int, bounds_us: Sequence[int]) -> Iterator[HourRequest]:
        """Yield the requests of one hour."""
        with self._told():
            yield from hours.requests(self._connection, self.place, hour_us, bounds_us)

    def _number(self, statement: str, *values: object) -> int:
        with self._told():
            return int(self._connection.execute(statement, values).fetchone()[0])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlcipher.Error as exc:
            is_late = self._limit is not None and self._limit.has_passed
            if is_late and isinstance(exc, sqlcipher.OperationalError):
                raise TimeIsUp from None
            raise unreadable(self.place, exc) from exc


def measure(connection: sqlcipher.Connection, place: Place) -> tuple[int, int | None]:
    """Return how many requests a file holds, and the time of the first (None = there is none)."""
    rows, first = connection.execute("SELECT count(*), min(id) FROM request").fetchone()
    return rows, None if first is None else place.since_us + first // TIES


def unreadable(place: Place, exc: sqlcipher.Error) -> StorageError:
    """Return the error that a place can't be read."""
    if place.group == "incident":
        return StorageError(f"incident {place.name}", f"can't be read ({exc})")
    return StorageError(file_name(place), f"the period can't be read ({exc})")
