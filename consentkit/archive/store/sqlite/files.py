"""Where the files of places lie, and what lies beside them.

Owns names, the marks of drafts, and removal. A place is one database with what SQLite and its lock leave
beside it; what is in it is others' business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from consentkit.archive.periodlock import lock_path
from consentkit.archive.store.places import Lying
from consentkit.crypto import sync_directory
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.archive.store.places import Place

Group: TypeAlias = Literal["period", "incident"]

FOLDERS: Final[dict[Group, str]] = {"period": "requests", "incident": "incidents"}

# A database, and what SQLite may have left beside it after a crash.
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")

# What of that could change what is read of the database.
_COULD_CHANGE: Final = ("-wal", "-journal")

_FILE: Final = re.compile(r"(?P<name>.+)\.(?P<generation>[0-9]{1,9})\.db(?:|-wal|-shm|-journal)", re.ASCII)

# An empty file, left where somebody looked after a database that went.
_LOCK: Final = ".db-lock"

# An empty file beside the copy that an incident begins with: there before it, and gone after its entry.
_DRAFT: Final = ".draft"
_MARK: Final = re.compile(r"(?P<name>[0-9]{1,15})\.(?P<generation>[0-9]{1,9})\.draft", re.ASCII)


def file_name(place: Place) -> str:
    """Return the name of a place's database."""
    return f"{place.stem}.db"


def file_beside(file: Path) -> str:
    """Return the name of what lies beside a sealed file and could change what is read; empty = nothing."""
    beside = (f"{file.name}{suffix}" for suffix in _COULD_CHANGE)
    return next((name for name in beside if file.with_name(name).exists()), "")


def size_bytes(file: Path) -> int:
    """Return what a database takes on the disk, its write-ahead log with it; 0 where there is none."""
    return sum(map(_size_bytes, (file, file.with_name(f"{file.name}-wal"))))


def stamp(file: Path) -> str:
    """Return the size of a database and the time of its last change, in nanoseconds; empty where there is none."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def lying_in(folder: Path, group: Group) -> list[Lying]:
    """Return what lies in the folder of a group, by name; locks are nobody's."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    marks = [_MARK.fullmatch(path.name) for path in paths] if group == "incident" else []
    drafts = {f"{mark['name']}.{mark['generation']}" for mark in marks if mark}
    return [_lying(path.name, drafts) for path in paths if not path.name.endswith(_LOCK)]


def removed(file: Path) -> Iterator[str]:
    """Remove a database with all that lies beside it, yielding after each step what is durable by then.

    Raises:
        StorageError: it can't be removed; the same steps can be gone through again.
    """
    for suffix in _SUFFIXES:
        _remove(file.with_name(f"{file.name}{suffix}"))
        yield f"file removed{suffix}"
    _remove(lock_path(file))


def mark(file: Path) -> None:
    """Mark a database that is about to be made as a draft, durably.

    Raises:
        StorageError: it can't be marked; nothing may be made.
    """
    try:
        _mark_of(file).touch(mode=0o600)
        sync_directory(file.parent)
    except OSError as exc:
        raise StorageError(str(file.parent), f"can't be written ({exc.strerror})") from exc


def unmark(file: Path) -> None:
    """Take the mark away, durably.

    Raises:
        StorageError: it can't be removed.
    """
    _remove(_mark_of(file))


def make_folder(folder: Path) -> None:
    """Make a folder for places, for its owner alone.

    Raises:
        StorageError: it can't be made.
    """
    if folder.is_dir():
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageError(str(folder), f"can't be written ({exc.strerror})") from exc


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lying(name: str, drafts: set[str]) -> Lying:
    found = _FILE.fullmatch(name) or _MARK.fullmatch(name)
    is_draft = name.removesuffix(_DRAFT).partition(".db")[0] in drafts
    if found is None or (name.endswith(_DRAFT) and not is_draft):
        return Lying(name, "", 0, is_draft=False)
    return Lying(name, found["name"], int(found["generation"]), is_draft)


def _mark_of(file: Path) -> Path:
    return file.with_suffix(_DRAFT)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise StorageError(str(path), f"can't be removed ({exc.strerror})") from exc
    sync_directory(path.parent)
