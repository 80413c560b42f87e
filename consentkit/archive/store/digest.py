"""The running digest of a period: one keyed hash over all its rows, in the order in which they came.

Owns what is hashed and in which order, at the writing and at the checking. Who holds the head against the
file later is `archive.evidence`'s business.

    head of batch n = BLAKE2b-256, keyed, over  head of batch n-1 | batch | new rows of each table
    key             = HKDF(the period's key)

A batch names the last row of each table that was there when it was complete, so that every row belongs to
one batch: none can be added, changed, moved or left out without another head.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consentkit.archive.store.tables import NOTE_VISITS, STRETCH
from consentkit.crypto import hkdf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import sqlcipher3.dbapi2 as sqlcipher

HEAD_BYTES: Final = 32
START: Final = bytes(HEAD_BYTES)

# Rows read at once when a period is checked: their order costs memory.
_ROWS_A_STRETCH: Final = 200_000

# The tables whose rows a batch names by their last number, and what of each row counts.
COLUMNS: Final = {
    "segment": "worker, number",
    "client": "address, peer, source, country, city",
    "agent": "hash, user_agent, device, device_type, browser, browser_version, os, os_version",
    "resource": "hash, method, scheme, host, path, query, query_flags",
    "referrer": "host",
}
REQUEST_COLUMNS: Final = "id, batch, sequence, client, agent, resource, referrer, result, bytes_sent, duration_us"
GAP_COLUMNS: Final = "since_us, until_us, lost, reason, network, batch, sequence"
_ONCE: Final = ("client", "agent", "resource", "referrer")
BATCH_COLUMNS: Final = "id, segment, next_sequence, requests, client, agent, resource, referrer"

Row = tuple[object, ...]

_encode = msgspec.msgpack.Encoder().encode


class BatchRow(NamedTuple):
    """One row of `batch`: consecutive frames of one segment, applied in one transaction.

    `client`, `agent`, `resource` and `referrer` are the last numbers of those tables when it was complete.
    """

    id: int
    segment: int
    next_sequence: int
    requests: int
    client: int
    agent: int
    resource: int
    referrer: int


_NO_BATCH: Final = BatchRow(0, 0, 0, 0, 0, 0, 0, 0)


class Head(NamedTuple):
    """The digest as of a batch; batch 0 is the empty period."""

    batch: int
    digest: bytes


EMPTY: Final = Head(0, START)


def digest_key(period_key: bytes) -> bytes:
    """Return the key of a period's digest."""
    return hkdf(period_key, "digest/v1")


def extend(key: bytes, head: Head, batch: BatchRow, rows: Iterable[Sequence[Sequence[object]]]) -> Head:
    """Return the head after one more batch.

    Args:
        key: of `digest_key`.
        head: the head so far.
        batch: the batch as it is stored.
        rows: its new rows of each table: those of `COLUMNS`, then requests, gaps and misdated ones; by
            number, requests and gaps by sequence.
    """
    digest = blake2b(head.digest, key=key, digest_size=HEAD_BYTES)
    digest.update(_encode(batch))
    for of_table in rows:
        digest.update(_encode(of_table))
    return Head(batch.id, digest.digest())


def stored_head(connection: sqlcipher.Connection) -> Head:
    """Return the head that the file itself names."""
    row = connection.execute("SELECT batch, head FROM digest").fetchone()
    return Head(row[0], row[1]) if row else EMPTY


def store_head(connection: sqlcipher.Connection, head: Head) -> None:
    """Have the file name its head, within the caller's transaction."""
    connection.execute("INSERT OR REPLACE INTO digest VALUES (1, ?, ?)", head)


def recomputed_heads(connection: sqlcipher.Connection, key: bytes) -> Iterator[Head]:
    """Yield the head after each batch, from the rows that are there.

    Rows that belong to no batch leave no trace in a head; `unclaimed_rows` counts them.

    Raises:
        sqlcipher3.dbapi2.Error: as the driver does, for a page that was changed too.
    """
    head, before = EMPTY, _NO_BATCH
    for stretch in _stretches(connection):
        requests = _by_batch(connection, "request", REQUEST_COLUMNS, stretch)
        gaps = _by_batch(connection, "gap", GAP_COLUMNS, stretch)
        for batch in stretch:
            own = requests.get(batch.id, [])
            rows = [
                *_named_rows(connection, before, batch),
                own,
                gaps.get(batch.id, []),
                _misdated(connection, batch),
            ]
            head = extend(key, head, batch, rows)
            before = batch._replace(segment=max(before.segment, batch.segment))
            yield head


def restate(connection: sqlcipher.Connection, key: bytes) -> Head:
    """Begin the digest anew in a file that was written anew, within the caller's transaction.

    The first batch claims all rows that stand once; each names the requests that are left of it.
    """
    connection.execute(NOTE_VISITS)
    connection.execute("CREATE TEMP TABLE counted (batch INTEGER PRIMARY KEY, requests INTEGER NOT NULL)")
    connection.execute("INSERT INTO counted SELECT batch, count(*) FROM request GROUP BY batch")
    last = ", ".join(f"{table} = (SELECT coalesce(max(id), 0) FROM {table})" for table in _ONCE)
    requests = "coalesce((SELECT requests FROM counted WHERE counted.batch = batch.id), 0)"
    connection.execute(f"UPDATE batch SET requests = {requests}, {last}")
    connection.execute("DROP TABLE counted")
    *_, head = EMPTY, *recomputed_heads(connection, key)
    store_head(connection, head)
    return head


def unclaimed_rows(connection: sqlcipher.Connection) -> int:
    """Return how many rows belong to no batch, or are hidden from a search: none, in a file that we wrote."""
    row = connection.execute(f"SELECT {BATCH_COLUMNS} FROM batch ORDER BY id DESC LIMIT 1").fetchone()
    batch = BatchRow(*row) if row else _NO_BATCH
    counted = 0
    for table, column, owner in (("request", "batch", "id"), ("gap", "batch", "id"), ("segment", "id", "segment")):
        statement = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {owner} FROM batch)"
        counted += connection.execute(statement).fetchone()[0]
    for table in _ONCE:
        statement = f"SELECT count(*) FROM {table} WHERE id > ?"
        counted += connection.execute(statement, (getattr(batch, table),)).fetchone()[0]
    for statement in (
        "SELECT count(*) FROM misdated WHERE id NOT IN (SELECT id FROM request)",
        f"SELECT count(*) FROM (SELECT DISTINCT client, id / {STRETCH} FROM request EXCEPT SELECT * FROM visit)",
    ):
        counted += connection.execute(statement).fetchone()[0]
    return int(counted)


def _stretches(connection: sqlcipher.Connection) -> Iterator[list[BatchRow]]:
    stretch: list[BatchRow] = []
    rows = 0
    for row in connection.execute(f"SELECT {BATCH_COLUMNS} FROM batch ORDER BY id"):
        batch = BatchRow(*row)
        if stretch and rows + batch.requests > _ROWS_A_STRETCH:
            yield stretch
            stretch, rows = [], 0
        stretch.append(batch)
        rows += batch.requests
    if stretch:
        yield stretch


def _by_batch(
    connection: sqlcipher.Connection, table: str, columns: str, stretch: list[BatchRow]
) -> dict[int, list[Row]]:
    names = columns.split(", ")
    rows = connection.execute(
        f"SELECT {columns} FROM {table} WHERE batch BETWEEN ? AND ? ORDER BY batch, sequence",
        (stretch[0].id, stretch[-1].id),
    )
    at = names.index("batch")
    return {number: list(own) for number, own in groupby(rows, key=lambda row: row[at])}


def _named_rows(connection: sqlcipher.Connection, before: BatchRow, batch: BatchRow) -> Iterator[list[Row]]:
    for table, columns in COLUMNS.items():
        first, last = getattr(before, table), getattr(batch, table)
        if last > first:
            statement = f"SELECT id, {columns} FROM {table} WHERE id > ? AND id <= ? ORDER BY id"
            yield connection.execute(statement, (first, last)).fetchall()
        else:
            yield []


def _misdated(connection: sqlcipher.Connection, batch: BatchRow) -> list[Row]:
    found = connection.execute(
        "SELECT m.id, m.time_us FROM misdated m JOIN request r ON r.id = m.id"
        " WHERE r.batch = ? ORDER BY r.sequence",
        (batch.id,),
    )
    return list(found)
