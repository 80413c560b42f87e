"""What the ingester says of itself, for `doctor`: that it is at work, and what it could not do.

Owns when that is written. What it means is the health room's business.
"""

from __future__ import annotations

import logging
import os
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from consentkit.status import INGESTER, IngesterStatus, StatusFile, remove_old

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.caretaker import Caretaker
    from consentkit.archive.resolve import PlaceResolver

logger = logging.getLogger("consentkit.ingest")


class IngesterSays:
    """What the ingester says of itself, for `doctor`."""

    def __init__(self, directory: Path, caretaker: Caretaker, places: PlaceResolver) -> None:
        self._directory = directory
        self._file = StatusFile(directory, INGESTER)
        self._caretaker = caretaker
        self._places = places
        self._is_told = False

    def round(self, refused: str) -> None:
        """Write it down if it is time."""
        if not self._file.is_due:
            return
        now_us = time.time_ns() // 1000
        remove_old(self._directory, now_us)
        said = IngesterStatus(
            pid=os.getpid(),
            version=version("consentkit"),
            updated_us=now_us,
            refused=refused,
            undone=self._caretaker.undone,
            geo_fault=self._places.fault,
            geo_built_us=self._places.built_us,
        )
        try:
            self._file.write(said)
        except OSError as exc:  # the log comes first
            if not self._is_told:
                logger.warning("the status that `consentkit doctor` reads can't be written (%s)", exc.strerror)
            self._is_told = True

    def close(self) -> None:
        """Take it away."""
        self._file.remove()
