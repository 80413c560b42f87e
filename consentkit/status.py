"""What each process says of itself while it runs, for whoever looks after the site.

Owns the files `status/<name>.json` in the data directory: counters and faults, nothing from a request. A
process writes its own every few seconds and takes it away at its end; one that was killed leaves its last,
which is then too old to count.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

WRITE_EVERY_S: Final = 5.0

# What is older was left behind by a process that is gone.
_FRESH_S: Final = 30.0
_MAX_FILES: Final = 1000

_FOLDER: Final = "status"
INGESTER: Final = "ingester"


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker of the site. Counts are since its start.

    Attributes:
        pid: of its process.
        version: of consentkit in it.
        updated_us: when it wrote this; microseconds since 1970 UTC.
        access_loggers: loggers of the server that are on, and would write what the request log redacts.
        is_proxied_by_server: the server itself believes forwarding headers, before we see the peer.
        lost: records that could not be kept.
        sampled: records left out in a flood, each counted in the log.
        unrecorded: requests that came before the log was open.
        pages_without_banner: documents that came compressed, and so without a banner.
        unkept_refusals: refusals that hold, and whose record could be neither written nor kept for later.
        fault: why it could not start; empty where it has.
    """

    pid: int = 0
    version: str = ""
    updated_us: int = 0
    access_loggers: tuple[str, ...] = ()
    is_proxied_by_server: bool = False
    lost: int = 0
    sampled: int = 0
    unrecorded: int = 0
    pages_without_banner: int = 0
    unkept_refusals: int = 0
    fault: str = ""


class IngesterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The ingester.

    Attributes:
        pid, version, updated_us: as for a worker.
        refused: why the store takes nothing; empty while it does.
        undone: what the housekeeping could not do, with the fault of each.
        geo_fault: why the geo database as it stands is not in use; empty where it is, or none is set.
        geo_built_us: when the one in use was built; None where there is none.
    """

    pid: int
    version: str
    updated_us: int
    refused: str = ""
    undone: dict[str, str] = {}
    geo_fault: str = ""
    geo_built_us: int | None = None


Status = TypeVar("Status", WorkerStatus, IngesterStatus)


class StatusFile:
    """The file of one process.

    Args:
        directory: the data directory.
        name: of the process, unique while it lives; letters and digits.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / _FOLDER / f"{name}.json"
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() >= self._next

    def write(self, status: WorkerStatus | IngesterStatus) -> None:
        """Replace the file, so that a reader sees the old one or the new one.

        Raises:
            OSError: it can't be written.
        """
        self._next = time.monotonic() + WRITE_EVERY_S
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(status))
        draft.replace(self._path)

    def remove(self) -> None:
        """Take the file away."""
        with contextlib.suppress(OSError):  # what stays behind is too old to count in half a minute
            self._path.unlink(missing_ok=True)


def workers(directory: Path, now_us: int) -> list[WorkerStatus]:
    """Return what the workers that run now say."""
    paths = sorted((directory / _FOLDER).glob("worker-*.json"))[:_MAX_FILES]
    return [status for path in paths if (status := _read(path, WorkerStatus, now_us)) is not None]


def ingester(directory: Path, now_us: int) -> IngesterStatus | None:
    """Return what the ingester says; None where none runs."""
    return _read(directory / _FOLDER / f"{INGESTER}.json", IngesterStatus, now_us)


def remove_old(directory: Path, now_us: int) -> None:
    """Remove what processes that are gone have left."""
    for path in (directory / _FOLDER).glob("*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime * 1_000_000 < now_us - 10 * _FRESH_S * 1_000_000:
                path.unlink()


def _read(path: Path, kind: type[Status], now_us: int) -> Status | None:
    try:
        status = msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None  # taken away this moment, or written by another version
    return status if abs(now_us - status.updated_us) <= _FRESH_S * 1_000_000 else None
