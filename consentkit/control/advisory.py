"""PostgreSQL's locks for all hosts of an installation: advisory ones, each on a connection of its own.

Owns taking and holding them. They die with the connection: a host that is cut off has lost its locks, which it
learns when it asks. Source: PostgreSQL documentation, "Advisory Locks".
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Self

import psycopg

from consentkit.control.connecting import PLACE, connect, lock_number, refused
from consentkit.control.faults import is_timed_out
from consentkit.control.idle import Idle
from consentkit.control.locks import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

# One that reads in many places one after the other needs no more.
_KEPT_OPEN: Final = 2

_TRY: Final = {
    True: "SELECT pg_try_advisory_lock(%s)",
    False: "SELECT pg_try_advisory_lock_shared(%s)",
}
_WAIT: Final = {
    True: "SELECT pg_advisory_lock(%s)",
    False: "SELECT pg_advisory_lock_shared(%s)",
}


class Sessions:
    """Connections that hold locks: one a lock, and a few that wait for the next.

    Args:
        url: of the database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: Idle[Connection] = Idle(_KEPT_OPEN, psycopg.Connection.close)

    def take(self, name: str, *, exclusive: bool, wait_seconds: float) -> AdvisoryLock:
        """Take a lock, as `Control.lock` does."""
        number = lock_number(name)
        connection, is_had = self._tried(number, name, exclusive=exclusive)
        if not is_had and wait_seconds > 0:
            with _closing_on_error(connection, name):
                is_had = _wait(connection, number, exclusive=exclusive, wait_seconds=wait_seconds)
        if not is_had:
            self.give_back(connection)
            raise Busy(PLACE, f"{name} is held by another process, after {wait_seconds:g} s; try again")
        return AdvisoryLock(self, connection)

    def give_back(self, connection: Connection) -> None:
        """Let go of what a connection holds, and keep it for the next lock unless all was closed meanwhile."""
        try:
            connection.execute("SELECT pg_advisory_unlock_all()")
        except psycopg.Error:
            connection.close()  # with it the server has let go of all
            return
        self._idle.give_back(connection)

    def close(self) -> None:
        """Close those that hold nothing, and the others as they are given back, until another lock is taken."""
        self._idle.close()

    def _tried(self, number: int, name: str, *, exclusive: bool) -> tuple[Connection, bool]:
        """Return a connection, and whether it has the lock without waiting.

        Whether an idle one still lives shows by this very question. What it may have taken when it broke is gone
        with it, so another is asked anew.
        """
        idle = self._idle.take()
        if idle is not None:
            with _closing_on_error(idle, name):
                try:
                    return idle, _try(idle, number, exclusive=exclusive)
                except psycopg.OperationalError:
                    if not idle.closed:
                        raise
        try:
            fresh = connect(self._url)
        except psycopg.Error as exc:
            raise refused(exc, "can't be reached") from None
        with _closing_on_error(fresh, name):
            return fresh, _try(fresh, number, exclusive=exclusive)


class AdvisoryLock:
    """A lock held by a session of its own.

    Args:
        sessions: where the connection goes back to.
        connection: that holds it.
    """

    def __init__(self, sessions: Sessions, connection: Connection) -> None:
        self._sessions = sessions
        self._connection: Connection | None = connection

    @property
    def is_held(self) -> bool:
        """Whether it still is: asks the server."""
        if self._connection is not None and not _answers(self._connection):
            self._connection = None
        return self._connection is not None

    def release(self) -> None:
        """Let others in. Releasing twice is the same as once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._sessions.give_back(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _answers(connection: Connection) -> bool:
    """Tell whether a connection is alive; one that is not is closed."""
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        connection.close()
        return False
    return True


@contextlib.contextmanager
def _closing_on_error(connection: Connection, name: str) -> Iterator[None]:
    """Close a connection that may hold what nobody knows of."""
    try:
        yield
    except psycopg.Error as exc:
        connection.close()
        raise refused(exc, f"the lock {name} can't be had") from None
    except BaseException:
        connection.close()
        raise


def _try(connection: Connection, number: int, *, exclusive: bool) -> bool:
    row = connection.execute(_TRY[exclusive], (number,)).fetchone()
    return row is not None and bool(row[0])


def _wait(connection: Connection, number: int, *, exclusive: bool, wait_seconds: float) -> bool:
    # Waiting in the server's own queue is fair; asking again and again is not.
    wait_ms = str(max(int(wait_seconds * 1000), 1))
    connection.execute("SELECT set_config('statement_timeout', '0', false)")
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (wait_ms,))
    try:
        connection.execute(_WAIT[exclusive], (number,))
    except psycopg.Error as exc:
        if is_timed_out(exc):
            return False
        raise
    return True
