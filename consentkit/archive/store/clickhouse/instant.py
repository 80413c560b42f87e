"""One place as of one instant, in a database that has no snapshots.

Owns the proof. A batch is one block with its rows, so the marks at the opening say which rows were in. Most places
never change while they are read: a count is asked as if nothing came, and then it is asked whether a batch did.
Batches are never taken away, so as many as at the opening are the same ones, and all that the count can have seen.
Else it is counted anew, with a condition that each row is below its segment's mark; that costs a look-up per row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

from consentkit.archive.store.clickhouse.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consentkit.archive.store.clickhouse.conditions import Condition
    from consentkit.archive.store.clickhouse.reading import Segment
    from consentkit.archive.store.clickhouse.shards import Shards
    from consentkit.archive.store.server.engine import GapRow, Kind, Wanted

T = TypeVar("T")


class Instant(Reading):
    """One place, as it is now.

    Args:
        shards: where it is.
        place: its name; what is asked of others is asked as ever.
    """

    def __init__(self, shards: Shards, place: str) -> None:
        super().__init__(shards)
        self._place = place
        self._then: list[Segment] = super().segments(place)
        self._batches = sum(one.batches for one in self._then)
        self._has_grown = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no batch."""
        return not self._then

    def segments(self, place: str, *, newest: int = 0, among: Sequence[int] | None = None) -> list[Segment]:
        """Return the segments that had batches."""
        wanted = None if among is None else set(among)
        found = [one for one in self._then if wanted is None or one.segment in wanted]
        return found[:newest] if newest else found

    def gaps(self, place: str, since_us: int, until_us: int) -> Iterator[tuple[str, int, GapRow]]:
        """Yield the gaps that touch a time; most places have none, and are not asked."""
        if any(one.gaps for one in self._then):
            yield from super().gaps(place, since_us, until_us)

    def count(self, place: str, wanted: Wanted) -> int:
        """Count matching rows."""
        return self._as_opened(lambda: super(Instant, self).count(place, wanted))

    def nth_time(self, place: str, wanted: Wanted, skipped: int) -> int | None:
        """Return the time of the newest matching row after so many; None where there are no more."""
        return self._as_opened(lambda: super(Instant, self).nth_time(place, wanted, skipped))

    def counts(
        self, place: str, wanted: Wanted, by: Kind | Literal["status", "outcome"] | tuple[Literal["step"], int]
    ) -> list[tuple[int, int]]:
        """Count matching rows by a column, or by steps of time of so many microseconds since 1970."""
        return self._as_opened(lambda: super(Instant, self).counts(place, wanted, by))

    def counts_by_status(self, place: str, step_us: int) -> list[tuple[int, int, int]]:
        """Count all rows by step and class of status (0 = none of 1 to 5), in that order."""
        return self._as_opened(lambda: super(Instant, self).counts_by_status(place, step_us))

    def alike(
        self, place: str, since_us: int, until_us: int, bounds_us: Sequence[int]
    ) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield client, agent, resource, result, class of duration and count of the rows of a time."""
        self._has_grown = True  # what was yielded can't be asked for again
        yield from super().alike(place, since_us, until_us, bounds_us)

    def _as_opened(self, ask: Callable[[], T]) -> T:
        if not self._has_grown:
            answer = ask()
            self._has_grown = self.count_batches(self._place) != self._batches
            if not self._has_grown:
                return answer
        return ask()

    def _counted(self, place: str, wanted: Wanted) -> Condition:
        condition = super()._counted(place, wanted)
        if self._has_grown:
            condition.below({one.segment: one.mark for one in self._then})
        return condition
