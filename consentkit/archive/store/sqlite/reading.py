"""Opening one place's file for reading.

Owns that what is read is as of one instant: within a transaction, or, of a file that nobody is about to change,
without a lock, a log or a transaction, if it is the same before and after.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.sqlite.reader import SqliteReader, unreadable
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consentkit.archive.store.places import Place
    from consentkit.archive.store.requeststore import Reader, T

# A change shortly after a seal could have the seal's own time: the clock of a file has steps of 10 ms.
_SETTLED_NS: Final = 1_000_000_000


class Opened(NamedTuple):
    """A place's file, to be read under its key; the caller holds its lock."""

    file: Path
    key: bytes
    place: Place

    @contextlib.contextmanager
    def reader(self) -> Iterator[SqliteReader | None]:
        """Give a reader within one transaction; None where nothing was ever stored in the file.

        Raises:
            StorageError: it can't be opened.
        """
        connection = self._connected()
        try:
            yield SqliteReader(connection, self.place) if self._is_begun(connection) else None
        finally:
            connection.close()

    def read(self, work: Callable[[Reader | None], T]) -> T:
        """Work on what nobody changes, if that is so before and after; else on one transaction's view of it."""
        before = _still_state(self.file)
        if before is not None:
            with contextlib.suppress(StorageError):  # what is damaged refuses the other way too
                outcome = self._read_still(work)
                if _still_state(self.file) == before:
                    return outcome
        with self.reader() as reader:
            return work(reader)

    def _read_still(self, work: Callable[[Reader | None], T]) -> T:
        connection = self._connected(immutable=True)
        try:
            return work(SqliteReader(connection, self.place))
        finally:
            connection.close()

    def _connected(self, *, immutable: bool = False) -> sqlcipher.Connection:
        try:
            return open_sqlcipher(self.file, self.key, read_only=True, immutable=immutable)
        except sqlcipher.Error as exc:
            raise unreadable(self.place, exc) from exc

    def _is_begun(self, connection: sqlcipher.Connection) -> bool:
        """Begin a transaction, marks and rows as of one instant; return whether there are any."""
        try:
            connection.execute("BEGIN")
            return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
        except sqlcipher.Error as exc:
            raise unreadable(self.place, exc) from exc


def _still_state(file: Path) -> tuple[int, int, int] | None:
    """Return what tells whether a file was changed; None where somebody may just be writing to it.

    What is written goes through the write-ahead log. A journal there is only while a mode is changed, and no row.
    """
    if os.path.exists(f"{file}-wal"):  # noqa: PTH110 - twice a place: a Path costs as much as the call
        return None
    status = os.stat(file)  # noqa: PTH116
    if time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
