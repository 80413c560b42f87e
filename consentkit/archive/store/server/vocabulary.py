"""The words that one reading of a place asks for, fetched as far as it needs them.

Owns what is fetched: an address alone is found by its keyed hash, what rows refer to by its number; a filter over
anything else is asked of all words of a kind, of which those are fetched that came since they were last asked for.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from consentkit.archive.store.sqlite.matching import of_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from consentkit.archive.store.server.dictionary import Dictionary
    from consentkit.archive.store.server.engine import Kind, Reading, Seen
    from consentkit.archive.store.server.words import Content, Words


class Vocabulary:
    """The words of a place for one reader.

    Args:
        reading: where they are fetched from.
        name: the place's, to the server.
        words: of it.
        dictionary: of it, which has those that were fetched before.
        check: called between some words and the next; it may raise.

    Attributes:
        place: its name, for errors.

    Raises:
        StorageError: from every method: the server refused, or a word does not open or is missing.
    """

    def __init__(
        self,
        reading: Reading,
        name: str,
        words: Words,
        dictionary: Dictionary,
        *,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.place = dictionary.place
        self._reading = reading
        self._name = name
        self._words = words
        self._dictionary = dictionary
        self._check = check
        self._seen: Seen | None = None

    def numbers(self, kind: Kind, where: str, values: Sequence[object]) -> list[int]:
        """Return the numbers of the words that meet a condition over the embedded store's table, ascending."""
        self.complete(kind)
        return self._dictionary.numbers(kind, where, values)

    def clients_of(self, networks: Sequence[str]) -> list[int]:
        """Return the numbers of the clients whose address is in one of some networks, ascending."""
        addresses = exact_addresses(networks)
        if addresses is not None:
            lookups = [self._words.lookup(address) for address in addresses]
            found = self._reading.words_by_lookup(self._name, lookups)
            if not found:
                return []
            self._dictionary.add("client", found)
        else:
            self.complete("client")
        return self._dictionary.numbers("client", *of_networks(networks))

    def contents(self, kind: Kind, numbers: Iterable[int]) -> dict[int, Content]:
        """Return the values of words by number."""
        asked = list(numbers)
        if missing := self._dictionary.missing(kind, asked):
            self._check()
            self._dictionary.add(kind, self._reading.words_by_number(self._name, kind, missing))
        return self._dictionary.contents(kind, asked)

    def complete(self, kind: Kind) -> None:
        """Fetch all words of a kind that are not here."""
        if self._seen is None:
            self._seen = self._reading.seen(self._name)
        self._dictionary.complete(self._reading, self._name, kind, self._seen, check=self._check)


def exact_addresses(networks: Sequence[str]) -> list[bytes] | None:
    """Return the packed addresses that networks are; None where one of them has several."""
    parsed = [ipaddress.ip_network(network, strict=False) for network in networks]
    if any(one.prefixlen < one.max_prefixlen for one in parsed):
        return None
    return [one.network_address.packed for one in parsed]
