"""The request log on a database server, whole: `RequestStore` over an engine.

Owns finding a place's key and handing both to the module that does what is asked. The server has numbers and
sealed words; keys stay in the keys folder, and locks where the control database has them.
"""

from __future__ import annotations

import contextlib
import re
import threading
import weakref
from typing import TYPE_CHECKING, Final

from consentkit.archive.periodlock import PeriodBusy
from consentkit.archive.store.places import Lying, Rewritten
from consentkit.archive.store.server.checking import check
from consentkit.archive.store.server.contents import contents_of
from consentkit.archive.store.server.copying import ServerCopy
from consentkit.archive.store.server.dictionaries import Dictionaries
from consentkit.archive.store.server.engine import KINDS
from consentkit.archive.store.server.reader import ServerReader
from consentkit.archive.store.server.rewriting import Rewriting, Source
from consentkit.archive.store.server.sieve import may_match
from consentkit.archive.store.server.vocabulary import Vocabulary
from consentkit.archive.store.server.words import Words
from consentkit.archive.store.server.writer import ServerWriter
from consentkit.control import Busy
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Literal

    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.places import Checked, Contents, NotedHeads, Place, RowsOf
    from consentkit.archive.store.requeststore import Held, Limit, Reader, T
    from consentkit.archive.store.server.engine import Engine
    from consentkit.control import Control
    from consentkit.crypto import Keyring

_STEM: Final = re.compile(r"(?P<name>.+)\.(?P<generation>[0-9]{1,9})", re.ASCII)


class ServerStore:
    """The places of one installation on a server that several hosts may use at once.

    Args:
        engine: the server; its tables are made at the first use.
        keyring: opens the places' keys.
        control: whose locks hold over all hosts.
        lane: this host's, a random name that stays with its data directory.
        name: the server's for people, without a password.

    Attributes:
        name: as given.
    """

    def __init__(self, engine: Engine, keyring: Keyring, control: Control, *, lane: str, name: str) -> None:
        self.name = name
        self._unprepared: Engine | None = engine
        self._prepared = engine
        self._preparing = threading.Lock()
        self._keyring = keyring
        self._control = control
        self._lane = lane
        self._dictionaries = Dictionaries(keyring)
        weakref.finalize(self, engine.close)

    @property
    def _engine(self) -> Engine:
        """The server, with its tables made: it may have been away until now."""
        with self._preparing:
            if self._unprepared is not None:
                self._unprepared.prepare()
                self._unprepared = None
        return self._prepared

    @property
    def is_shared(self) -> bool:
        """Several hosts may write a place at once."""
        return True

    def lock(self, place: Place, *, exclusive: bool, wait_seconds: float) -> Held:
        """Be in a place, on any host, with others who share it or alone; it need not exist."""
        try:
            return self._control.lock(place.key_name, exclusive=exclusive, wait_seconds=wait_seconds)
        except Busy:
            reason = f"is still in use after {wait_seconds:g} s; trying again later"
            raise PeriodBusy(place.name, reason) from None

    def exists(self, place: Place) -> bool:
        """Tell whether there is such a place, with rows or without."""
        return self._engine.is_made(place.key_name)

    def lying(self, group: Literal["period", "incident"]) -> list[Lying]:
        """Return all places of a group that the server has, whether it should or not."""
        found = []
        for what, is_draft in sorted(self._engine.places().items()):
            own, _, stem = what.partition("/")
            if own == group:
                match = _STEM.fullmatch(stem)
                name, generation = (match["name"], int(match["generation"])) if match else ("", 0)
                found.append(Lying(stem, name, generation, is_draft))
        return found

    def size_bytes(self, place: Place) -> int:
        """Return what it takes on the server's disk; 0 where it does not exist."""
        return self._engine.size_bytes(place.key_name) if self.exists(place) else 0

    def stamp(self, place: Place) -> str:
        """Return its size on the server: what is changed there by hand within a row is told by a check alone."""
        return str(self._engine.size_bytes(place.key_name)) if self.exists(place) else ""

    def make(self, place: Place) -> None:
        """Make an empty place under its key, which is there; nothing where it exists."""
        self._words(place)
        self._engine.make(place.key_name)

    def writer(self, place: Place, resolvers: Resolvers) -> ServerWriter:
        """Open a place for writing; it is made where it does not exist."""
        words = self._words(place)
        self._engine.make(place.key_name)
        return ServerWriter(self._engine, place, words, resolvers, self._lane)

    @contextlib.contextmanager
    def reader(self, place: Place) -> Iterator[Reader | None]:
        """Open a place as of one instant; None where nothing was ever stored in it."""
        with self._engine.opened(place.key_name) as reading:
            if reading is None:
                yield None
                return
            words = self._words(place)
            with self._dictionaries.of(place, words) as dictionary:
                yield ServerReader(reading, place, words, dictionary)

    def read(self, place: Place, work: Callable[[Reader | None], T]) -> T:
        """Return what some work with a place came to."""
        with self.reader(place) as reader:
            return work(reader)

    def may_match(self, places: Sequence[Place], filters: Filters, *, limit: Limit) -> list[Place]:
        """Return the places that a search has to open, by a statement or two for many of them."""
        return may_match(self._engine, self._keyring, places, filters, limit)

    def copy(self, place: Place) -> ServerCopy:
        """Begin an incident's copy."""
        return ServerCopy(self._engine, place, self._words(place))

    def seal(self, place: Place) -> Contents:
        """Return what it holds: what is on the server is durable already, and nothing there says who may write."""
        self._require(place)
        return contents_of(self._engine, place)

    def file_hash(self, place: Place) -> str:
        """Return what `seal` would say of what is there now."""
        return self.seal(place).file_hash

    def write_anew(
        self,
        old: Place,
        fresh: Place,
        *,
        address: Callable[[bytes], bytes] | None = None,
        left_out: RowsOf | None = None,
    ) -> Rewritten:
        """Write the rows of one place into another, under a new key that is made, and seal it."""
        self._throw_away(fresh)
        self._require(old)
        engine, words = self._engine, self._words(old)
        fresh_words = Words(self._keyring.make(fresh.key_name))
        engine.make(fresh.key_name)
        with self._dictionaries.of(old, words) as dictionary:
            vocabulary = Vocabulary(engine, old.key_name, words, dictionary)
            for kind in KINDS:
                vocabulary.complete(kind)
            source = Source(old, words, vocabulary, left_out)
            count = Rewriting(engine, source, fresh, fresh_words, address).copy()
        return Rewritten(contents_of(engine, fresh), count)

    def check(
        self, place: Place, noted: NotedHeads, *, is_sealed: bool, advance: Callable[[float], None]
    ) -> Checked:
        """Read every row, and hold it against the digests; a sealed place has no more than its batches say."""
        words = self._words(place)
        self._require(place)
        return check(self._engine, place, words, noted, is_sealed=is_sealed, advance=advance)

    def discard(self, place: Place) -> None:
        """Throw away a draft, its key first, its mark last."""
        self._throw_away(place)
        self.unmark(place)

    def remove(self, place: Place) -> Iterator[str]:
        """Remove a place whose key is destroyed; proved gone by a count over all tables.

        Raises:
            StorageError: some rows are left.
        """
        self._dictionaries.forget(place.key_name)
        self._engine.drop(place.key_name)
        yield "dropped"
        if left := self._engine.left(place.key_name):
            raise StorageError(place.name, f"{left} of its rows are still on the server after it was dropped")
        yield "proved gone"

    def mark_draft(self, place: Place) -> None:
        """Mark a place that is about to be made as one that no entry knows of yet, durably."""
        self._engine.mark_draft(place.key_name, is_draft=True)

    def unmark(self, place: Place) -> None:
        """Take the mark away, durably."""
        self._engine.mark_draft(place.key_name, is_draft=False)

    def close(self) -> None:
        """Let go of connections, and of words that were opened."""
        self._dictionaries.close()
        self._prepared.close()

    def _words(self, place: Place) -> Words:
        return Words(self._keyring.load(place.key_name))

    def _require(self, place: Place) -> None:
        if not self.exists(place):
            raise StorageError(place.name, "is not on the server")

    def _throw_away(self, draft: Place) -> None:
        self._keyring.destroy(draft.key_name)
        for _ in self.remove(draft):
            pass
