"""The mark in a data directory whose control data went to a server: who still has the old settings must not go on.

Owns that file, and removing the embedded database that was left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.crypto.files import replace, sync_directory
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

MARK: Final = "moved"
REQUESTS_MARK: Final = "moved-requests"

# A database, and what SQLite may have beside it.
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")


def mark_moved(directory: Path, to: str) -> None:
    """Mark a data directory, durably.

    Args:
        directory: whose embedded database nobody may use any more.
        to: what kind of server has its data now.

    Raises:
        StorageError: it can't be written.
    """
    _mark(directory, MARK, to)


def mark_requests_moved(directory: Path, to: str) -> None:
    """Mark a data directory whose requests alone went to another store, durably.

    Raises:
        StorageError: it can't be written.
    """
    _mark(directory, REQUESTS_MARK, to)


def refuse_moved(directory: Path) -> None:
    """Refuse to open the embedded database of a directory that was moved.

    Raises:
        StorageError: it was.
    """
    mark = directory / MARK
    if mark.exists():
        raise StorageError(
            str(directory), f"was moved to {mark.read_text('utf-8').strip()}: set storage.url to where it went"
        )


def refuse_requests_moved(directory: Path) -> None:
    """Refuse to look for requests where they no longer are, and to begin anew there.

    Raises:
        StorageError: they were moved from this directory's store.
    """
    mark = directory / REQUESTS_MARK
    if mark.exists():
        to = mark.read_text("utf-8").strip()
        raise StorageError(str(directory), f"its requests were moved to {to}: set storage.requests_url")


def remove_left(directory: Path, file_name: str) -> bool:
    """Remove the embedded database of a directory that was moved; return whether it was there.

    Raises:
        StorageError: it can't be removed.
    """
    if not (directory / MARK).exists():
        return False
    there = [path for suffix in _SUFFIXES if (path := directory / f"{file_name}{suffix}").exists()]
    try:
        for path in there:
            path.unlink()
        sync_directory(directory)
    except OSError as exc:
        raise StorageError(str(directory), f"the old database can't be removed ({exc.strerror})") from exc
    return bool(there)


def _mark(directory: Path, name: str, to: str) -> None:
    try:
        replace(directory / name, f"{to}\n".encode())
    except OSError as exc:
        raise StorageError(str(directory), f"can't be marked as moved ({exc.strerror})") from exc
