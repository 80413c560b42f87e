"""What a database does that holds the control data. SQLCipher and PostgreSQL are each a module beside this one.

Owns the page of interface; statements are the same for both, and stand in the rooms that need them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine, Table

    from consentkit.control.locks import Lock


class Backend(Protocol):
    """The database of one installation, opened, with all tables made.

    Attributes:
        place: what it is called in an error: never with a password.
        writing: its transactions are one at a time over all processes and hosts, and durable when they end.
        reading: its transactions see one moment, can't write and wait for no writer.
    """

    place: str
    writing: Engine
    reading: Engine

    def fault(self, exc: BaseException | None) -> str:
        """Return what an error of the driver says, without values."""

    def lock(self, name: str, *, exclusive: bool, wait_seconds: float) -> Lock:
        """Take a lock that holds over all processes and hosts.

        Raises:
            Busy: others hold it.
            StorageError: it can't be had.
        """

    def empty(self, tables: Iterable[Table]) -> None:
        """Take all rows out of some tables, so that as little as can be is left of them anywhere.

        Raises:
            StorageError: it can't be done; doing it again finishes it.
        """

    def drop(self) -> None:
        """Remove the whole of it, where that is not done by removing the data directory.

        Raises:
            StorageError: it can't be removed.
        """

    def close(self) -> None:
        """Let go of connections; what is asked later opens new ones."""
