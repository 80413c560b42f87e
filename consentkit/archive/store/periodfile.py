"""Writing one period: batches in, each with its mark, in one transaction.

Owns how rows are numbered and how repeated values are found again. Reading is `select`'s job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.digest import (
    COLUMNS,
    GAP_COLUMNS,
    REQUEST_COLUMNS,
    BatchRow,
    Head,
    Row,
    digest_key,
    extend,
    store_head,
    stored_head,
)
from consentkit.archive.store.tables import SCHEMA, TIES, pack_address, text_hash
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES, Gap, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from consentkit.archive.period import Period
    from consentkit.archive.resolve import AgentResolver, PlaceResolver
    from consentkit.archive.store.interface import Batch

# Distinct values remembered between batches; past it the table is emptied and values are looked up again.
_REMEMBERED: Final = 50_000

_INSERT: Final = f"INSERT INTO request ({REQUEST_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_GAP: Final = f"INSERT INTO gap ({GAP_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_BATCH: Final = "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

_ADD: Final = "INSERT INTO {table} ({columns}) VALUES ({marks})"
_LAST_NUMBERS: Final = """
SELECT (SELECT coalesce(max(id), 0) FROM client), (SELECT coalesce(max(id), 0) FROM agent),
  (SELECT coalesce(max(id), 0) FROM resource), (SELECT coalesce(max(id), 0) FROM referrer)"""

_Row = tuple[int, ...]


class Resolvers:
    """What turns an agent and an address into words; shared by all periods of a process."""

    def __init__(self, agents: AgentResolver, places: PlaceResolver) -> None:
        self.agents = agents
        self.places = places


class PeriodFile:
    """One period, open for writing by the only process that writes it.

    Args:
        connection: an SQLCipher connection in autocommit mode; the tables are made if they are not there.
        period: which one.
        resolvers: asked once per distinct value.
        key: of the period, under which its digest is kept; None = it keeps none.
        first_tie: where the tie-breakers of a microsecond begin.
    """

    def __init__(
        self,
        connection: sqlcipher.Connection,
        period: Period,
        resolvers: Resolvers,
        *,
        key: bytes | None = None,
        first_tie: int = 0,
    ) -> None:
        self.connection = connection
        self.period = period
        self._resolvers = resolvers
        self._digest_key = digest_key(key) if key is not None else None
        self._first_tie = first_tie
        self._fresh: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self._clients: dict[tuple[str, str, str], int] = {}
        self._agents: dict[str, int] = {}
        self._resources: dict[tuple[str, str, str, str, int], int] = {}
        self._referrers: dict[str, int] = {}
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        self._head = stored_head(connection)

    @classmethod
    def open(cls, path: Path, key: bytes, period: Period, resolvers: Resolvers) -> PeriodFile:
        """Open or make a period's file.

        Raises:
            StorageError: the file can't be opened, is damaged, or is under another key.
        """
        try:
            return cls(open_sqlcipher(path, key), period, resolvers, key=key)
        except sqlcipher.Error as exc:
            raise StorageError(str(path), f"the period can't be opened ({exc})") from exc

    @classmethod
    def in_memory(cls, period: Period, resolvers: Resolvers) -> PeriodFile:
        """Make a period that lies nowhere: rows still in the spool are searched by the same statements.

        Its tie-breakers are the upper half, so that its rows and those of the file page as one.
        """
        connection = sqlcipher.connect(":memory:", isolation_level=None)
        return cls(connection, period, resolvers, first_tie=TIES // 2)

    def apply(self, batches: Iterable[Batch]) -> int:
        """Add the frames that are not in yet, and move the marks, in one durable transaction.

        Returns:
            How many requests were added.

        Raises:
            StorageError: nothing was added.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                added = sum(self._apply(batch) for batch in batches)
                store_head(self.connection, self._head)
            except BaseException:
                self.connection.execute("ROLLBACK")
                self._forget()  # numbers given inside the transaction are gone with it
                for of_table in self._fresh.values():
                    of_table.clear()
                self._head = stored_head(self.connection)
                raise
            self.connection.execute("COMMIT")
        except sqlcipher.Error as exc:
            raise StorageError(self.period.file_name, f"the period can't be written ({exc})") from exc
        return added

    def mark(self, worker: str, segment: int) -> int:
        """Return the sequence below which every frame of this period in the segment is applied."""
        return int(
            self.connection.execute(
                "SELECT coalesce(max(next_sequence), 0) FROM segment WHERE worker = ? AND number = ?",
                (worker, segment),
            ).fetchone()[0]
        )

    @property
    def head(self) -> Head:
        """The running digest as of the last batch."""
        return self._head

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _apply(self, batch: Batch) -> int:
        mark = self.mark(batch.worker, batch.segment)
        fresh = [(sequence, entry) for sequence, entry in batch.entries if sequence >= mark]
        if not fresh:
            return 0
        number = self._head.batch + 1
        rows = [self._row(number, sequence, entry) for sequence, entry in fresh if isinstance(entry, Record)]
        gaps = [
            (gap.since_us, gap.until_us, gap.lost, gap.reason, gap.network, number, sequence)
            for sequence, gap in fresh
            if isinstance(gap, Gap)
        ]
        rows = self._insert(rows)
        self.connection.executemany(_INSERT_GAP, gaps)
        segment, next_sequence = self._segment(batch), fresh[-1][0] + 1
        self._execute("UPDATE segment SET next_sequence = ? WHERE id = ?", (next_sequence, segment))
        last_numbers = self._execute(_LAST_NUMBERS).fetchone()
        self._end(BatchRow(number, segment, next_sequence, len(rows), *last_numbers), [rows, gaps, []])
        return len(rows)

    def _segment(self, batch: Batch) -> int:
        stored = (batch.worker, batch.segment)
        number = self._find("SELECT id FROM segment WHERE worker = ? AND number = ?", stored)
        return number or self._add("segment", stored)

    def _end(self, batch: BatchRow, rows: Sequence[Sequence[Row]]) -> None:
        """Write a batch down, and take it into the digest with all that came by it."""
        self._execute(_INSERT_BATCH, batch)
        if self._digest_key is not None:
            self._head = extend(self._digest_key, self._head, batch, [*self._fresh.values(), *rows])
        else:
            self._head = Head(batch.id, self._head.digest)
        for of_table in self._fresh.values():
            of_table.clear()

    def _row(self, batch: int, sequence: int, record: Record) -> _Row:
        if len(self._clients) + len(self._agents) + len(self._resources) + len(self._referrers) > _REMEMBERED:
            self._forget()
        path, query, rest = record.url.partition("?")
        return (
            (record.time_us - self.period.since_us) * TIES + self._first_tie,
            batch,
            sequence,
            self._client(record),
            self._agent(record.user_agent),
            self._resource(record, path, rest if query else None),
            self._referrer(record.referrer_host),
            record.status,
            OUTCOMES.index(record.outcome),
            record.bytes_sent,
            record.duration_us,
        )

    def _insert(self, rows: list[_Row]) -> list[_Row]:
        """Insert rows, giving those of one microsecond numbers of their own; return them as they are stored."""
        self._execute("SAVEPOINT rows")
        try:
            self.connection.executemany(_INSERT, rows)
        except sqlcipher.IntegrityError:
            self._execute("ROLLBACK TO rows")
            rows = [self._insert_one(row) for row in rows]
        self._execute("RELEASE rows")
        return rows

    def _insert_one(self, row: _Row) -> _Row:
        stored = (self._free_id(row[0]), *row[1:])
        self._execute(_INSERT, stored)
        return stored

    def _free_id(self, wanted: int) -> int:
        """Return the first free number from `wanted` on; what overflows takes the next microsecond's."""
        free = wanted
        while self.connection.execute("SELECT 1 FROM request WHERE id = ?", (free,)).fetchone():
            free += 1
        return free

    def _client(self, record: Record) -> int:
        key = (record.client_address, record.peer_address, record.address_source)
        if (number := self._clients.get(key)) is None:
            stored = (
                pack_address(record.client_address),
                pack_address(record.peer_address),
                ADDRESS_SOURCES.index(record.address_source),
            )
            number = self._find("SELECT id FROM client WHERE address = ? AND peer = ? AND source = ?", stored)
            if number is None:
                place = self._resolvers.places.resolve(record.client_address)
                number = self._add("client", (*stored, place.country, place.city))
            self._clients[key] = number
        return number

    def _agent(self, user_agent: str) -> int:
        if (number := self._agents.get(user_agent)) is None:
            stored = (text_hash(user_agent), user_agent)
            number = self._find("SELECT id FROM agent WHERE hash = ? AND user_agent = ?", stored)
            if number is None:
                agent = self._resolvers.agents.resolve(user_agent)
                number = self._add(
                    "agent",
                    (
                        *stored,
                        agent.device,
                        agent.device_type,
                        agent.browser,
                        agent.browser_version,
                        agent.os,
                        agent.os_version,
                    ),
                )
            self._agents[user_agent] = number
        return number

    def _resource(self, record: Record, path: str, query: str | None) -> int:
        key = (record.method, record.scheme, record.host, record.url, record.query_flags)
        if (number := self._resources.get(key)) is None:
            stored = (
                text_hash(*key),
                record.method,
                record.scheme,
                record.host,
                path,
                query,
                record.query_flags,
            )
            number = self._find(
                "SELECT id FROM resource WHERE hash = ? AND method = ? AND scheme = ? AND host = ?"
                " AND path = ? AND query IS ? AND query_flags = ?",
                stored,
            )
            if number is None:
                number = self._add("resource", stored)
            self._resources[key] = number
        return number

    def _referrer(self, host: str) -> int:
        if (number := self._referrers.get(host)) is None:
            number = self._find("SELECT id FROM referrer WHERE host = ?", (host,))
            if number is None:
                number = self._add("referrer", (host,))
            self._referrers[host] = number
        return number

    def _find(self, statement: str, values: tuple[object, ...]) -> int | None:
        row = self._execute(statement, values).fetchone()
        return int(row[0]) if row else None

    def _add(self, table: str, values: Row) -> int:
        """Insert a row of a table whose rows stand once, noting it for the digest of this batch."""
        statement = _ADD.format(table=table, columns=COLUMNS[table], marks=", ".join("?" * len(values)))
        number = int(self._execute(statement, values).lastrowid)
        self._fresh[table].append((number, *values))
        return number

    def _execute(self, statement: str, values: Sequence[object] = ()) -> sqlcipher.Cursor:
        return self.connection.execute(statement, values)

    def _forget(self) -> None:
        for remembered in (self._clients, self._agents, self._resources, self._referrers):
            remembered.clear()
