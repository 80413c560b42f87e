"""Who may be in a period's file: many who read or write it, or one who seals or destroys it.

Owns that lock. It lies in a file of its own
beside the database, one a generation: a lock on the database itself would not be sound, for closing any
descriptor of a file drops the POSIX locks that SQLite holds on it in the same process, and NFS makes flock a
POSIX lock, which would meet SQLite's own.
Source: fcntl(2), "Advisory record locking"; flock(2), "NFS details"; https://sqlite.org/howtocorrupt.html §2.2.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final, Self

from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

# The time that a search may take, and so the time within which every reader has left.
READER_SECONDS: Final = 30.0

_POLL_SECONDS: Final = 0.02


class PeriodBusy(StorageError):
    """Report a period whose other users did not leave in time; nothing was done to it."""


class PeriodLock:
    """A held lock on one generation of a period; dies with its process.

    Args:
        file: the period's database; it need not exist.
        exclusive: alone, or with others who share.
        wait_seconds: how long others may take to leave.

    Raises:
        PeriodBusy: they did not.
        StorageError: the lock's file can't be made.
    """

    def __init__(self, file: Path, *, exclusive: bool, wait_seconds: float = READER_SECONDS) -> None:
        self.path = lock_path(file)
        deadline = time.monotonic() + wait_seconds
        try:
            while (held := self._try(exclusive=exclusive)) is None:
                if time.monotonic() >= deadline:
                    raise PeriodBusy(file.name, f"is still in use after {wait_seconds:g} s; trying again later")
                time.sleep(_POLL_SECONDS)
        except OSError as exc:
            raise StorageError(str(self.path), f"can't be locked ({exc.strerror})") from exc
        self._descriptor: int | None = held

    def release(self) -> None:
        """Let others in. Releasing twice is the same as once."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _try(self, *, exclusive: bool) -> int | None:
        descriptor = self._opened()
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            is_current = os.fstat(descriptor).st_ino == self.path.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            is_current = False
        except BaseException:
            os.close(descriptor)
            raise
        if is_current:
            return descriptor
        os.close(descriptor)  # held by another, or of a file that was removed meanwhile and guards nothing
        return None

    def _opened(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # nothing was ever stored here
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def lock_path(file: Path) -> Path:
    """Return the lock's file of a period's database."""
    return file.with_name(f"{file.name}-lock")
