"""Which places a search has to open: those that have one of its addresses, or a gap in its time.

Owns asking it of many places at once. An address stands in a place under a hash keyed by that place, so the server
can be asked for all of them by one statement, and learns no more than by opening one place after the other. What
else is asked for lies sealed, and a place has to be opened to be asked for it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.server.vocabulary import exact_addresses
from consentkit.archive.store.server.words import Words
from consentkit.errors import KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.places import Place
    from consentkit.archive.store.requeststore import Limit
    from consentkit.archive.store.server.engine import Engine
    from consentkit.crypto import Keyring

# Of one statement: PostgreSQL locks five tables and indexes a place, of some thousands that it has room for.
_PLACES: Final = 128
_HASHES: Final = 10_000


def may_match(
    engine: Engine, keyring: Keyring, places: Sequence[Place], filters: Filters, limit: Limit
) -> list[Place]:
    """Return the places that have to be opened; all of them where the filters name no addresses.

    One whose key can't be had is among them: who opens it is told why.

    Raises:
        StorageError: the server refused.
        TimeIsUp: the limit passed.
    """
    addresses = exact_addresses(filters.networks)
    if not addresses:
        return list(places)
    hashes = _hashes(keyring, places, addresses)
    since_us, until_us = max(filters.since_us, 0), max(filters.until_us, 0)
    lacking: set[str] = set()
    at_once = max(min(_PLACES, _HASHES // len(addresses)), 1)
    with engine.limited(limit):
        while some := dict(islice(hashes, at_once)):
            limit.check()
            lacking |= engine.lacking(some, since_us, until_us)
    return [place for place in places if place.key_name not in lacking]


def _hashes(
    keyring: Keyring, places: Sequence[Place], addresses: Sequence[bytes]
) -> Iterator[tuple[str, list[int]]]:
    """Yield under what the addresses are found in each place that can be opened."""
    for place in places:
        try:
            words = Words(keyring.load(place.key_name))
        except KeyUnavailable:
            continue
        yield place.key_name, [words.lookup(address) for address in addresses]
