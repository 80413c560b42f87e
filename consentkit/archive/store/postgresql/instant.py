"""One snapshot of the database, for all that one reader asks.

Owns how the limits of single questions hold within a transaction that is longer than they are. A question whose
time is up ends for itself: the snapshot stays, by a savepoint.
Source: PostgreSQL documentation, "Repeatable Read Isolation Level".
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Final

from psycopg import sql
from psycopg.pq import TransactionStatus

from consentkit.archive.store.postgresql.cutoff import CutOff
from consentkit.archive.store.postgresql.limits import limited, milliseconds, present_limit, telling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from consentkit.archive.store.postgresql.connections import Connection
    from consentkit.archive.store.requeststore import Limit

# How a transaction begins in which `Instant` asks.
INSTANT: Final = sql.SQL(
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; SAVEPOINT begun"
)

# What the server was told to end by is told anew when less than this part of it is left.
_STALE: Final = 0.75


class Instant:
    """A connection in a transaction that began with `INSTANT`; a `Lender`.

    Args:
        connection: nobody else uses it meanwhile.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told_seconds = math.inf

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection, under the limit of `limited`."""
        limit, seconds = present_limit()
        with telling(limit), CutOff(self._connection, seconds):
            self._tell(seconds)
            try:
                yield self._connection
            finally:
                self._recover()

    def limited(self, limit: Limit) -> AbstractContextManager[None]:
        """Put what this thread reads within the block under a limit."""
        return limited(limit)

    def _tell(self, seconds: float) -> None:
        """Have the server end what takes longer than so many seconds; a little less than it was told will do."""
        if seconds != self._told_seconds and not _STALE * self._told_seconds <= seconds < self._told_seconds:
            self._connection.execute(f"SET LOCAL statement_timeout = {milliseconds(seconds)}")
            self._told_seconds = seconds

    def _recover(self) -> None:
        if not self._connection.closed and self._connection.info.transaction_status == TransactionStatus.INERROR:
            self._connection.execute("ROLLBACK TO SAVEPOINT begun")
            self._told_seconds = math.inf
