"""What a worker notices of itself and of the server around it, and writes down for `doctor`.

Owns the look at other access logs, and when the status is written. What it counts is counted elsewhere.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.status import StatusFile, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("consentkit")

# Each writes one line a request with the whole URL and the address.
ACCESS_LOGGERS: Final = ("uvicorn.access", "hypercorn.access", "gunicorn.access", "daphne.access", "django.server")

_GRANIAN: Final = "granian.access"
_UNWRITTEN: Final = "status"
_TRUE: Final = frozenset({"1", "true", "yes", "on", "t", "y"})

_WAY_OUT: Final = {
    "uvicorn.access": "start uvicorn with --no-access-log",
    "hypercorn.access": "start hypercorn without --access-logfile",
    "gunicorn.access": "start gunicorn without --access-logfile",
    _GRANIAN: "start granian with --no-access-log",
}


class Watch:
    """Write a worker's status every few seconds.

    Args:
        directory: the data directory.
        name: of the worker.
        look: returns the counters as they stand; the rest is filled in here.
    """

    def __init__(self, directory: Path, name: str, look: Callable[[], WorkerStatus]) -> None:
        self._file = StatusFile(directory, f"worker-{name}")
        self._look = look
        self._told: set[str] = set()
        self._version = ""

    def round(self) -> None:
        """Write the status if it is time, and tell the log once of each access log that is on."""
        if self._file.is_due:
            leaking = leaking_loggers()
            self._tell(leaking)
            self._write(leaking)

    def _tell(self, leaking: tuple[str, ...]) -> None:
        for name in set(leaking) - self._told:
            self._told.add(name)
            logger.warning(
                "%s is on and writes addresses and URLs unredacted, for as long as its file is kept; %s",
                name,
                way_out(name),
            )

    def _write(self, leaking: tuple[str, ...]) -> None:
        if not self._version:
            from importlib.metadata import version  # noqa: PLC0415 - slow to import, and never on a request's way

            self._version = version("consentkit")
        status = msgspec.structs.replace(
            self._look(),
            pid=os.getpid(),
            version=self._version,
            updated_us=time.time_ns() // 1000,
            access_loggers=leaking,
        )
        try:
            self._file.write(status)
        except OSError as exc:  # the log comes first: it is tended all the same
            if _UNWRITTEN not in self._told:
                self._told.add(_UNWRITTEN)
                logger.warning("the status that `consentkit doctor` reads can't be written (%s)", exc.strerror)

    def close(self) -> None:
        """Take the status away."""
        self._file.remove()


def leaking_loggers() -> tuple[str, ...]:
    """Return the access loggers of known servers that would write a line in this process."""
    found = [name for name in ACCESS_LOGGERS if _writes(name)]
    if _writes(_GRANIAN) and _granian_is_told_to():
        found.append(_GRANIAN)  # it sets up the logger's handlers whether or not anything is logged
    return tuple(found)


def way_out(name: str) -> str:
    """Return how an access log is turned off."""
    return _WAY_OUT.get(name, f"set the level of the logger {name} to WARNING")


def _writes(name: str) -> bool:
    known = logging.root.manager.loggerDict.get(name)
    return isinstance(known, logging.Logger) and known.isEnabledFor(logging.INFO) and known.hasHandlers()


def _granian_is_told_to() -> bool:
    given = os.environ.get("GRANIAN_LOG_ACCESS_ENABLED", "").lower() in _TRUE
    asked = [argument for argument in sys.argv if argument in ("--access-log", "--no-access-log")]
    return asked[-1] == "--access-log" if asked else given
