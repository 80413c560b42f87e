"""Writing a place's rows into another under a new key.

Owns the copy: words get new numbers, addresses are changed on the way and what becomes equal becomes one word,
rows are left out with the words that nobody else refers to, and all batches are chained anew in one lane without
a name. Marks go along whole, so that exactly-once holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.store.server.batches import Ledger
from consentkit.archive.store.server.chain import Lane, unchained
from consentkit.archive.store.server.engine import KINDS, Outrun
from consentkit.archive.store.server.wanting import ALL, wanted_rows
from consentkit.archive.store.server.words import BadWord, Client
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.store.places import Place, RowsOf
    from consentkit.archive.store.server.batches import Brought
    from consentkit.archive.store.server.engine import Addition, BatchRow, Engine, GapRow, Kind, Row, Wanted, Word
    from consentkit.archive.store.server.vocabulary import Vocabulary
    from consentkit.archive.store.server.words import Words

# Rows that go to the server at once, or so many batches where they are small.
_ROWS_AT_ONCE: Final = 10_000
_BATCHES_AT_ONCE: Final = 1_000

# Numbers of a kind whose new ones are remembered; past it they are found again by their values.
_REMEMBERED: Final = 200_000


class Source:
    """The place that is read.

    Args:
        place: which one.
        words: of it.
        vocabulary: of it.
        left_out: rows that do not go along; None = all go.
    """

    def __init__(self, place: Place, words: Words, vocabulary: Vocabulary, left_out: RowsOf | None) -> None:
        self.place = place
        self.words = words
        self.vocabulary = vocabulary
        wanted = wanted_rows(vocabulary, left_out) if left_out is not None else None
        self._left_out = None if wanted is None else _LeftOut(wanted)

    def kept(self, rows: list[Row]) -> list[Row]:
        """Return the rows that go along."""
        left_out = self._left_out
        return rows if left_out is None else [row for row in rows if not left_out.holds(row)]


class _LeftOut:
    """Rows that do not go along."""

    def __init__(self, wanted: Wanted) -> None:
        self._since_us, self._until_us = wanted.since_us, wanted.until_us
        self._among = [(kind, frozenset(numbers)) for kind, numbers in wanted.all_of]

    def holds(self, row: Row) -> bool:
        """Tell whether a row is one of them."""
        return self._since_us <= row.time_us < self._until_us and all(
            getattr(row, kind) in numbers for kind, numbers in self._among
        )


class Rewriting:
    """One copy from a place into another, which is made and empty.

    Args:
        engine: the server.
        source: what is read.
        fresh: what is written.
        words: of that one.
        address: what becomes of each packed address; None = it stays as it is.
    """

    def __init__(
        self,
        engine: Engine,
        source: Source,
        fresh: Place,
        words: Words,
        address: Callable[[bytes], bytes] | None,
    ) -> None:
        self._engine = engine
        self._source = source
        self._fresh = fresh.key_name
        self._words = words
        self._address = address
        self._ledger = Ledger([])
        self._lane = Lane(words.digest_key, "")
        self._moved: dict[Kind, dict[int, int]] = {kind: {} for kind in KINDS}

    def copy(self) -> int:
        """Copy all that goes along, and return how many rows did not.

        Raises:
            StorageError: the server refused, or what is there is not whole; what was written is useless.
        """
        name = self._source.place.key_name
        self._ledger = Ledger(self._engine.batches(name))
        waiting: list[Brought] = []
        kept = rows = 0
        for one in self._ledger.brought(self._engine, name, self._refuse):
            own = one._replace(rows=self._source.kept(one.rows))
            rows += len(one.rows)
            kept += len(own.rows)
            waiting.append(own)
            if len(waiting) >= _BATCHES_AT_ONCE or sum(len(each.rows) for each in waiting) >= _ROWS_AT_ONCE:
                self._append(waiting)
                waiting = []
        self._append(waiting)
        if (written := self._engine.count(self._fresh, ALL)) != kept:
            raise StorageError(self._source.place.name, f"{written} of {kept} rows were written anew")
        return rows - kept

    def _refuse(self, strays: int) -> None:
        if strays:
            raise StorageError(
                self._source.place.name, f"can't be written anew: {strays} of its rows belong to no batch"
            )

    def _append(self, waiting: list[Brought]) -> None:
        words = self._move([row for one in waiting for row in one.rows])
        additions: list[Addition] = []
        for batch, rows, gaps in waiting:
            moved = self._batch(batch)
            moved_rows = [self._row(row, moved.segment) for row in rows]
            moved_gaps = [self._gap(gap, moved.segment) for gap in gaps]
            additions.append(self._lane.chained(moved, words, moved_rows, moved_gaps))
            words = []
        if not additions:
            return
        try:
            self._engine.append(self._fresh, additions)
        except Outrun:
            raise StorageError(self._source.place.name, "another writes it anew at the same time") from None

    def _batch(self, batch: int) -> BatchRow:
        own, first_sequence, next_sequence = self._ledger.span(batch)
        worker, number = self._ledger.origins[own]
        is_whole = own == self._source.words.segment(worker, number)
        segment = self._words.segment(worker, number, part=0 if is_whole else own)
        return unchained(worker, number, segment, first_sequence, next_sequence)

    def _row(self, row: Row, segment: int) -> Row:
        moved = self._moved
        return row._replace(
            segment=segment,
            client=moved["client"][row.client],
            agent=moved["agent"][row.agent],
            resource=moved["resource"][row.resource],
            referrer=moved["referrer"][row.referrer],
        )

    def _gap(self, row: GapRow, segment: int) -> GapRow:
        try:
            return self._words.seal_gap(segment, row.sequence, self._source.words.open_gap(row))
        except BadWord:
            raise StorageError(self._source.place.name, "a gap was changed from outside") from None

    def _move(self, rows: list[Row]) -> list[Word]:
        """Give new numbers to what rows refer to, and return the words that weren't given out yet."""
        fresh: dict[tuple[Kind, int], Word] = {}
        for kind, moved in self._moved.items():
            if len(moved) > _REMEMBERED:
                moved.clear()
            unknown = {getattr(row, kind) for row in rows} - moved.keys()
            for number, content in self._source.vocabulary.contents(kind, sorted(unknown)).items():
                own = content
                if isinstance(content, Client) and self._address is not None:
                    address, peer = self._address(content.address), self._address(content.peer)
                    own = content._replace(address=address, peer=peer)
                word = self._words.word(kind, own)
                moved[number] = word.number
                fresh[kind, word.number] = word
        return list(fresh.values())
