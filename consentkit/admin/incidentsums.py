"""Adding up and verifying an incident's rows, and keeping what that came to for a while: it reads all of them.

Owns for how long. What is kept holds the most frequent addresses in full, so it is kept of few incidents, for
minutes, and only while the incident is the same generation with the same rows.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consentkit.archive.incident.integrity import verify
from consentkit.archive.incident.reading import Count, Counts, Hour, reading
from consentkit.archive.periodlock import PeriodBusy
from consentkit.errors import KeyUnavailable, StorageError
from consentkit.requestlog.record import Gap

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.archive.incident.reading import Kept
    from consentkit.archive.store.places import Place

TOP: Final = 10
KEPT_SECONDS: Final = 600.0
MAX_KEPT: Final = 8


class _State(NamedTuple):
    """Where an incident's rows lie, and what they were: by their hash as listed, and by what is quick to tell."""

    directory: Path
    place: Place
    file_hash: str
    stamp: str

    @classmethod
    def of(cls, holdings: Holdings, incident: Incident) -> _State | None:
        place = incident.place()
        try:
            stamp = holdings.rows.stamp(place)
        except StorageError:
            return None
        return cls(holdings.directory, place, incident.file_hash, stamp) if stamp else None


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
        self._kept: dict[_State, tuple[float, Sums]] = {}

    def find(self, holdings: Holdings, incident: Incident) -> Sums | None:
        """Return what was added up of an incident; None where that is too long ago, or they have changed."""
        state = _State.of(holdings, incident)
        with self._lock:
            self._forget_old()
            _, found = self._kept.get(state, (0.0, None)) if state else (0.0, None)
        return found

    def add_up(self, holdings: Holdings, incident: Incident) -> Sums:
        """Add up an open incident's rows, and verify them; keep what it came to.

        Raises:
            BadIncident: it holds nothing any more.
            PeriodBusy: it is just being changed.
        """
        state, sums = _State.of(holdings, incident), add_up(holdings, incident.number)
        if state is not None:
            with self._lock:
                self._forget_old()
                self._kept.pop(state, None)
                self._kept[state] = (time.monotonic() + KEPT_SECONDS, sums)
                while len(self._kept) > MAX_KEPT:
                    del self._kept[next(iter(self._kept))]
        return sums

    def forget(self, holdings: Holdings, incident: Incident) -> None:
        """Forget an incident, which is about to be closed."""
        gone = holdings.directory, incident.place()
        with self._lock:
            self._kept = {state: kept for state, kept in self._kept.items() if state[:2] != gone}

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._kept = {state: kept for state, kept in self._kept.items() if kept[0] > now}


def add_up(holdings: Holdings, number: int) -> Sums:
    """Add up an open incident's rows, and verify them; some 6 µs a row.

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
