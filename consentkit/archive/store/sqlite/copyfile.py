"""The file of an incident while it is written, the embedded `CopyWriter`: rows as a search found them.

Owns turning a found row back into the tables of a period, under a digest of their own. Nothing is resolved anew:
what the period said of a device or a place is evidence of that day. Request ids stay the same, so that a row can
be held against the period that it came from.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.addresses import pack_address
from consentkit.archive.store.sqlite.digest import (
    BATCH_COLUMNS,
    COLUMNS,
    EMPTY,
    GAP_COLUMNS,
    REQUEST_COLUMNS,
    BatchRow,
    Row,
    digest_key,
    extend,
    store_head,
)
from consentkit.archive.store.sqlite.tables import SCHEMA, TIES, note_visits, pack_result, text_hash
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES
from consentkit.requestlog.redact import flag_bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self

    from consentkit.archive.store.interface import FoundRequest
    from consentkit.archive.store.places import Found, Place
    from consentkit.requestlog.record import Gap

# Values remembered of each table; past it the memory is emptied and values are looked up again.
_REMEMBERED: Final = 20_000

# Gaps come from many segments and are nobody's request: they stand under one that no worker has.
_OF_GAPS: Final = ("gaps", 0)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CopyFile:
    """An incident's file, open for writing by the only process that knows of it.

    It is a draft, and thrown away if its making breaks off: nothing is synced before it is sealed.

    Args:
        file: where; nothing may be there.
        key: its own, 32 random bytes.
        place: which one it is.

    Raises:
        StorageError: from every method: it can't be made or written.
    """

    def __init__(self, file: Path, key: bytes, place: Place) -> None:
        self._file = file
        self._since_us = place.since_us
        self._digest_key = digest_key(key)
        self._head = EMPTY
        self._last_number = -1
        try:
            self._connection = open_sqlcipher(file, key)
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        except sqlcipher.Error as exc:
            raise self._fault(exc) from exc
        self._tables = {table: _Table(self._connection, table) for table in COLUMNS}
        self._insert = _insert("request", REQUEST_COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, page: Sequence[Found]) -> None:
        """Add rows, oldest first, each page later than the one before; those of one segment make a batch."""
        parts = [(*_frame(found), self._next_number(cursor.time_us), found) for cursor, found in page]
        parts.sort(key=itemgetter(0, 1, 2))
        try:
            self._connection.execute("BEGIN")
            for segment, own in groupby(parts, key=itemgetter(0, 1)):
                self._add_batch(segment, [(sequence, number, found) for *_, sequence, number, found in own])
            self._connection.execute("COMMIT")
        except sqlcipher.Error as exc:
            raise self._fault(exc) from exc

    def finish(self, gaps: Iterable[Gap]) -> None:
        """Add the gaps of the time asked for, note who was there when, and have the file name its digest."""
        try:
            self._connection.execute("BEGIN")
            batch = self._head.batch + 1
            rows = [
                (gap.since_us, gap.until_us, gap.lost, gap.reason, gap.network, batch, sequence)
                for sequence, gap in enumerate(gaps)
            ]
            if rows:
                self._connection.executemany(_insert("gap", GAP_COLUMNS), rows)
                self._end(_OF_GAPS, [], rows, [])
            note_visits(self._connection)
            store_head(self._connection, self._head)
            self._connection.execute("COMMIT")
        except sqlcipher.Error as exc:
            raise self._fault(exc) from exc

    def _add_batch(self, segment: tuple[str, int], own: Sequence[tuple[int, int, FoundRequest]]) -> None:
        batch = self._head.batch + 1
        rows: list[Row] = []
        misdated: list[Row] = []
        for sequence, number, found in own:
            rows.append((number, batch, sequence, *self._numbers(found), *_measures(found)))
            if found.claimed_time:
                misdated.append((number, _microseconds(found.claimed_time)))
        self._connection.executemany(self._insert, rows)
        self._connection.executemany("INSERT INTO misdated VALUES (?, ?)", misdated)
        self._end(segment, rows, [], misdated)

    def _next_number(self, time_us: int) -> int:
        """Return the first free number of a microsecond; what overflows takes the next one's."""
        self._last_number = max((time_us - self._since_us) * TIES, self._last_number + 1)
        return self._last_number

    def _numbers(self, found: FoundRequest) -> tuple[int, int, int, int]:
        path, query, rest = found.url.partition("?")
        tables = self._tables
        address, peer = pack_address(found.client_address), pack_address(found.peer_address)
        source, flags = ADDRESS_SOURCES.index(found.address_source), flag_bits(found.query_flags)
        return (
            tables["client"].number((address, peer, source, found.country, found.city)),
            tables["agent"].number(
                (
                    found.user_agent,
                    found.device,
                    found.device_type,
                    found.browser,
                    found.browser_version,
                    found.os,
                    found.os_version,
                )
            ),
            tables["resource"].number(
                (found.method, found.scheme, found.host, path, rest if query else None, flags)
            ),
            tables["referrer"].number((found.referrer_host,)),
        )

    def _end(
        self, segment: tuple[str, int], rows: Sequence[Row], gaps: Sequence[Row], misdated: Sequence[Row]
    ) -> None:
        """Write a batch down, and take it into the digest with all that came by it."""
        own = self._tables["segment"].number(segment)
        next_sequence = (rows[-1][2] if rows else gaps[-1][6]) + 1  # type: ignore[operator]
        last = (self._tables[table].last for table in ("client", "agent", "resource", "referrer"))
        batch = BatchRow(self._head.batch + 1, own, next_sequence, len(rows), *last)
        self._connection.execute(_insert("batch", BATCH_COLUMNS), batch)
        fresh = [table.take_fresh() for table in self._tables.values()]
        self._head = extend(self._digest_key, self._head, batch, [*fresh, rows, gaps, misdated])

    def _fault(self, exc: sqlcipher.Error) -> StorageError:
        return StorageError(self._file.name, f"the incident's copy can't be written ({exc})")


class _Table:
    """A table whose rows stand once."""

    def __init__(self, connection: sqlcipher.Connection, table: str) -> None:
        columns = COLUMNS[table]
        self._connection = connection
        self._is_hashed = columns.startswith("hash, ")
        values = " AND ".join(f"{column} IS ?" for column in columns.split(", "))
        self._find = f"SELECT id FROM {table} WHERE {values}"
        self._add = _insert(table, columns)
        self._known: dict[Row, int] = {}
        self._fresh: list[Row] = []
        self.last = 0

    def number(self, values: Row) -> int:
        """Return the number of the row with these values, which is added where there is none."""
        number = self._known.get(values)
        if number is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            number = self._known[values] = self._stored(values)
        return number

    def take_fresh(self) -> list[Row]:
        """Return the rows that were added since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def _stored(self, values: Row) -> int:
        row = (text_hash(*values), *values) if self._is_hashed else values
        if found := self._connection.execute(self._find, row).fetchone():
            return int(found[0])
        self.last = int(self._connection.execute(self._add, row).lastrowid)
        self._fresh.append((self.last, *row))
        return self.last


def _frame(found: FoundRequest) -> tuple[str, int, int]:
    worker, segment, sequence = found.request_id.rsplit("-", 2)
    return worker, int(segment), int(sequence)


def _measures(found: FoundRequest) -> tuple[int, int, int]:
    return pack_result(found.status, OUTCOMES.index(found.outcome)), found.bytes_sent, found.duration_us


def _microseconds(time: str) -> int:
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(microseconds=1)


def _insert(table: str, columns: str) -> str:
    marks = ", ".join("?" * (columns.count(",") + 1))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})"
