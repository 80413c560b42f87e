"""Reading one place on a server, as of the instant at which it was opened.

Owns `Reader` over what an engine opened: filters become numbers by the place's words, and what comes back becomes
words again. Rows are those below the marks of that instant; of counts the engine sees to it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.addresses import unpack_address
from consentkit.archive.store.places import HourRequest, HourWords
from consentkit.archive.store.server.paging import Bounds, Paging
from consentkit.archive.store.server.segments import Segments
from consentkit.archive.store.server.vocabulary import Vocabulary
from consentkit.archive.store.server.wanting import ALL, wanted_of, wanted_rows
from consentkit.archive.store.server.words import Agent, BadWord, Client, Resource
from consentkit.archive.store.sqlite.counts import COLUMNS
from consentkit.errors import StorageError
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consentkit.archive.store.interface import Cursor, Filters
    from consentkit.archive.store.places import By, Found, Marks, Place, RowsOf
    from consentkit.archive.store.requeststore import Limit
    from consentkit.archive.store.server.dictionary import Dictionary
    from consentkit.archive.store.server.engine import GapRow, Kind, Reading, Wanted
    from consentkit.archive.store.server.words import Content, Words
    from consentkit.requestlog.record import Gap

_HOUR_US: Final = 3_600_000_000

# The statistics look at the first part of a path, and no further than to tell that it is no word.
_PATH_CHARACTERS: Final = 42

# One person holds all addresses of an IPv6 /64 (RFC 6177), and takes another of them at will (RFC 8981).
_NETWORK_BYTES: Final = 8


class ServerReader:
    """One place, open for reading.

    Args:
        reading: the server, as of one instant.
        place: which one.
        words: of the place.
        dictionary: of the place, which may be behind.

    Raises:
        StorageError: from every method: the server refused, or what it gave was changed.
        TimeIsUp: where a limit passed.
    """

    def __init__(self, reading: Reading, place: Place, words: Words, dictionary: Dictionary) -> None:
        self.place = place
        self._reading = reading
        self._name = place.key_name
        self._words = words
        self._vocabulary = Vocabulary(reading, self._name, words, dictionary, check=self._check)
        self._segments = Segments(reading, self._name)
        self._limit: Limit | None = None

    @contextlib.contextmanager
    def limited(self, limit: Limit) -> Iterator[None]:
        """End what is asked within the block when the limit passes, by `TimeIsUp`."""
        self._limit = limit
        try:
            with self._reading.limited(limit):
                yield
        finally:
            self._limit = None

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
        """Yield matching rows."""
        wanted = self._wanted(filters, withheld)
        if wanted is None:
            return
        since_us, until_us = wanted.since_us, wanted.until_us
        if before is not None:
            until_us = min(until_us, before.time_us + (before.tie >= 0))
        if after is not None:
            since_us = max(since_us, after.time_us)
        paging = Paging(self._reading, self._name, wanted, oldest_first=oldest_first)
        bounds = Bounds(since_us, until_us, before, after)
        yield from paging.found(self._vocabulary, self._segments, bounds, limit, reached)

    def count_withheld(self, filters: Filters, withheld: Sequence[RowsOf]) -> int:
        """Return how many rows match, and are left out all the same."""
        every, shown = self._wanted(filters), self._wanted(filters, withheld)
        if every is None or shown is None or not shown.none_of:
            return 0
        since_us = max(every.since_us, min(one.since_us for one in shown.none_of))
        until_us = min(every.until_us, max(one.until_us for one in shown.none_of))
        with_them, without = (
            self._reading.count(self._name, wanted._replace(since_us=since_us, until_us=until_us))
            for wanted in (every, shown)
        )
        return with_them - without

    def edge(self, filters: Filters, rows: int, *, withheld: Sequence[RowsOf] = ()) -> int | None:
        """Return the time from which on at most so many of the newest rows match; None where no more match."""
        wanted = self._wanted(filters, withheld)
        time_us = None if wanted is None else self._reading.nth_time(self._name, wanted, rows)
        return None if time_us is None else time_us + 1

    def counts(self, filters: Filters, by: By, *, withheld: Sequence[RowsOf] = ()) -> dict[str, int]:
        """Count matching rows by a value."""
        wanted = self._wanted(filters, withheld)
        if wanted is None:
            return {}
        if by == "status":
            return {str(status): count for status, count in self._reading.counts(self._name, wanted, "status")}
        kind, field = COLUMNS[by]
        found = self._reading.counts(self._name, wanted, kind)
        contents = self._vocabulary.contents(kind, [number for number, _ in found])
        counts: Counter[str] = Counter()
        for number, count in found:
            value = getattr(contents[number], field)
            counts[unpack_address(value) if isinstance(value, bytes) else str(value)] += count
        return dict(counts)

    def counts_over_time(
        self, filters: Filters, step_us: int, *, withheld: Sequence[RowsOf] = ()
    ) -> dict[int, int]:
        """Count matching rows by the number of the step since 1970 in which they lie."""
        wanted = self._wanted(filters, withheld)
        return {} if wanted is None else dict(self._reading.counts(self._name, wanted, ("step", step_us)))

    def counts_by_status(self, step_us: int) -> list[tuple[int, int, int]]:
        """Count all rows by step and class of status."""
        return self._reading.counts_by_status(self._name, step_us)

    def clients(self) -> int:
        """Return how many addresses there are."""
        numbers = [number for number, _ in self._reading.counts(self._name, ALL, "client")]
        contents = self._vocabulary.contents("client", numbers)
        return len({client.address for client in contents.values() if isinstance(client, Client)})

    def count_of(self, rows: RowsOf) -> int:
        """Return how many rows are somebody's."""
        wanted = wanted_rows(self._vocabulary, rows)
        return 0 if wanted is None else self._reading.count(self._name, wanted)

    def gaps(self, filters: Filters) -> dict[FrameId, Gap]:
        """Return the gaps that touch the time of a search, by the frame that told each."""
        since_us, until_us = max(filters.since_us, 0), max(filters.until_us, 0)
        found = self._reading.gaps(self._name, since_us, until_us)
        return {FrameId(worker, number, row.sequence): self._gap(row) for worker, number, row in found}

    def marks(self, newest: int = 0) -> Marks:
        """Return the marks, by worker and segment."""
        return self._reading.marks(self._name, newest=newest)

    def measure(self) -> tuple[int, int | None]:
        """Return how many requests there are, and the time of the first."""
        ends = self._reading.ends(self._name, ALL.since_us, ALL.until_us)
        return self._reading.count(self._name, ALL), None if ends is None else ends[0]

    def measure_hour(self, hour_us: int) -> tuple[int, int]:
        """Return how many requests one hour has, and how many are known to be lost."""
        until_us = hour_us + _HOUR_US
        gaps = [self._gap(row) for _, _, row in self._reading.gaps(self._name, hour_us, until_us)]
        lost = sum(gap.lost for gap in gaps if hour_us <= gap.until_us < until_us)
        return self._reading.count(self._name, ALL._replace(since_us=hour_us, until_us=until_us)), lost

    def hour_words(self, hour_us: int) -> HourWords:
        """Return what the numbers of one hour's requests stand for, the most frequent first."""
        agents = {number: _named(content) for number, content in self._of_hour(hour_us, "agent").items()}
        resources = {number: _path(content) for number, content in self._of_hour(hour_us, "resource").items()}
        return HourWords(agents, resources)

    def hour_requests(self, hour_us: int, bounds_us: Sequence[int]) -> Iterator[HourRequest]:
        """Yield the requests of one hour, those that are alike together."""
        clients = self._of_hour(hour_us, "client")
        for number, agent, resource, result, duration_class, requests in self._reading.alike(
            self._name, hour_us, hour_us + _HOUR_US, bounds_us
        ):
            network, country = _client(clients[number])
            yield HourRequest(network, country, agent, resource, *divmod(result, 4), duration_class, requests)

    def _of_hour(self, hour_us: int, kind: Kind) -> dict[int, Content]:
        """Return the words that the rows of an hour have, the most frequent first."""
        wanted = ALL._replace(since_us=hour_us, until_us=hour_us + _HOUR_US)
        counts = sorted(self._reading.counts(self._name, wanted, kind), key=lambda one: (-one[1], one[0]))
        contents = self._vocabulary.contents(kind, [number for number, _ in counts])
        return {number: contents[number] for number, _ in counts}

    def _wanted(self, filters: Filters, withheld: Sequence[RowsOf] = ()) -> Wanted | None:
        return wanted_of(self._vocabulary, filters, withheld)

    def _check(self) -> None:
        if self._limit is not None:
            self._limit.check()

    def _gap(self, row: GapRow) -> Gap:
        try:
            return self._words.open_gap(row)
        except BadWord:
            raise StorageError(self.place.name, "a gap was changed from outside") from None


def _named(content: Content) -> tuple[str, str, str]:
    return (content.device_type, content.browser, content.os) if isinstance(content, Agent) else ("", "", "")


def _path(content: Content) -> tuple[str, str]:
    return (content.method, content.path[:_PATH_CHARACTERS]) if isinstance(content, Resource) else ("", "")


def _client(content: Content) -> tuple[bytes, str]:
    if not isinstance(content, Client):
        return b"", ""
    is_network = len(content.address) > _NETWORK_BYTES
    return content.address[:_NETWORK_BYTES] if is_network else content.address, content.country
