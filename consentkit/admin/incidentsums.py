"""Adding up and verifying an incident's rows, and keeping what that came to for a while: it reads the whole file.

Owns for how long. What is kept holds the most frequent addresses in full, so it is kept of few incidents, for
minutes, and only while the incident is the same generation with the same file.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consentkit.archive.incident.integrity import verify
from consentkit.archive.incident.reading import Count, Counts, Hour, reading
from consentkit.archive.periodlock import PeriodBusy
from consentkit.errors import KeyUnavailable, StorageError
from consentkit.requestlog.record import Gap

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.archive.incident.reading import Kept

TOP: Final = 10
KEPT_SECONDS: Final = 600.0
MAX_KEPT: Final = 8

# Where the file lies, and what it was: hash as listed, size, and when it was written.
_Place: TypeAlias = tuple[Path, str, int, int]


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident's rows add up to.

    Attributes:
        verified_us: when they were read; microseconds since 1970 UTC.
        fault: why the file is not what was copied, or can't be read; empty where it is.
        counts: None where it can't be read.
        hours: the time line.
        flags: queries by kind.
        gaps: what the log lost over that time.
    """

    verified_us: int
    fault: str
    counts: Counts | None = None
    hours: tuple[Hour, ...] = ()
    flags: tuple[Count, ...] = ()
    gaps: tuple[Gap, ...] = ()


class KeptSums:
    """What was added up of late; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[_Place, tuple[float, Sums]] = {}

    def find(self, holdings: Holdings, incident: Incident) -> Sums | None:
        """Return what was added up of an incident; None where that is too long ago, or the file has changed."""
        place = _place(holdings, incident)
        with self._lock:
            self._forget_old()
            _, found = self._kept.get(place, (0.0, None)) if place else (0.0, None)
        return found

    def add_up(self, holdings: Holdings, incident: Incident) -> Sums:
        """Add up an open incident's rows, and verify its file; keep what it came to.

        Raises:
            BadIncident: it holds nothing any more.
            PeriodBusy: it is just being changed.
        """
        place, sums = _place(holdings, incident), add_up(holdings, incident.number)
        if place is not None:
            with self._lock:
                self._forget_old()
                self._kept.pop(place, None)
                self._kept[place] = (time.monotonic() + KEPT_SECONDS, sums)
                while len(self._kept) > MAX_KEPT:
                    del self._kept[next(iter(self._kept))]
        return sums

    def forget(self, holdings: Holdings, incident: Incident) -> None:
        """Forget an incident, which is about to be closed."""
        file = incident.place(holdings).file
        with self._lock:
            self._kept = {place: kept for place, kept in self._kept.items() if place[0] != file}

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._kept = {place: kept for place, kept in self._kept.items() if kept[0] > now}


def add_up(holdings: Holdings, number: int) -> Sums:
    """Add up an open incident's rows, and verify its file; some 6 µs a row.

    Raises:
        BadIncident: it holds nothing any more.
        PeriodBusy: it is just being changed.
    """
    now_us, fault = time.time_ns() // 1000, ""
    try:
        with reading(holdings, number) as kept:
            fault = verify(holdings, kept.incident).fault
            return _sums(kept, now_us, fault)
    except PeriodBusy:
        raise
    except (StorageError, KeyUnavailable) as exc:  # evidence that can't be read is what the page is for
        return Sums(verified_us=now_us, fault=fault or str(exc))


def _sums(kept: Kept, now_us: int, fault: str) -> Sums:
    hours = kept.hours()
    return Sums(
        verified_us=now_us,
        fault=fault,
        counts=kept.counts(hours, limit=TOP),
        hours=tuple(hours),
        flags=tuple(kept.flags()),
        gaps=tuple(kept.gaps()),
    )


def _place(holdings: Holdings, incident: Incident) -> _Place | None:
    file = incident.place(holdings).file
    try:
        stat = file.stat()
    except OSError:
        return None
    return file, incident.file_hash, stat.st_size, stat.st_mtime_ns
