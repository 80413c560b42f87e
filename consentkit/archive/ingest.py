"""The ingester: one process that moves frames from all workers' spools into their periods.

Owns the loop and its order: read, apply with marks in one transaction, and only then delete. It is a
process of its own, niced, since as a thread of a worker it doubles the site's slowest answers; it alone
loads the tables of agents and places.

Run by `archive.child` as ``python -m consentkit.archive.ingest`` with its orders on standard input, or
by ``consentkit ingest`` under a supervisor.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consentkit.archive.caretaker import Caretaker
from consentkit.archive.child import IngestOrder
from consentkit.archive.holdings import Holdings
from consentkit.archive.period import Catalogue, Period
from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.resolve import AgentResolver, PlaceResolver
from consentkit.archive.spoolreader import Segment, SpoolReader
from consentkit.archive.store.interface import Batch
from consentkit.archive.store.periodfile import PeriodFile, Resolvers
from consentkit.audit import SYSTEM
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import ConsentKitError
from consentkit.requestlog.record import Entry, Record
from consentkit.status import INGESTER, IngesterStatus, StatusFile, remove_old

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("consentkit.ingest")

POLL_SECONDS: Final = 0.5
_NICENESS: Final = 10

# Frames applied in one transaction: large enough for the disk, small enough for memory.
_FRAMES_A_ROUND: Final = 20_000

# How long a seal or a destruction may keep the ingester waiting; past it the spool keeps the records.
_LOCK_SECONDS: Final = 5.0

# Periods kept open for writing: the present one, and one for what arrives late.
_OPEN_PERIODS: Final = 2


class Ingester:
    """Move what the workers spooled into the periods' files.

    Args:
        directory: the data directory.
        keyring: opens workers' and periods' keys, and makes those of new periods.
        catalogue: the periods.
        resolvers: agents and places.
    """

    def __init__(self, directory: Path, keyring: Keyring, catalogue: Catalogue, resolvers: Resolvers) -> None:
        self._requests = directory / "requests"
        self._keyring = keyring
        self._catalogue = catalogue
        self._resolvers = resolvers
        self._reader = SpoolReader(directory, keyring)
        self._open: dict[str, _Writing] = {}
        self._dropped: dict[tuple[Path, str], int] = {}
        self._requests.mkdir(mode=0o700, parents=True, exist_ok=True)

    def drain(self) -> int:
        """Apply all that is in the spool now, delete what is finished, and return how many requests came.

        Raises:
            ConsentKitError: a store refused. Nothing is lost: the frames stay in the spool.
        """
        added = 0
        for segment in self._reader.segments():
            finished = segment.is_finished()  # asked before reading: what is read after it is all there is
            try:
                added += self._apply(segment, complete=finished)
            except BaseException:
                self._reader.forget(segment)
                raise
            if finished:
                self._finish(segment)
        self._reader.remove_ended_workers()
        return added

    def release(self, now_us: int) -> None:
        """Let go of periods that have ended or are to be destroyed, so that others can seal or destroy them."""
        self._catalogue.reload()
        written = {period.name for period in self._catalogue.known if not period.is_gone}
        for name, writing in list(self._open.items()):
            if writing.file.period.until_us <= now_us or name not in written:
                self._open.pop(name).close()

    def close(self) -> None:
        """Close the periods' files."""
        while self._open:
            self._open.popitem()[1].close()

    def _apply(self, segment: Segment, *, complete: bool) -> int:
        added, pending = 0, 0
        batches: dict[str, list[tuple[int, Entry]]] = defaultdict(list)
        periods: dict[str, Period] = {}
        for sequence, entry in segment.read(complete=complete):
            period = self._catalogue.period_of(entry.time_us if isinstance(entry, Record) else entry.until_us)
            periods[period.name] = period
            batches[period.name].append((sequence, entry))
            pending += 1
            if pending >= _FRAMES_A_ROUND:
                added += self._write(segment, periods, batches)
                batches.clear()
                pending = 0
        return added + self._write(segment, periods, batches)

    def _write(
        self, segment: Segment, periods: dict[str, Period], batches: dict[str, list[tuple[int, Entry]]]
    ) -> int:
        added = 0
        for name, entries in batches.items():
            file = self._file(periods[name])
            if file is None:
                self._drop(segment, periods[name], entries)
            else:
                added += file.apply([Batch(segment.worker, segment.number, entries)])
        return added

    def _drop(self, segment: Segment, period: Period, entries: list[tuple[int, Entry]]) -> None:
        """Count what came for a destroyed period, once even where the segment is read again."""
        counted = self._dropped.get((segment.path, period.name), 0)
        late = sum(sequence >= counted and isinstance(entry, Record) for sequence, entry in entries)
        self._catalogue.count_late(period, late)
        self._dropped[segment.path, period.name] = entries[-1][0] + 1

    def _finish(self, segment: Segment) -> None:
        if segment.damaged:
            logger.warning("%d damaged places in segment %s/%d", segment.damaged, segment.worker, segment.number)
        self._reader.remove(segment)
        self._dropped = {place: count for place, count in self._dropped.items() if place[0] != segment.path}

    def _file(self, period: Period) -> PeriodFile | None:
        """Return a period's file, open for writing; None for a period that is destroyed."""
        if period.is_gone:
            return None
        writing = self._open.pop(period.name, None)
        if writing is None:
            while len(self._open) >= _OPEN_PERIODS:
                self._open.pop(next(iter(self._open))).close()
            lock = PeriodLock(self._requests / period.file_name, exclusive=False, wait_seconds=_LOCK_SECONDS)
            try:
                # As it is under the lock, not as it was when it was listed.
                present = self._catalogue.reopen(period, SYSTEM)
                file = self._open_locked(present) if present.generation == period.generation else None
            except BaseException:
                lock.release()
                raise
            if file is None:
                lock.release()
                return None if present.generation == period.generation else self._file(present)
            writing = _Writing(file, lock)
        self._open[period.name] = writing  # the last used stands last
        return writing.file

    def _open_locked(self, period: Period) -> PeriodFile | None:
        # A directory restored from before lists a period as live whose key is destroyed.
        if period.is_gone or self._keyring.was_destroyed(period.key_name):
            return None
        path = self._requests / period.file_name
        key = self._keyring.load(period.key_name) if path.exists() else self._keyring.make(period.key_name)
        return PeriodFile.open(path, key, period, self._resolvers)


class _Writing(NamedTuple):
    """A period's file that is written, and the lock that keeps it from being sealed or destroyed."""

    file: PeriodFile
    lock: PeriodLock

    def close(self) -> None:
        self.file.close()
        self.lock.release()


def run(order: IngestOrder, stop: threading.Event, *, ready: Callable[[], None] | None = None) -> None:
    """Ingest until `stop` is set, then once more, so that an orderly end leaves nothing behind.

    A store that refuses leaves the spool growing; it is told once and tried again at each round.
    """
    keyring = Keyring.open(Path(order.keys), order.secrets)
    directory = Path(order.directory)
    geo_database = Path(order.geo_database) if order.geo_database else None
    places = PlaceResolver(geo_database, order.geo_precision, scratch=directory)
    control = Control(directory, keyring)
    catalogue = Catalogue(control, order.rotate)
    ingester = Ingester(directory, keyring, catalogue, Resolvers(AgentResolver(), places))
    holdings = Holdings(directory, keyring, control)
    caretaker = Caretaker(
        holdings,
        order.retention_days,
        truncate_after_days=order.truncate_ip_after_days,
        release=ingester.release,
    )
    caretaker.start(order.in_force)
    if ready is not None:
        ready()
    refused = ""
    says = _Says(directory, caretaker, places)
    try:
        while True:
            is_last = stop.wait(POLL_SECONDS)
            places.refresh()
            try:
                ingester.drain()
                refused = ""
            except ConsentKitError as exc:
                ingester.close()
                if not refused:
                    logger.error("the log is not being stored, the spool keeps it: %s", exc)
                refused = str(exc)
            if is_last:
                return
            caretaker.round(is_drained=not refused)
            says.round(refused)
    finally:
        ingester.close()
        says.close()


class _Says:
    """What the ingester says of itself, for `doctor`."""

    def __init__(self, directory: Path, caretaker: Caretaker, places: PlaceResolver) -> None:
        self._directory = directory
        self._file = StatusFile(directory, INGESTER)
        self._caretaker = caretaker
        self._places = places
        self._is_told = False

    def round(self, refused: str) -> None:
        """Write it down if it is time."""
        if not self._file.is_due:
            return
        now_us = time.time_ns() // 1000
        remove_old(self._directory, now_us)
        said = IngesterStatus(
            pid=os.getpid(),
            version=version("consentkit"),
            updated_us=now_us,
            refused=refused,
            undone=self._caretaker.undone,
            geo_fault=self._places.fault,
            geo_built_us=self._places.built_us,
        )
        try:
            self._file.write(said)
        except OSError as exc:  # the log comes first
            if not self._is_told:
                logger.warning("the status that `consentkit doctor` reads can't be written (%s)", exc.strerror)
            self._is_told = True

    def close(self) -> None:
        """Take it away."""
        self._file.remove()


def main() -> int:
    """Run as a worker's child: orders come as one line of JSON on standard input, whose end is the end."""
    logging.basicConfig(format="%(levelname)s:%(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # sent to the whole group they are for the server; we follow it
    stop = threading.Event()
    os.nice(_NICENESS)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=IngestOrder)

    def await_parent() -> None:
        sys.stdin.buffer.read()
        stop.set()

    threading.Thread(target=await_parent, name="consentkit-parent", daemon=True).start()
    try:
        run(order, stop)
    except ConsentKitError as exc:
        logger.error("the ingester can't start: %s", exc)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
