"""The worker's own spool: sealed segments that it alone appends to.

Owns when a segment begins and ends, what is left out in a flood, and what happens when the disk refuses. A
frame is in the kernel's hands when `append` returns, so it outlives the process, by kill -9 too; it is not
synced to the disk one by one (a power cut may cost the last seconds).

    spool/<worker>/lock                  held under an exclusive flock as long as the worker lives
    spool/<worker>/<segment number>      held under an exclusive flock while it is appended to

The archive deletes a segment when its lock is free and all its frames are stored; nobody renames it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from consentkit.errors import ConsentKitError
from consentkit.requestlog.flood import Flood, one_in
from consentkit.requestlog.losses import Losses
from consentkit.requestlog.truncate import network_of
from consentkit.requestlog.workerfolder import WorkerFolder

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.crypto import Keyring
    from consentkit.requestlog.record import Record
    from consentkit.requestlog.workerfolder import OpenSegment

logger = logging.getLogger("consentkit")

SEGMENT_BYTES: Final = 4 * 1024 * 1024
SEGMENT_SECONDS: Final = 60.0

# How long a refused write keeps us from trying again: a full disk must not cost each request a system call.
_RETRY_SECONDS: Final = 1.0

# Between two tellings of what was not kept: the most that a kill -9 takes of the counts.
_TELL_SECONDS: Final = 5.0


class Spool:
    """Append records to the segments of this process.

    Args:
        directory: the installation's data directory; the spool is `spool` in it.
        keyring: makes this process' key at the first append.
        max_bytes: what all workers together may keep unapplied. From 80 % of it, requests of the busiest
            networks are left out but for one in N; beyond it the newest records are dropped.

    Attributes:
        lost: records dropped since the start.
        sampled: records left out in floods since the start.
        is_full: the limit is reached; as of the last `tend`.
    """

    def __init__(self, directory: Path, keyring: Keyring, *, max_bytes: int) -> None:
        self._directory = directory / "spool"
        self._keyring = keyring
        self._max_bytes = max_bytes
        self._begin_process()
        self._begin_worker()
        _forget_after_fork(self)

    @property
    def worker(self) -> str:
        """The name of this worker in the spool; another one after its folder was lost, or `close`."""
        return self._folder.name

    def append(self, record: Record) -> bool:
        """Seal and append one record; return False where it is not kept, which is counted and never raised.

        Costs one AEAD seal and one `write`. Safe to call from several threads.
        """
        with self._lock:
            if self._flood is not None and not self._is_wanted(record, self._flood):
                return False
            segment = self._segment
            try:
                if segment is None or segment.size >= SEGMENT_BYTES or time.monotonic() >= segment.spent_at:
                    segment = self._roll()
                    self._tell_to(segment)
                segment.append(record)
            except (OSError, ConsentKitError) as exc:
                self._refused(exc)
                self.lost += 1
                self._losses.add("write", record.time_us)
                return False
            return True

    def tend(self) -> None:
        """Look at the spool's size, and tell the log what was not kept; called about once a second.

        Sums are told every five seconds, when a flood ends, with each new segment and by `close`: they are
        exact after an orderly end, and a kill -9 takes those of the last seconds with it.

        Raises:
            OSError: the spool's folder can't be read.
        """
        waiting = self.bytes_waiting()
        with self._lock:
            self._put_back()
            had_flood = self._flood is not None
            self._set_level(waiting)
            if self._segment is not None and time.monotonic() >= self._segment.spent_at:
                self._close_segment()  # nothing came meanwhile: what is stored need not lie here longer
            if (had_flood and self._flood is None) or time.monotonic() >= self._tell_at:
                self._tell()

    def close(self) -> None:
        """End this worker: what it wrote is the archive's now. A later append begins a new one."""
        with self._lock:
            self._put_back()
            self._retry_at = 0.0
            self._tell()
            if self._losses:
                logger.error("requests were lost, and the disk refuses to be told: %d since the start", self.lost)
            self._end_worker()

    def bytes_waiting(self) -> int:
        """Return the size of all segments of all workers, in bytes."""
        total = 0
        for path in self._directory.glob("*/[0-9]*"):
            with contextlib.suppress(FileNotFoundError):  # applied and deleted while we count
                total += path.stat().st_size
        return total

    def _begin_process(self) -> None:
        self.lost = 0
        self.sampled = 0
        self.is_full = False
        self._lock = threading.Lock()
        self._losses = Losses()
        self._flood: Flood | None = None
        self._retry_at = 0.0
        self._tell_at = 0.0
        self._is_bare = False

    def _begin_worker(self) -> None:
        self._folder = WorkerFolder(self._directory, self._keyring)
        self._segment: OpenSegment | None = None

    def _end_worker(self) -> None:
        self._close_segment()
        self._folder.let_go()
        self._begin_worker()

    def _after_fork(self) -> None:
        """Begin anew in a forked child: two processes must never share a key's numbers or a lock.

        What is closed here stays open, and locked, in the parent.
        """
        self._end_worker()
        self._begin_process()

    def _set_level(self, waiting_bytes: int) -> None:
        kept = one_in(waiting_bytes, self._max_bytes)
        self.is_full = waiting_bytes >= self._max_bytes
        if kept == 1:
            self._flood = None
        elif self._flood is None:
            self._flood = Flood(kept)
        else:
            self._flood.one_in = kept

    def _is_wanted(self, record: Record, flood: Flood) -> bool:
        """Tell whether a record is kept under flood; count it where it is not."""
        if self.is_full:
            self.lost += 1
            self._losses.add("full", record.time_us)
            return False
        network = network_of(record.client_address)
        if flood.leaves_out(network):
            self.sampled += 1
            self._losses.add("sampled", record.time_us, network)
            return False
        return True

    def _tell(self) -> None:
        """Write what was not kept since the last time."""
        if self._losses:
            try:
                self._tell_to(self._segment or self._roll())
            except (OSError, ConsentKitError) as exc:
                self._refused(exc)
        if self._flood is not None:
            self._flood.age()
        self._tell_at = time.monotonic() + _TELL_SECONDS

    def _tell_to(self, segment: OpenSegment) -> None:
        for gap in self._losses.gaps():
            segment.append(gap)
            self._losses.told(gap)

    def _refused(self, exc: OSError | ConsentKitError) -> None:
        if isinstance(exc, FileNotFoundError):
            self._end_worker()  # somebody removed the folder: begin again under a new name
        else:
            segment = self._segment
            self._close_segment()  # a frame cut short ends the segment; the number is not used again
            if segment is not None:
                segment.remove_if_empty()
        if not isinstance(exc, _TooSoon):
            self._retry_at = time.monotonic() + _RETRY_SECONDS

    def _roll(self) -> OpenSegment:
        if self._segment is not None:
            self._put_back()
            self._close_segment()
        now = time.monotonic()
        if now < self._retry_at:
            raise _TooSoon
        self._segment = self._folder.new_segment(now + SEGMENT_SECONDS)
        return self._segment

    def _close_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            if segment.is_deleted():  # and could not be put back: counted whole, though a part may be stored
                self.lost += segment.frames
                self._losses.add("write", time.time_ns() // 1000, count=segment.frames)
            segment.close()

    def _put_back(self) -> None:
        """Put back what was removed from under this worker; where that fails, it is tried again."""
        try:
            if self._folder.put_back(self._segment):
                logger.warning("files of the spool or its key were removed while in use; they were put back")
        except (OSError, ConsentKitError) as exc:
            if not self._is_bare:
                logger.error("files of the spool or its key were removed and can't be put back: %s", exc)
            self._is_bare = True
        else:
            self._is_bare = False


def _forget_after_fork(spool: Spool) -> None:
    after_fork = weakref.WeakMethod(spool._after_fork)

    def call() -> None:
        if (method := after_fork()) is not None:
            method()

    os.register_at_fork(after_in_child=call)


class _TooSoon(OSError):
    """The disk refused a moment ago."""
