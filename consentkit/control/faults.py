"""What PostgreSQL said, in words that may stand in a log: no value, no password, no address of the server.

Owns which of its texts are passed on. A constraint's error quotes the row, a data error the value: of those the
name alone is told. Source: PostgreSQL documentation, appendix A (error codes).
"""

from __future__ import annotations

from typing import Final

import psycopg

# Classes of SQLSTATE whose text names roles, tables, settings and limits, and nothing that a visitor sent.
_TOLD: Final = ("08", "25", "28", "3D", "3F", "42", "53", "55", "57", "58")
_LONGEST: Final = 200


def fault_of(exc: BaseException | None) -> str:
    """Return what an error of the driver says, in one short line."""
    if not isinstance(exc, psycopg.Error):
        return type(exc).__name__
    name, state = type(exc).__name__, exc.sqlstate
    if state is None:
        # Of the connection itself: libpq's words, which never hold the password. The server's name comes before.
        told = str(exc).rpartition("failed: ")[2] if isinstance(exc, psycopg.OperationalError) else ""
    else:
        told = exc.diag.message_primary or "" if state.startswith(_TOLD) else ""
        name = f"{name}, {state}"
    line = " ".join(told.split())[:_LONGEST]
    return f"{line}; {name}" if line else name


def is_refused_to_role(exc: BaseException | None) -> bool:
    """Tell whether a role may not do what it wanted."""
    return isinstance(exc, psycopg.errors.InsufficientPrivilege)


def is_timed_out(exc: BaseException | None) -> bool:
    """Tell whether a lock was not had in time."""
    return isinstance(exc, psycopg.errors.LockNotAvailable)
