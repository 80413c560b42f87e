"""Writing an incident's copy on a server: rows as a search found them, under a key and a digest of their own.

Owns turning a found row back into numbers. Nothing is resolved anew: what the period said of a device or a place
is evidence of that day. Request ids stay the same. A search gives rows by time, and so one segment's frames come
in any order: those of each page are a part of the segment with a number of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.addresses import pack_address
from consentkit.archive.store.server.chain import Lane, unchained
from consentkit.archive.store.server.engine import Outrun, Row
from consentkit.archive.store.server.words import Agent, Client, Referrer, Resource
from consentkit.errors import StorageError
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES
from consentkit.requestlog.redact import flag_bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from consentkit.archive.store.interface import FoundRequest
    from consentkit.archive.store.places import Found, Place
    from consentkit.archive.store.server.engine import Addition, Engine, Kind, Word
    from consentkit.archive.store.server.words import Content, Words
    from consentkit.requestlog.record import Gap

# Values remembered; past it the memory is emptied, and their words are sent again.
_REMEMBERED: Final = 50_000

# Gaps come from many segments and are nobody's request: they stand under one that no worker has.
_OF_GAPS: Final = ("gaps", 0)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ServerCopy:
    """An incident's place, open for writing by the only process that knows of it.

    Args:
        engine: the server.
        place: which one; it is made.
        words: of the place.

    Raises:
        StorageError: from every method: the server refused, and the draft is useless.
    """

    def __init__(self, engine: Engine, place: Place, words: Words) -> None:
        self._engine = engine
        self._place = place
        self._words = words
        self._lane = Lane(words.digest_key, "")
        self._pages = 0
        self._known: dict[Content, int] = {}
        self._fresh: list[Word] = []
        engine.make(place.key_name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._known.clear()

    def add(self, page: Sequence[Found]) -> None:
        """Add rows, oldest first, each page later than the one before; those of one segment make a batch."""
        self._pages += 1
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        parts = [(*_frame(found), cursor.time_us, found) for cursor, found in page]
        parts.sort(key=itemgetter(0, 1, 2))
        additions = []
        for (worker, number), own in groupby(parts, key=itemgetter(0, 1)):
            segment = self._words.segment(worker, number, part=self._pages)
            rows = [self._row(segment, sequence, time_us, found) for *_, sequence, time_us, found in own]
            batch = unchained(worker, number, segment, rows[0].sequence, rows[-1].sequence + 1)
            additions.append(self._lane.chained(batch, self._fresh, rows, []))
            self._fresh = []
        self._append(additions)

    def finish(self, gaps: Iterable[Gap]) -> None:
        """Add what was lost in the time asked for; nothing is added after."""
        segment = self._words.segment(*_OF_GAPS)
        rows = [self._words.seal_gap(segment, sequence, gap) for sequence, gap in enumerate(gaps)]
        if rows:
            self._append([self._lane.chained(unchained(*_OF_GAPS, segment, 0, len(rows)), [], [], rows)])

    def _append(self, additions: Sequence[Addition]) -> None:
        try:
            self._engine.append(self._place.key_name, additions)
        except Outrun:
            raise StorageError(self._place.name, "another writes to this copy") from None

    def _row(self, segment: int, sequence: int, time_us: int, found: FoundRequest) -> Row:
        path, mark, query = found.url.partition("?")
        client = Client(
            pack_address(found.client_address),
            pack_address(found.peer_address),
            ADDRESS_SOURCES.index(found.address_source),
            found.country,
            found.city,
        )
        named = found.device, found.device_type, found.browser, found.browser_version, found.os, found.os_version
        flags = flag_bits(found.query_flags)
        resource = Resource(found.method, found.scheme, found.host, path, query if mark else None, flags)
        return Row(
            time_us,
            segment,
            sequence,
            self._number("client", client),
            self._number("agent", Agent(found.user_agent, *named)),
            self._number("resource", resource),
            self._number("referrer", Referrer(found.referrer_host)),
            found.status * 4 + OUTCOMES.index(found.outcome),
            found.bytes_sent,
            found.duration_us,
            _microseconds(found.claimed_time) if found.claimed_time else -1,
        )

    def _number(self, kind: Kind, content: Content) -> int:
        known = self._known.get(content)
        if known is None:
            word = self._words.word(kind, content)
            self._fresh.append(word)
            known = self._known[content] = word.number
        return known


def _frame(found: FoundRequest) -> tuple[str, int, int]:
    worker, segment, sequence = found.request_id.rsplit("-", 2)
    return worker, int(segment), int(sequence)


def _microseconds(time: str) -> int:
    return (datetime.fromisoformat(time) - _EPOCH) // timedelta(microseconds=1)
