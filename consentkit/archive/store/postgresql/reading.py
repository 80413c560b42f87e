"""What is asked of PostgreSQL, each question in what transaction its lender gives.

Owns which statement answers what, and in how large pieces. Rows, words and batches come through a cursor on the
server, so that memory is bounded however many there are.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from psycopg.rows import args_row

from consentkit.archive.store.postgresql import places, statements
from consentkit.archive.store.postgresql.ddl import partition
from consentkit.archive.store.postgresql.limits import NotThere
from consentkit.archive.store.postgresql.statements import BATCH_COLUMNS, ROW_COLUMNS, Statement, array
from consentkit.archive.store.server.engine import KINDS, NOTHING_SEEN, BatchRow, GapRow, Origin, Row, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from consentkit.archive.store.postgresql.connections import Connection
    from consentkit.archive.store.postgresql.statements import CountedBy
    from consentkit.archive.store.requeststore import Limit
    from consentkit.archive.store.server.engine import Kind, Seen, Wanted

_T = TypeVar("_T")

# Rows that are fetched at a time from a cursor: a few megabytes at most.
_FETCHED: Final = 10_000

_cursors: Final = itertools.count(1)


class Lender(Protocol):
    """Who gives connections to read by."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction that changes nothing, under the limit of `limited`."""

    def limited(self, limit: Limit) -> AbstractContextManager[None]:
        """Put what this thread reads within the block under a limit."""


class Reading:
    """The tables of one database, read.

    Args:
        lender: of connections.
    """

    def __init__(self, lender: Lender) -> None:
        self._lender = lender

    def is_made(self, place: str) -> bool:
        """Tell whether a place has its partitions."""
        with self._lender.reading() as connection:
            return places.is_made(connection, place)

    def applied(self, place: str, segment: int) -> int:
        """Return a segment's mark: rows and their batch come by one transaction, so there is nothing beyond."""
        text = f"SELECT coalesce(max(next_sequence), 0) FROM {partition('batch', place)} WHERE segment = %s"
        return self._number(Statement(text, [segment])) or 0

    def marks(self, place: str, *, newest: int = 0) -> dict[tuple[str, int], int]:
        """Return the marks, by worker and segment; of those added to last, or of all."""
        found = self._all(statements.marks(place, newest), lambda worker, number, mark: ((worker, number), mark))
        return dict(found)

    def origins(self, place: str, segments: Sequence[int]) -> dict[int, Origin]:
        """Return what numbers of segments stand for."""
        found = self._all(statements.origins(place, segments), lambda segment, *origin: (segment, Origin(*origin)))
        return dict(found)

    def last_batch(self, place: str, lane: str) -> BatchRow | None:
        """Return the last batch of a lane."""
        text = (
            f"SELECT {BATCH_COLUMNS} FROM {partition('batch', place)} WHERE lane = %s ORDER BY number DESC LIMIT 1"
        )
        found = self._all(Statement(text, [lane]), BatchRow)
        return found[0] if found else None

    def batches(self, place: str) -> Iterator[BatchRow]:
        """Yield all batches, by lane and number."""
        text = f"SELECT {BATCH_COLUMNS} FROM {partition('batch', place)} ORDER BY lane, number"
        return self._each(Statement(text, []), BatchRow)

    def seen(self, place: str) -> Seen:
        """Return the last batch of each lane: a word is stored with a batch, and seen when that is."""
        text = f"SELECT lane, max(number) FROM {partition('batch', place)} GROUP BY lane"
        return dict(self._all(Statement(text, []), lambda lane, number: (lane, number)))

    def words(self, place: str, kind: Kind, *, beyond: Seen = NOTHING_SEEN) -> Iterator[Word]:
        """Yield the words of one kind, those that came since some were seen, each number once."""
        return self._each(statements.words(place, KINDS.index(kind), beyond), _word)

    def words_by_number(self, place: str, kind: Kind, numbers: Sequence[int]) -> list[Word]:
        """Return those of some words that are there."""
        return self._all(statements.words_by_number(place, KINDS.index(kind), numbers), _word)

    def words_by_lookup(self, place: str, lookups: Sequence[int]) -> list[Word]:
        """Return the clients that are found under some keyed hashes."""
        return self._all(statements.words_by_lookup(place, lookups), _word)

    def lacking(self, lookups: Mapping[str, Sequence[int]], since_us: int, until_us: int) -> set[str]:
        """Return the places that have neither such a client nor a gap; none of them where one was dropped."""
        places = list(lookups.items())
        try:
            return {places[at][0] for at in self._all(statements.lacking(places, since_us, until_us), int)}
        except NotThere:
            return set()

    def known(self, place: str, kind: Kind, numbers: Sequence[int]) -> set[int]:
        """Return which of these words are there."""
        text = f"SELECT number FROM {partition('word', place)} WHERE kind = %s AND number = ANY (%s::bigint[])"
        return set(self._all(Statement(text, [KINDS.index(kind), array(numbers)]), int))

    def gaps(self, place: str, since_us: int, until_us: int) -> Iterator[tuple[str, int, GapRow]]:
        """Yield the gaps that touch a time, each with its worker and the segment's number."""
        found = self._all(
            statements.gaps(place, since_us, until_us), lambda worker, number, *gap: (worker, number, GapRow(*gap))
        )
        return iter(found)

    def rows(self, place: str, wanted: Wanted, *, oldest_first: bool, limit: int) -> list[Row]:
        """Return at most so many matching rows, by time; 0 = all."""
        return self._all(statements.rows(place, wanted, oldest_first=oldest_first, limit=limit), Row)

    def in_order(self, place: str) -> Iterator[Row]:
        """Yield all rows, by segment and sequence, sorted on the server."""
        text = f"SELECT {ROW_COLUMNS} FROM {partition('request', place)} ORDER BY segment, sequence"
        return self._each(Statement(text, []), Row)

    def ends(self, place: str, since_us: int, until_us: int) -> tuple[int, int] | None:
        """Return the first and the last time of rows in a stretch."""
        first = self._number(statements.end(place, since_us, until_us, is_first=True))
        last = self._number(statements.end(place, since_us, until_us, is_first=False))
        return None if first is None or last is None else (first, last)

    def count(self, place: str, wanted: Wanted) -> int:
        """Count matching rows."""
        return self._number(statements.count(place, wanted)) or 0

    def nth_time(self, place: str, wanted: Wanted, skipped: int) -> int | None:
        """Return the time of the newest matching row after so many."""
        return self._number(statements.nth_time(place, wanted, skipped))

    def counts(self, place: str, wanted: Wanted, by: CountedBy) -> list[tuple[int, int]]:
        """Count matching rows by a column, or by steps of time."""
        return self._all(statements.counts(place, wanted, by), lambda value, count: (value, count))

    def counts_by_status(self, place: str, step_us: int) -> list[tuple[int, int, int]]:
        """Count all rows by step and class of status, in that order."""
        return self._all(statements.counts_by_status(place, step_us), lambda *found: found)

    def alike(
        self, place: str, since_us: int, until_us: int, bounds_us: Sequence[int]
    ) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield client, agent, resource, result, class of duration and count of the rows of a time."""
        return self._each(statements.alike(place, since_us, until_us, bounds_us), lambda *found: found)

    def limited(self, limit: Limit) -> AbstractContextManager[None]:
        """End what this thread asks within the block when the limit passes, by `TimeIsUp`."""
        return self._lender.limited(limit)

    def _all(self, statement: Statement, make: Callable[..., _T]) -> list[_T]:
        with self._lender.reading() as connection, connection.cursor(row_factory=args_row(make)) as cursor:
            cursor.execute(statement.text, statement.values, binary=True)
            return cursor.fetchall()

    def _each(self, statement: Statement, make: Callable[..., _T]) -> Iterator[_T]:
        with (
            self._lender.reading() as connection,
            connection.cursor(f"each_{next(_cursors)}", row_factory=args_row(make)) as cursor,
        ):
            cursor.execute(statement.text, statement.values, binary=True)
            found = cursor.fetchmany(_FETCHED)
            while len(found) == _FETCHED:
                yield from found
                found = cursor.fetchmany(_FETCHED)
            yield from found

    def _number(self, statement: Statement) -> int | None:
        found = self._all(statement, lambda number: number)
        return found[0] if found else None


def _word(kind: int, number: int, sealed: bytes, lookup: int) -> Word:
    return Word(KINDS[kind], number, sealed, lookup)
