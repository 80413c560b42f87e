"""Hashing a period's rows again: to check them, and to begin anew where a file was written anew.

Owns reading rows in the order of the digest with bounded memory; what is hashed is `digest`'s to say. Rows lie by
time, and the digest has them by batch: so batches are taken in stretches, whose rows SQLite sorts in memory.
"""

from __future__ import annotations

from bisect import bisect_left
from hashlib import blake2b
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.store.places import Head
from consentkit.archive.store.sqlite.digest import (
    BATCH_COLUMNS,
    COLUMNS,
    EMPTY,
    GAP_COLUMNS,
    HEAD_BYTES,
    NO_BATCH,
    ONCE,
    REQUEST_COLUMNS,
    BatchRow,
    Row,
    encode,
    store_head,
)
from consentkit.archive.store.sqlite.tables import STRETCH, note_visits

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlcipher3.dbapi2 as sqlcipher

_ROWS_A_STRETCH: Final = 50_000

# Rows that are held as objects at once.
_ROWS_A_ROUND: Final = 1_000

# Of a stretch: its batches, and between which numbers their requests lie.
_OF_STRETCH: Final = "r.id BETWEEN :first_id AND :last_id AND r.batch BETWEEN :first_batch AND :last_batch"
_BATCHES: Final = f"SELECT {BATCH_COLUMNS} FROM batch WHERE id BETWEEN :first_batch AND :last_batch ORDER BY id"
_REQUESTS: Final = f"SELECT batch, {REQUEST_COLUMNS} FROM request r WHERE {_OF_STRETCH} ORDER BY batch, sequence"
_GAPS: Final = f"""
SELECT batch, {GAP_COLUMNS} FROM gap WHERE batch BETWEEN :first_batch AND :last_batch ORDER BY batch, sequence"""
_MISDATED: Final = f"""
SELECT r.batch, m.id, m.time_us FROM misdated m JOIN request r ON r.id = m.id
WHERE {_OF_STRETCH} ORDER BY r.batch, r.sequence"""
_COUNTED: Final = f"SELECT count(*), batch FROM request r WHERE {_OF_STRETCH} GROUP BY batch"

# A row that claims a batch which is no number belongs to none.
_BATCH_OF_EACH: Final = "SELECT id, batch FROM request WHERE typeof(batch) = 'integer' ORDER BY id"


def recomputed_heads(connection: sqlcipher.Connection, key: bytes) -> Iterator[Head]:
    """Yield the head after each batch, from the rows that are there.

    Memory does not grow with them. Rows that belong to no batch leave no trace in a head; `unclaimed_rows`
    counts them.

    Raises:
        sqlcipher3.dbapi2.Error: as the driver does, for a page that was changed too.
    """
    head, before = EMPTY, NO_BATCH
    for stretch in _stretches(connection):
        ordered = [_ByBatch(connection, statement, stretch) for statement in (_REQUESTS, _GAPS, _MISDATED)]
        for row in connection.execute(_BATCHES, stretch._asdict()):
            batch = BatchRow(*row)
            digest = blake2b(head.digest, key=key, digest_size=HEAD_BYTES)
            digest.update(encode(batch))
            for count, rows in _named_rows(connection, before, batch):
                _update(digest, count, rows)
            requests, gaps, misdated = (one.rows_of(batch.id) for one in ordered)
            _update(digest, _size(batch.requests), requests)
            for few in (list(gaps), list(misdated)):
                digest.update(encode(few))
            head = Head(batch.id, digest.digest())
            before = batch._replace(segment=max(before.segment, batch.segment))
            yield head


def restate(connection: sqlcipher.Connection, key: bytes) -> Head:
    """Begin the digest anew in a file that was written anew, within the caller's transaction.

    The first batch claims all rows that stand once; each names the requests that are left of it.
    """
    note_visits(connection)
    last = ", ".join(f"{table} = (SELECT coalesce(max(id), 0) FROM {table})" for table in ONCE)
    stretches = list(_stretches(connection))
    connection.execute(f"UPDATE batch SET requests = 0, {last}")
    for stretch in stretches:
        counted = connection.execute(_COUNTED, stretch._asdict()).fetchall()
        connection.executemany("UPDATE batch SET requests = ? WHERE id = ?", counted)
    head = EMPTY
    for after in recomputed_heads(connection, key):
        head = after
    store_head(connection, head)
    return head


def unclaimed_rows(connection: sqlcipher.Connection) -> int:
    """Return how many rows belong to no batch, or are hidden from a search: none, in a file that we wrote."""
    row = connection.execute(f"SELECT {BATCH_COLUMNS} FROM batch ORDER BY id DESC LIMIT 1").fetchone()
    batch = BatchRow(*row) if row else NO_BATCH
    counted = 0
    for table, column, owner in (("request", "batch", "id"), ("gap", "batch", "id"), ("segment", "id", "segment")):
        statement = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {owner} FROM batch)"
        counted += connection.execute(statement).fetchone()[0]
    for table in ONCE:
        statement = f"SELECT count(*) FROM {table} WHERE id > ?"
        counted += connection.execute(statement, (getattr(batch, table),)).fetchone()[0]
    for statement in (
        "SELECT count(*) FROM misdated WHERE id NOT IN (SELECT id FROM request)",
        f"SELECT count(*) FROM (SELECT DISTINCT client, id / {STRETCH} FROM request EXCEPT SELECT * FROM visit)",
    ):
        counted += connection.execute(statement).fetchone()[0]
    return int(counted)


class _Stretch(NamedTuple):
    """Consecutive batches, and between which numbers their requests lie."""

    first_batch: int
    last_batch: int
    first_id: int
    last_id: int


def _stretches(connection: sqlcipher.Connection) -> Iterator[_Stretch]:
    """Yield the batches in stretches, by what they name; those of a stretch lie near each other."""
    bounds = list(_bounds(connection))
    ends = [last for _, last in bounds]
    spans = [(0, -1)] * len(bounds)  # of a stretch without requests
    for number, batch in connection.execute(_BATCH_OF_EACH):
        at = bisect_left(ends, batch)
        if at < len(spans):  # else it belongs to none
            first, last = spans[at]
            spans[at] = (first if last >= 0 else number, number)
    for (first_batch, last_batch), span in zip(bounds, spans, strict=True):
        yield _Stretch(first_batch, last_batch, *span)


def _bounds(connection: sqlcipher.Connection) -> Iterator[tuple[int, int]]:
    """Yield the first and last batch of each stretch."""
    first = last = rows = 0
    for batch, requests in connection.execute("SELECT id, requests FROM batch ORDER BY id"):
        size = _size(requests)
        if last and rows + size > _ROWS_A_STRETCH:
            yield first, last
            first = rows = 0
        first = first or batch
        last = batch
        rows += size
    if last:
        yield first, last


def _size(requests: object) -> int:
    """Return how many requests a batch names; none where that is no number of rows."""
    return requests if isinstance(requests, int) and 0 <= requests < 1 << 32 else 0


class _ByBatch:
    """The rows of a table in a stretch, given out batch by batch in their order; the batch is a row's first."""

    def __init__(self, connection: sqlcipher.Connection, statement: str, stretch: _Stretch) -> None:
        self._groups = groupby(connection.execute(statement, stretch._asdict()), key=itemgetter(0))
        self._next = next(self._groups, None)

    def rows_of(self, batch: int) -> Iterator[Row]:
        """Return the rows of a batch, without its number; to be read before those of the next are asked for."""
        while self._next is not None and self._next[0] < batch:
            self._next = next(self._groups, None)
        own = self._next[1] if self._next is not None and self._next[0] == batch else ()
        return (row[1:] for row in own)


def _named_rows(
    connection: sqlcipher.Connection, before: BatchRow, batch: BatchRow
) -> Iterator[tuple[int, Iterator[Row]]]:
    """Yield of each table the rows that came with a batch, and how many they are."""
    for table, columns in COLUMNS.items():
        first, last = getattr(before, table), getattr(batch, table)
        if last <= first:
            yield 0, iter(())
            continue
        among = f"FROM {table} WHERE id > ? AND id <= ?"
        count = connection.execute(f"SELECT count(*) {among}", (first, last)).fetchone()[0]
        yield count, connection.execute(f"SELECT id, {columns} {among} ORDER BY id", (first, last))


def _update(digest: blake2b, count: int, rows: Iterator[Row]) -> None:
    """Take rows in as `extend` does a list of them, without holding them all.

    Args:
        digest: so far.
        count: how many they should be; if they are not, no head that was noted comes of it.
        rows: in their order.
    """
    digest.update(_array_header(count))
    while some := list(islice(rows, _ROWS_A_ROUND)):
        digest.update(memoryview(encode(some))[len(_array_header(len(some))) :])


def _array_header(count: int) -> bytes:
    """Return how an array of so many values begins. Source: MessagePack specification, "Array format family"."""
    if count < 1 << 4:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2)
    return b"\xdd" + count.to_bytes(4)
