"""The control database as one SQLCipher file in the data directory, encrypted under a key of its own.

Owns opening it, what a transaction is there, and its locks, which are files beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from consentkit.control.locks import FileLock, require_name
from consentkit.control.moved import refuse_moved
from consentkit.control.opening import open_sqlcipher
from consentkit.control.rekeying import rekey, settle
from consentkit.control.tables import metadata
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Table

    from consentkit.crypto import Keyring

FILE_NAME: Final = "control.db"
_LOCKS: Final = "locks"


class Embedded:
    """The file of one installation.

    Args:
        directory: the data directory.
        keyring: holds the key; it is made with the file.
        key_name: of that key.

    Raises:
        KeyUnavailable: the key does not open.
        StorageError: the file can't be opened, or is damaged, or is under another key.
    """

    def __init__(self, directory: Path, keyring: Keyring, key_name: str) -> None:
        self._directory = directory
        self._path = directory / FILE_NAME
        self._keyring = keyring
        self._key_name = key_name
        self.place = str(self._path)
        refuse_moved(directory)
        settle(self._path, keyring, key_name)
        if not self._path.exists():
            keyring.make(key_name)
        self.writing = self._engine(is_reader=False)
        self.reading = self._engine(is_reader=True)
        event.listen(self.writing, "begin", _begin_immediate)
        event.listen(self.reading, "begin", _begin)
        try:
            with self.writing.begin() as connection:
                metadata.create_all(connection)
        except DBAPIError as exc:
            raise StorageError(self.place, f"the control database refused ({self.fault(exc.orig)})") from None

    def fault(self, exc: BaseException | None) -> str:
        """Return what SQLCipher says: it quotes names of columns, and no value."""
        return str(exc)

    def lock(self, name: str, *, exclusive: bool, wait_seconds: float) -> FileLock:
        """Take a lock: a file in the data directory; of a name with a ``/``, one that goes with the lock."""
        require_name(name)
        is_removed = "/" in name
        folder = self._directory / _LOCKS if is_removed else self._directory
        return FileLock(
            folder / f"{name}.lock", exclusive=exclusive, wait_seconds=wait_seconds, is_removed=is_removed
        )

    def empty(self, tables: Iterable[Table]) -> None:
        """Take the rows out, and put the file under another key, so that no copy of it opens any more."""
        try:
            with self.writing.begin() as connection:
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
                for table in tables:
                    connection.execute(table.delete())
        except DBAPIError as exc:
            raise StorageError(self.place, f"the control database refused ({self.fault(exc.orig)})") from None
        rekey(self._path, self._keyring, self._key_name)

    def drop(self) -> None:
        """Do nothing: the file goes with the data directory."""

    def close(self) -> None:
        """Do nothing: every transaction has a connection of its own."""

    def _engine(self, *, is_reader: bool) -> Engine:
        # Error texts of SQLAlchemy print bound values, which are personal data: hide_parameters.
        return create_engine(
            "sqlite://",
            module=sqlcipher,
            # The key is read anew each time: another process may change it.
            creator=lambda: open_sqlcipher(self._path, self._keyring.load(self._key_name), read_only=is_reader),
            poolclass=NullPool,
            hide_parameters=True,
        )


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")  # the driver would begin none, and two queries see two moments


def _begin_immediate(connection: Connection) -> None:
    # The driver would begin late and read-only; a chained row is read and extended under one write lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
