"""The control database on a PostgreSQL server, for all hosts of an installation.

Owns its connections, what a transaction is there, and that its hosts have the same keys. Tables are made and
changed by `migrations`. Loaded where a URL is set alone, for it brings psycopg along.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.exc import DBAPIError

from consentkit.control.advisory import AdvisoryLock, Sessions
from consentkit.control.connecting import PLACE, SCHEMA, connect, lock_number, refused
from consentkit.control.faults import fault_of
from consentkit.control.locks import require_name
from consentkit.control.migrations import CONTROL, bring_up
from consentkit.control.tables import installation
from consentkit.crypto import hkdf
from consentkit.errors import KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table

    from consentkit.crypto import Keyring

# A worker writes seldom: one connection stays open, a few more come and go where many ask at once.
_KEPT_OPEN: Final = 1
_AT_ONCE: Final = 5
_WAIT_SECONDS: Final = 10.0
_RENEWED_AFTER_SECONDS: Final = 1800

_WRITER: Final = "control/write"


class PostgreSQL:
    """The tables of one installation, in the schema ``consentkit`` of a database.

    Args:
        url: ``postgresql://…``.
        keyring: holds the key from which others are derived; it is made with the tables.
        key_name: of that key.

    Raises:
        KeyUnavailable: the key does not open, or is another one than the other hosts have.
        StorageError: the server is away or refuses, or its tables are of another version.
    """

    def __init__(self, url: str, keyring: Keyring, key_name: str) -> None:
        self.place = PLACE
        self._url = url
        self._locks = Sessions(url)
        bring_up(url, CONTROL)
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: connect(url),
            pool_size=_KEPT_OPEN,
            max_overflow=_AT_ONCE - _KEPT_OPEN,
            pool_timeout=_WAIT_SECONDS,
            pool_recycle=_RENEWED_AFTER_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        self.writing: Engine = self._engine.execution_options(isolation_level="READ COMMITTED")
        self.reading: Engine = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        event.listen(self.writing, "begin", _take_turn)
        try:
            self._require_same_key(keyring, key_name)
        except DBAPIError as exc:
            raise refused(exc.orig) from None
        except KeyUnavailable:
            self.close()
            raise

    def fault(self, exc: BaseException | None) -> str:
        """Return what the server says, without values."""
        return fault_of(exc)

    def lock(self, name: str, *, exclusive: bool, wait_seconds: float) -> AdvisoryLock:
        """Take a lock that holds over all hosts; it is lost with its connection."""
        require_name(name)
        return self._locks.take(name, exclusive=exclusive, wait_seconds=wait_seconds)

    def empty(self, tables: Iterable[Table]) -> None:
        """Take the rows out, and have the server write the tables anew without them.

        Its write-ahead log, its replicas' and its backups hold them until the operator's own clock takes them.
        """
        emptied = list(tables)
        try:
            with self.writing.begin() as connection:
                for table in emptied:
                    connection.execute(table.delete())
        except DBAPIError as exc:
            raise refused(exc.orig) from None
        self._by_owner("can't be written anew", (f"VACUUM (FULL) {SCHEMA}.{table.name}" for table in emptied))

    def drop(self) -> None:
        """Remove the schema with all that is in it."""
        self.close()
        self._by_owner("can't be removed", (f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE",))

    def close(self) -> None:
        """Let go of connections; a lock that is held stays."""
        self._locks.close()
        self._engine.dispose()

    def _by_owner(self, fault: str, statements: Iterable[str]) -> None:
        try:
            with connect(self._url) as connection:
                connection.execute("SELECT set_config('statement_timeout', '0', false)")
                for statement in statements:
                    connection.execute(statement.encode())
        except psycopg.Error as exc:
            raise refused(exc, fault) from None

    def _require_same_key(self, keyring: Keyring, key_name: str) -> None:
        """Hold the key against the database: a host with a keys folder of its own would begin a second chain."""
        with self.reading.begin() as connection:
            known = connection.execute(select(installation.c.key_check)).scalar()
        if known is not None and not keyring.has(key_name):
            raise KeyUnavailable(key_name, "is missing; give this host the keys folder that the others have")
        check = hkdf(keyring.make(key_name), "control-check/v1").hex()
        if known is None:
            with self.writing.begin() as connection:
                known = connection.execute(select(installation.c.key_check)).scalar()
                if known is None:
                    connection.execute(installation.insert().values(number=1, key_check=check))
                    known = check
        if not hmac.compare_digest(known, check):
            raise KeyUnavailable(
                key_name, "is not this database's; give this host the keys folder that the others have"
            )


def _take_turn(connection: Connection) -> None:
    # As in the embedded store one writes at a time: a chained row is read and extended in its own turn.
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_number(_WRITER)})")
