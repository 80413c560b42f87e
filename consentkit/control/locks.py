"""Locks that hold over all processes of an installation: who may destroy, who leads, who is in a place.

Owns what a lock is, and the embedded one: a file below the data directory. PostgreSQL's is `advisory`.
Source: flock(2); an flock dies with its process.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from typing import TYPE_CHECKING, Final, Protocol, Self

from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

_POLL_SECONDS: Final = 0.02

# A name is part of a path: no step upwards, nothing hidden.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}(?:/[a-z0-9][A-Za-z0-9._-]{0,63})?")


class Busy(StorageError):
    """Report a lock that others did not give up in time."""


class Lock(Protocol):
    """A lock that is held; it dies with its process."""

    @property
    def is_held(self) -> bool:
        """Whether it still is: one on a server is lost with the connection. Asks the server."""

    def release(self) -> None:
        """Let others in. Releasing twice is the same as once."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def require_name(name: str) -> None:
    """Refuse what can't be the name of a lock.

    Raises:
        ValueError: it is none: small letters and digits, and at most one ``/``.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a lock's name is made of small letters and digits, as in period/2026-11-23.1")


class FileLock:
    """A lock on a file of its own.

    Args:
        path: the file; it is made, and its folder.
        exclusive: alone, or with others who share.
        wait_seconds: how long others may take; 0 = not at all.
        is_removed: take the file away once nobody needs it; for names of which there are ever new ones.

    Raises:
        Busy: others hold it.
        StorageError: the file can't be made.
    """

    def __init__(self, path: Path, *, exclusive: bool, wait_seconds: float, is_removed: bool = False) -> None:
        self.path = path
        self._is_removed = is_removed and exclusive
        deadline = time.monotonic() + wait_seconds
        try:
            while (held := self._try(exclusive=exclusive)) is None:
                if time.monotonic() >= deadline:
                    raise Busy(path.name, f"is held by another process, after {wait_seconds:g} s; try again")
                time.sleep(_POLL_SECONDS)
        except OSError as exc:
            raise StorageError(str(path), f"can't be locked ({exc.strerror})") from exc
        self._descriptor: int | None = held

    @property
    def is_held(self) -> bool:
        """Whether it was not released."""
        return self._descriptor is not None

    def release(self) -> None:
        """Let others in. Releasing twice is the same as once."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._is_removed:  # while it is held: who waits for it sees that it guards nothing
            self.path.unlink(missing_ok=True)
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
        except FileNotFoundError:  # nobody was ever here
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
