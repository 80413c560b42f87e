"""Following the log: what came in since the last look, each row once.

Owns remembering what was seen: of each segment, how far. The spool is read where the last look ended, so that a
look costs what came in and no more; a period's marks tell of frames that were stored before they were met.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.search.deadline import Deadline
from consentkit.archive.spoolreader import SpoolReader
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.archive.period import Period
    from consentkit.archive.search.archive import Archive
    from consentkit.archive.search.waiting import Losses
    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.places import Found, Marks
    from consentkit.archive.store.requeststore import Reader
    from consentkit.crypto import Keyring
    from consentkit.requestlog.record import Gap

# The periods into which rows come now: the present one, and the one before for what is late.
_PERIODS: Final = 2

# Segments of a period whose marks are looked at, the newest; a worker begins one a minute or each 4 MiB.
_SEGMENTS: Final = 1000

# Segments of which it is remembered how far they were seen.
_REMEMBERED: Final = 10_000

# How long before the last look a request may have begun that was stored since.
_LATE_US: Final = 60_000_000


class Follow:
    """What comes in from now on.

    Args:
        archive: the log.
        directory: the data directory.
        keyring: opens workers' keys.
        filters: what to match.

    Attributes:
        gaps: what was lost and became known since the caller last took it out.
        losses: what of the spool could not be read at the last look.
    """

    def __init__(self, archive: Archive, directory: Path, keyring: Keyring, filters: Filters) -> None:
        self._archive = archive
        self._reader = SpoolReader(directory, keyring)
        self._filters = filters
        self._looked_us = time.time_ns() // 1000
        self._marks: Marks = {}
        self.gaps: dict[FrameId, Gap] = {}
        self.losses: Losses = self._load(self._archive.periods())[1]
        self._marks.update(self._unseen())
        self.gaps.clear()  # what there is was there before

    def fresh(self) -> Iterator[Found]:
        """Yield what matches and came in since the last call, the oldest of each period first.

        Raises:
            StorageError, KeyUnavailable: as a search.
        """
        since_us, self._looked_us = self._looked_us - _LATE_US, time.time_ns() // 1000
        places, self.losses = self._load(self._archive.periods())
        restrictions = self._archive.restrictions()  # as they are now: one may be made while it is followed
        for period, reader in places:
            withheld = restrictions.of(period)
            yield from reader.rows(self._filters, limit=0, oldest_first=True, withheld=withheld)
        if unseen := self._unseen():
            seen = {segment: self._marks.get(segment, 0) for segment in unseen}
            self._marks.update(unseen)
            yield from self._stored(since_us, seen, unseen)
        while len(self._marks) > _REMEMBERED:
            del self._marks[next(iter(self._marks))]

    def _load(self, periods: list[Period]) -> tuple[list[tuple[Period, Reader]], Losses]:
        """Read on in the spool; return what is new in it, by period."""
        waiting = self._archive.waiting(periods, self._reader)
        waiting.marks = self._marks
        waiting.load(self._filters, Deadline(None))
        self.gaps.update(waiting.gaps)
        found = sorted(waiting.periods.values(), key=lambda period: period.since_us)
        places = [(period, waiting.rows(period, None)) for period in found]
        return [(period, place) for period, place in places if place is not None], waiting.losses

    def _unseen(self) -> Marks:
        """Return the marks of segments that were stored further than they were seen."""

        def read(reader: Reader | None, _: Period) -> Marks:
            return {} if reader is None else reader.marks(newest=_SEGMENTS)

        unseen: Marks = {}
        for period in self._archive.periods()[:_PERIODS]:
            stored = self._archive.stored.read(period, read, deadline=Deadline(None)) or {}
            for segment, mark in stored.items():
                if mark > max(self._marks.get(segment, 0), unseen.get(segment, 0)):
                    unseen[segment] = mark
        return unseen

    def _stored(self, since_us: int, seen: Marks, unseen: Marks) -> Iterator[Found]:
        """Yield the rows of those segments from the frame on at which the spool was left."""

        def is_fresh(frame: FrameId) -> bool:
            segment = frame.worker, frame.segment
            return segment in unseen and seen[segment] <= frame.sequence < unseen[segment]

        filters = msgspec.structs.replace(self._filters, since_us=max(self._filters.since_us, since_us))
        search = self._archive.search(filters, limit=0, oldest_first=True)
        for found in search:
            worker, segment, sequence = found[1].request_id.rsplit("-", 2)
            if is_fresh(FrameId(worker, int(segment), int(sequence))):
                yield found
        self.gaps.update({frame: gap for frame, gap in search.gaps.items() if is_fresh(frame)})
