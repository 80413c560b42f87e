"""Writing one period on a server: batches in, each with its mark, once.

Owns exactly-once above an engine. Before anything is added to a segment its ends are read: the mark, below which
every frame is in, and what the engine says is stored above it, from an `append` that broke off between rows and
batch. Frames below the mark are passed over; those that are stored get their batch, over the rows as they are
stored; the rest follows. After any failure the ends are read again, so that the same frames, which their spool
still has, can be added again whatever became of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.period import LAST_US
from consentkit.archive.store.places import Head
from consentkit.archive.store.server.chain import Lane, unchained
from consentkit.archive.store.server.engine import KINDS, Outrun, Row, Wanted
from consentkit.archive.store.server.numbers import Numbers
from consentkit.errors import StorageError
from consentkit.requestlog.record import OUTCOMES, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.interface import Batch, Misfiled
    from consentkit.archive.store.places import Marks, Place
    from consentkit.archive.store.server.engine import Addition, BatchRow, Engine, GapRow, Kind, Word
    from consentkit.archive.store.server.words import Words
    from consentkit.requestlog.record import Entry, Gap

# How often another writer of the same lane or segment may be first. Nobody else has either; only a copy of this
# host's data directory that is in use elsewhere does.
_TRIES: Final = 5

_OUTCOME_NUMBERS: Final = {outcome: number for number, outcome in enumerate(OUTCOMES)}


class _Segment:
    """Where a segment stands in the place: `mark` moves with what is added, `stored` is above it or equal."""

    __slots__ = ("mark", "number", "stored")

    def __init__(self, number: int, mark: int, stored: int) -> None:
        self.number = number
        self.mark = mark
        self.stored = stored


class _Part:
    """Frames of one segment that become one batch; `is_stored`: their rows are there already."""

    __slots__ = ("batch", "gaps", "is_stored", "rows", "words")

    def __init__(self, batch: BatchRow, *, is_stored: bool) -> None:
        self.batch = batch
        self.is_stored = is_stored
        self.words: list[Word] = []
        self.rows: list[Row] = []
        self.gaps: list[GapRow] = []


class ServerWriter:
    """One period, open for writing by one process of a host.

    Args:
        engine: the server.
        place: which one; it is made.
        words: of the place.
        resolvers: asked once per distinct value.
        lane: the host's.

    Raises:
        StorageError: from every method: the server refused.
    """

    def __init__(self, engine: Engine, place: Place, words: Words, resolvers: Resolvers, lane: str) -> None:
        self.place = place
        self._engine = engine
        self._name = place.key_name
        self._words = words
        self._numbers = Numbers(words, resolvers)
        self._lane_name = lane
        self._lane: Lane | None = None
        self._marks: Marks = {}
        self._segments: dict[tuple[str, int], _Segment] = {}
        self._pending: list[Batch] = []
        self._parts: list[_Part] = []
        self._head = self._read_ends()

    def add(self, batch: Batch) -> None:
        """Add the frames that are not in yet; they are in with the next `commit`, and not before."""
        try:
            if not self._pending:
                self._numbers.make_room()
            self._prepare(batch)
        except BaseException:
            self._begin_anew()
            raise
        self._pending.append(batch)

    def commit(self) -> int:
        """Make durable what was added, with its marks, and return how many requests that are."""
        if not self._parts:
            self._pending.clear()
            return 0
        try:
            added = self._append()
        except BaseException:
            self._begin_anew()
            raise
        self._pending.clear()
        self._parts.clear()
        return added

    def roll_back(self) -> None:
        """Drop what was added since the last commit."""
        self._begin_anew()

    def mark(self, worker: str, segment: int) -> int:
        """Return the sequence below which every frame is applied, or will be with the next commit."""
        known = self._segments.get((worker, segment))
        return known.mark if known is not None else self._present_marks().get((worker, segment), 0)

    @property
    def head(self) -> Head:
        """The running digest of this host's lane as of the last commit."""
        return self._head

    def close(self) -> None:
        """Let go; what was not committed is dropped."""
        self._begin_anew()

    def _read_ends(self) -> Head:
        last = self._engine.last_batch(self._name, self._lane_name)
        self._lane = Lane(self._words.digest_key, self._lane_name, last)
        self._marks = self._engine.marks(self._name)
        return Head(self._lane.number, self._lane.head, self._lane_name)

    def _present_marks(self) -> Marks:
        """Return the marks as they were read, which is done again after a failure."""
        if self._lane is None:
            self._head = self._read_ends()
        return self._marks

    def _begin_anew(self) -> None:
        """Forget all that was read or prepared: the ends are read again when they are asked for."""
        self._pending.clear()
        self._forget_ends()

    def _forget_ends(self) -> None:
        self._parts.clear()
        self._segments.clear()
        self._marks = {}
        self._lane = None
        self._numbers.forget()

    def _segment(self, worker: str, number: int) -> _Segment:
        known = self._segments.get((worker, number))
        if known is None:
            mark = self._present_marks().get((worker, number), 0)
            own = self._words.segment(worker, number)
            stored = max(self._engine.applied(self._name, own), mark)
            known = self._segments[worker, number] = _Segment(own, mark, stored)
        return known

    def _prepare(self, batch: Batch) -> None:
        """Make rows of the fresh frames of a batch; those of the segment before join its part."""
        segment = self._segment(batch.worker, batch.segment)
        entries = batch.entries
        if entries and entries[0][0] < segment.mark:
            entries = [entry for entry in entries if entry[0] >= segment.mark]
        stored = [entry for entry in entries if entry[0] < segment.stored] if segment.stored > segment.mark else []
        for own, is_stored in ((stored, True), (entries[len(stored) :], False)):
            if own:
                self._add(self._part(batch, segment, own[0][0], is_stored=is_stored), own, batch.misfiled)
                segment.mark = own[-1][0] + 1

    def _part(self, batch: Batch, segment: _Segment, first_sequence: int, *, is_stored: bool) -> _Part:
        last = self._parts[-1] if self._parts else None
        if last is None or last.batch.segment != segment.number or last.is_stored != is_stored:
            own = unchained(batch.worker, batch.segment, segment.number, first_sequence, first_sequence)
            last = _Part(own, is_stored=is_stored)
            self._parts.append(last)
        return last

    def _add(self, part: _Part, entries: Iterable[tuple[int, Entry]], misfiled: Misfiled | None) -> None:
        segment, rows, numbers = part.batch.segment, part.rows, self._numbers
        since_us, until_us, outcomes = self.place.since_us, self.place.until_us, _OUTCOME_NUMBERS
        sequence = part.batch.first_sequence
        for sequence, entry in entries:
            if type(entry) is not Record:
                part.gaps.append(self._gap(segment, sequence, entry, misfiled))  # type: ignore[arg-type]
                continue
            time_us, claimed_us = entry.time_us, -1
            if misfiled is not None and not since_us <= time_us < until_us:
                time_us, claimed_us = misfiled.shown_us(sequence), min(max(time_us, 0), LAST_US)
            result = entry.status * 4 + outcomes[entry.outcome]
            measures = result, entry.bytes_sent, entry.duration_us
            rows.append(Row(time_us, segment, sequence, *numbers.of(entry), *measures, claimed_us))
        part.words += numbers.take_fresh()
        part.batch = part.batch._replace(next_sequence=sequence + 1)

    def _gap(self, segment: int, sequence: int, gap: Gap, misfiled: Misfiled | None) -> GapRow:
        if misfiled is not None and not self.place.since_us <= gap.until_us < self.place.until_us:
            shown_us = misfiled.shown_us(sequence)  # its own time can't be true
            gap = type(gap)(shown_us, shown_us, gap.lost, gap.reason, gap.network)
        return self._words.seal_gap(segment, sequence, gap)

    def _append(self) -> int:
        for _ in range(_TRIES):
            lane = self._lane
            try:
                if lane is not None and self._parts:
                    additions = self._chained(lane)
                    self._engine.append(self._name, additions)
                    self._head = Head(lane.number, lane.head, self._lane_name)
                return sum(len(part.rows) for part in self._parts)
            except Outrun:
                self._forget_ends()
                self._head = self._read_ends()
                for batch in self._pending:
                    self._prepare(batch)
        raise StorageError(self.place.name, "another writes as this host; give each a data directory of its own")

    def _chained(self, lane: Lane) -> list[Addition]:
        """Return what was prepared as it is stored; a word that is there already isn't sent."""
        there = {kind: self._there(kind) for kind in KINDS}
        additions = []
        for part in self._parts:
            words = [word for word in part.words if word.number not in there[word.kind]]
            rows = self._as_stored(part) if part.is_stored else part.rows
            additions.append(lane.chained(part.batch, words, rows, part.gaps))
        return additions

    def _there(self, kind: Kind) -> set[int]:
        fresh = {word.number for part in self._parts for word in part.words if word.kind == kind}
        return self._engine.known(self._name, kind, sorted(fresh)) if fresh else set()

    def _as_stored(self, part: _Part) -> list[Row]:
        """Return the rows of a part as an earlier attempt stored them: what was resolved may differ since."""
        if not part.rows:
            return []
        times = [row.time_us for row in part.rows]
        wanted = Wanted(min(times), max(times) + 1)
        around = self._engine.rows(self._name, wanted, oldest_first=True, limit=0)
        own = {row.sequence: row for row in around if row.segment == part.batch.segment}
        try:
            return [own[row.sequence] for row in part.rows]
        except KeyError:
            raise StorageError(self.place.name, "some rows of a batch that broke off are missing") from None
