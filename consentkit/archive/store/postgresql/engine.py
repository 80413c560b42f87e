"""The engine of PostgreSQL: each method of `store.server.engine.Engine` in a transaction of its own.

Owns which statement answers what, and in how large pieces. Long answers come through a cursor on the server, so
that memory is bounded however much there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from psycopg.rows import args_row

from consentkit.archive.store.postgresql import appending, places, statements
from consentkit.archive.store.postgresql.connections import Connections
from consentkit.archive.store.postgresql.ddl import partition
from consentkit.archive.store.postgresql.preparing import prepare
from consentkit.archive.store.postgresql.statements import BATCH_COLUMNS, ROW_COLUMNS, Statement, array
from consentkit.archive.store.server.engine import KINDS, BatchRow, GapRow, Row, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from consentkit.archive.store.postgresql.statements import CountedBy
    from consentkit.archive.store.requeststore import Limit
    from consentkit.archive.store.server.engine import Addition, Kind, Wanted

_T = TypeVar("_T")

# Rows that are fetched at a time from a cursor: a few megabytes at most.
_FETCHED: Final = 10_000


class PostgresqlEngine:
    """The tables of the request log in one PostgreSQL database.

    Args:
        url: ``postgresql://…``, with libpq's options. Nothing is opened before something is asked; a connection
            that broke is dropped, and the next call opens another.

    Raises:
        StorageError: the URL is none; and from every method, where the server refuses or is away.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections = Connections(url)

    def prepare(self) -> None:
        """Make the tables where they are not there, and share what is granted on them with the places."""
        prepare(self._url, self._connections)

    def places(self) -> dict[str, bool]:
        """Return the places, made or only marked, and of each whether it is marked as a draft."""
        with self._connections.reading() as connection:
            return places.names(connection)

    def make(self, place: str) -> None:
        """Make a place's partitions; nothing where they are there."""
        places.make(self._connections, place)

    def mark_draft(self, place: str, *, is_draft: bool) -> None:
        """Mark a place as a draft before it is made, or take the mark away."""
        with self._connections.writing() as connection:
            places.mark_draft(connection, place, is_draft=is_draft)

    def drop(self, place: str) -> None:
        """Drop a place whole; nothing where there is none."""
        places.drop(self._connections, place)

    def left(self, place: str) -> int:
        """Count all rows of all tables that the place has, attached or not; 0 proves that it is gone."""
        with self._connections.reading() as connection:
            return places.left(connection, place)

    def size_bytes(self, place: str) -> int:
        """Return what the place takes on the server's disk."""
        with self._connections.reading() as connection:
            return places.size_bytes(connection, place)

    def append(self, place: str, additions: Sequence[Addition]) -> None:
        """Store batches, in order; all or none.

        Raises:
            Outrun: another writer has added to one of the lanes or segments.
        """
        with self._connections.writing() as connection:
            appending.append(connection, place, additions)

    def applied(self, place: str, segment: int) -> int:
        """Return a segment's mark: rows and their batch come by one transaction, so there is nothing beyond."""
        text = f"SELECT coalesce(max(next_sequence), 0) FROM {partition('batch', place)} WHERE segment = %s"
        return self._number(Statement(text, [segment])) or 0

    def marks(self, place: str, *, newest: int = 0) -> dict[tuple[str, int], int]:
        """Return the marks, by worker and segment; of those added to last, or of all."""
        found = self._all(statements.marks(place, newest), lambda worker, number, mark: ((worker, number), mark))
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

    def words(self, place: str, kind: Kind) -> Iterator[Word]:
        """Yield the words of one kind, each number once."""
        text = f"SELECT number, sealed FROM {partition('word', place)} WHERE kind = %s"
        return self._each(Statement(text, [KINDS.index(kind)]), lambda number, sealed: Word(kind, number, sealed))

    def known(self, place: str, kind: Kind, numbers: Sequence[int]) -> set[int]:
        """Return which of these words are there."""
        text = f"SELECT number FROM {partition('word', place)} WHERE kind = %s AND number = ANY (%s::bigint[])"
        return set(self._all(Statement(text, [KINDS.index(kind), array(numbers)]), int))

    def gaps(self, place: str, since_us: int, until_us: int) -> Iterator[tuple[str, int, GapRow]]:
        """Yield the gaps that touch a time, each with its worker and the segment's number."""
        return self._each(
            statements.gaps(place, since_us, until_us), lambda worker, number, *gap: (worker, number, GapRow(*gap))
        )

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
        return self._connections.limited(limit)

    def close(self) -> None:
        """Let go of connections."""
        self._connections.close()

    def _all(self, statement: Statement, make: Callable[..., _T]) -> list[_T]:
        with self._connections.reading() as connection, connection.cursor(row_factory=args_row(make)) as cursor:
            cursor.execute(statement.text, statement.values, binary=True)
            return cursor.fetchall()

    def _each(self, statement: Statement, make: Callable[..., _T]) -> Iterator[_T]:
        with (
            self._connections.reading() as connection,
            connection.cursor("each", row_factory=args_row(make)) as cursor,
        ):
            cursor.execute(statement.text, statement.values, binary=True)
            while found := cursor.fetchmany(_FETCHED):
                yield from found

    def _number(self, statement: Statement) -> int | None:
        found = self._all(statement, lambda number: number)
        return found[0] if found else None
