"""Search over all that is kept: sealed and open periods, and what is still in the spool.

Owns the order in which places are read, so that a row which moves from the spool to its period meanwhile
is neither missed nor shown twice. Who may look, and its record in the audit, is the caller's duty.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.period import Catalogue, Period, new_period
from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.resolve import AgentResolver, PlaceResolver
from consentkit.archive.spoolreader import SpoolReader
from consentkit.archive.store.interface import Batch, Cursor, Filters, FoundRequest
from consentkit.archive.store.periodfile import PeriodFile, Resolvers
from consentkit.archive.store.select import select_requests
from consentkit.control import Control, open_sqlcipher
from consentkit.errors import KeyUnavailable, StorageError
from consentkit.requestlog.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.crypto import Keyring
    from consentkit.settings import Settings

Found = tuple[Cursor, FoundRequest]

PAGE_ROWS: Final = 1000


class Archive:
    """The kept request log of one installation, open for reading.

    Args:
        settings: where it is, and the geo database for rows still in the spool.
        keyring: opens workers' and periods' keys.
        control: lists the periods.
        resolvers: for rows still in the spool; None = made when the first is met.
    """

    def __init__(
        self, settings: Settings, keyring: Keyring, control: Control, *, resolvers: Resolvers | None = None
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._requests = settings.storage.directory / "requests"
        self._catalogue = Catalogue(control, settings.requestlog.rotate)
        self._resolvers = resolvers

    def search(self, filters: Filters, *, limit: int, before: Cursor | None = None) -> Iterator[Found]:
        """Yield matching requests, newest first.

        The spool is read before the periods: a frame that is applied in between is then in both, and its
        period's mark tells; the other way round it would be in neither.

        Args:
            filters: what to match.
            limit: at most so many; 0 = all.
            before: go on after this row.

        Raises:
            StorageError: a period can't be read.
            KeyUnavailable: the key of a period that should be readable is missing.
        """
        spooled = self._spooled(filters)
        rows = self._all_periods(spooled, filters, limit, before)
        return islice(rows, limit) if limit else rows

    def _all_periods(
        self, spooled: dict[str, list[Batch]], filters: Filters, limit: int, before: Cursor | None
    ) -> Iterator[Found]:
        known = {period.name: period for period in self._catalogue.list()}
        for name, batches in spooled.items():
            known.setdefault(name, _period_of(batches, self._settings))
        for period in sorted(known.values(), key=lambda period: period.since_us, reverse=True):
            until_us = min(filters.until_us, before.time_us + 1 if before else filters.until_us)
            is_asked_for = period.since_us < until_us and period.until_us > filters.since_us
            if is_asked_for and (present := self._present(period)) is not None:
                yield from self._one_period(present, spooled.get(period.name, []), filters, limit, before)

    def _present(self, period: Period) -> Period | None:
        """Return a listed period's present generation; None where it is destroyed.

        A catalogue restored from before a destruction doesn't know of it; the keys folder does.
        """
        if not period.is_gone and self._keyring.was_destroyed(period.key_name):
            period = next((known for known in self._catalogue.list() if known.name == period.name), period)
        return None if period.is_gone or self._keyring.was_destroyed(period.key_name) else period

    def _one_period(
        self, period: Period, batches: list[Batch], filters: Filters, limit: int, before: Cursor | None
    ) -> Iterator[Found]:
        path = self._requests / period.file_name
        with PeriodLock(path, exclusive=False) if path.exists() else nullcontext():
            yield from self._one_locked(period, batches, filters, limit, before)

    def _one_locked(
        self, period: Period, batches: list[Batch], filters: Filters, limit: int, before: Cursor | None
    ) -> Iterator[Found]:
        stored = self._open(period)
        if stored is None:
            present = self._present(period)
            if present is None:
                return
            if present.generation != period.generation:  # rewritten since the periods were listed
                yield from self._one_period(present, batches, filters, limit, before)
                return
        try:
            if stored is not None:
                stored.execute("BEGIN")  # marks and rows as of one instant
                batches = [_beyond_mark(stored, batch) for batch in batches]
            waiting = self._in_memory(period, batches)
            sources = [
                select_requests(connection, period, filters, limit=limit, before=before)
                for connection in (stored, waiting)
                if connection is not None
            ]
            yield from heapq.merge(*sources, key=lambda found: found[0], reverse=True)
        except sqlcipher.Error as exc:
            raise StorageError(period.file_name, f"the period can't be read ({exc})") from exc
        finally:
            if stored is not None:
                stored.close()

    def _open(self, period: Period) -> sqlcipher.Connection | None:
        path = self._requests / period.file_name
        if not path.exists():
            return None
        try:
            return open_sqlcipher(path, self._keyring.load(period.key_name), read_only=True)
        except KeyUnavailable:
            if self._keyring.was_destroyed(period.key_name):
                return None  # since the periods were listed
            raise

    def _in_memory(self, period: Period, batches: list[Batch]) -> sqlcipher.Connection | None:
        if not any(batch.entries for batch in batches):
            return None
        file = PeriodFile.in_memory(period, self._resolving())
        file.apply(batches)
        return file.connection

    def _resolving(self) -> Resolvers:
        if self._resolvers is None:
            log = self._settings.requestlog
            self._resolvers = Resolvers(AgentResolver(), PlaceResolver(log.geo_database, log.geo_precision))
        return self._resolvers

    def _spooled(self, filters: Filters) -> dict[str, list[Batch]]:
        """Return the spool's frames by period, of those alone that the time asked for touches."""
        reader = SpoolReader(self._settings.storage.directory, self._keyring)
        found: dict[str, list[Batch]] = defaultdict(list)
        periods = self._catalogue.list()
        for segment in reader.segments():
            of_segment: dict[str, Batch] = {}
            for sequence, entry in segment.read(complete=False):
                if isinstance(entry, Record) and filters.since_us <= entry.time_us < filters.until_us:
                    period = _containing(periods, entry.time_us) or new_period(
                        entry.time_us, self._settings.requestlog.rotate
                    )
                    batch = of_segment.setdefault(period.name, Batch(segment.worker, segment.number, []))
                    batch.entries.append((sequence, entry))
            for name, batch in of_segment.items():
                found[name].append(batch)
        return found


def pages(rows: Iterator[Found], size: int = PAGE_ROWS) -> Iterator[list[Found]]:
    """Cut rows into pages, each of which is audited before it is shown."""
    while page := list(islice(rows, size)):
        yield page


def _containing(periods: list[Period], time_us: int) -> Period | None:
    return next((period for period in periods if period.since_us <= time_us < period.until_us), None)


def _period_of(batches: list[Batch], settings: Settings) -> Period:
    first = batches[0].entries[0][1]
    return new_period(first.time_us if isinstance(first, Record) else first.until_us, settings.requestlog.rotate)


def _beyond_mark(stored: sqlcipher.Connection, batch: Batch) -> Batch:
    mark = stored.execute(
        "SELECT coalesce(max(next_sequence), 0) FROM segment WHERE worker = ? AND number = ?",
        (batch.worker, batch.segment),
    ).fetchone()[0]
    return batch._replace(entries=[entry for entry in batch.entries if entry[0] >= mark])
