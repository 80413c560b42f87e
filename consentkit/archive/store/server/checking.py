"""Whether a place on a server is what was written to it: every word, row, gap and batch, held against the chain.

Owns the order of questions; the first that fails is told.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from consentkit.archive.store.places import Checked
from consentkit.archive.store.server.batches import Ledger
from consentkit.archive.store.server.chain import START, contents_digest, extend
from consentkit.archive.store.server.contents import contents_of
from consentkit.archive.store.server.engine import KINDS
from consentkit.archive.store.server.wanting import ALL
from consentkit.archive.store.server.words import BadWord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.store.places import NotedHeads, Place
    from consentkit.archive.store.server.engine import BatchRow, Engine, Kind, Row
    from consentkit.archive.store.server.words import Words


def check(
    engine: Engine,
    place: Place,
    words: Words,
    noted: NotedHeads,
    *,
    is_sealed: bool,
    advance: Callable[[float], None],
) -> Checked:
    """Read all of a place, and hold it against its chain and the heads that were noted of it.

    Args:
        engine: the server.
        place: which one.
        words: of the place.
        noted: by lane and batch.
        is_sealed: nobody writes to it: rows of an `append` that broke off may not be there either.
        advance: called with the share that was read since the last call.

    Raises:
        StorageError: the server refused.
    """
    checking = _Checking(engine, place, words, advance)
    fault = next(checking.faults(noted), "")
    there = engine.count(place.key_name, ALL) if is_sealed and not fault else checking.rows
    if there != checking.rows:
        fault = f"{there - checking.rows} of its rows belong to no batch: added by another hand"
    return Checked(checking.rows, fault, contents_of(engine, place).file_hash)


class _Checking:
    """One check of one place."""

    def __init__(self, engine: Engine, place: Place, words: Words, advance: Callable[[float], None]) -> None:
        self._engine = engine
        self._name = place.key_name
        self._words = words
        self._advance = advance
        self._strays = 0
        self._referred_to: dict[Kind, set[int]] = {kind: set() for kind in KINDS}
        self.rows = 0

    def faults(self, noted: NotedHeads) -> Iterator[str]:
        """Yield what does not hold, as it is found."""
        ledger = Ledger(self._engine.batches(self._name))  # before rows and words, which may become more meanwhile
        contents = self._contents(ledger)
        if contents is None:
            yield "one of its gaps was changed from outside"
            return
        for lane, own in groupby(self._engine.batches(self._name), key=lambda batch: batch.lane):
            yield from self._of_lane(own, ledger.lanes.get(lane, range(0)), contents, noted)
        yield from _missing(ledger, noted)
        if self._strays:
            yield f"{self._strays} of its rows belong to no batch: added by another hand"
        yield from self._of_words()

    def _contents(self, ledger: Ledger) -> bytearray | None:
        """Return the digests of what came by each batch, one after the other; None where a gap does not open."""
        key, share = self._words.digest_key, 1 / max(len(ledger), 1)
        contents = bytearray(len(ledger) * len(START))
        try:
            for batch, rows, gaps in ledger.brought(self._engine, self._name, self._stray):
                for gap in gaps:
                    self._words.open_gap(gap)
                self._refer(rows)
                self.rows += len(rows)
                contents[batch * len(START) : (batch + 1) * len(START)] = contents_digest(key, rows, gaps)
                self._advance(share)
        except BadWord:
            return None
        return contents

    def _stray(self, count: int) -> None:
        self._strays += count

    def _refer(self, rows: list[Row]) -> None:
        for kind, known in self._referred_to.items():
            known.update([getattr(row, kind) for row in rows])

    def _of_lane(
        self, batches: Iterator[BatchRow], places: range, contents: bytearray, noted: NotedHeads
    ) -> Iterator[str]:
        """Chain one lane's batches anew, and hold the heads against those named and noted."""
        head, held = START, 0
        own_fault = ""
        for place, batch in zip(places, batches, strict=False):  # what was added meanwhile is not looked at
            lane, expected = batch.lane, place - places.start + 1
            if batch.number != expected:
                yield f"batch {expected}{_of(lane)} is missing"
                return
            brought = bytes(contents[place * len(START) : (place + 1) * len(START)])
            head = extend(self._words.digest_key, head, batch, brought)
            note = noted.get((lane, batch.number))
            if note is not None and note.head != head.hex():
                what = _batches(held + 1, batch.number)
                yield f"its rows of {what}{_of(lane)} are not those noted in entry {note.entry}"
            elif note is not None:
                held = batch.number
            if head != batch.digest and not own_fault:
                own_fault = f"its rows after batch {held}{_of(lane)} are not those that its own digest names"
        if own_fault:
            yield own_fault

    def _of_words(self) -> Iterator[str]:
        """Open every word, and look for those that rows refer to."""
        for kind, referred_to in self._referred_to.items():
            for word in self._engine.words(self._name, kind):
                try:
                    self._words.open(word)
                except BadWord:
                    yield "one of its words was changed from outside"
                    return
                referred_to.discard(word.number)
        if missing := sum(map(len, self._referred_to.values())):
            yield f"{missing} of the words that its rows refer to are missing"


def _missing(ledger: Ledger, noted: NotedHeads) -> Iterator[str]:
    """Tell of a head that was noted of a batch which is not there; batch 0 is the empty lane."""
    lost = [
        (batch, lane, one.entry)
        for (lane, batch), one in noted.items()
        if batch > len(ledger.lanes.get(lane, range(0)))
    ]
    if lost:
        batch, lane, entry = max(lost)
        yield f"batch {batch}{_of(lane)}, noted in entry {entry}, is missing: an older copy, or cut off"


def _batches(first: int, last: int) -> str:
    return f"batch {last}" if first == last else f"batches {first} to {last}"


def _of(lane: str) -> str:
    return f" of host {lane}" if lane else ""
