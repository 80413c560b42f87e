"""What every backend of the request log does. One page; its tests are one suite over all of them.

Rows lie in places: one generation of a period's rows, or of the copy that an incident holds, under a key of its
own. Times are microseconds since 1970 UTC, everywhere.

**Atomic**: `Writer.commit`, place by place, with the marks that say what was applied; `write_anew`, of which
nothing is there until it returns. **Idempotent**: a batch applied twice is in once; `seal`, `discard` and every
step of `remove` do nothing where they are done. **Durable**: whatever has returned.
**Hidden**: what repeats (addresses, URLs, agents, referrers) is encrypted under the place's key before it leaves
the process, or lies in a file that is: a place whose key is destroyed is gone from every replica and backup.

A backend may refuse with StorageError (its server is away, its disk is full), PeriodBusy (others are in the
place) or KeyUnavailable, and by no other error of its own; no error of a backend holds a password or a value.
What was refused is as it was before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.interface import Batch, Cursor, Filters
    from consentkit.archive.store.places import (
        By,
        Checked,
        Contents,
        Found,
        Head,
        HourRequest,
        HourWords,
        Lying,
        Marks,
        NotedHeads,
        Place,
        Rewritten,
        RowsOf,
    )
    from consentkit.requestlog.record import Gap
    from consentkit.requestlog.segment import FrameId

T = TypeVar("T")


class Held(Protocol):
    """A lock that is held; it dies with its process."""

    def release(self) -> None:
        """Let others in. Releasing twice is the same as once."""

    def __enter__(self) -> Held: ...
    def __exit__(self, *_: object) -> None: ...


class Limit(Protocol):
    """Until when something may take; `archive.search.deadline.Deadline` is one."""

    @property
    def remaining(self) -> float:
        """Seconds that are left."""

    @property
    def has_passed(self) -> bool:
        """Whether the time is up."""

    def check(self) -> None:
        """Raise TimeIsUp where it is."""


class Writer(Protocol):
    """A period, open for writing. Of several hosts each has its own; of one host one process."""

    place: Place

    def add(self, batch: Batch) -> None:
        """Add the frames that are not in yet; they are in with the next `commit`, and not before."""

    def commit(self) -> int:
        """Make durable what was added, with its marks, and return how many requests that are."""

    def roll_back(self) -> None:
        """Drop what was added since the last commit."""

    def mark(self, worker: str, segment: int) -> int:
        """Return the sequence below which every frame of this place in the segment is applied."""

    @property
    def head(self) -> Head:
        """The running digest of this writer's lane as of the last commit."""

    def close(self) -> None:
        """Let go; what was not committed is dropped."""


class CopyWriter(Protocol):
    """An incident's place while it is written: rows as a search found them. A draft until `seal`."""

    def add(self, page: Sequence[Found]) -> None:
        """Add rows, oldest first, each page later than the one before."""

    def finish(self, gaps: Iterable[Gap]) -> None:
        """Add what was lost in the time asked for; nothing is added after."""

    def __enter__(self) -> CopyWriter: ...
    def __exit__(self, *_: object) -> None: ...


class Reader(Protocol):
    """A place as of one instant. Nothing here is shown to anyone before the audit says so."""

    place: Place

    def limited(self, limit: Limit) -> AbstractContextManager[None]:
        """End what is asked within the block when the limit passes, by `TimeIsUp`."""

    def rows(
        self,
        filters: Filters,
        *,
        limit: int,
        before: Cursor | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
        reached: Callable[[int], None] | None = None,
        withheld: Sequence[RowsOf] = (),
    ) -> Iterator[Found]:
        """Yield matching rows in the order of their cursors, the last first.

        Args:
            filters: what to match.
            limit: at most so many rows; 0 = all.
            before, after: rows between these alone, neither included.
            oldest_first: the first cursor first.
            reached: told up to which time all that matches was given.
            withheld: rows that are left out.
        """

    def count_withheld(self, filters: Filters, withheld: Sequence[RowsOf]) -> int:
        """Return how many rows match, and are left out all the same."""

    def edge(self, filters: Filters, rows: int, *, withheld: Sequence[RowsOf] = ()) -> int | None:
        """Return the time from which on at most so many of the newest rows match; None where no more match."""

    def counts(self, filters: Filters, by: By, *, withheld: Sequence[RowsOf] = ()) -> dict[str, int]:
        """Count matching rows by a value: an address or a country as text, flags as their number."""

    def counts_over_time(
        self, filters: Filters, step_us: int, *, withheld: Sequence[RowsOf] = ()
    ) -> dict[int, int]:
        """Count matching rows by the number of the step since 1970 in which they lie."""

    def counts_by_status(self, step_us: int) -> list[tuple[int, int, int]]:
        """Count all rows by step and class of status (0 = none of 1 to 5), in that order."""

    def clients(self) -> int:
        """Return how many addresses there are."""

    def count_of(self, rows: RowsOf) -> int:
        """Return how many rows are somebody's."""

    def gaps(self, filters: Filters) -> dict[FrameId, Gap]:
        """Return the gaps that touch the time of a search, by the frame that told each."""

    def marks(self, newest: int = 0) -> Marks:
        """Return the marks, by worker and segment; of so many of the newest segments alone, 0 = of all."""

    def measure(self) -> tuple[int, int | None]:
        """Return how many requests there are, and the time of the first (None = there is none)."""

    def measure_hour(self, hour_us: int) -> tuple[int, int]:
        """Return how many requests one hour has, and how many are known to be lost, by gaps that ended in it."""

    def hour_words(self, hour_us: int) -> HourWords:
        """Return what the numbers of one hour's requests stand for."""

    def hour_requests(self, hour_us: int, bounds_us: Sequence[int]) -> Iterator[HourRequest]:
        """Yield the requests of one hour, those that are alike together or one by one.

        Args:
            hour_us: its first instant.
            bounds_us: of the classes of duration, ascending.
        """


class RequestStore(Protocol):
    """The places of one installation. Locks are the caller's duty wherever "locked" is said."""

    @property
    def is_shared(self) -> bool:
        """Whether several hosts may write a place at once; it is let go of soon then, and made before its time."""

    def lock(self, place: Place, *, exclusive: bool, wait_seconds: float) -> Held:
        """Be in a place, with others who share it or alone; it need not exist.

        Raises:
            PeriodBusy: others did not leave in time.
        """

    def exists(self, place: Place) -> bool:
        """Tell whether there is such a place, with rows or without."""

    def lying(self, group: Literal["period", "incident"]) -> list[Lying]:
        """Return all that lies where the places of a group lie, whether it should or not."""

    def size_bytes(self, place: Place) -> int:
        """Return what it takes on the disk; 0 where it does not exist."""

    def stamp(self, place: Place) -> str:
        """Return what is another after each ordinary change, quick to tell; empty where it does not exist."""

    def make(self, place: Place) -> None:
        """Make an empty place under its key, which is there; nothing where it exists."""

    def writer(self, place: Place, resolvers: Resolvers) -> Writer:
        """Open a place for writing, under its key, which is there. Locked, shared.

        Args:
            place: which one; it is made where it does not exist.
            resolvers: asked once per distinct agent and address.
        """

    def reader(self, place: Place) -> AbstractContextManager[Reader | None]:
        """Open a place as of one instant; None where nothing was ever stored in it. Locked, shared."""

    def read(self, place: Place, work: Callable[[Reader | None], T]) -> T:
        """Return what some work with a place came to, as of one instant; None is where nothing was ever stored.

        The same as within `reader`, and cheaper where a backend knows how: the work may be done a second time,
        where the place changed under it. Locked, shared.
        """

    def may_match(self, places: Sequence[Place], filters: Filters, *, limit: Limit) -> list[Place]:
        """Return, in their order, those of some sealed places that a search has to open. Not locked.

        One that is left out was whole at an instant within the call, and had neither a row that meets the filters
        nor a gap that touches their time. What is gone, or can't be told without opening it, is not left out.
        TimeIsUp is raised where the limit passed.
        """

    def copy(self, place: Place) -> CopyWriter:
        """Begin an incident's copy in a place that does not exist yet, under its key, which is there."""

    def seal(self, place: Place) -> Contents:
        """Make it what nobody writes, durably, and return what it holds. Locked, exclusive."""

    def file_hash(self, place: Place) -> str:
        """Return what `seal` would say of what is there now; another content has another. Locked."""

    def write_anew(
        self,
        old: Place,
        fresh: Place,
        *,
        address: Callable[[bytes], bytes] | None = None,
        left_out: RowsOf | None = None,
    ) -> Rewritten:
        """Write the rows of one place into another, under a new key that is made, and seal it.

        A draft that an earlier attempt left there is thrown away first. Nothing is changed in the old place,
        which the caller keeps others from writing to.

        Args:
            old, fresh: from, and to.
            address: what becomes of each packed address; None = it stays as it is.
            left_out: rows that do not go along; None = all go.
        """

    def check(
        self, place: Place, noted: NotedHeads, *, is_sealed: bool, advance: Callable[[float], None]
    ) -> Checked:
        """Read every row, and hold it against the digests: its own, and each head that was noted. Locked, shared.

        Args:
            place: which one.
            noted: by lane and batch, of its present generation.
            is_sealed: nothing may lie beside it that could change what is read.
            advance: called with the share that was read since the last call; they add up to at most 1.
        """

    def discard(self, place: Place) -> None:
        """Throw away a draft, its key first."""

    def remove(self, place: Place) -> Iterator[str]:
        """Remove a place whose key is destroyed, yielding after each step what is durable by then.

        With the last step it is proven that nothing of it is left. Locked, exclusive, or known to be a remainder.
        """

    def mark_draft(self, place: Place) -> None:
        """Mark a place that is about to be made as one that no entry knows of yet, durably."""

    def unmark(self, place: Place) -> None:
        """Take the mark away, durably."""

    def close(self) -> None:
        """Let go of connections."""
