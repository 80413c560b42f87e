"""The control database, open: its connection and what a transaction means.

Owns durability: a transaction that has ended is on the disk. What stands in the tables is `tables`' business.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from consentkit.control.opening import open_sqlcipher
from consentkit.control.rekeying import rekey, settle
from consentkit.control.tables import metadata
from consentkit.crypto import hkdf
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consentkit.crypto import Keyring

KEY_NAME: Final = "control/control"

_CALLBACKS: Final = "consentkit.after_commit"
_CONTROL: Final = "consentkit.control"


class Control:
    """The open control database of one installation.

    Args:
        directory: the data directory; the database is `control.db` in it, encrypted under a key of its own.
        keyring: holds that key; it is made with the database.

    Attributes:
        directory: the data directory.
        keys_folder: where that key lies.

    Raises:
        KeyUnavailable: the key does not open.
        StorageError: the database can't be opened, or is damaged, or is under another key.
    """

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self.directory = directory
        self._path = directory / "control.db"
        self.keys_folder = keyring.folder
        settle(self._path, keyring, KEY_NAME)
        self._keyring = keyring
        if not self._path.exists():
            keyring.make(KEY_NAME)
        # Error texts of SQLAlchemy print bound values, which are personal data: hide_parameters.
        self._engine: Engine = create_engine(
            "sqlite://",
            module=sqlcipher,
            creator=lambda: open_sqlcipher(self._path, self._key),  # read anew: another process may change it
            poolclass=NullPool,
            hide_parameters=True,
        )
        event.listen(self._engine, "begin", _begin_immediate)
        self._reading: Engine = create_engine(
            "sqlite://",
            module=sqlcipher,
            creator=lambda: open_sqlcipher(self._path, self._key, read_only=True),
            poolclass=NullPool,
            hide_parameters=True,
        )
        event.listen(self._reading, "begin", _begin)
        with self.transaction() as connection:
            metadata.create_all(connection)

    @classmethod
    def rekeyed(cls, directory: Path, keyring: Keyring) -> Control:
        """Put the database under a new key, so that no copy of it opens any more, and return it opened anew.

        Raises:
            StorageError: it can't be done; the next opening finishes what was begun.
        """
        rekey(directory / "control.db", keyring, KEY_NAME)
        return cls(directory, keyring)

    def derive(self, label: str) -> bytes:
        """Return the 32-byte key for one use that lives as long as the database, whatever root wraps its key."""
        return hkdf(self._key, label)

    @property
    def keyring(self) -> Keyring:
        """The keyring that the database was opened with."""
        return self._keyring

    @property
    def _key(self) -> bytes:
        return self._keyring.load(KEY_NAME)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection in one serialised transaction, durable when the block ends.

        What `after_commit` was given on the way is called then.

        Raises:
            StorageError: the database refused; what it says is left out where it could hold values.
        """
        with self._telling(), self._engine.begin() as connection:
            connection.info[_CONTROL] = self
            yield connection
            callbacks: list[Callable[[], None]] = connection.info.get(_CALLBACKS, [])
        for callback in callbacks:
            callback()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees the database as of its first query, changes nothing and waits for no writer.

        Raises:
            StorageError: the database refused; what it says is left out where it could hold values.
        """
        with self._telling(), self._reading.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as exc:
            raise StorageError(str(self._path), f"the control database refused ({exc.orig})") from None


def after_commit(connection: Connection, callback: Callable[[], None]) -> None:
    """Have something done when the transaction is durable; not at all where it is not."""
    connection.info.setdefault(_CALLBACKS, []).append(callback)


def control_of(connection: Connection) -> Control:
    """Return the database of which `Control.transaction` gave this connection."""
    control = connection.info[_CONTROL]
    if not isinstance(control, Control):
        raise TypeError("the connection is none of Control.transaction")
    return control


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")  # the driver would begin none, and two queries see two moments


def _begin_immediate(connection: Connection) -> None:
    # The driver would begin late and read-only; a chained row is read and extended under one write lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
