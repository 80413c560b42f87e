"""Connections to PostgreSQL: by a URL as libpq reads it, TLS and all, with limits of our own.

Owns what every connection is told at its beginning. What is done by it is left to others.
Source: PostgreSQL documentation, "Connection URIs", "Client Connection Defaults".
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import psycopg

from consentkit.control.faults import fault_of
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from psycopg import Connection

PLACE: Final = "postgresql"
SCHEMA: Final = "consentkit"

# Where a URL says nothing: a host that is gone is noticed within a minute, on either side.
_DEFAULTS: Final = {
    "application_name": "consentkit",
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# Nothing of ours takes as long; an export walks over a table in one transaction.
_SETTINGS: Final = {
    "search_path": f"{SCHEMA}, pg_temp",
    "timezone": "UTC",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "15min",
    "idle_session_timeout": "0",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
# What has returned is on the disk, whatever the server is set to; it may be set to wait for its replicas.
_DURABLY: Final = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)


def connect(url: str) -> Connection:
    """Connect, in autocommit, to consentkit's own schema.

    Args:
        url: ``postgresql://…``, as libpq takes it: several hosts, TLS by ``sslmode``, ``sslrootcert`` and so on.

    Raises:
        psycopg.Error: as the driver does; `refused` turns it into a StorageError.
    """
    given = psycopg.conninfo.conninfo_to_dict(url)
    options = {name: value for name, value in _DEFAULTS.items() if name not in given}
    # Plans are not kept: they would not outlive a change of the tables, nor a pooler.
    whole = psycopg.conninfo.make_conninfo(url, **options)
    connection = psycopg.connect(whole, autocommit=True, prepare_threshold=None)
    try:
        columns = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items())
        connection.execute(f"SELECT {columns}".encode())
        connection.execute(_DURABLY)
    except BaseException:
        connection.close()
        raise
    return connection


def refused(exc: BaseException | None, what: str = "the control database refused") -> StorageError:
    """Return the error that tells of the driver's."""
    return StorageError(PLACE, f"{what} ({fault_of(exc)})")


def lock_number(name: str) -> int:
    """Return the number of an advisory lock: 64 bits with a sign, the same on every host."""
    digest = hashlib.sha256(f"consentkit/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
