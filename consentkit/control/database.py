"""The control database, open: what a transaction means, whichever database holds it.

Owns durability: a transaction that has ended is on the disk. What stands in the tables is `tables`' business;
the databases are `embedded` and `postgresql`.
"""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from consentkit.control.embedded import FILE_NAME, Embedded
from consentkit.control.rekeying import rekey
from consentkit.crypto import hkdf
from consentkit.errors import SettingsError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from consentkit.control.backend import Backend
    from consentkit.control.locks import Lock
    from consentkit.crypto import Keyring

KEY_NAME: Final = "control/control"

# What a transaction knows stands in its connection's `info`, under names that begin so.
_OURS: Final = "consentkit."
_CALLBACKS: Final = "consentkit.after_commit"
_CONTROL: Final = "consentkit.control"


class Control:
    """The open control database of one installation.

    Args:
        directory: the data directory; without a URL the database is `control.db` in it, encrypted under a key of
            its own.
        keyring: holds that key; it is made with the database.
        url: ``postgresql://…``: the database of all hosts; empty = the file.

    Attributes:
        directory: the data directory, this host's own.
        keys_folder: where the key lies; with several hosts, the same for all.

    Raises:
        KeyUnavailable: the key does not open, or is not this database's.
        SettingsError: the driver for the URL is not installed.
        StorageError: the database can't be opened, or is damaged, or is under another key.
    """

    def __init__(self, directory: Path, keyring: Keyring, url: str = "") -> None:
        self.directory = directory
        self.keys_folder = keyring.folder
        self._keyring = keyring
        self._url = url
        self._backend = _open(directory, keyring, url)
        weakref.finalize(self, self._backend.close)

    @classmethod
    def rekeyed(cls, directory: Path, keyring: Keyring) -> Control:
        """Put the embedded database under a new key, so that no copy of it opens any more, and open it anew.

        Raises:
            StorageError: it can't be done; the next opening finishes what was begun.
        """
        rekey(directory / FILE_NAME, keyring, KEY_NAME)
        return cls(directory, keyring)

    def emptied(self, tables: Iterable[Table]) -> Control:
        """Take all rows out of some tables, for good as far as the database allows, and return it opened anew.

        Embedded: no copy of the file opens any more. PostgreSQL: the tables are written anew; its backups and its
        write-ahead log are the operator's.

        Raises:
            StorageError: it can't be done; doing it again finishes it.
        """
        self._backend.empty(tables)
        return Control(self.directory, self._keyring, self._url)

    def drop(self) -> None:
        """Remove the database from its server; the embedded one goes with the data directory.

        Raises:
            StorageError: it can't be removed, as by a role that does not own it.
        """
        self._backend.drop()

    def lock(self, name: str, *, exclusive: bool, wait_seconds: float) -> Lock:
        """Take a lock that holds over all processes of the installation, on all its hosts.

        Args:
            name: as ``retention``, ``leader`` or ``period/2026-11-23.1``.
            exclusive: alone, or with others who share.
            wait_seconds: how long others may take to let go; 0 = not at all.

        Returns:
            The lock, a context manager. On a server it can be lost, with its connection: ask `is_held` before a
            step that can't be taken back.

        Raises:
            Busy: others hold it.
            StorageError: it can't be had.
        """
        return self._backend.lock(name, exclusive=exclusive, wait_seconds=wait_seconds)

    @property
    def is_shared(self) -> bool:
        """Whether other hosts may use it too: it is a server's."""
        return bool(self._url)

    def close(self) -> None:
        """Let go of connections; what is asked later opens new ones."""
        self._backend.close()

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
        with self._telling(), self._backend.writing.begin() as connection:
            callbacks: list[Callable[[], None]] = []
            connection.info.update({_CONTROL: self, _CALLBACKS: callbacks})
            try:
                yield connection
            finally:  # a pooled connection would keep them for the next transaction
                for name in [name for name in connection.info if name.startswith(_OURS)]:
                    del connection.info[name]
        for callback in callbacks:
            callback()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees the database as of its first query, changes nothing and waits for no writer.

        Raises:
            StorageError: the database refused; what it says is left out where it could hold values.
        """
        with self._telling(), self._backend.reading.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as exc:
            place, fault = self._backend.place, self._backend.fault(exc.orig)
            raise StorageError(place, f"the control database refused ({fault})") from None
        except PoolTimeout:
            raise StorageError(self._backend.place, "too many ask the control database at once") from None


def after_commit(connection: Connection, callback: Callable[[], None]) -> None:
    """Have something done when the transaction is durable; not at all where it is not."""
    connection.info[_CALLBACKS].append(callback)


def control_of(connection: Connection) -> Control:
    """Return the database of which `Control.transaction` gave this connection."""
    control = connection.info[_CONTROL]
    if not isinstance(control, Control):
        raise TypeError("the connection is none of Control.transaction")
    return control


def _open(directory: Path, keyring: Keyring, url: str) -> Backend:
    if not url:
        return Embedded(directory, keyring, KEY_NAME)
    try:
        from consentkit.control.postgresql import PostgreSQL  # noqa: PLC0415 - an extra, and brings psycopg along
    except ImportError as exc:
        raise SettingsError(
            "storage.url", "the driver for PostgreSQL is not installed", "pip install 'consentkit[postgresql]'"
        ) from exc
    return PostgreSQL(url, keyring, KEY_NAME)
