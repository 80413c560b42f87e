"""An engine in one SQLite file: the smallest honest one, to read beside the protocol and to break at any step.

`append` writes words, gaps, rows and batch one after the other, each for itself, as a server without transactions
does, so that every break between two of them can be had.
"""

from __future__ import annotations

import contextlib
import copy
import sqlite3
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from consentkit.archive.store.requeststore import Limit
from consentkit.archive.store.server.engine import (
    NOTHING_SEEN,
    Addition,
    BatchRow,
    GapRow,
    Kind,
    Origin,
    Outrun,
    Reading,
    Row,
    Seen,
    Wanted,
    Word,
)
from consentkit.errors import StorageError
from tests.archive.store.sqltables import BATCH, CONTENT, ROW, TABLES, Conditions, conditions


class SqlEngine:
    """All places in one file.

    Args:
        path: the file.
        step: called before each statement of `append` with the table's name; it may raise.
    """

    def __init__(self, path: Path, step: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self.step = step
        self._lock = threading.RLock()
        self.limit: Limit | None = None
        self.batches_seen: int | None = None
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection: after `close` the next question opens another, as with a server."""
        if self._connection is None:
            self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA synchronous = OFF")
        return self._connection

    def prepare(self) -> None:
        self.connection.executescript(TABLES)

    def places(self) -> dict[str, bool]:
        return {
            name: bool(is_draft)
            for name, is_draft in self._all("SELECT name, is_draft FROM place WHERE is_made OR is_draft")
        }

    def is_made(self, place: str) -> bool:
        return bool(self._all("SELECT 1 FROM place WHERE name = ? AND is_made", place))

    @contextlib.contextmanager
    def opened(self, place: str) -> Iterator[Reading | None]:
        if not self.is_made(place):
            yield None
            return
        opened = copy.copy(self)
        opened._connection = None
        opened.batches_seen = self._number("SELECT coalesce(max(rowid), 0) FROM batch")
        try:
            yield opened
        finally:
            opened.close()

    def make(self, place: str) -> None:
        self._all("INSERT INTO place VALUES (?, 1, 0) ON CONFLICT DO UPDATE SET is_made = 1", place)

    def mark_draft(self, place: str, *, is_draft: bool) -> None:
        self._all("INSERT INTO place VALUES (?, 0, 0) ON CONFLICT DO NOTHING", place)
        self._all("UPDATE place SET is_draft = ? WHERE name = ?", is_draft, place)

    def drop(self, place: str) -> None:
        for table in CONTENT:
            self._all(f"DELETE FROM {table} WHERE place = ?", place)
        self._all("DELETE FROM place WHERE name = ?", place)

    def left(self, place: str) -> int:
        made = self._number("SELECT count(*) FROM place WHERE name = ? AND (is_made OR is_draft)", place)
        of_place = (self._number(f"SELECT count(*) FROM {table} WHERE place = ?", place) for table in CONTENT)
        return made + sum(of_place)

    def size_bytes(self, place: str) -> int:
        return self.left(place) * 100

    def append(self, place: str, additions: Sequence[Addition]) -> None:
        if not self.is_made(place):
            raise StorageError("engine", "the place is not made")
        with self._lock:
            self._check_ends(place, [one.batch for one in additions])
            for batch, words, rows, gaps in additions:
                self.insert("word", place, words)
                self.insert("gap", place, gaps)
                self.insert("request", place, rows)
                self.insert("batch", place, [batch])

    def applied(self, place: str, segment: int) -> int:
        return self._number(
            "SELECT max(coalesce((SELECT max(sequence) + 1 FROM request WHERE place = ?1 AND segment = ?2), 0),"
            " coalesce((SELECT max(next_sequence) FROM batch WHERE place = ?1 AND segment = ?2), 0))",
            place,
            segment,
        )

    def marks(self, place: str, *, newest: int = 0) -> dict[tuple[str, int], int]:
        rows = self._all(
            "SELECT worker, segment_number, max(next_sequence) FROM batch WHERE place = ? AND rowid <= ?"
            " GROUP BY 1, 2 ORDER BY max(rowid) DESC LIMIT ?",
            place,
            self._last_batch(),
            newest or -1,
        )
        return {(worker, number): mark for worker, number, mark in rows}

    def origins(self, place: str, segments: Sequence[int]) -> dict[int, Origin]:
        select = """SELECT segment, worker, segment_number, max(next_sequence) FROM batch
          WHERE place = ? AND rowid <= ? GROUP BY 1"""
        found = self._all(select, place, self._last_batch())
        return {segment: Origin(*origin) for segment, *origin in found if segment in segments}

    def last_batch(self, place: str, lane: str) -> BatchRow | None:
        select = f"SELECT {BATCH} FROM batch WHERE place = ? AND lane = ? ORDER BY number DESC LIMIT 1"
        return next((BatchRow._make(row) for row in self._all(select, place, lane)), None)

    def batches(self, place: str) -> Iterator[BatchRow]:
        for row in self._all(f"SELECT {BATCH} FROM batch WHERE place = ? ORDER BY lane, number", place):
            yield BatchRow._make(row)

    def seen(self, place: str) -> Seen:
        return {"rowid": self._number("SELECT coalesce(max(rowid), 0) FROM word")}

    def words(self, place: str, kind: Kind, *, beyond: Seen = NOTHING_SEEN) -> Iterator[Word]:
        yield from self._words(place, "kind = ? AND rowid > ?", kind, beyond.get("rowid", 0))

    def words_by_number(self, place: str, kind: Kind, numbers: Sequence[int]) -> list[Word]:
        return self._words(place, f"kind = ? AND number IN ({', '.join(map(str, numbers))})", kind)

    def words_by_lookup(self, place: str, lookups: Sequence[int]) -> list[Word]:
        return self._words(place, f"kind = 'client' AND lookup IN ({', '.join(map(str, lookups))})")

    def lacking(self, lookups: Mapping[str, Sequence[int]], since_us: int, until_us: int) -> set[str]:
        touching = "SELECT count(*) FROM gap WHERE place = ? AND since_us < ? AND until_us >= ?"
        return {
            place
            for place, those in lookups.items()
            if not self.words_by_lookup(place, those)
            and not self._number(touching, place, until_us, since_us)
            and self._number("SELECT count(*) FROM batch WHERE place = ?", place)  # the first that is dropped
        }

    def _words(self, place: str, where: str, *values: object) -> list[Word]:
        select = f"SELECT kind, number, sealed, lookup FROM word WHERE place = ? AND {where}"
        return [Word._make(row) for row in self._all(select, place, *values)]

    def known(self, place: str, kind: Kind, numbers: Sequence[int]) -> set[int]:
        return {word.number for word in self.words(place, kind)} & set(numbers)

    def gaps(self, place: str, since_us: int, until_us: int) -> Iterator[tuple[str, int, GapRow]]:
        select = """
        SELECT DISTINCT b.worker, b.segment_number, g.segment, g.sequence, g.since_us, g.until_us, g.sealed
        FROM gap g JOIN batch b ON b.place = g.place AND b.segment = g.segment
          AND g.sequence >= b.first_sequence AND g.sequence < b.next_sequence
        WHERE g.place = ? AND g.since_us < ? AND g.until_us >= ?"""
        for worker, number, *gap in self._all(select, place, until_us, since_us):
            yield worker, number, GapRow._make(gap)

    def rows(self, place: str, wanted: Wanted, *, oldest_first: bool, limit: int) -> list[Row]:
        where, values = conditions(wanted)
        order = "ASC" if oldest_first else "DESC"
        select = f"SELECT {ROW} FROM request WHERE place = ? AND {where} ORDER BY time_us {order} LIMIT ?"
        return [Row._make(row) for row in self._all(select, place, *values, limit or -1)]

    def in_order(self, place: str) -> Iterator[Row]:
        for row in self._all(f"SELECT {ROW} FROM request WHERE place = ? ORDER BY segment, sequence", place):
            yield Row._make(row)

    def ends(self, place: str, since_us: int, until_us: int) -> tuple[int, int] | None:
        select = "SELECT min(time_us), max(time_us) FROM request WHERE place = ? AND time_us >= ? AND time_us < ?"
        ((first, last),) = self._all(select, place, since_us, until_us)
        return None if first is None else (first, last)

    def count(self, place: str, wanted: Wanted) -> int:
        where, values = self._counted(wanted)
        return self._number(f"SELECT count(*) FROM request WHERE place = ? AND {where}", place, *values)

    def nth_time(self, place: str, wanted: Wanted, skipped: int) -> int | None:
        where, values = self._counted(wanted)
        select = f"SELECT time_us FROM request WHERE place = ? AND {where} ORDER BY 1 DESC LIMIT 1 OFFSET ?"
        return next((time for (time,) in self._all(select, place, *values, skipped)), None)

    def counts(
        self, place: str, wanted: Wanted, by: Kind | Literal["status", "outcome"] | tuple[Literal["step"], int]
    ) -> list[tuple[int, int]]:
        where, values = self._counted(wanted)
        column = {"status": "result / 4", "outcome": "result % 4"}.get(by, by) if isinstance(by, str) else ""
        column = column or f"time_us / {by[1]}"
        return self._all(
            f"SELECT {column}, count(*) FROM request WHERE place = ? AND {where} GROUP BY 1", place, *values
        )

    def counts_by_status(self, place: str, step_us: int) -> list[tuple[int, int, int]]:
        of_class = "CASE WHEN result / 4 BETWEEN 100 AND 599 THEN result / 400 ELSE 0 END"
        where, values = self._counted(Wanted(0, 2**63 - 1))
        select = f"SELECT time_us / ?, {of_class}, count(*) FROM request WHERE place = ? AND {where}"
        return self._all(f"{select} GROUP BY 1, 2 ORDER BY 1, 2", step_us, place, *values)

    def alike(
        self, place: str, since_us: int, until_us: int, bounds_us: Sequence[int]
    ) -> Iterator[tuple[int, int, int, int, int, int]]:
        where, values = self._counted(Wanted(since_us, until_us))
        select = f"SELECT client, agent, resource, result, duration_us FROM request WHERE place = ? AND {where}"
        alike = Counter(
            (*same, bisect_right(bounds_us, duration_us))
            for *same, duration_us in self._all(select, place, *values)
        )
        for what, count in alike.items():
            yield (*what, count)

    @contextlib.contextmanager
    def limited(self, limit: Limit) -> Iterator[None]:
        self.limit = limit
        try:
            yield
        finally:
            self.limit = None

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def insert(self, table: str, place: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self.step(table)
        if rows:
            marks = ", ".join("?" * (len(rows[0]) + 1))
            with self._lock:
                self.connection.execute("BEGIN IMMEDIATE")
                try:
                    self.connection.executemany(
                        f"INSERT OR IGNORE INTO {table} VALUES ({marks})", [(place, *row) for row in rows]
                    )
                except OverflowError:
                    self.connection.execute("ROLLBACK")
                    raise StorageError("engine", "a number does not fit into 64 bits") from None
                self.connection.execute("COMMIT")

    def _check_ends(self, place: str, batches: Sequence[BatchRow]) -> None:
        lanes, segments = (
            f"SELECT {name}, max({end}) FROM batch WHERE place = ? GROUP BY 1"
            for name, end in (("lane", "number"), ("segment", "next_sequence"))
        )
        ends, marks = dict(self._all(lanes, place)), dict(self._all(segments, place))
        for batch in batches:
            if batch.number != ends.get(batch.lane, 0) + 1 or batch.first_sequence < marks.get(batch.segment, 0):
                raise Outrun
            ends[batch.lane], marks[batch.segment] = batch.number, batch.next_sequence

    def _last_batch(self) -> int:
        return 2**63 - 1 if self.batches_seen is None else self.batches_seen

    def _counted(self, wanted: Wanted) -> Conditions:
        where, values = conditions(wanted)
        if self.batches_seen is None:
            return where, values
        is_in = """EXISTS (SELECT 1 FROM batch b WHERE b.place = request.place AND b.segment = request.segment
          AND request.sequence >= b.first_sequence AND request.sequence < b.next_sequence AND b.rowid <= ?)"""
        return f"{where} AND {is_in}", [*values, self.batches_seen]

    def _number(self, statement: str, *values: object) -> int:
        return int(self._all(statement, *values)[0][0])

    def _all(self, statement: str, *values: object) -> list[Any]:
        if self.limit is not None:
            self.limit.check()
        with self._lock:
            return self.connection.execute(statement, values).fetchall()
