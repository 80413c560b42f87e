"""What is published of custody, as it stands in files and as a worker reads it.

Owns the shapes, the names and the reading. Writing them is `publishing`'s job, in the ingester; a worker has
neither the control database nor the audit open for it. Nothing here is personal or secret.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("consentkit")

FOLDER: Final = "published"
DELETIONS: Final = "deletions.json"
HEADS: Final = "heads.json"
KEYS: Final = "keys.json"

# Days of 27 years, or hours of more than one; older ones are counted.
MAX_LISTED: Final = 10_000
_MAX_BYTES: Final = 4 * 2**20

T = TypeVar("T")


class Destroyed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One period that was destroyed.

    Attributes:
        period: its name, as ``2026-11-23`` or ``2026-11-23T14``, in UTC.
        at: when its certificate was written, to the second; UTC.
        early: it went before its day, as at the end of a service.
        certificate: the hash of that entry of the audit; empty where the audit has let go of it.
    """

    period: str
    at: datetime
    early: bool = False
    certificate: str = ""


class Deletions(msgspec.Struct, frozen=True, kw_only=True, tag_field="format", tag="consentkit-deletions/1"):
    """Which periods of the request log were destroyed, and when the next is due.

    Attributes:
        destroyed: the newest period first.
        unlisted: how many older ones are not listed.
        next_due: when the oldest period that is kept goes; UTC; None while nothing is kept.
    """

    destroyed: tuple[Destroyed, ...] = ()
    unlisted: int = 0
    next_due: datetime | None = None


class Remembered(Generic[T]):
    """What a file says, read again when it has changed.

    Args:
        path: the file.
        load: returns what it says; called at most once a change.
        empty: stands for a file that is not there.
    """

    def __init__(self, path: Path, load: Callable[[], T], empty: T) -> None:
        self._path = path
        self._load = load
        self._empty = empty
        self._known: tuple[tuple[int, int, int], T] | None = None

    def read(self) -> T:
        """Return what the file says now.

        Raises:
            OSError: it is there and can't be read.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return self._empty
        mark = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self._known
        if known is None or known[0] != mark:
            self._known = known = (mark, self._load())
        return known[1]


class Published:
    """Read what is published; one a worker.

    Args:
        directory: the data directory.
    """

    def __init__(self, directory: Path) -> None:
        folder = directory / FOLDER
        self._deletions = Remembered(
            folder / DELETIONS, lambda: read_deletions(folder / DELETIONS) or Deletions(), Deletions()
        )
        self._heads: Remembered[bytes] = Remembered(folder / HEADS, lambda: _read(folder / HEADS), b"")
        self._keys: Remembered[bytes] = Remembered(folder / KEYS, lambda: _read(folder / KEYS), b"")

    def deletions(self) -> Deletions:
        """Return which periods were destroyed; none where nothing is published yet.

        Raises:
            OSError: the file is there and can't be read.
        """
        return self._deletions.read()

    def heads(self) -> bytes:
        """Return ``heads.json``; empty where nothing is published yet.

        Raises:
            OSError: as above.
        """
        return self._heads.read()

    def keys(self) -> bytes:
        """Return ``keys.json``; empty where nothing is published yet.

        Raises:
            OSError: as above.
        """
        return self._keys.read()


def read_deletions(path: Path) -> Deletions | None:
    """Return what the file says; None where it is not there or is damaged: it is written anew within a minute.

    Raises:
        OSError: it is there and can't be read.
    """
    content = _read(path)
    if not content:
        return None
    try:
        return msgspec.json.decode(content, type=Deletions)
    except (msgspec.DecodeError, UnicodeDecodeError):
        logger.warning("%s is damaged, and will be written anew", path.name)
        return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except FileNotFoundError:
        return b""
