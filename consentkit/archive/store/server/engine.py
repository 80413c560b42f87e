"""What a database server does for the request log: numbers in, numbers out. One page; one module a server.

An engine never has a key. What repeats in requests reaches it as *words*: sealed under the place's key, and known
by a number that is a keyed hash of the value, so that hosts which write the same place at once give the same value
the same number without asking each other. A row holds such numbers, times and sizes, and nothing else.

`place` is a place's name to the server: its group and stem, as ``period/2026-11-23.1``. A place is one partition,
made before anything is written to it and dropped whole.

Every method raises StorageError, without values and without the password, where the server refuses or is away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from consentkit.archive.store.requeststore import Limit

Kind: TypeAlias = Literal["client", "agent", "resource", "referrer"]
KINDS: tuple[Kind, ...] = ("client", "agent", "resource", "referrer")

# How far the words of a place were read; what it says, its engine knows alone.
Seen: TypeAlias = Mapping[str, int]
NOTHING_SEEN: Seen = {}


class Row(NamedTuple):
    """One request. Numbers are from 0 to 2**63 - 1.

    Attributes:
        time_us: under which it is shown.
        segment: a number for its worker and segment, the same on every host; `BatchRow` names both.
        sequence: of its frame in the segment; a row is known by these two.
        client, agent, resource, referrer: numbers of words.
        result: the status times four, plus the outcome's number.
        bytes_sent, duration_us: as the record has them.
        claimed_us: its own time, where that was far from the ingester's; -1 = it is `time_us`.
    """

    time_us: int
    segment: int
    sequence: int
    client: int
    agent: int
    resource: int
    referrer: int
    result: int
    bytes_sent: int
    duration_us: int
    claimed_us: int


class Word(NamedTuple):
    """What stands once in a place.

    Attributes:
        kind, number: by which rows name it.
        sealed: the value, bound to both.
        lookup: by which the clients of one address are found: its keyed hash, from 1 to 2**63 - 1; 0 = of other
            kinds, which have none.
    """

    kind: Kind
    number: int
    sealed: bytes
    lookup: int = 0


class GapRow(NamedTuple):
    """A gap by its frame, with the time it touches; what else it says is sealed."""

    segment: int
    sequence: int
    since_us: int
    until_us: int
    sealed: bytes


class BatchRow(NamedTuple):
    """Consecutive frames of one segment, applied together.

    Attributes:
        lane: of the host that wrote it; its batches are numbered from 1 and chained.
        number: within the lane.
        worker, segment_number: where the frames come from, as marks are told by.
        segment: their number in rows, by which segments are told apart; in the copy of an incident several may be
            of one worker and number.
        first_sequence, next_sequence: its frames: from, and before. The next is the segment's mark.
        requests, gaps: how many rows of each it brought.
        digest: the lane's running digest after it, 32 bytes.
    """

    lane: str
    number: int
    worker: str
    segment_number: int
    segment: int
    first_sequence: int
    next_sequence: int
    requests: int
    gaps: int
    digest: bytes


class Addition(NamedTuple):
    """One batch with all that comes by it. Of `words` some may be there already, under the same numbers."""

    batch: BatchRow
    words: Sequence[Word]
    rows: Sequence[Row]
    gaps: Sequence[GapRow]


class Among(NamedTuple):
    """A column that has one of some numbers."""

    column: Kind
    numbers: Sequence[int]


class Withheld(NamedTuple):
    """Rows that are left out: of these clients, in this time, and of these agents where any are named."""

    clients: Sequence[int]
    since_us: int
    until_us: int
    agents: Sequence[int] | None


class Wanted(NamedTuple):
    """What rows must meet, in numbers.

    Attributes:
        since_us, until_us: from, and before.
        all_of: every one of these; a column may come twice.
        any_of: one of these; empty = nothing is asked.
        statuses: inclusive ranges of status, one of which it is in; empty = any.
        outcome: its number; None = any.
        none_of: rows that are left out.
    """

    since_us: int
    until_us: int
    all_of: Sequence[Among] = ()
    any_of: Sequence[Among] = ()
    statuses: Sequence[tuple[int, int]] = ()
    outcome: int | None = None
    none_of: Sequence[Withheld] = ()


class Origin(NamedTuple):
    """The segment that a number in rows stands for, and the sequence below which its frames are in."""

    worker: str
    number: int
    mark: int


class Outrun(Exception):
    """Refuse batches that don't follow the end of their lane or segment, as another writer has moved it."""


class Reading(Protocol):
    """What is asked of places. Rows whose batch is not in may be among those that are counted."""

    def is_made(self, place: str) -> bool:
        """Tell whether a place is made; one that is only marked is not."""

    def marks(self, place: str, *, newest: int = 0) -> dict[tuple[str, int], int]:
        """Return the marks, by worker and segment; of so many of the newest alone, 0 = of all."""

    def origins(self, place: str, segments: Sequence[int]) -> dict[int, Origin]:
        """Return what numbers of segments stand for; those that have no batch are left out."""

    def last_batch(self, place: str, lane: str) -> BatchRow | None:
        """Return the last batch of a lane."""

    def batches(self, place: str) -> Iterator[BatchRow]:
        """Yield all batches, by lane and number."""

    def seen(self, place: str) -> Seen:
        """Return how far who now reads all words will have read them."""

    def words(self, place: str, kind: Kind, *, beyond: Seen = NOTHING_SEEN) -> Iterator[Word]:
        """Yield the words of one kind, each number once: at least those that came since they were seen."""

    def words_by_number(self, place: str, kind: Kind, numbers: Sequence[int]) -> list[Word]:
        """Return those of some words that are there."""

    def words_by_lookup(self, place: str, lookups: Sequence[int]) -> list[Word]:
        """Return the clients that are found under some keyed hashes."""

    def lacking(self, lookups: Mapping[str, Sequence[int]], since_us: int, until_us: int) -> set[str]:
        """Return the places that have neither a client under one of their own keyed hashes nor a gap of a time.

        Each was whole while that was asked; one of which this is not sure is not among them.
        """

    def known(self, place: str, kind: Kind, numbers: Sequence[int]) -> set[int]:
        """Return which of these words are there."""

    def gaps(self, place: str, since_us: int, until_us: int) -> Iterator[tuple[str, int, GapRow]]:
        """Yield the gaps that touch a time, each with its worker and the segment's number."""

    def rows(self, place: str, wanted: Wanted, *, oldest_first: bool, limit: int) -> list[Row]:
        """Return at most so many matching rows, by time; within a microsecond in any order. 0 = all."""

    def in_order(self, place: str) -> Iterator[Row]:
        """Yield all rows, by segment and sequence, with bounded memory."""

    def ends(self, place: str, since_us: int, until_us: int) -> tuple[int, int] | None:
        """Return the first and the last time of rows in a stretch; None where there are none."""

    def count(self, place: str, wanted: Wanted) -> int:
        """Count matching rows."""

    def nth_time(self, place: str, wanted: Wanted, skipped: int) -> int | None:
        """Return the time of the newest matching row after so many; None where there are no more."""

    def counts(
        self, place: str, wanted: Wanted, by: Kind | Literal["status", "outcome"] | tuple[Literal["step"], int]
    ) -> list[tuple[int, int]]:
        """Count matching rows by a column, or by steps of time of so many microseconds since 1970."""

    def counts_by_status(self, place: str, step_us: int) -> list[tuple[int, int, int]]:
        """Count all rows by step and class of status (0 = none of 1 to 5), in that order."""

    def alike(
        self, place: str, since_us: int, until_us: int, bounds_us: Sequence[int]
    ) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield client, agent, resource, result, class of duration and count of the rows of a time.

        The class is how many of the ascending bounds are at or below the duration.
        """

    def limited(self, limit: Limit) -> AbstractContextManager[None]:
        """End what is asked within the block when the limit passes, by `TimeIsUp`."""


class Engine(Reading, Protocol):
    """The tables of the request log on one server or cluster."""

    def opened(self, place: str) -> AbstractContextManager[Reading | None]:
        """Give what is asked of one place as of one instant; None where it is not made.

        Batches that come later are in no answer but `rows`, `ends` and `words`, and neither are rows without
        their batch. One thread uses it at a time.
        """

    def prepare(self) -> None:
        """Make the tables, or bring them up to this version; once among many hosts, nothing where it is done."""

    def places(self) -> dict[str, bool]:
        """Return the places, made or only marked, and of each whether it is marked as a draft."""

    def make(self, place: str) -> None:
        """Make a place's partition; nothing where it is there."""

    def mark_draft(self, place: str, *, is_draft: bool) -> None:
        """Mark a place as a draft before it is made, or take the mark away, durably."""

    def drop(self, place: str) -> None:
        """Drop a place's partitions whole, its words with them; nothing where there is none."""

    def left(self, place: str) -> int:
        """Count all rows of all tables that the place has anywhere on the server: 0 proves that it is gone."""

    def size_bytes(self, place: str) -> int:
        """Return what the place takes on the server's disk, indexes with it."""

    def append(self, place: str, additions: Sequence[Addition]) -> None:
        """Store batches, in order. All or none, or each so that the same call again completes it.

        The frames of a batch lie all below what `applied` says of its segment, and then its rows are in already
        and are not stored again, or all at or above it. Words and gaps may be there already too.

        Raises:
            Outrun: another writer has added to one of the lanes or segments: read their ends again.
        """

    def applied(self, place: str, segment: int) -> int:
        """Return the sequence below which all frames of a segment are in, whether their batch is there or not.

        The same as its mark, but where `append` broke off between rows and batch.
        """

    def close(self) -> None:
        """Let go of connections."""
