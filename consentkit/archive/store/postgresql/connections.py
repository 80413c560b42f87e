"""Connections to the server: few, used again, thrown away when broken.

Owns how many there are, and in which transactions they are given. How one is opened is as for control data.
"""

from __future__ import annotations

import contextlib
import select
import threading
from typing import TYPE_CHECKING, Final, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from consentkit.archive.store.postgresql.cutoff import CutOff
from consentkit.archive.store.postgresql.instant import INSTANT, Instant
from consentkit.archive.store.postgresql.limits import limited, milliseconds, present_limit, telling
from consentkit.control.connecting import PLACE, connect
from consentkit.control.idle import Idle
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from consentkit.archive.store.requeststore import Limit

Connection: TypeAlias = psycopg.Connection[TupleRow]

# Of one process: the ingester needs one, the admin area one a thread that reads, as long as its place is open.
MOST: Final = 16
KEPT: Final = 4
WAIT_SECONDS: Final = 10.0
# A writer that hangs in the midst (its machine froze) holds up others no longer than this.
STALLED_MS: Final = 60_000
APPEND_LOCK_MS: Final = 30_000

# A cursor is read to its end, so it is planned for that.
_SESSION: Final = "SET cursor_tuple_fraction = 1"


class Connections:
    """At most `MOST` connections at a time, of which `KEPT` are kept for the next who asks.

    Args:
        url: as libpq takes it. Nothing is opened before something is asked.

    Raises:
        StorageError: the URL is none.
    """

    def __init__(self, url: str) -> None:
        try:
            conninfo_to_dict(url)
        except psycopg.Error:
            raise StorageError(PLACE, "the URL can't be read (postgresql://user:password@host/database)") from None
        self._url = url
        self._idle: Idle[Connection] = Idle(KEPT, psycopg.Connection.close)
        self._free = threading.BoundedSemaphore(MOST)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that changes nothing, under the limit of `limited`.

        Raises:
            StorageError: the server refuses or is away.
            TimeIsUp: the limit has passed.
        """
        limit, seconds = present_limit()
        begin = f"BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds(seconds)}"
        with telling(limit), self._lent() as connection, CutOff(connection, seconds), begun(connection, begin):
            yield connection

    @contextlib.contextmanager
    def asking(self) -> Iterator[Connection]:
        """Give a connection for questions that take no time, each a transaction of its own."""
        with telling(None), self._lent() as connection:
            yield connection

    @contextlib.contextmanager
    def at_one_instant(self, question: sql.Composed) -> Iterator[tuple[Instant, bool]]:
        """Give one connection for all that is read within the block: what is committed meanwhile is not seen.

        Args:
            question: asked by the message that begins it; with the connection it is told whether a row came.
        """
        begin = sql.SQL("{}; {}").format(INSTANT, question)
        with telling(None), self._lent() as connection, begun(connection, begin) as answers:
            while answers.nextset():
                pass
            yield Instant(connection), answers.fetchone() is not None

    @contextlib.contextmanager
    def writing(self, *, lock_ms: int = APPEND_LOCK_MS) -> Iterator[Connection]:
        """Give a connection in a transaction that is durable when the block ends, and undone when it fails.

        Raises:
            Busy: a lock was not had in so many milliseconds.
            StorageError: the server refuses or is away. Where it went away at the very end, all may be in.
        """
        with telling(None), self._lent() as connection, connection.transaction():
            connection.execute(
                f"SET LOCAL lock_timeout = {lock_ms}; "
                f"SET LOCAL idle_in_transaction_session_timeout = {STALLED_MS}; SET LOCAL statement_timeout = 0"
            )
            yield connection

    def limited(self, limit: Limit) -> AbstractContextManager[None]:
        """Put what this thread reads within the block under a limit."""
        return limited(limit)

    def close(self) -> None:
        """Close what nobody uses, and the rest as it is given back, until another is asked for."""
        self._idle.close()

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Connection]:
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise StorageError(PLACE, f"all {MOST} connections of this process are in use")
        try:
            connection = self._kept() or self._opened()
            try:
                yield connection
            finally:
                self._take_back(connection)
        finally:
            self._free.release()

    def _kept(self) -> Connection | None:
        while connection := self._idle.take():
            if _is_quiet(connection):
                return connection
            connection.close()
        return None

    def _opened(self) -> Connection:
        # Not prepared, as `connect` has it: an array of 10**5 numbers is looked up by hash only where the plan
        # is made with its values.
        connection = connect(self._url)
        connection.execute(_SESSION)
        return connection

    def _take_back(self, connection: Connection) -> None:
        if not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE:
            self._idle.give_back(connection)
        else:
            connection.close()


def _is_quiet(connection: Connection) -> bool:
    """Tell whether a connection is usable: where the server ended it there is something to read."""
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return not waiting.poll(0)


@contextlib.contextmanager
def begun(connection: Connection, statement: str | sql.Composed) -> Iterator[psycopg.Cursor[TupleRow]]:
    """Begin a transaction that changes nothing by one message, and end it with the block."""
    answers = connection.execute(statement)
    try:
        yield answers
    finally:
        if not connection.closed and connection.info.transaction_status != TransactionStatus.ACTIVE:
            with contextlib.suppress(psycopg.Error):  # it broke: nothing was to be kept, and nobody gets it again
                connection.execute("ROLLBACK")
