"""Reading the matching rows of a place in their order, in bounded steps.

Owns stretches of time and chunks of rows. Within a microsecond a server gives rows in any order, so each chunk
ends with a whole one, and is sorted here.
"""

from __future__ import annotations

import time
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.store.server.found import found_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.store.interface import Cursor
    from consentkit.archive.store.places import Found
    from consentkit.archive.store.server.engine import Reading, Row, Wanted
    from consentkit.archive.store.server.segments import Segments
    from consentkit.archive.store.server.vocabulary import Vocabulary

# Rows that one question is answered with at most.
_CHUNK_ROWS: Final = 1000

# A scan goes on in stretches of time, so that it can say how far it came: the first is this part of all, each
# next one twice the one before, up to the second part; after one that was read at once, many times as long.
_FIRST_PART: Final = 64
_LARGEST_PART: Final = 8
_AT_ONCE_SECONDS: Final = 0.1
_AFTER_AT_ONCE: Final = 8

# So few clients are found by the index of clients, however long the time is.
_FEW_CLIENTS: Final = 16


class Bounds(NamedTuple):
    """Which rows are yielded: their time from, and before; and between two cursors, neither included."""

    since_us: int
    until_us: int
    before: Cursor | None
    after: Cursor | None

    def holds(self, cursor: Cursor) -> bool:
        """Tell whether a row is between the cursors."""
        return (self.before is None or cursor < self.before) and (self.after is None or cursor > self.after)


class Paging:
    """One search in one place.

    Args:
        reading: what is asked.
        name: the place's, to the server.
        wanted: what rows must meet; its times are those of the bounds.
        oldest_first: the first cursor first.
    """

    def __init__(self, reading: Reading, name: str, wanted: Wanted, *, oldest_first: bool) -> None:
        self._reading = reading
        self._name = name
        self._wanted = wanted
        self._oldest_first = oldest_first

    def found(
        self,
        vocabulary: Vocabulary,
        segments: Segments,
        bounds: Bounds,
        limit: int,
        reached: Callable[[int], None] | None,
    ) -> Iterator[Found]:
        """Yield at most so many rows, 0 = all; tell up to which time all that matches was given."""
        left = limit
        for low, high in self._stretches(bounds.since_us, bounds.until_us):
            for rows in self._chunks(low, high, left):
                found = found_requests(vocabulary, segments, rows)
                for one in sorted(found, key=itemgetter(0), reverse=not self._oldest_first):
                    if bounds.holds(one[0]):
                        yield one
                        left -= 1
                        if left == 0:
                            return
            if reached is not None:
                reached(high if self._oldest_first else low)

    def _stretches(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Cut what is scanned into stretches, in the order of reading."""
        clients = [len(one.numbers) for one in self._wanted.all_of if one.column == "client"]
        if clients and min(clients) <= _FEW_CLIENTS:
            yield low, high
            return
        ends = self._reading.ends(self._name, low, high) if low < high else None
        if ends is None:
            return
        low, high = ends[0], ends[1] + 1
        part = max((high - low) // _FIRST_PART, 1)
        largest = max(part, (high - low) // _LARGEST_PART)
        while low < high:
            begun = time.monotonic()
            if self._oldest_first:
                yield low, min(low + part, high)
                low += part
            else:
                yield max(high - part, low), high
                high -= part
            if time.monotonic() - begun < _AT_ONCE_SECONDS:
                part *= _AFTER_AT_ONCE
            else:
                part = min(2 * part, max(part, largest))

    def _chunks(self, low: int, high: int, limit: int) -> Iterator[list[Row]]:
        """Yield the rows of a stretch; each chunk ends with its microsecond."""
        size = min(limit, _CHUNK_ROWS) if limit > 0 else _CHUNK_ROWS
        while low < high:
            rows = self._rows(low, high, size)
            if len(rows) < size:
                yield rows
                return
            if self._oldest_first:
                edge = max(row.time_us for row in rows)
                low = edge + 1
            else:
                edge = high = min(row.time_us for row in rows)
            yield [row for row in rows if row.time_us != edge] + self._rows(edge, edge + 1, 0)

    def _rows(self, low: int, high: int, limit: int) -> list[Row]:
        wanted = self._wanted._replace(since_us=low, until_us=high)
        return self._reading.rows(self._name, wanted, oldest_first=self._oldest_first, limit=limit)
