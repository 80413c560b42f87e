"""Connections that nobody uses at the moment, kept for who asks next.

Owns how many there are, and that none is left when all were closed: what was lent meanwhile is closed as it comes
back.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Of = TypeVar("Of")


class Idle(Generic[Of]):
    """At most so many connections of one kind.

    Args:
        most: that are kept.
        close: ends one.
    """

    def __init__(self, most: int, close: Callable[[Of], None]) -> None:
        self._most = most
        self._close = close
        self._kept: list[Of] = []
        self._keeps = True
        self._guard = threading.Lock()

    def take(self) -> Of | None:
        """Return the one that was used last; None where there is none. From now on some are kept again."""
        with self._guard:
            self._keeps = True
            return self._kept.pop() if self._kept else None

    def give_back(self, connection: Of) -> None:
        """Keep a connection that is usable for the next who asks, or close it."""
        with self._guard:
            if self._keeps and len(self._kept) < self._most:
                self._kept.append(connection)
                return
        self._close(connection)

    def close(self) -> None:
        """Close all, and what is given back later, until another is asked for."""
        with self._guard:
            kept, self._kept = self._kept, []
            self._keeps = False
        for connection in kept:
            self._close(connection)
