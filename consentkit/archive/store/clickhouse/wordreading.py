"""What is asked of words: all of a kind, those that came since, and some by their numbers or lookups.

Leaves to `reading` what rows have of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.store.clickhouse.conditions import Condition
from consentkit.archive.store.clickhouse.ddl import BATCHES
from consentkit.archive.store.server.engine import KINDS, NOTHING_SEEN, Kind, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consentkit.archive.store.clickhouse.shards import Shards
    from consentkit.archive.store.server.engine import Seen

_WORD: Final = "kind, number, any(sealed), any(lookup)"


class _Lane(NamedTuple):
    number: int
    batch: int


class WordReading:
    """The words of one URL's tables, read.

    Args:
        shards: where they are.
    """

    def __init__(self, shards: Shards) -> None:
        self._server = shards.first
        self._request = f"{shards.database}.request"
        self._word = f"{shards.database}.word"

    def seen(self, place: str) -> Seen:
        """Return the last batch of each lane: words are stored before the batch that they came by."""
        found = self._server.read(
            f"SELECT client, max(time_us) FROM {self._request} WHERE {batches_of(place)} GROUP BY client", _Lane
        )
        return {str(lane): batch for lane, batch in found}

    def words(self, place: str, kind: Kind, *, beyond: Seen = NOTHING_SEEN) -> Iterator[Word]:
        """Yield the words of one kind, those that came since some were seen, each number once."""
        condition = self._of_kind(place, kind)
        for lane, batch in beyond.items():
            condition.and_(f"NOT (lane = {int(lane):d} AND batch <= {batch:d})")
        statement = f"SELECT {_WORD} FROM {self._word} WHERE {condition} GROUP BY kind, number"
        yield from self._server.stream(statement, _word)

    def words_by_number(self, place: str, kind: Kind, numbers: Sequence[int]) -> list[Word]:
        """Return those of some words that are there."""
        condition = self._of_kind(place, kind)
        condition.and_(condition.among("number", numbers))
        return self._words(condition)

    def words_by_lookup(self, place: str, lookups: Sequence[int]) -> list[Word]:
        """Return the clients that are found under some keyed hashes."""
        condition = self._of_kind(place, "client")
        condition.and_(condition.among("lookup", lookups))
        return self._words(condition)

    def with_clients(self, lookups: Mapping[str, Sequence[int]]) -> set[str]:
        """Return the places that have a client under one of some hashes; those of one place are no other's."""
        condition = Condition(*lookups)
        condition.and_(f"kind = {KINDS.index('client')}")
        condition.and_(condition.among("lookup", [lookup for some in lookups.values() for lookup in some]))
        statement = f"SELECT DISTINCT place FROM {self._word} WHERE {condition}"
        return {place.decode() for place in self._server.read(statement, bytes, condition.numbers)}

    def _words(self, condition: Condition) -> list[Word]:
        statement = f"SELECT {_WORD} FROM {self._word} WHERE {condition} GROUP BY kind, number"
        return self._server.read(statement, _word, condition.numbers)

    @staticmethod
    def _of_kind(place: str, kind: Kind) -> Condition:
        condition = Condition(place)
        condition.and_(f"kind = {KINDS.index(kind)}")
        return condition

    def known(self, place: str, kind: Kind, numbers: Sequence[int]) -> set[int]:
        """Return which of these words are there."""
        condition = self._of_kind(place, kind)
        condition.and_(condition.among("number", numbers))
        statement = f"SELECT DISTINCT number FROM {self._word} WHERE {condition}"
        return set(self._server.read(statement, int, condition.numbers))


def batches_of(place: str) -> Condition:
    """Return the condition that it is a batch of a place."""
    condition = Condition(place)
    condition.and_(f"stretch = {BATCHES}")
    return condition


def _word(kind: int, number: int, sealed: bytes, lookup: int) -> Word:
    return Word(KINDS[kind], number, sealed, lookup)
