"""What still lies in the spool, as a search saw it when it began: in periods of its own, in memory.

Owns reading the spool once, and leaving out of it what was stored since. What is found in it is read as a
stored period is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.period import new_period
from consentkit.archive.search.gaps import touches
from consentkit.archive.store.interface import Batch
from consentkit.archive.store.memory import MemoryPlace
from consentkit.requestlog.record import Gap
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from consentkit.archive.period import Period, Rotation
    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.search.deadline import Deadline
    from consentkit.archive.spoolreader import Segment, SpoolReader
    from consentkit.archive.store.interface import Filters, Misfiled
    from consentkit.archive.store.requeststore import Reader
    from consentkit.requestlog.record import Entry

# Frames that are held as objects at once; in the tables one takes some hundred bytes.
_FRAMES_A_ROUND: Final = 5_000


class Losses(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the spool could not read.

    Attributes:
        unreadable_workers: folders of workers whose key does not open.
        damaged_places: at which bytes had to be passed over.
    """

    unreadable_workers: int = 0
    damaged_places: int = 0


class Waiting:
    """The spool's frames of a stretch of time.

    Args:
        reader: the spool; what it has read before is not read again.
        periods: as they are listed.
        rotation: how a period is cut that is not listed yet.
        resolvers: asked for when the first frame is met.
        decisions: asked for at each load: which segments hold records whose time can't be true.

    Attributes:
        marks: by worker and segment, the sequence below which frames are passed over; reading moves it on.
        periods: of which frames wait, by name.
        gaps: that wait.
    """

    def __init__(
        self,
        reader: SpoolReader,
        periods: Sequence[Period],
        rotation: Rotation,
        resolvers: Callable[[], Resolvers],
        decisions: Callable[[], Mapping[tuple[str, int], Misfiled]] = dict,
    ) -> None:
        self._reader = reader
        self._listed = periods
        self._rotation = rotation
        self._resolvers = resolvers
        self._decisions = decisions
        self._misfiled: Mapping[tuple[str, int], Misfiled] = {}
        self._places: dict[str, MemoryPlace] = {}
        self._damaged = 0
        self._last: Period | None = None
        self.marks: dict[tuple[str, int], int] = {}
        self.periods: dict[str, Period] = {}
        self.gaps: dict[FrameId, Gap] = {}

    @property
    def losses(self) -> Losses:
        """What could not be read."""
        return Losses(unreadable_workers=len(self._reader.unreadable), damaged_places=self._damaged)

    def load(self, filters: Filters, deadline: Deadline) -> None:
        """Read what there is now.

        Args:
            filters: its time alone counts here.
            deadline: when to give up.

        Raises:
            TimeIsUp: it did; what was read is no whole answer.
        """
        segments = self._reader.segments()
        self._misfiled = self._decisions()
        for segment in segments:
            for entries in _rounds(segment):
                deadline.check()
                self._take(segment, filters, entries)
            self._damaged += segment.damaged

    def rows(self, period: Period, stored: Reader | None) -> Reader | None:
        """Return the frames of a period that are not stored; None where there are none.

        Args:
            period: which one.
            stored: what is stored of it, None where nothing is. It only gets more: what it held once is left out
                for good.
        """
        waiting = self._places.get(period.name)
        if waiting is None:
            return None
        if stored is not None:
            waiting.leave_out(stored.marks())
        return waiting.reader

    def _take(self, segment: Segment, filters: Filters, entries: Iterable[tuple[int, Entry]]) -> None:
        batches: dict[str, list[tuple[int, Entry]]] = defaultdict(list)
        mark = self.marks.get((segment.worker, segment.number), 0)
        misfiled = self._misfiled.get((segment.worker, segment.number))
        for sequence, entry in entries:
            if sequence < mark:
                continue
            self.marks[segment.worker, segment.number] = sequence + 1
            if isinstance(entry, Gap):
                if touches(entry, filters):
                    self.gaps[FrameId(segment.worker, segment.number, sequence)] = entry
            else:
                is_misfiled = misfiled is not None and misfiled.holds(sequence, entry.time_us)
                time_us = misfiled.shown_us(sequence) if misfiled is not None and is_misfiled else entry.time_us
                if filters.since_us <= time_us < filters.until_us:
                    batches[self._period(time_us).name].append((sequence, entry))
        for name, own in batches.items():
            if name not in self._places:
                self._places[name] = MemoryPlace(self.periods[name].place, self._resolvers())
            self._places[name].add(Batch(segment.worker, segment.number, own, misfiled))

    def _period(self, time_us: int) -> Period:
        if self._last is None or not self._last.since_us <= time_us < self._last.until_us:
            known = (*self._listed, *self.periods.values())
            self._last = next((one for one in known if one.since_us <= time_us < one.until_us), None)
            self._last = self._last or new_period(time_us, self._rotation)
            self.periods.setdefault(self._last.name, self._last)
        return self._last


def _rounds(segment: Segment) -> Iterator[list[tuple[int, Entry]]]:
    entries: list[tuple[int, Entry]] = []
    for entry in segment.read(complete=False):
        entries.append(entry)
        if len(entries) >= _FRAMES_A_ROUND:
            yield entries
            entries = []
    yield entries
