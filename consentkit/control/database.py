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

from consentkit.control.tables import metadata
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consentkit.crypto import Keyring

KEY_NAME: Final = "control/control"

_CALLBACKS: Final = "consentkit.after_commit"

# How long a writer waits for another's transaction, in seconds. Each is a few rows and one fsync.
_BUSY_SECONDS: Final = 10.0


class Control:
    """The open control database of one installation.

    Args:
        directory: the data directory; the database is `control.db` in it, encrypted under a key of its own.
        keyring: holds that key; it is made with the database.

    Raises:
        KeyUnavailable: the key does not open.
        StorageError: the database can't be opened, or is damaged, or is under another key.
    """

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._path = directory / "control.db"
        key = keyring.make(KEY_NAME) if not self._path.exists() else keyring.load(KEY_NAME)
        # Error texts of SQLAlchemy print bound values, which are personal data: hide_parameters.
        self._engine: Engine = create_engine(
            "sqlite://",
            module=sqlcipher,
            creator=lambda: open_sqlcipher(self._path, key),
            poolclass=NullPool,
            hide_parameters=True,
        )
        event.listen(self._engine, "begin", _begin_immediate)
        with self.transaction() as connection:
            metadata.create_all(connection)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection in one serialised transaction, durable when the block ends.

        What `after_commit` was given on the way is called then.

        Raises:
            StorageError: the database refused; what it says is left out where it could hold values.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
                callbacks: list[Callable[[], None]] = connection.info.get(_CALLBACKS, [])
        except DBAPIError as exc:
            raise StorageError(str(self._path), f"the control database refused ({exc.orig})") from None
        for callback in callbacks:
            callback()


def after_commit(connection: Connection, callback: Callable[[], None]) -> None:
    """Have something done when the transaction is durable; not at all where it is not."""
    connection.info.setdefault(_CALLBACKS, []).append(callback)


def open_sqlcipher(path: Path, key: bytes, *, read_only: bool = False) -> sqlcipher.Connection:
    """Open one SQLCipher file under a raw 256-bit key.

    Autocommit mode: transactions are begun and ended by hand. Temporary data stays in memory, so that no
    plain text is spilled to disk.

    Raises:
        sqlcipher3.dbapi2.Error: as the driver does; the caller turns it into a StorageError.
    """
    # A reader of a WAL file must be able to make its -shm file, so "ro" would fail where no writer is.
    mode = "rw" if read_only else "rwc"
    connection = sqlcipher.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
    )
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA secure_delete = OFF")  # pages are encrypted; destroying the key is what deletes
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def _begin_immediate(connection: Connection) -> None:
    # The driver would begin late and read-only; a chained row is read and extended under one write lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
