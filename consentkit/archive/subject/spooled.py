"""A person's records that workers have written and the ingester has not yet stored, or not yet deleted.

Owns the wait for both. A record that was stored is in its segment's file too, until its worker has let go of the
segment and the file is deleted; the period's marks keep it from being stored twice.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.child import take_lock
from consentkit.archive.filing import Filing, decided
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.spoolreader import SpoolReader
from consentkit.errors import StorageError
from consentkit.requestlog.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.archive.store.places import Marks
    from consentkit.archive.subject.person import Person
    from consentkit.settings import RequestLog

_POLL_SECONDS: Final = 0.2


class Frame(NamedTuple):
    """One record in the spool, with the time under which it is stored."""

    path: Path
    worker: str
    segment: int
    sequence: int
    time_us: int


class Spooled(NamedTuple):
    """A person's records in the spool.

    Attributes:
        waiting: those that are not stored yet.
        lying: all of them; more than `waiting` while stored ones lie in segments that workers still write.
    """

    waiting: tuple[Frame, ...]
    lying: tuple[Frame, ...]


def find(holdings: Holdings, person: Person) -> Spooled:
    """Return a person's records in the spool.

    Raises:
        StorageError, KeyUnavailable: a period can't be asked for its marks.
    """
    noted = decided(holdings.control)
    found = []
    for segment in SpoolReader(holdings.directory, holdings.keyring).segments():
        misfiled = noted.get((segment.worker, segment.number))
        for sequence, entry in segment.read(complete=False):
            if not isinstance(entry, Record) or entry.client_address != person.address:
                continue
            if person.agent and entry.user_agent != person.agent:
                continue
            is_elsewhere = misfiled is not None and misfiled.holds(sequence, entry.time_us)
            time_us = misfiled.shown_us(sequence) if misfiled is not None and is_elsewhere else entry.time_us
            if person.since_us <= time_us < person.until_us:
                found.append(Frame(segment.path, segment.worker, segment.number, sequence, time_us))
    return _sort_out(holdings, found)


def settle(
    holdings: Holdings,
    person: Person,
    log: RequestLog,
    *,
    wait_seconds: float,
    each: Callable[[Spooled], None] = lambda _: None,
) -> Spooled:
    """Wait until a person's records are stored and gone from the spool, and return what still lies there.

    Where no ingester is at work this process stores what is there. What the workers of a running site still
    write to is gone when the segment is a minute old; the caller says so of what is left.

    Args:
        holdings: the store.
        person: by address.
        log: for storing.
        wait_seconds: at most so long.
        each: called with what there is, while it waits.

    Raises:
        StorageError: records are not stored in that time; nothing may be called erased.
    """
    deadline = time.monotonic() + wait_seconds
    found = find(holdings, person)
    while found.lying:
        each(found)
        _store_here(holdings, log)
        found = _sort_out(holdings, found.lying)
        if not found.lying or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    if found.waiting:
        reason = f"{len(found.waiting)} records are still not stored after {wait_seconds:g} s; try again"
        raise StorageError("spool", reason)
    return found


def _store_here(holdings: Holdings, log: RequestLog) -> None:
    """Store what is in the spool, unless an ingester is at work."""
    lock = take_lock(holdings.directory)
    if lock is None:
        return
    try:
        resolvers = Resolvers(AgentResolver(), PlaceResolver(log.geo_database, log.geo_precision))
        catalogue = Catalogue(holdings.control, log.rotate)
        filing = Filing(catalogue, retention_days=log.retention_days)
        ingester = Ingester(holdings, catalogue, resolvers, filing=filing)
        try:
            ingester.drain()
        finally:
            ingester.close()
    finally:
        os.close(lock)


def _sort_out(holdings: Holdings, frames: Iterable[Frame]) -> Spooled:
    lying = tuple(frame for frame in frames if frame.path.exists())
    if not lying:
        return Spooled((), ())
    marks = _Marks(holdings)
    return Spooled(tuple(frame for frame in lying if not marks.have(frame)), lying)


class _Marks:
    """The marks of the periods that hold certain segments, each asked for once."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._periods = Catalogue(holdings.control, "day").list()
        self._known: dict[str, Marks] = {}

    def have(self, frame: Frame) -> bool:
        """Tell whether a record is stored, or was dropped because its period is destroyed."""
        places = [period for period in self._periods if period.since_us <= frame.time_us < period.until_us]
        return any(
            place.is_gone or self._of(place).get((frame.worker, frame.segment), 0) > frame.sequence
            for place in places
        )

    def _of(self, period: Period) -> Marks:
        if period.name not in self._known:
            self._known[period.name] = self._read(period)
        return self._known[period.name]

    def _read(self, period: Period) -> Marks:
        if not self._holdings.rows.exists(period.place):
            return {}
        with self._holdings.reading(period.place) as reader:
            return {} if reader is None else reader.marks()
