"""The end of a statement that the server does not end: it hangs, or the network is gone.

Leaves to the server's own `statement_timeout` what it can do.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
from typing import TYPE_CHECKING, Final, Self

import psycopg

if TYPE_CHECKING:
    from types import TracebackType

    from consentkit.archive.store.postgresql.connections import Connection

# The server has so long to end it by itself, and then to take the order to end it.
GRACE_SECONDS: Final = 2.0
CANCEL_SECONDS: Final = 1.0


class CutOff:
    """Cut a connection off when a block lasts longer than it may.

    Args:
        connection: as a context manager this watches over it; one that was cut is broken.
        seconds: that the block may last; infinite = for ever.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._guard = threading.Lock()
        self._is_over = False
        self._timer: threading.Timer | None = None
        if not math.isinf(seconds):
            wait_seconds = min(seconds + GRACE_SECONDS, threading.TIMEOUT_MAX)
            self._timer = threading.Timer(wait_seconds, self._cut)
            self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            with self._guard:  # a connection that goes on to others is not cut
                self._is_over = True

    def _cut(self) -> None:
        with self._guard:
            if self._is_over:
                return
            with contextlib.suppress(psycopg.Error):  # it may be away: then the server notices by itself
                self._connection.cancel_safe(timeout=CANCEL_SECONDS)
            with (
                contextlib.suppress(psycopg.Error, OSError),  # it has ended meanwhile
                socket.socket(fileno=os.dup(self._connection.fileno())) as line,
            ):
                line.shutdown(socket.SHUT_RDWR)
