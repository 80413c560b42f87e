"""Who may be in a period's file: many who read or write it, or one who seals or destroys it.

Owns that lock. It lies in a file of its own beside the database, one a generation: a lock on the database itself
would not be sound, for closing any descriptor of a file drops the POSIX locks that SQLite holds on it in the same
process, and NFS makes flock a POSIX lock, which would meet SQLite's own.
Source: fcntl(2), "Advisory record locking"; flock(2), "NFS details"; https://sqlite.org/howtocorrupt.html §2.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.control.locks import Busy, FileLock
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

# The time that a search may take, and so the time within which every reader has left.
READER_SECONDS: Final = 30.0


class PeriodBusy(StorageError):
    """Report a period whose other users did not leave in time; nothing was done to it."""


class PeriodLock(FileLock):
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
        try:
            super().__init__(lock_path(file), exclusive=exclusive, wait_seconds=wait_seconds)
        except Busy:
            reason = f"is still in use after {wait_seconds:g} s; trying again later"
            raise PeriodBusy(file.name, reason) from None


def lock_path(file: Path) -> Path:
    """Return the lock's file of a period's database."""
    return file.with_name(f"{file.name}-lock")
