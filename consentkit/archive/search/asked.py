"""What a search asks for, and what one place has of it.

Owns the order of rows and the arithmetic of pages: what is whole up to where, and what comes next.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.store.interface import Cursor, Filters
from consentkit.archive.store.places import TimeIsUp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consentkit.archive.period import Period
    from consentkit.archive.search.deadline import Deadline
    from consentkit.archive.store.places import Found, RowsOf
    from consentkit.archive.store.requeststore import Reader

_FAR_US: Final = 2**63


class Part(NamedTuple):
    """The next rows that one place has.

    Attributes:
        rows: in order.
        edge: all rows up to here are among them; None = there are no more.
    """

    rows: list[Found]
    edge: Cursor | None


class Asked(NamedTuple):
    """What is asked for; as `Archive.search` has it.

    Attributes:
        is_done: as many rows were given as were wanted.
    """

    filters: Filters
    limit: int
    before: Cursor | None
    after: Cursor | None
    oldest_first: bool
    is_done: bool = False

    @property
    def nowhere(self) -> Cursor:
        """The edge of a place of which nothing was read."""
        return Cursor(-_FAR_US if self.oldest_first else _FAR_US)

    def start(self, *, latest_us: int) -> Cursor:
        """Return the place before the first row; without a bound, `latest_us` stands for the newest."""
        if self.oldest_first:
            return self.after or Cursor(self.filters.since_us)
        return self.before or Cursor(min(self.filters.until_us, latest_us))

    def end_of(self, periods: Sequence[Period]) -> Cursor:
        """Return the place after the last row of periods."""
        if self.oldest_first:
            return Cursor(max(period.until_us for period in periods))
        return Cursor(min(period.since_us for period in periods))

    def touches(self, period: Period) -> bool:
        """Tell whether a row of the period could be asked for."""
        until_us, since_us = self.filters.until_us, self.filters.since_us
        if self.before is not None:
            until_us = min(until_us, self.before.time_us + 1)
        if self.after is not None:
            since_us = max(since_us, self.after.time_us)
        return period.since_us < until_us and period.until_us > since_us

    def going_on_after(self, place: Cursor) -> Asked:
        """Return what is left when all up to a place has been given."""
        return self._replace(after=place) if self.oldest_first else self._replace(before=place)

    def less(self, rows: int) -> Asked:
        """Return what is left when so many rows have been given."""
        left = self.limit - rows
        return self._replace(limit=left, is_done=left == 0) if self.limit else self

    def rows(
        self,
        reader: Reader,
        size: int,
        deadline: Deadline,
        withheld: Sequence[RowsOf] = (),
    ) -> Part:
        """Return the next rows of one place, as far as the time goes, without those that are withheld."""
        rows: list[Found] = []
        edge = self.nowhere

        def reached(time_us: int) -> None:
            nonlocal edge
            edge = Cursor(time_us)

        try:
            with reader.limited(deadline):
                for found in reader.rows(
                    self.filters,
                    limit=size,
                    before=self.before,
                    after=self.after,
                    oldest_first=self.oldest_first,
                    reached=reached,
                    withheld=withheld,
                ):
                    rows.append(found)
                    edge = found[0]
        except TimeIsUp:
            return Part(rows, edge)
        return Part(rows, edge if len(rows) == size else None)


def together(parts: Iterable[Part], size: int, *, oldest_first: bool) -> Part:
    """Return the next rows of several places that are read at once, at most `size`.

    Where one place is known up to its edge only, what another has beyond it must wait.
    """
    known = list(parts)
    edges = [part.edge for part in known if part.edge is not None]
    rows = sorted((row for part in known for row in part.rows), key=itemgetter(0), reverse=not oldest_first)
    edge: Cursor | None = None
    if edges:
        edge = nearest = min(edges) if oldest_first else max(edges)
        rows = [row for row in rows if (row[0] <= nearest if oldest_first else row[0] >= nearest)]
    if len(rows) > size:
        edge = rows[size - 1][0]
    return Part(rows[:size], edge)
