"""The worker's own spool: sealed segments that it alone appends to.

Owns when a segment begins and ends, and what happens when the disk refuses. A frame is in the kernel's
hands when `append` returns, so it outlives the process, by kill -9 too; it is not synced to the disk one
by one (a power cut may cost the last seconds).

    spool/<worker>/lock                  held under an exclusive flock as long as the worker lives
    spool/<worker>/<segment number>      held under an exclusive flock while it is appended to

The archive deletes a segment when its lock is free and all its frames are stored; nobody renames it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final, Literal

from consentkit.errors import ConsentKitError
from consentkit.requestlog.record import Gap, Record
from consentkit.requestlog.segment import SegmentSealer

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.crypto import Keyring

SEGMENT_BYTES: Final = 4 * 1024 * 1024
SEGMENT_SECONDS: Final = 60.0
LOCK_NAME: Final = "lock"

# How long a refused write keeps us from trying again: a full disk must not cost each request a system call.
_RETRY_SECONDS: Final = 1.0


class Spool:
    """Append records to the segments of this process.

    Args:
        directory: the installation's data directory; the spool is `spool` in it.
        keyring: makes this process' key at the first append.
        max_bytes: what all workers together may keep unapplied; beyond it the newest are dropped.

    Attributes:
        lost: records dropped since the start.
        is_full: set by who watches the spool's size; while true, records are dropped and counted.
    """

    def __init__(self, directory: Path, keyring: Keyring, *, max_bytes: int) -> None:
        self._directory = directory / "spool"
        self._keyring = keyring
        self.max_bytes = max_bytes
        self.lost = 0
        self.is_full = False
        self._lock = threading.Lock()
        self._gap: Gap | None = None
        self._retry_at = 0.0
        self._begin_worker()
        _forget_after_fork(self)

    def append(self, record: Record) -> bool:
        """Seal and append one record; return False where it was lost, which is counted and never raised.

        Costs one AEAD seal and one `write`. Safe to call from several threads.
        """
        with self._lock:
            if self.is_full:
                return self._lose(record.time_us, "full")
            now = time.monotonic()
            if now < self._retry_at:
                return self._lose(record.time_us, "write")
            try:
                segment = self._segment
                if segment is None or segment.size >= SEGMENT_BYTES or now >= segment.spent_at:
                    segment = self._roll()
                if self._gap is not None:
                    segment.append(self._gap)
                    self._gap = None
                segment.append(record)
            except FileNotFoundError:
                self._end_worker()  # somebody removed the folder: begin again under a new name
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                return self._lose(record.time_us, "write")
            except (OSError, ConsentKitError):
                self._close_segment()  # a frame cut short ends the segment; the number is not used again
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                return self._lose(record.time_us, "write")
            return True

    def close(self) -> None:
        """End this worker: what it wrote is the archive's now. A later append begins a new one."""
        with self._lock:
            self._end_worker()

    def bytes_waiting(self) -> int:
        """Return the size of all segments of all workers, in bytes."""
        total = 0
        for path in self._directory.glob("*/[0-9]*"):
            with contextlib.suppress(FileNotFoundError):  # applied and deleted while we count
                total += path.stat().st_size
        return total

    def _begin_worker(self) -> None:
        self.worker = secrets.token_hex(8)
        self._key: bytes | None = None
        self._held: int | None = None
        self._number = 0
        self._segment: _OpenSegment | None = None

    def _end_worker(self) -> None:
        self._close_segment()
        if self._held is not None:
            os.close(self._held)
        self._begin_worker()

    def _after_fork(self) -> None:
        """Begin anew in a forked child: two processes must never share a key's numbers or a lock."""
        self._lock = threading.Lock()
        inherited = [self._held, self._segment.descriptor if self._segment else None]
        self._gap = None
        self._begin_worker()
        for descriptor in inherited:
            if descriptor is not None:
                os.close(descriptor)  # the parent's lock stays with the parent

    def _roll(self) -> _OpenSegment:
        self._close_segment()
        folder = self._directory / self.worker
        if self._key is None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = _open_locked(folder / LOCK_NAME, os.O_CREAT)
            self._key = self._keyring.make(f"worker/{self.worker}")
        self._number += 1
        sealer = SegmentSealer(self.worker, self._number, self._key)
        self._segment = _OpenSegment(folder / f"{self._number:08d}", sealer)
        return self._segment

    def _close_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            os.close(segment.descriptor)

    def _lose(self, time_us: int, reason: Literal["full", "write"]) -> bool:
        self.lost += 1
        gap = self._gap
        self._gap = Gap(gap.since_us if gap else time_us, time_us, (gap.lost if gap else 0) + 1, reason)
        return False


def _open_locked(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # a reader that tests the lock holds it for a moment
    return descriptor


def _forget_after_fork(spool: Spool) -> None:
    after_fork = weakref.WeakMethod(spool._after_fork)

    def call() -> None:
        if (method := after_fork()) is not None:
            method()

    os.register_at_fork(after_in_child=call)


class _OpenSegment:
    """One segment while it is appended to."""

    __slots__ = ("_seal", "descriptor", "size", "spent_at")

    def __init__(self, path: Path, sealer: SegmentSealer) -> None:
        self.descriptor = _open_locked(path, os.O_CREAT | os.O_EXCL)
        self._seal = sealer.seal
        self.size = 0
        self.spent_at = time.monotonic() + SEGMENT_SECONDS

    def append(self, entry: Record | Gap) -> None:
        frame = self._seal(entry)
        written = os.write(self.descriptor, frame)
        self.size += written
        if written != len(frame):
            raise OSError("short write")
