"""What a worker holds in the spool: its folder, its lock, its key, and the segment it appends to.

Owns their making, and putting them back where somebody takes them away while they are in use. When a
segment begins and what is written is `spool`'s matter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from typing import TYPE_CHECKING, Final

from consentkit.requestlog.segment import SegmentSealer

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.crypto import Keyring
    from consentkit.requestlog.record import Gap, Record

LOCK_NAME: Final = "lock"
_COPY_BYTES: Final = 1024 * 1024


class WorkerFolder:
    """The folder of one worker, made at its first segment.

    Args:
        spool: the folder of all workers' folders.
        keyring: makes and keeps this worker's key.

    Attributes:
        name: of the worker; random, so that no name is used twice.
    """

    def __init__(self, spool: Path, keyring: Keyring) -> None:
        self.name = secrets.token_hex(8)
        self._folder = spool / self.name
        self._keyring = keyring
        self._key_name = f"worker/{self.name}"
        self._key: bytes | None = None
        self._lock: int | None = None
        self._number = 0

    def new_segment(self, spent_at: float) -> OpenSegment:
        """Begin the next segment.

        Raises:
            OSError: the disk refuses; FileNotFoundError where the folder is gone.
            ConsentKitError: the key can't be made.
        """
        if self._key is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._lock is None:  # after a failure below, a second lock would wait for the first for ever
                self._lock = _open_locked(self._folder / LOCK_NAME, os.O_CREAT)
            self._key = self._keyring.make(self._key_name)
        self._number += 1
        sealer = SegmentSealer(self.name, self._number, self._key)
        return OpenSegment(self._folder / f"{self._number:08d}", sealer, spent_at)

    def put_back(self, segment: OpenSegment | None) -> bool:
        """Put back what was removed while it was in use; tell whether anything was.

        Without the key, nobody could ever read what is spooled under it; without its name, a segment is gone
        as soon as it is closed.

        Raises:
            OSError, ConsentKitError: it can't be put back now.
        """
        was_missing = False
        if self._lock is not None and os.fstat(self._lock).st_nlink == 0:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            removed, self._lock = self._lock, _open_locked(self._folder / LOCK_NAME, os.O_CREAT)
            os.close(removed)
            was_missing = True
        if segment is not None and segment.is_deleted():
            segment.write_again()
            was_missing = True
        if self._key is not None and not (
            self._keyring.has(self._key_name) or self._keyring.was_destroyed(self._key_name)
        ):
            was_missing = self._keyring.put(self._key_name, self._key) or was_missing
        return was_missing

    def let_go(self) -> None:
        """Release the lock: what lies here is the archive's now."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class OpenSegment:
    """One segment while it is appended to.

    Attributes:
        descriptor: of the file, which is locked as long as it is open.
        size: bytes written.
        spent_at: monotonic seconds after which another segment is begun.
    """

    __slots__ = ("_path", "_seal", "_sealer", "descriptor", "size", "spent_at")

    def __init__(self, path: Path, sealer: SegmentSealer, spent_at: float) -> None:
        self.descriptor = _open_locked(path, os.O_CREAT | os.O_EXCL)
        self.size = 0
        self.spent_at = spent_at
        self._path = path
        self._sealer = sealer
        self._seal = sealer.seal

    def append(self, entry: Record | Gap) -> None:
        """Seal and write one entry.

        Raises:
            OSError: it is not, or not wholly, on the disk; nothing may be appended after it.
        """
        frame = self._seal(entry)
        written = os.write(self.descriptor, frame)
        self.size += written
        if written != len(frame):
            raise OSError("short write")

    def write_again(self) -> None:
        """Give the file, whose name was removed, its name and content again: the bytes live while it is open."""
        draft = self._path.with_name(f".{self._path.name}")
        descriptor = _open_locked(draft, os.O_CREAT | os.O_TRUNC)
        try:
            offset = 0
            while data := os.pread(self.descriptor, _COPY_BYTES, offset):
                offset += os.write(descriptor, data)
            draft.rename(self._path)
        except BaseException:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        os.close(self.descriptor)
        self.descriptor = descriptor

    @property
    def frames(self) -> int:
        """How many frames were sealed for it."""
        return self._sealer.sequence

    def is_deleted(self) -> bool:
        """Tell whether somebody removed the file's name."""
        return os.fstat(self.descriptor).st_nlink == 0

    def remove_if_empty(self) -> None:
        """Take the file away if nothing could be written to it: a full disk would else gather one a second."""
        if self.size == 0:
            with contextlib.suppress(OSError):  # an empty file more does no harm
                self._path.unlink()

    def close(self) -> None:
        """Close the file, which ends the lock."""
        os.close(self.descriptor)


def _open_locked(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # a reader that tests the lock holds it for a moment
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
