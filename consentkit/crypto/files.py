"""Files of the keys folder: they appear whole, are replaced whole, and are overwritten before they go.

Owns durability, who may read a file, and the locks. What stands in a file is left to those who write it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from typing import TYPE_CHECKING, Final

from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL_SECONDS: Final = 0.005


def publish(path: Path, content: bytes) -> bool:
    """Write a file so that it appears whole or not at all; return False if another made it first.

    A link fails where the name exists, as O_EXCL does, but is never seen empty by who lost the race.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(draft, content, os.O_EXCL)
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Give a file another content, so that it is found whole at every moment, the old or the new.

    A crash leaves at most `draft_of` it behind, which the next call writes over.
    """
    draft = draft_of(path)
    _write(draft, content, os.O_TRUNC)
    draft.replace(path)
    sync_directory(path.parent)


def draft_of(path: Path) -> Path:
    """Return where `replace` makes the new content; one name a file, so that `erase` finds what a crash left."""
    return path.with_name(f".{path.name}.draft")


def erase(path: Path) -> bool:
    """Overwrite a file with zeros and remove it, durably; return whether it was there.

    Overwriting helps on disks that write in place, and costs nothing elsewhere.
    """
    try:
        with path.open("r+b") as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return False
    sync_directory(path.parent)
    return True


def make_folder(folder: Path) -> None:
    """Make a folder for keys in one that is there, for its owner alone."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _give(folder)
        sync_directory(folder.parent)


def sync_directory(folder: Path) -> None:
    """Make the names in a folder durable. Source: fsync(2), "does not necessarily ensure the entry"."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, *, exclusive: bool, wait_seconds: float) -> Iterator[None]:
    """Hold a lock on a file that is there for nothing else; it ends with its process.

    Raises:
        StorageError: others hold it for longer than `wait_seconds`.
        OSError: the file can't be made or opened.
    """
    deadline = time.monotonic() + wait_seconds
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _give(path)
        while not _is_taken(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH):
            if time.monotonic() >= deadline:
                raise StorageError(str(path), f"is held by another process for {wait_seconds:g} s; try again")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(path: Path, content: bytes, how: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _give(path)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _give(path: Path) -> None:
    # What a command makes as root must stay readable for the site's own user, who owns the folder.
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)
