"""Writing one period: batches in, each with its mark, in one transaction.

Owns the transaction, the marks and the digest. What repeats is the business of `dictionaries`, how requests are
numbered that of `requestrows`, reading that of `select`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.period import LAST_US
from consentkit.archive.store.places import Head
from consentkit.archive.store.sqlite.dictionaries import Dictionaries
from consentkit.archive.store.sqlite.digest import (
    COLUMNS,
    GAP_COLUMNS,
    BatchRow,
    Row,
    digest_key,
    extend,
    store_head,
    stored_head,
)
from consentkit.archive.store.sqlite.files import file_name
from consentkit.archive.store.sqlite.requestrows import RequestRows
from consentkit.archive.store.sqlite.tables import SCHEMA, TIES
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError
from consentkit.requestlog.record import OUTCOMES, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.interface import Batch, Misfiled
    from consentkit.archive.store.places import Place
    from consentkit.requestlog.record import Entry, Gap


_INSERT_GAP: Final = f"INSERT INTO gap ({GAP_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_BATCH: Final = "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_MISDATED: Final = "INSERT INTO misdated VALUES (?, ?)"

_OUTCOME_NUMBERS: Final = {outcome: number for number, outcome in enumerate(OUTCOMES)}


class _Prepared:
    """A batch whose rows have their numbers and are not inserted yet; lists are in the order of the digest."""

    def __init__(self, number: int, segment: int) -> None:
        self.number = number
        self.segment = segment
        self.next_sequence = 0
        self.last_numbers = (0, 0, 0, 0)
        self.once: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self.requests: list[list[int]] = []
        self.gaps: list[Row] = []
        self.misdated: list[tuple[list[int], int]] = []


def make_empty(path: Path, key: bytes) -> None:
    """Make a period's file with its tables, and nothing in them.

    Raises:
        StorageError: it can't be made.
    """
    try:
        connection = open_sqlcipher(path, key)
        try:
            _make_tables(connection)
        finally:
            connection.close()
    except sqlcipher.Error as exc:
        raise StorageError(path.name, f"the period can't be made ({exc})") from exc


class PeriodFile:
    """One period, open for writing by the only process that writes it: the embedded `Writer`.

    Args:
        connection: an SQLCipher connection in autocommit mode; the tables are made if they are not there.
        place: which one.
        resolvers: asked once per distinct value.
        key: of the period, under which its digest is kept; None = it keeps none.
    """

    def __init__(
        self,
        connection: sqlcipher.Connection,
        place: Place,
        resolvers: Resolvers,
        *,
        key: bytes | None = None,
    ) -> None:
        self.connection = connection
        self.place = place
        self._digest_key = digest_key(key) if key is not None else None
        _make_tables(connection)
        self._words = Dictionaries(connection, resolvers)
        self._version = self._data_version()
        self._head = stored_head(connection)
        self._prepared: list[_Prepared] = []
        self._rows = RequestRows(connection)

    @classmethod
    def open(cls, path: Path, key: bytes, place: Place, resolvers: Resolvers) -> PeriodFile:
        """Open or make a period's file.

        Raises:
            StorageError: the file can't be opened, is damaged, or is under another key.
        """
        try:
            return cls(open_sqlcipher(path, key), place, resolvers, key=key)
        except sqlcipher.Error as exc:
            raise StorageError(str(path), f"the period can't be opened ({exc})") from exc

    def apply(self, batches: Iterable[Batch]) -> int:
        """Add the frames that are not in yet, and move the marks, in one durable transaction.

        Returns:
            How many requests were added.

        Raises:
            StorageError: nothing was added.
        """
        for batch in batches:
            self.add(batch)
        return self.commit()

    def add(self, batch: Batch) -> None:
        """Add the frames that are not in yet; they are in with the next `commit`, and not before.

        Raises:
            StorageError: nothing was added since the last commit.
        """
        with self._transaction():
            if not self._prepared:
                self._begin()
            self._prepare(batch)

    def commit(self) -> int:
        """Make what was added durable, and return how many requests that are.

        Raises:
            StorageError: nothing was added since the last commit.
        """
        if not self.connection.in_transaction:
            return 0
        with self._transaction():
            added = self._write()
            self.connection.execute("COMMIT")
        self._prepared.clear()
        return added

    def roll_back(self) -> None:
        """Drop what was added since the last commit."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self._prepared.clear()
        self._begin_anew()  # numbers given inside the transaction are gone with it

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

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            try:
                yield
            except BaseException:
                self.roll_back()
                raise
        except sqlcipher.Error as exc:
            raise StorageError(file_name(self.place), f"the period can't be written ({exc})") from exc

    def _begin(self) -> None:
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")
        if self._data_version() != self._version:
            self._begin_anew()  # another process has written meanwhile
        self._words.make_room()
        self._rows.forget()

    def _prepare(self, batch: Batch) -> None:
        """Give rows to the fresh frames of a batch; those of the segment before join its rows."""
        mark = self.mark(batch.worker, batch.segment)
        is_fresh = not mark or (batch.entries and batch.entries[0][0] >= mark)
        entries = batch.entries if is_fresh else [entry for entry in batch.entries if entry[0] >= mark]
        if not entries:
            return
        segment = self._words.segment(batch.worker, batch.segment)
        if not self._prepared or self._prepared[-1].segment != segment:
            self._prepared.append(_Prepared(self._head.batch + len(self._prepared) + 1, segment))
        one = self._prepared[-1]
        one.next_sequence = entries[-1][0] + 1
        self.connection.execute("UPDATE segment SET next_sequence = ? WHERE id = ?", (one.next_sequence, segment))
        self._add_rows(one, entries, batch.misfiled)
        one.last_numbers = self._words.last_numbers
        self._words.take_fresh(one.once)

    def _write(self) -> int:
        rows = [row for one in self._prepared for row in one.requests]
        self._rows.insert(rows)
        self._words.insert()
        for one in self._prepared:
            self._end(one)
        store_head(self.connection, self._head)
        return len(rows)

    def _add_rows(self, to: _Prepared, entries: Iterable[tuple[int, Entry]], misfiled: Misfiled | None) -> None:
        """Add the rows of requests, gaps and misdated requests, each in the order of the frames."""
        words, taken = self._words, self._rows.taken
        outcomes = _OUTCOME_NUMBERS
        clients, agents, resources, referrers = words.clients, words.agents, words.resources, words.referrers
        since_us, until_us = self.place.since_us, self.place.until_us
        number, requests = to.number, to.requests
        for sequence, entry in entries:
            if type(entry) is not Record:
                to.gaps.append(self._gap(entry, number, sequence, misfiled))  # type: ignore[arg-type]
                continue
            time_us = entry.time_us
            is_misfiled = misfiled is not None and not since_us <= time_us < until_us
            if is_misfiled:
                time_us = misfiled.shown_us(sequence)  # type: ignore[union-attr]
            row_id = (time_us - since_us) * TIES
            if row_id in taken:
                row_id = self._rows.free(row_id)
            taken.add(row_id)
            client = entry.client_address, entry.peer_address, entry.address_source
            agent = entry.user_agent
            resource = entry.method, entry.scheme, entry.host, entry.url, entry.query_flags
            referrer = entry.referrer_host
            row = [
                row_id,
                number,
                sequence,
                clients.get(client) or words.client(client),
                agents.get(agent) or words.agent(agent),
                resources.get(resource) or words.resource(resource),
                referrers.get(referrer) or words.referrer(referrer),
                entry.status * 4 + outcomes[entry.outcome],  # as `pack_result` has it
                entry.bytes_sent,
                entry.duration_us,
            ]
            requests.append(row)
            if is_misfiled:
                to.misdated.append((row, min(max(entry.time_us, 0), LAST_US)))

    def _gap(self, gap: Gap, number: int, sequence: int, misfiled: Misfiled | None) -> Row:
        since_us, until_us = gap.since_us, gap.until_us
        if misfiled is not None and not self.place.since_us <= until_us < self.place.until_us:
            since_us = until_us = misfiled.shown_us(sequence)  # its own time can't be true
        return since_us, until_us, gap.lost, gap.reason, gap.network, number, sequence

    def _end(self, one: _Prepared) -> None:
        """Write a batch down, and take it into the digest with all that came by it."""
        self.connection.executemany(_INSERT_GAP, one.gaps)
        misdated = [(row[0], claimed_us) for row, claimed_us in one.misdated]
        self.connection.executemany(_INSERT_MISDATED, misdated)
        row = BatchRow(one.number, one.segment, one.next_sequence, len(one.requests), *one.last_numbers)
        self.connection.execute(_INSERT_BATCH, row)
        if self._digest_key is not None:
            rows: list[Sequence[Sequence[object]]] = [*one.once.values(), one.requests, one.gaps, misdated]
            self._head = extend(self._digest_key, self._head, row, rows)
        else:
            self._head = Head(row.id, self._head.digest)

    def _begin_anew(self) -> None:
        self._words.begin_anew()
        self._version = self._data_version()
        self._head = stored_head(self.connection)

    def _data_version(self) -> int:
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])


def _make_tables(connection: sqlcipher.Connection) -> None:
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
