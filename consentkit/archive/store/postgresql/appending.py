"""Batches into a place: all or none, and each once.

One transaction holds words, gaps, rows and the batches that are their ledger; so what is in is what the ledger
says, whatever broke. Batches of one lane, or of one segment, are added by one transaction at a time: it holds
their advisory locks and reads their ends under them, so that what another writer added is always seen. The unique
keys of `batch` say the same once more.

Needs SELECT on `place`, `batch` and the numbers of `word`, and INSERT; it never reads a request.
"""

from __future__ import annotations

import struct
from itertools import islice
from typing import TYPE_CHECKING, Final

from psycopg import errors

from consentkit.archive.store.postgresql.ddl import partition
from consentkit.archive.store.postgresql.statements import BATCH_COLUMNS, array
from consentkit.archive.store.server.engine import KINDS, Outrun
from consentkit.control.connecting import PLACE, SCHEMA, lock_number
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consentkit.archive.store.postgresql.connections import Connection
    from consentkit.archive.store.server.engine import Addition, Row

# Of the binary format of COPY: a signature, and two empty fields of flags and extensions.
# Source: PostgreSQL documentation, COPY, "Binary Format".
_BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
# The number of columns, then each with its length before it: two of 4 bytes, ten of 8.
_ROW: Final = struct.Struct(">h" + "ii" + "iI" + "iq" * 10)
_COPIED_COLUMNS: Final = (
    "place, sequence, time_us, segment, client, agent, resource, referrer, result, bytes_sent, duration_us,"
    " claimed_us"
)
_ROWS_AT_ONCE: Final = 4096

_ENDS: Final = (
    "SELECT lane, (SELECT max(number) FROM {batch} AS batch WHERE batch.lane = given.lane)"
    " FROM unnest(%s::text[]) AS given (lane)",
    "SELECT segment, (SELECT max(next_sequence) FROM {batch} AS batch WHERE batch.segment = given.segment)"
    " FROM unnest(%s::bigint[]) AS given (segment)",
)


def append(connection: Connection, place: str, additions: Sequence[Addition]) -> None:
    """Store batches within a transaction that is not older than this call.

    Raises:
        Outrun: they don't follow the ends of their lanes and segments.
        StorageError: there is no such place, or a number is none of 64 bits.
    """
    if not additions:
        return
    _lock(connection, place, additions)
    number = _number(connection, place)
    _check_ends(connection, place, additions)
    try:
        _insert_batches(connection, place, number, additions)
    except errors.UniqueViolation:
        raise Outrun from None
    _insert_words(connection, place, number, additions)
    _insert_gaps(connection, place, number, additions)
    _copy_rows(connection, place, number, [row for one in additions for row in one.rows])


def _lock(connection: Connection, place: str, additions: Sequence[Addition]) -> None:
    """Take the locks of all lanes and segments, in order, so that two writers never wait for each other."""
    named = {f"lane {one.batch.lane}" for one in additions} | {f"segment {one.batch.segment}" for one in additions}
    locks = sorted({lock_number(f"append {place} {name}") for name in named})
    connection.execute("SELECT pg_advisory_xact_lock(n) FROM unnest(%s::bigint[]) AS n", [array(locks)])


def _number(connection: Connection, place: str) -> int:
    found = connection.execute(
        f"SELECT number FROM {SCHEMA}.place WHERE name = %s AND is_made", [place]
    ).fetchone()
    if found is None:
        raise StorageError(PLACE, "the place is not there")
    return int(found[0])


def _check_ends(connection: Connection, place: str, additions: Sequence[Addition]) -> None:
    batch = partition("batch", place)
    lanes = sorted({one.batch.lane for one in additions})
    segments = array({one.batch.segment for one in additions})
    of_lane, of_segment = (
        {name: end or 0 for name, end in connection.execute(text.format(batch=batch), [given])}
        for text, given in zip(_ENDS, (lanes, segments), strict=True)
    )
    for one in additions:
        added = one.batch
        if added.number != of_lane[added.lane] + 1 or added.first_sequence < of_segment[added.segment]:
            raise Outrun
        of_lane[added.lane] = added.number
        of_segment[added.segment] = added.next_sequence


def _insert_batches(connection: Connection, place: str, number: int, additions: Sequence[Addition]) -> None:
    statement = (
        f"INSERT INTO {partition('batch', place)} (place, {BATCH_COLUMNS})"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(number, *one.batch) for one in additions])


def _insert_words(connection: Connection, place: str, number: int, additions: Sequence[Addition]) -> None:
    """Insert those that are not there, in the order of their numbers: another host may be adding the same ones."""
    words = [(word, one.batch) for one in additions for word in one.words]
    if not words:
        return
    connection.execute(
        f"INSERT INTO {partition('word', place)} (place, kind, number, lookup, batch, lane, sealed)"
        f" SELECT {number}, kind, number, lookup, batch, lane, sealed"
        " FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %b::bytea[])"
        " AS given (kind, number, lookup, batch, lane, sealed)"
        " ORDER BY kind, number, batch ON CONFLICT DO NOTHING",
        [
            array(KINDS.index(word.kind) for word, _ in words),
            array(word.number for word, _ in words),
            array(word.lookup for word, _ in words),
            array(batch.number for _, batch in words),
            [batch.lane for _, batch in words],
            [word.sealed for word, _ in words],
        ],
    )


def _insert_gaps(connection: Connection, place: str, number: int, additions: Sequence[Addition]) -> None:
    statement = (
        f"INSERT INTO {partition('gap', place)} (place, segment, sequence, since_us, until_us, sealed)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(number, *gap) for one in additions for gap in one.gaps])


def _copy_rows(connection: Connection, place: str, number: int, rows: Sequence[Row]) -> None:
    if not rows:
        return
    statement = f"COPY {partition('request', place)} ({_COPIED_COLUMNS}) FROM STDIN (FORMAT BINARY)"
    packed = _packed(number, rows)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_BEGIN)
        while chunk := b"".join(islice(packed, _ROWS_AT_ONCE)):
            copy.write(chunk)
        copy.write(_END)


def _packed(number: int, rows: Sequence[Row]) -> Iterator[bytes]:
    pack = _ROW.pack
    for (
        time_us,
        segment,
        sequence,
        client,
        agent,
        resource,
        referrer,
        result,
        sent,
        duration_us,
        claimed_us,
    ) in rows:
        try:
            yield pack(
                *(12, 4, number, 4, sequence, 8, time_us, 8, segment, 8, client, 8, agent, 8, resource),
                *(8, referrer, 8, result, 8, sent, 8, duration_us, 8, claimed_us),
            )
        except struct.error:
            raise StorageError(PLACE, "a request has a number of more than 64 bits") from None
