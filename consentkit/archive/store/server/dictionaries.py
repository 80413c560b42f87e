"""Opened dictionaries, kept from one search to the next.

Owns how many are kept: those last used, within a bound on their size, and none whose key is gone.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.server.dictionary import Dictionary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.store.places import Place
    from consentkit.archive.store.server.words import Words
    from consentkit.crypto import Keyring

# Some 300,000 words; a larger dictionary is opened for each search.
_KEPT_BYTES: Final = 64 * 1024 * 1024


class _Kept:
    """A dictionary with how many use it; closed when it is neither used nor kept."""

    __slots__ = ("dictionary", "size_bytes", "users", "words")

    def __init__(self, place: str, words: Words) -> None:
        self.words = words
        self.dictionary = Dictionary(place, words)
        self.size_bytes = 0
        self.users = 0


class Dictionaries:
    """Lend dictionaries to readers.

    Args:
        keyring: tells whose key is gone.
        kept_bytes: how much room those together take that nobody uses.
    """

    def __init__(self, keyring: Keyring, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._keyring = keyring
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @contextlib.contextmanager
    def of(self, place: Place, words: Words) -> Iterator[Dictionary]:
        """Lend the dictionary of a place; it may be empty or behind, and is completed by its user."""
        with self._lock:
            self._drop_destroyed()
            kept = self._kept.get(place.key_name)
            if kept is not None and kept.words.digest_key != words.digest_key:
                self._let_go(place.key_name)  # what was there before is gone, and was made anew
                kept = None
            lent = self._kept[place.key_name] = kept or _Kept(place.name, words)
            self._kept.move_to_end(place.key_name)
            lent.users += 1
        try:
            yield lent.dictionary
        finally:
            with self._lock:
                lent.users -= 1
                if lent.users == 0:
                    lent.size_bytes = lent.dictionary.size_bytes
                    self._make_room()
                    if self._kept.get(place.key_name) is not lent:
                        lent.dictionary.close()

    def forget(self, key_name: str) -> None:
        """Keep the dictionary of a place no longer."""
        with self._lock:
            if key_name in self._kept:
                self._let_go(key_name)

    def close(self) -> None:
        """Close those that nobody uses, and keep none."""
        with self._lock:
            for name in list(self._kept):
                self._let_go(name)

    def _drop_destroyed(self) -> None:
        for name in [name for name in self._kept if not self._keyring.has(name)]:
            self._let_go(name)

    def _make_room(self) -> None:
        for name in list(self._kept):
            if sum(one.size_bytes for one in self._kept.values()) <= self._kept_bytes:
                return
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        """Keep one no longer; who uses it closes it."""
        gone = self._kept.pop(name)
        if gone.users == 0:
            gone.dictionary.close()
