"""Search over all that is kept: sealed and open periods, and what is still in the spool.

Owns the order in which places are read, so that a row which moves from the spool to its period meanwhile
is neither missed nor shown twice, and letting go of each place after a page, so that nobody who is slow to read
what he asked for keeps a period from being sealed or destroyed. Who may look, and its record in the audit, is
the caller's duty.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from copy import copy
from typing import TYPE_CHECKING, Final, Self

from consentkit.archive.filing import decided
from consentkit.archive.period import Catalogue, Period
from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.search.asked import Asked, Part, together
from consentkit.archive.search.deadline import Deadline
from consentkit.archive.search.gaps import in_order, waiting_gaps
from consentkit.archive.search.restricted import Restrictions
from consentkit.archive.search.sieve import Sieve
from consentkit.archive.search.stored import Stored
from consentkit.archive.search.waiting import Losses, Waiting
from consentkit.archive.spoolreader import SpoolReader
from consentkit.archive.store.places import TimeIsUp
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.interface import Cursor, Filters, Misfiled
    from consentkit.archive.store.places import Found
    from consentkit.archive.store.requeststore import Reader
    from consentkit.requestlog.record import Gap
    from consentkit.requestlog.segment import FrameId
    from consentkit.settings import Settings

PAGE_ROWS: Final = 1000

_DAY_US: Final = 86_400_000_000


class Archive:
    """The kept request log of one installation, open for reading.

    Args:
        settings: where it is, and the geo database for rows still in the spool.
        holdings: the store; its keys open what workers and periods hold.
        resolvers: for rows still in the spool; None = made when the first is met.
        case: of the look: rows that are restricted under this case are shown (GDPR art. 18(2)).
        shows_restricted: all rows, as for what is copied to be kept, or for the person's own answer.
    """

    def __init__(
        self,
        settings: Settings,
        holdings: Holdings,
        *,
        resolvers: Resolvers | None = None,
        case: str = "",
        shows_restricted: bool = False,
    ) -> None:
        self._settings = settings
        self.holdings = holdings
        self._catalogue = Catalogue(holdings.control, settings.requestlog.rotate)
        self._resolvers = [resolvers] if resolvers else []  # for this log's other views too
        self._case = case
        self._shows_restricted = shows_restricted
        self.stored = Stored(holdings, self._catalogue)

    def search(
        self,
        filters: Filters,
        *,
        limit: int,
        before: Cursor | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
        time_limit_seconds: float | None = None,
    ) -> Search:
        """Return matching requests, newest first, to be read one by one.

        No place is held between two of them. A request that comes in meanwhile may be missing.

        Args:
            filters: what to match.
            limit: at most so many; 0 = all.
            before, after: rows between these places alone, neither included.
            oldest_first: the other way round.
            time_limit_seconds: from the first row asked for; None = it may take for ever.

        Raises:
            StorageError: a period can't be read.
            KeyUnavailable: the key of a period that should be readable is missing.
        """
        asked = Asked(filters, limit, before, after, oldest_first)
        return Search(self, asked, time_limit_seconds)

    def gaps(self, filters: Filters, *, time_limit_seconds: float | None = None) -> list[Gap]:
        """Return what the log lost in the time of a search, oldest first.

        Args:
            filters: its time alone counts: what was lost has no path and no status.
            time_limit_seconds: what is found until then.

        Raises:
            StorageError, KeyUnavailable: as `search`.
        """

        def read(reader: Reader | None, _: Period) -> dict[FrameId, Gap]:
            return {} if reader is None else reader.gaps(filters)

        deadline = Deadline(time_limit_seconds)
        found: dict[FrameId, Gap] = {}
        with contextlib.suppress(TimeIsUp):
            found.update(waiting_gaps(self._spool(), filters, deadline))  # before the periods: as in a search
            for period in self.periods():  # a gap stands in the period in which it ended
                if period.until_us > filters.since_us:
                    found.update(self.stored.read(period, read, deadline=deadline) or {})
        return in_order(found)

    def for_case(self, case: str) -> Archive:
        """Return the same log for a look of a case: it sees what is restricted under it."""
        view = copy(self)
        view._case = case
        return view

    def unrestricted(self) -> Archive:
        """Return the same log with all its rows, for who copies them to be kept."""
        view = copy(self)
        view._shows_restricted = True
        return view

    def restrictions(self) -> Restrictions:
        """Return what is left out now."""
        if self._shows_restricted:
            return Restrictions()
        return Restrictions.present(self.holdings.control, self._case)

    def periods(self) -> list[Period]:
        """Return the periods as they are listed now, newest first."""
        return self._catalogue.list()

    def waiting(self, periods: list[Period], reader: SpoolReader | None = None) -> Waiting:
        """Return the spool, still to be loaded."""
        rotation = self._settings.requestlog.rotate
        return Waiting(reader or self._spool(), periods, rotation, self._resolving, self.decisions)

    def periods_of(self, filters: Filters, waiting: Waiting) -> list[Period]:
        """Return the periods in the time of a look, newest first; with those that are in the spool alone."""
        known = {period.name: period for period in (*self.periods(), *waiting.periods.values())}
        touching = filter(Asked(filters, 0, None, None, oldest_first=False).touches, known.values())
        return sorted(touching, key=lambda period: period.since_us, reverse=True)

    def sieve(self, filters: Filters, periods: Iterable[Period], waiting: Waiting, deadline: Deadline) -> Sieve:
        """Return what leaves out some of these periods, which were listed after the spool was loaded."""
        return Sieve(self.holdings.rows, filters, periods, waiting.periods, deadline)

    def decisions(self) -> dict[tuple[str, int], Misfiled]:
        """Return what was decided of segments with records whose time can't be true, by worker and number."""
        return decided(self._catalogue.control)

    def _spool(self) -> SpoolReader:
        return SpoolReader(self.holdings.directory, self.holdings.keyring)

    def _resolving(self) -> Resolvers:
        if not self._resolvers:
            # The tables of agents take longer to load than a search, and most meet nothing in the spool.
            from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers  # noqa: PLC0415

            log = self._settings.requestlog
            self._resolvers.append(Resolvers(AgentResolver(), PlaceResolver(log.geo_database, log.geo_precision)))
        return self._resolvers[0]


class Search:
    """The rows that one search finds, in order; they are found when they are asked for, a page at a time.

    Attributes:
        reached: where a search that its time limit ended goes on; None where it found all it was asked for.
        gaps: what was lost in the time that was searched so far, by the frame that tells it.
        losses: what of the spool could not be read; known when the first row was asked for.
        restricted: rows that match and may only be stored, in the periods that were searched so far.
    """

    def __init__(self, archive: Archive, asked: Asked, time_limit_seconds: float | None) -> None:
        self._archive = archive
        self._asked = asked
        self._seconds = time_limit_seconds
        self._rows = self._found()
        self.reached: Cursor | None = None
        self.losses = Losses()
        self.gaps: dict[FrameId, Gap] = {}
        self.restricted = 0
        self._restrictions = Restrictions()
        self._known_gaps: set[str] = set()
        self._counted: set[str] = set()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Found:
        return next(self._rows)

    def _found(self) -> Iterator[Found]:
        asked, deadline = self._asked, Deadline(self._seconds)
        place = asked.start(latest_us=time.time_ns() // 1000 + _DAY_US)
        try:
            # The spool first: a frame that is stored meanwhile is then in both places, and its period's mark
            # tells; the other way round it would be in neither.
            self._restrictions = self._archive.restrictions()
            waiting = self._archive.waiting(self._archive.periods())
            waiting.load(asked.filters, deadline)
            self.losses = waiting.losses
            self.gaps.update(waiting.gaps)
            groups = self._overlapping(waiting)
            sieve = self._archive.sieve(asked.filters, itertools.chain(*groups), waiting, deadline)
            for periods in groups:
                kept = [period for period in periods if sieve.keeps(period)]
                edge: Cursor | None = place if kept else None
                while edge is not None:
                    deadline.check()
                    part = self._page(kept, waiting, asked, deadline)
                    asked = asked.less(len(part.rows))
                    yield from part.rows
                    if asked.is_done:
                        return
                    if part.edge is not None:
                        asked, place = asked.going_on_after(part.edge), part.edge
                    edge = part.edge
                place = asked.end_of(periods)
        except TimeIsUp:
            self.reached = place

    def _overlapping(self, waiting: Waiting) -> list[list[Period]]:
        """Return the periods asked for, in order; those that overlap, after a change of rotation, together."""
        touching = filter(self._asked.touches, self._archive.periods_of(self._asked.filters, waiting))
        groups: list[list[Period]] = []
        until_us = 0
        for period in sorted(touching, key=lambda period: period.since_us):
            if groups and period.since_us < until_us:
                groups[-1].append(period)
            else:
                groups.append([period])
            until_us = max(until_us, period.until_us)
        return groups if self._asked.oldest_first else groups[::-1]

    def _page(self, periods: Sequence[Period], waiting: Waiting, asked: Asked, deadline: Deadline) -> Part:
        """Return the next rows of periods that overlap.

        Raises:
            TimeIsUp: nothing was reached within the time.
        """
        size = min(asked.limit or PAGE_ROWS, PAGE_ROWS)
        parts: list[Part] = []
        for period in periods:
            held = deadline.within(READER_SECONDS)

            def read(stored: Reader | None, present: Period, held: Deadline = held) -> Part:
                if stored is not None and present.name not in self._known_gaps:
                    self.gaps.update(stored.gaps(asked.filters))
                    self._known_gaps.add(present.name)
                readers = [one for one in (stored, waiting.rows(present, stored)) if one]
                self._count_restricted(present, readers)
                withheld = self._restrictions.of(present)
                of_both = [asked.rows(one, size, held, withheld) for one in readers]
                return together(of_both, size, oldest_first=asked.oldest_first)

            part = self._archive.stored.read(period, read, deadline=deadline)
            if part is not None:
                parts.append(part)
            if part is not None and part.edge == asked.nowhere:
                deadline.check()
                raise StorageError(period.file_name, "this search takes too long; ask for a shorter time")
        return together(parts, size, oldest_first=asked.oldest_first)

    def _count_restricted(self, period: Period, readers: list[Reader]) -> None:
        if period.name not in self._counted:
            counted = (self._restrictions.count(reader, period, self._asked.filters) for reader in readers)
            self.restricted += sum(counted)
            self._counted.add(period.name)


def pages(rows: Iterator[Found], size: int = PAGE_ROWS) -> Iterator[list[Found]]:
    """Cut rows into pages, each of which is audited before it is shown."""
    while page := list(itertools.islice(rows, size)):
        yield page
