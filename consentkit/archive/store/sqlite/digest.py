"""The running digest of a period: one keyed hash over all its rows, in the order in which they came.

Owns what is hashed and in which order. Hashing a file's rows again is `recompute`'s job; who holds the head
against the file later is `archive.evidence`'s business.

    head of batch n = BLAKE2b-256, keyed, over  head of batch n-1 | batch | new rows of each table
    key             = HKDF(the period's key)

A batch names the last row of each table that was there when it was complete, so that every row belongs to
one batch: none can be added, changed, moved or left out without another head.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consentkit.archive.store.places import Head
from consentkit.crypto import hkdf

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlcipher3.dbapi2 as sqlcipher

HEAD_BYTES: Final = 32
START: Final = bytes(HEAD_BYTES)

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
ONCE: Final = ("client", "agent", "resource", "referrer")
BATCH_COLUMNS: Final = "id, segment, next_sequence, requests, client, agent, resource, referrer"

Row = tuple[object, ...]

encode = msgspec.msgpack.Encoder().encode


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


NO_BATCH: Final = BatchRow(0, 0, 0, 0, 0, 0, 0, 0)


# Of an empty place.
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
    digest.update(encode(batch))
    for of_table in rows:
        digest.update(encode(of_table))
    return Head(batch.id, digest.digest())


def stored_head(connection: sqlcipher.Connection) -> Head:
    """Return the head that the file itself names."""
    row = connection.execute("SELECT batch, head FROM digest").fetchone()
    return Head(row[0], row[1]) if row else EMPTY


def store_head(connection: sqlcipher.Connection, head: Head) -> None:
    """Have the file name its head, within the caller's transaction."""
    connection.execute("INSERT OR REPLACE INTO digest VALUES (1, ?, ?)", (head.batch, head.digest))
