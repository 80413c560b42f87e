"""Reading the spool: which segments there are, which are finished, what stands in them.

Owns everything about the spool that is not the worker's own appending. Nothing here needs the worker alive.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from consentkit.errors import KeyUnavailable
from consentkit.requestlog.segment import SegmentOpener
from consentkit.requestlog.workerfolder import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.crypto import Keyring
    from consentkit.requestlog.record import Entry

# Between a file's making and its lock, and between a worker's folder and its lock, lie microseconds.
_SETTLED_SECONDS: Final = 10.0

_READ_BYTES: Final = 128 * 1024


class Segment:
    """One segment file, read from where the last read ended.

    Attributes:
        worker, number: where it stands.
        path: the file.
    """

    def __init__(self, path: Path, worker_key: bytes) -> None:
        self.path = path
        self.worker = path.parent.name
        self.number = int(path.name)
        written_us = path.stat().st_mtime_ns // 1000
        self._opener = SegmentOpener(self.worker, self.number, worker_key, time_us=written_us)

    @property
    def damaged(self) -> int:
        """Places at which bytes had to be passed over."""
        return self._opener.damaged

    @property
    def offset(self) -> int:
        """Bytes that were read so far."""
        return self._opener.offset

    def read(self, *, complete: bool) -> Iterator[tuple[int, Entry]]:
        """Yield the frames that are there and were not yet read, with a hundred kilobytes of them in memory.

        Args:
            complete: nobody appends any more, so that an unfinished frame at the end is damage.
        """
        for frames in self.stretches(complete=complete):
            yield from frames

    def stretches(self, *, complete: bool) -> Iterator[Iterator[tuple[int, Entry]]]:
        """Yield the frames as `read` does, each hundred kilobytes by themselves; each is read to its end."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            while True:
                start = self._opener.offset
                file.seek(start)
                data = file.read(_READ_BYTES)
                is_end = len(data) < _READ_BYTES
                yield self._opener.frames(data, complete=complete and is_end)
                if is_end or self._opener.offset == start:
                    return

    def is_finished(self) -> bool:
        """Tell whether its worker has let go of it, by closing it or by dying."""
        with contextlib.suppress(FileNotFoundError):  # an empty one, which its worker took away again
            return is_unlocked(self.path) and (self.path.stat().st_size > 0 or _is_settled(self.path))
        return False


class SpoolReader:
    """The spool of one installation, as its archive sees it.

    Attributes:
        unreadable: folders of workers whose key does not open; counted once each.
    """

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._directory = directory / "spool"
        self._keyring = keyring
        self._segments: dict[Path, Segment] = {}
        self.unreadable: set[str] = set()

    def segments(self) -> list[Segment]:
        """Return the segments there are, oldest first within a worker; each keeps its place between calls."""
        found: dict[Path, Segment] = {}
        for path in segment_files(self._directory):
            segment = self._segments.get(path) or self._open(path)
            if segment is not None:
                found[path] = segment
        self._segments = found
        return list(found.values())

    def forget(self, segment: Segment) -> None:
        """Read a segment from its beginning next time."""
        self._segments.pop(segment.path, None)

    def remove(self, segment: Segment) -> None:
        """Delete a segment all of whose frames are stored."""
        segment.path.unlink(missing_ok=True)
        self.forget(segment)

    def remove_ended_workers(self) -> None:
        """Remove the folders, and destroy the keys, of workers that are gone and have nothing left."""
        for folder in self._directory.glob("*"):
            lock = folder / LOCK_NAME
            if any(folder.glob("[0-9]*")) or not is_unlocked(lock) or not _is_settled(lock):
                continue
            self._keyring.destroy(f"worker/{folder.name}")
            lock.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something else lies in it: it is not ours to delete
                folder.rmdir()

    def _open(self, path: Path) -> Segment | None:
        worker = path.parent.name
        try:
            return Segment(path, self._keyring.load(f"worker/{worker}"))
        except FileNotFoundError:
            return None  # applied and deleted while we looked
        except (KeyUnavailable, ValueError):
            self.unreadable.add(worker)
            return None


def segment_files(directory: Path) -> list[Path]:
    """Return the segments of all workers, in order; a folder that goes meanwhile has none left."""
    found: list[Path] = []
    for folder in sorted(directory.glob("*")):
        with contextlib.suppress(FileNotFoundError):
            found += sorted(folder.glob("[0-9]*"))
    return found


def _is_settled(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _SETTLED_SECONDS


def is_unlocked(path: Path) -> bool:
    """Tell whether nobody holds an exclusive lock on the file; a file that is gone counts as held."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
