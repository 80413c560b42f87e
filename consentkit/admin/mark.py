"""The mark in the data directory that somebody may sign in, so that a worker knows without the database.

Owns that file. It stays when nobody may any more, and after a crash between mark and entry: the database is asked
where it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.crypto.files import publish
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

_NAME: Final = "has-staff"


def has_staff(directory: Path) -> bool:
    """Tell whether somebody may sign in, or once might."""
    return (directory / _NAME).exists()


def note_staff(directory: Path) -> None:
    """Note in the data directory that somebody may sign in, before it is so.

    Raises:
        StorageError: it can't be written.
    """
    try:
        if not has_staff(directory):
            publish(directory / _NAME, b"")
    except OSError as exc:
        raise StorageError(str(directory), f"can't be written ({exc.strerror})") from exc
