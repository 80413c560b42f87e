"""What is asked of requests, gaps and batches; of words it is `wordreading` that asks.

Owns SELECT from `request`. On a cluster the tables' names are those of the Distributed tables, over all shards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from consentkit.archive.store.clickhouse.conditions import FEW, Condition
from consentkit.archive.store.clickhouse.ddl import BATCHES, GAPS
from consentkit.archive.store.clickhouse.ledger import ROW, batch_of, lane_number
from consentkit.archive.store.clickhouse.places import state_of
from consentkit.archive.store.clickhouse.server import limited
from consentkit.archive.store.clickhouse.wordreading import WordReading, batches_of
from consentkit.archive.store.server.engine import (
    KINDS,
    BatchRow,
    GapRow,
    Kind,
    Origin,
    Row,
    Wanted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from consentkit.archive.store.clickhouse.server import Of
    from consentkit.archive.store.clickhouse.shards import Shards
    from consentkit.archive.store.requeststore import Limit

_CLASS: Final = "if(result >= 400 AND result < 2400, intDiv(result, 400), 0)"


class Segment(NamedTuple):
    """A segment: one of its batches, its mark, how many batches and gaps it has, and when the last was stored."""

    segment: int
    note: bytes
    mark: int
    batches: int
    gaps: int
    stored_us: int


class _Marked(NamedTuple):
    place: bytes
    batches: int
    gaps: int


class _Ends(NamedTuple):
    rows: int
    first_us: int
    last_us: int


_EVERY: Final = Wanted(0, 2**63 - 1)
_VALUES: Final[dict[str, str]] = {
    **{kind: kind for kind in KINDS},
    "status": "intDiv(result, 4)",
    "outcome": "result % 4",
}


class Reading(WordReading):
    """The tables of one URL, read.

    Args:
        shards: where they are.
    """

    def __init__(self, shards: Shards) -> None:
        super().__init__(shards)
        self._shards = shards

    def applied(self, place: str, segment: int) -> int:
        """Return a segment's mark: a batch is in with its rows, or neither is."""
        condition = Condition(place)
        condition.and_(f"stretch = {BATCHES} AND segment = {segment:d}")
        return max(self._read("max(sequence)", condition, int), default=0)

    def is_made(self, place: str) -> bool:
        """Tell whether a place is made."""
        return bool(state_of(self._shards, place).is_made)

    def marks(self, place: str, *, newest: int = 0) -> dict[tuple[str, int], int]:
        """Return the marks, by worker and segment; of so many of the newest alone, 0 = of all."""
        marks: dict[tuple[str, int], int] = {}
        for one in self.segments(place, newest=newest):
            batch = batch_of(one.note)
            source = batch.worker, batch.segment_number
            marks[source] = max(one.mark, marks.get(source, 0))  # in a copy several segments may be of one source
        return marks

    def segments(self, place: str, *, newest: int = 0, among: Sequence[int] | None = None) -> list[Segment]:
        """Return the segments that have batches; so many of the newest alone, or some by their numbers."""
        condition = batches_of(place)
        if among is not None:
            condition.and_(condition.among("segment", among))
        rest = f"GROUP BY segment ORDER BY max(claimed_us) DESC{f' LIMIT {newest:d}' if newest else ''}"
        columns = "segment, any(note), max(sequence), count(), sum(bytes_sent), max(claimed_us)"
        return self._read(columns, condition, Segment, rest)

    def count_batches(self, place: str) -> int:
        """Return how many batches there are; none is ever taken away but with all of them."""
        return sum(self._read("count()", batches_of(place), int))

    def origins(self, place: str, segments: Sequence[int]) -> dict[int, Origin]:
        """Return what numbers of segments stand for."""
        return {one.segment: origin_of(one) for one in self.segments(place, among=segments)}

    def last_batch(self, place: str, lane: str) -> BatchRow | None:
        """Return the last batch of a lane."""
        condition = Condition(place)
        condition.and_(f"stretch = {BATCHES} AND client = {lane_number(lane)}")
        notes = self._read("note", condition, batch_of, "ORDER BY time_us DESC LIMIT 1")
        return notes[0] if notes else None

    def batches(self, place: str) -> Iterator[BatchRow]:
        """Yield all batches, by lane and number."""
        condition = batches_of(place)
        yield from sorted(self._read("note", condition, batch_of))

    def gaps(self, place: str, since_us: int, until_us: int) -> Iterator[tuple[str, int, GapRow]]:
        """Yield the gaps that touch a time, each with its worker and the segment's number."""
        condition = Condition(place)
        condition.and_(f"stretch = {GAPS} AND time_us < {until_us:d} AND claimed_us >= {since_us:d}")
        rest = "ORDER BY time_us, segment, sequence"
        gaps = self._read("segment, sequence, time_us, claimed_us, note", condition, GapRow, rest)
        origins = self.origins(place, sorted({gap.segment for gap in gaps})) if gaps else {}
        for gap in gaps:
            origin = origins.get(gap.segment)
            if origin is not None and gap.sequence < origin.mark:
                yield origin.worker, origin.number, gap

    def lacking(self, lookups: Mapping[str, Sequence[int]], since_us: int, until_us: int) -> set[str]:
        """Return the places that have neither such a client nor a gap.

        A place is dropped table by table, words after requests: where its batches are there when the words were
        read, the words were whole. One without a batch is not sure.
        """
        found = self.with_clients(lookups)
        condition = Condition(*lookups)
        condition.and_("stretch < 0")
        touching = f"stretch = {GAPS} AND time_us < {until_us:d} AND claimed_us >= {since_us:d}"
        columns = f"place, sum(stretch = {BATCHES}), sum({touching})"
        marked = self._read(columns, condition, _Marked, "GROUP BY place")
        return {one.place.decode() for one in marked if one.batches and not one.gaps} - found

    def rows(self, place: str, wanted: Wanted, *, oldest_first: bool, limit: int) -> list[Row]:
        """Return at most so many matching rows, by time; 0 = all."""
        order = f"ORDER BY time_us {'ASC' if oldest_first else 'DESC'}"
        condition = Condition.of(place, wanted)
        if not limit:
            return self._read(ROW, condition, Row, order)
        if not _is_of_few_clients(wanted):
            stretches = self._stretches(place, wanted, limit, oldest_first=oldest_first)
            if not stretches:
                return []
            condition.of_stretches(min(stretches), max(stretches))
        return self._read(ROW, condition, Row, f"{order} LIMIT {limit:d}")

    def in_order(self, place: str) -> Iterator[Row]:
        """Yield all rows, by segment and sequence; beyond its memory the server sorts on its disk."""
        statement = f"SELECT {ROW} FROM {self._request} WHERE {_requests(place)} ORDER BY segment, sequence"
        yield from self._server.stream(statement, Row)

    def ends(self, place: str, since_us: int, until_us: int) -> tuple[int, int] | None:
        """Return the first and the last time of rows in a stretch; None where there are none."""
        condition = Condition.of(place, Wanted(since_us, until_us))
        found = self._read("count(), min(time_us), max(time_us)", condition, _Ends)
        return (found[0].first_us, found[0].last_us) if found and found[0].rows else None

    def count(self, place: str, wanted: Wanted) -> int:
        """Count matching rows."""
        return sum(self._read("count()", self._counted(place, wanted), int))

    def nth_time(self, place: str, wanted: Wanted, skipped: int) -> int | None:
        """Return the time of the newest matching row after so many; None where there are no more."""
        stretches = self._stretches(place, wanted, skipped + 1, oldest_first=False)
        if sum(stretches.values()) <= skipped:
            return None
        last = min(stretches)
        newer = sum(rows for stretch, rows in stretches.items() if stretch != last)
        condition = self._counted(place, wanted)
        condition.of_stretches(last, last)
        times = self._read("time_us", condition, int, f"ORDER BY time_us DESC LIMIT {skipped - newer:d}, 1")
        return times[0] if times else None

    def counts(
        self, place: str, wanted: Wanted, by: Kind | Literal["status", "outcome"] | tuple[Literal["step"], int]
    ) -> list[tuple[int, int]]:
        """Count matching rows by a column, or by steps of time of so many microseconds since 1970."""
        value = f"intDiv(time_us, {by[1]:d})" if isinstance(by, tuple) else _VALUES[by]
        return self._read(f"{value} AS v, count()", self._counted(place, wanted), _pair, "GROUP BY v ORDER BY v")

    def counts_by_status(self, place: str, step_us: int) -> list[tuple[int, int, int]]:
        """Count all rows by step and class of status (0 = none of 1 to 5), in that order."""
        columns = f"intDiv(time_us, {step_us:d}) AS s, {_CLASS} AS c, count()"
        return self._read(columns, self._counted(place, _EVERY), _three, "GROUP BY s, c ORDER BY s, c")

    def alike(
        self, place: str, since_us: int, until_us: int, bounds_us: Sequence[int]
    ) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield client, agent, resource, result, class of duration and count of the rows of a time."""
        classes = " + ".join(["0", *(f"(duration_us >= {bound:d})" for bound in bounds_us)])
        statement = (
            f"SELECT client, agent, resource, result, {classes} AS class, count() FROM {self._request}"
            f" WHERE {self._counted(place, Wanted(since_us, until_us))}"
            " GROUP BY client, agent, resource, result, class"
        )
        yield from self._server.stream(statement, _six)

    def _counted(self, place: str, wanted: Wanted) -> Condition:
        """Return the condition of what is counted."""
        return Condition.of(place, wanted)

    def _stretches(self, place: str, wanted: Wanted, rows: int, *, oldest_first: bool) -> dict[int, int]:
        """Return how many matching rows stretches have, from one end on until they are so many."""
        rest = f"GROUP BY stretch ORDER BY stretch {'ASC' if oldest_first else 'DESC'}"
        found: dict[int, int] = {}
        for stretch, count in self._read("stretch, count()", self._counted(place, wanted), _pair, rest):
            found[stretch] = count
            if sum(found.values()) >= rows:
                break
        return found

    def limited(self, limit: Limit) -> AbstractContextManager[None]:
        """End what this thread reads within the block when the limit passes, by `TimeIsUp`."""
        return limited(limit)

    def _read(self, columns: str, condition: Condition, shape: Callable[..., Of], rest: str = "") -> list[Of]:
        statement = f"SELECT {columns} FROM {self._request} WHERE {condition} {rest}"
        return self._server.read(statement, shape, condition.numbers)


def origin_of(segment: Segment) -> Origin:
    """Return what a segment's number stands for."""
    batch = batch_of(segment.note)
    return Origin(batch.worker, batch.segment_number, segment.mark)


def _requests(place: str) -> Condition:
    condition = Condition(place)
    condition.and_("stretch >= 0")
    return condition


def _is_of_few_clients(wanted: Wanted) -> bool:
    """Tell whether a search is for addresses: their rows are found by ranges, and are few."""
    return any(among.column == "client" and len(among.numbers) <= FEW for among in wanted.all_of)


def _pair(value: int, count: int) -> tuple[int, int]:
    return value, count


def _three(step: int, status: int, count: int) -> tuple[int, int, int]:
    return step, status, count


def _six(  # noqa: PLR0917 - a row's columns
    client: int, agent: int, resource: int, result: int, duration_class: int, count: int
) -> tuple[int, int, int, int, int, int]:
    return client, agent, resource, result, duration_class, count
