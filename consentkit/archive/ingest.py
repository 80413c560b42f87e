"""The ingester: one process that moves frames from all workers' spools into their periods.

Owns the loop and its order: read, apply with marks in one transaction, and only then delete. It is a
process of its own, niced, since as a thread of a worker it doubles the site's slowest answers; it alone
loads the tables of agents and places.

Run by `archive.child` as ``python -m consentkit.archive.ingest`` with its orders on standard input, or
by ``consentkit ingest`` under a supervisor.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.caretaker import Caretaker
from consentkit.archive.child import IngestOrder
from consentkit.archive.farewell.countdown import Countdown
from consentkit.archive.filing import Filing
from consentkit.archive.handover import asked_for
from consentkit.archive.holdings import Holdings
from consentkit.archive.ingestersays import IngesterSays
from consentkit.archive.leading import Leading
from consentkit.archive.openperiods import OpenPeriods
from consentkit.archive.period import Catalogue
from consentkit.archive.publishing import Publisher
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.spoolreader import SpoolReader
from consentkit.archive.store.interface import Batch
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import ConsentKitError
from consentkit.requestlog.record import Record
from consentkit.settings import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from consentkit.archive.evidence.heads import WrittenHead
    from consentkit.archive.period import Period
    from consentkit.archive.spoolreader import Segment
    from consentkit.requestlog.record import Entry

logger = logging.getLogger("consentkit.ingest")

POLL_SECONDS: Final = 0.5
_NICENESS: Final = 10

# Frames applied in one transaction: enough for the disk, few enough for memory.
_BYTES_A_ROUND: Final = 3_000_000


class Ingester:
    """Move what the workers spooled into their periods.

    Args:
        holdings: the store; keys of new periods are made in its keyring.
        catalogue: the periods.
        resolvers: agents and places.
        filing: which period a frame goes to; None = by the clock as it is, whatever a time's age.
    """

    def __init__(
        self,
        holdings: Holdings,
        catalogue: Catalogue,
        resolvers: Resolvers,
        *,
        filing: Filing | None = None,
    ) -> None:
        self._directory = holdings.directory
        self._catalogue = catalogue
        self._filing = filing or Filing(catalogue)
        self._reader = SpoolReader(holdings.directory, holdings.keyring)
        self._open = OpenPeriods(holdings, catalogue, resolvers)
        self._finished: list[Segment] = []
        self._unstored_bytes = 0
        self._dropped: dict[tuple[Path, str], int] = {}

    @property
    def written(self) -> dict[str, WrittenHead]:
        """By the period's name, how its digest stands; who notes it takes it out."""
        return self._open.written

    def drain(self) -> int:
        """Apply all that is in the spool now, delete what is finished, and return how many requests came.

        Raises:
            ConsentKitError: a store refused. Nothing is lost: the frames stay in the spool.
        """
        read: list[Segment] = []
        added = 0
        self._finished.clear()
        try:
            for segment in self._reader.segments():
                is_finished = segment.is_finished()  # asked before reading: what is read after it is all there is
                read.append(segment)
                for frames in segment.stretches(complete=is_finished):
                    if self._unstored_bytes >= _BYTES_A_ROUND:
                        added += self._commit()
                    start = segment.offset
                    self._add(segment, frames)
                    self._unstored_bytes += segment.offset - start
                if is_finished:
                    self._finished.append(segment)
            added += self._commit()
        except BaseException:
            self._open.roll_back()
            for segment in read:
                self._reader.forget(segment)
            raise
        self._open.let_others_in()
        self._reader.remove_ended_workers()
        return added

    def release(self, now_us: int) -> None:
        """Let go of periods that have ended or are to be destroyed, so that others can seal or destroy them."""
        self._catalogue.reload()
        kept = {period.name for period in self._catalogue.known if not period.is_gone}
        self._open.let_go(lambda period: period.until_us <= now_us or period.name not in kept)

    def hand_over(self) -> None:
        """Let go of the period that another asks for; what comes for it waits in the spool meanwhile."""
        wanted = asked_for(self._directory)
        self._open.let_go(lambda period: period.file_name == wanted)

    def close(self) -> None:
        """Let go of all periods."""
        self._open.let_go(lambda _: True)

    def _add(self, segment: Segment, frames: Iterable[tuple[int, Entry]]) -> None:
        """Add some frames of a segment to the periods that they go to."""
        parts: dict[str, tuple[Period, list[tuple[int, Entry]]]] = {}
        since_us = until_us = 0  # of the period that the frame before went to
        entries: list[tuple[int, Entry]] = []
        for frame in frames:
            sequence, entry = frame
            time_us = entry.time_us if isinstance(entry, Record) else entry.until_us
            if not since_us <= time_us < until_us:
                period = self._filing.period_of(segment, sequence, time_us)
                entries = parts.setdefault(period.name, (period, []))[1]
                if self._filing.misfiled(segment) is None:
                    since_us, until_us = period.since_us, period.until_us
                else:
                    since_us = until_us = 0  # each frame is asked for
            entries.append(frame)
        for period, entries in parts.values():
            writer = self._open.writer(period)
            if writer is None:
                self._drop(segment, period, entries)
            else:
                writer.add(Batch(segment.worker, segment.number, entries, self._filing.misfiled(segment)))

    def _commit(self) -> int:
        """Make durable what was added, and delete the segments all of which is."""
        added = self._open.commit()
        self._unstored_bytes = 0
        while self._finished:
            self._finish(self._finished.pop())
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
        self._filing.forget(segment)
        self._dropped = {place: count for place, count in self._dropped.items() if place[0] != segment.path}


def run(order: IngestOrder, stop: threading.Event, *, ready: Callable[[], None] | None = None) -> None:
    """Ingest until `stop` is set, then once more, so that an orderly end leaves nothing behind.

    A store that refuses leaves the spool growing; it is told once and tried again at each round.
    """
    keyring = Keyring.open(Path(order.keys), order.secrets)
    directory = Path(order.directory)
    geo_database = Path(order.geo_database) if order.geo_database else None
    places = PlaceResolver(geo_database, order.geo_precision, scratch=directory)
    control = Control(directory, keyring, order.url)
    catalogue = Catalogue(control, order.rotate)
    filing = Filing(catalogue, retention_days=order.retention_days)
    storage = Storage(directory=directory, keys=Path(order.keys), url=order.url, requests_url=order.requests_url)
    holdings = Holdings.open(storage, keyring, control)
    ingester = Ingester(holdings, catalogue, Resolvers(AgentResolver(), places), filing=filing)
    leading = Leading(control)
    caretaker = _caretaker(order, holdings, catalogue, ingester, leading)
    caretaker.start(order.in_force)
    if ready is not None:
        ready()
    _spare_collector()
    refused = ""
    says = IngesterSays(directory, caretaker, places)
    try:
        while True:
            is_last = stop.wait(POLL_SECONDS)
            places.refresh()
            try:
                leading.attend()
                ingester.drain()
                refused = ""
            except ConsentKitError as exc:
                ingester.close()
                if not refused:
                    logger.error("the log is not being stored, the spool keeps it: %s", exc)
                refused = str(exc)
            if is_last:
                caretaker.stop()
                return
            ingester.hand_over()
            caretaker.round(is_drained=not refused)
            says.round(refused)
    finally:
        ingester.close()
        holdings.rows.close()
        says.close()


def _caretaker(
    order: IngestOrder, holdings: Holdings, catalogue: Catalogue, ingester: Ingester, leading: Leading
) -> Caretaker:
    return Caretaker(
        holdings,
        order.retention_days,
        leading=leading,
        truncate_after_days=order.truncate_ip_after_days,
        release=ingester.release,
        written=ingester.written,
        keep_audit_days=order.keep_audit_days,
        keep_proof_days=order.keep_proof_days,
        choice_lifetime_days=order.choice_lifetime_days,
        catalogue=catalogue,
        countdown=Countdown(order.service_ended, order.wind_down_days, order.retention_days),
        publisher=Publisher(order.operator, order.retention_days),
    )


def _spare_collector() -> None:
    """Have the cycle collector leave alone what is loaded, and run seldom: rows are many, and make no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


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
