"""The control database: choices, audit, periods, policies. Few rows, each of which must not be lost.

Owns the connection, the tables and what a transaction means; what the rows mean is their rooms' business.
SQLAlchemy stands behind this module alone, so a worker that has nothing to write never loads it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.crypto import Keyring

KEY_NAME: Final = "control/control"

# How long a writer waits for another's transaction, in seconds. Each is a few rows and one fsync.
_BUSY_SECONDS: Final = 10.0

metadata = MetaData()

policy = Table(
    "policy",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    Column("time", Integer, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("minute", Integer, nullable=False),
    Column("consent_id", String(43), nullable=False, index=True),
    Column("granted", Text, nullable=False),
    Column("denied", Text, nullable=False),
    Column("method", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("locale", String(35), nullable=False),
    Column("script", Integer, nullable=False),
    Column("previous_number", Integer, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time_us", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("action", String(64), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("case_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

period = Table(
    "period",
    metadata,
    Column("name", String(13), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("since_us", Integer, nullable=False, index=True),
    Column("until_us", Integer, nullable=False),
    # What the seal found; nothing until then.
    Column("rows", Integer),
    Column("bytes", Integer),
    Column("oldest_us", Integer),
    Column("file_hash", String(64), nullable=False),
    Column("is_truncated", Integer, nullable=False),
    # A rewritten generation that is still to be destroyed.
    Column("old_generation", Integer),
    Column("early", Text, nullable=False),
    Column("late_dropped", Integer, nullable=False),
    Column("destroyed_us", Integer),
)

# One row an hour in which an ingester was at work, in the order of writing: a clock that was set wrong
# shows as a leap between two rows.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time_us", Integer, nullable=False),
    Column("audit_number", Integer, nullable=False),
)


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

        Raises:
            StorageError: the database refused; what it says is left out where it could hold values.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as exc:
            raise StorageError(str(self._path), f"the control database refused ({exc.orig})") from None


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
