"""The batches of a place with what came by each: rows and gaps, read in their own order.

Owns the merge: a server gives rows by segment and sequence, whichever lane their batch is in. A busy day has some
hundred thousand batches, so what is held of each is three numbers.
"""

from __future__ import annotations

from array import array
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from consentkit.archive.store.server.engine import BatchRow, Engine, GapRow, Row

_ALWAYS_US: Final = 2**63 - 1


class Brought(NamedTuple):
    """What came by one batch, by sequence; `batch` is its place in the ledger."""

    batch: int
    rows: list[Row]
    gaps: list[GapRow]


class Ledger:
    """All batches of a place as of one instant, by lane and number.

    Args:
        batches: in that order.

    Attributes:
        lanes: where in the ledger those of each lane are.
        origins: worker and number of each segment.
    """

    def __init__(self, batches: Iterable[BatchRow]) -> None:
        self._segments, self._firsts, self._nexts = array("q"), array("q"), array("q")
        self.lanes: dict[str, range] = {}
        self.origins: dict[int, tuple[str, int]] = {}
        self._marks: dict[int, int] = {}
        for place, batch in enumerate(batches):
            self._segments.append(batch.segment)
            self._firsts.append(batch.first_sequence)
            self._nexts.append(batch.next_sequence)
            start = self.lanes[batch.lane].start if batch.lane in self.lanes else place
            self.lanes[batch.lane] = range(start, place + 1)
            self.origins[batch.segment] = batch.worker, batch.segment_number
            self._marks[batch.segment] = max(batch.next_sequence, self._marks.get(batch.segment, 0))

    def __len__(self) -> int:
        return len(self._segments)

    def span(self, batch: int) -> tuple[int, int, int]:
        """Return a batch's segment and its frames: from, and before."""
        return self._segments[batch], self._firsts[batch], self._nexts[batch]

    def brought(self, engine: Engine, name: str, stray: Callable[[int], None]) -> Iterator[Brought]:
        """Yield all that came by each batch, by segment and sequence.

        Args:
            engine: the server.
            name: the place's, to the server.
            stray: told how many rows or gaps are no batch's, where no writer can have put them; those above a
                segment's mark are passed over, as of an `append` that broke off or is under way.
        """
        gaps = _gaps(engine, name)
        rows = _Ahead(engine.in_order(name))
        known_gaps = 0
        for batch in sorted(range(len(self)), key=self.span):
            segment, first, end = self.span(batch)
            before, own = rows.take(segment, first, end)
            stray(sum(map(self._is_below_mark, before)))
            own_gaps = [gap for gap in gaps.get(segment, ()) if first <= gap.sequence < end]
            known_gaps += len(own_gaps)
            yield Brought(batch, own, own_gaps)
        stray(sum(map(self._is_below_mark, rows.rest())))
        stray(max(sum(self._is_below_mark(gap) for own in gaps.values() for gap in own) - known_gaps, 0))

    def _is_below_mark(self, row: Row | GapRow) -> bool:
        return row.sequence < self._marks.get(row.segment, 0)


class _Ahead:
    """Rows in order, taken batch by batch."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, segment: int, first_sequence: int, next_sequence: int) -> tuple[list[Row], list[Row]]:
        """Return the rows before a batch's that none has taken, and its own."""
        before: list[Row] = []
        own: list[Row] = []
        first, end = (segment, first_sequence), (segment, next_sequence)
        while self._next is not None and (place := (self._next.segment, self._next.sequence)) < end:
            (before if place < first else own).append(self._next)
            self._next = next(self._rows, None)
        return before, own

    def rest(self) -> Iterator[Row]:
        """Yield the rows that none has taken."""
        if self._next is not None:
            yield self._next
        yield from self._rows


def _gaps(engine: Engine, name: str) -> dict[int, list[GapRow]]:
    rows = sorted(
        {row for _, _, row in engine.gaps(name, 0, _ALWAYS_US)}, key=lambda row: (row.segment, row.sequence)
    )
    return {segment: list(own) for segment, own in groupby(rows, key=lambda row: row.segment)}
