"""The opened words of a place, as a search asks for them.

Owns opening them. They lie in tables of the embedded store's columns, so that a filter means the same everywhere,
in a database that is gone with the process: a file without a name, under a key that nobody keeps. So a flood of
distinct URLs takes room on the disk and not memory, and nothing lies there in plain text. Which are fetched is
`vocabulary`'s business, how long they are kept `dictionaries`'.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.server.engine import NOTHING_SEEN
from consentkit.archive.store.server.words import SHAPES, BadWord
from consentkit.control import open_sqlcipher
from consentkit.crypto import KEY_BYTES
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from consentkit.archive.store.server.engine import Kind, Reading, Seen, Word
    from consentkit.archive.store.server.words import Content, Words

T = TypeVar("T")

_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE client (
  id INTEGER PRIMARY KEY, address BLOB NOT NULL, peer BLOB NOT NULL, source INTEGER NOT NULL,
  country TEXT NOT NULL, city TEXT NOT NULL);
CREATE TABLE agent (
  id INTEGER PRIMARY KEY, user_agent TEXT NOT NULL, device TEXT NOT NULL, device_type TEXT NOT NULL,
  browser TEXT NOT NULL, browser_version TEXT NOT NULL, os TEXT NOT NULL, os_version TEXT NOT NULL);
CREATE TABLE resource (
  id INTEGER PRIMARY KEY, method TEXT NOT NULL, scheme TEXT NOT NULL, host TEXT NOT NULL, path TEXT NOT NULL,
  query TEXT, query_flags INTEGER NOT NULL);
CREATE TABLE referrer (id INTEGER PRIMARY KEY, host TEXT NOT NULL);
"""

# Words opened, and numbers looked up, by one statement.
_AT_ONCE: Final = 1000

_INSERT: Final = {
    kind: f"INSERT OR IGNORE INTO {kind} VALUES ({', '.join('?' * (len(shape._fields) + 1))})"
    for kind, shape in SHAPES.items()
}


class Dictionary:
    """The words of one place, for many readers at once.

    Args:
        place: its name, for errors.
        words: opens them.

    Raises:
        StorageError: from every method: a word doesn't open or is missing, or there is no room for them.
    """

    def __init__(self, place: str, words: Words) -> None:
        self.place = place
        self._words = words
        self._lock = threading.Lock()
        self._seen: dict[Kind, Seen] = {}
        self._opened: sqlcipher.Connection | None = None
        self._is_closed = False

    def complete(
        self, reading: Reading, name: str, kind: Kind, seen: Seen, *, check: Callable[[], None] = lambda: None
    ) -> None:
        """Fetch the words of one kind that came since the last time.

        Args:
            reading: where from.
            name: the place's, to the server.
            kind: whose.
            seen: how far they are read by this; the same as the last time = nothing came.
            check: called between some words and the next; it may raise, and what was fetched stays.
        """
        with self._telling():
            before = self._seen.get(kind, NOTHING_SEEN)
            if kind in self._seen and before == seen:
                return
            with self._at_once():
                for some in _chunks(reading.words(name, kind, beyond=before)):
                    check()
                    self._add(kind, some)
            self._seen[kind] = seen

    def add(self, kind: Kind, words: Sequence[Word]) -> None:
        """Add some words that were fetched by themselves."""
        with self._telling(), self._at_once():
            for some in _chunks(iter(words)):
                self._add(kind, some)

    def missing(self, kind: Kind, numbers: Sequence[int]) -> list[int]:
        """Return which of some numbers are of no word that is here."""
        known: set[int] = set()
        with self._telling():
            for some in _chunks(iter(numbers)):
                known |= self._known(kind, some)
        return [number for number in numbers if number not in known]

    def numbers(self, kind: Kind, where: str, values: Sequence[object]) -> list[int]:
        """Return the numbers of the words that meet a condition over the embedded store's table, ascending."""
        statement = f"SELECT id FROM {kind} WHERE {where} ORDER BY id"
        with self._telling():
            return [number for (number,) in self._connection.execute(statement, values)]

    def contents(self, kind: Kind, numbers: Iterable[int]) -> dict[int, Content]:
        """Return the values of words by number.

        Raises:
            StorageError: one is not there.
        """
        found: dict[int, Content] = {}
        shape = SHAPES[kind]
        with self._telling():
            for some in _chunks(iter(numbers)):
                marks = ", ".join("?" * len(some))
                rows = self._connection.execute(f"SELECT * FROM {kind} WHERE id IN ({marks})", some)
                found.update((row[0], shape._make(row[1:])) for row in rows)
                if not all(number in found for number in some):
                    raise StorageError(self.place, "a word that a row refers to is missing")
        return found

    @property
    def size_bytes(self) -> int:
        """How much room it takes."""
        if self._opened is None:
            return 0
        with self._telling():
            sizes = (
                self._connection.execute(f"PRAGMA {one}").fetchone()[0] for one in ("page_count", "page_size")
            )
            return int(next(sizes)) * int(next(sizes))

    def close(self) -> None:
        """Let it be gone."""
        with self._lock:
            self._is_closed = True
            if self._opened is not None:
                self._opened.close()

    def _known(self, kind: Kind, some: list[int]) -> set[int]:
        marks = ", ".join("?" * len(some))
        return {row[0] for row in self._connection.execute(f"SELECT id FROM {kind} WHERE id IN ({marks})", some)}

    def _add(self, kind: Kind, some: list[Word]) -> None:
        numbers = [word.number for word in some]
        known = self._known(kind, numbers)
        fresh = [(word.number, *self._words.open(word)) for word in some if word.number not in known]
        self._connection.executemany(_INSERT[kind], fresh)

    @property
    def _connection(self) -> sqlcipher.Connection:
        """The database, made when the first word comes: of most places a search for an address needs none."""
        if self._is_closed:
            raise StorageError(self.place, "its words were let go of")
        if self._opened is None:
            with tempfile.NamedTemporaryFile(prefix="consentkit-") as file:
                self._opened = open_sqlcipher(Path(file.name), secrets.token_bytes(KEY_BYTES))
            self._opened.executescript(_TABLES)
        return self._opened

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except BadWord:
            raise StorageError(self.place, "a word was changed from outside, or is another place's") from None
        except (sqlcipher.Error, OSError) as exc:
            raise StorageError(self.place, f"its words can't be opened here ({type(exc).__name__})") from None


def _chunks(items: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(items, _AT_ONCE)):
        yield some
