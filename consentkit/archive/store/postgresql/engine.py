"""The engine of PostgreSQL: all that it does for the request log, gathered.

Owns no statement: `reading`, `appending`, `places` and `preparing` do.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from consentkit.archive.store.postgresql import appending, places
from consentkit.archive.store.postgresql.connections import Connections
from consentkit.archive.store.postgresql.preparing import prepare
from consentkit.archive.store.postgresql.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consentkit.archive.store.server.engine import Addition


class PostgresqlEngine(Reading):
    """The tables of the request log in one PostgreSQL database; an `Engine`.

    Args:
        url: ``postgresql://…``, with libpq's options. Nothing is opened before something is asked; a connection
            that broke is dropped, and the next call opens another.

    Raises:
        StorageError: the URL is none; and from every method, where the server refuses or is away.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections = Connections(url)
        super().__init__(self._connections)

    def is_made(self, place: str) -> bool:
        """Tell whether a place has its partitions, by one message: it is asked of every place of a search."""
        with self._connections.asking() as connection:
            return places.is_made(connection, place)

    @contextlib.contextmanager
    def opened(self, place: str) -> Iterator[Reading | None]:
        """Give what is asked of a place in one snapshot; None where it is not made."""
        with self._connections.at_one_instant(places.question_of_made(place)) as (lender, is_made):
            yield Reading(lender) if is_made else None

    def prepare(self) -> None:
        """Make the tables where they are not there, and share what is granted on them with the places."""
        prepare(self._url, self._connections)

    def places(self) -> dict[str, bool]:
        """Return the places, made or only marked, and of each whether it is marked as a draft."""
        with self._connections.reading() as connection:
            return places.names(connection)

    def make(self, place: str) -> None:
        """Make a place's partitions; nothing where they are there."""
        places.make(self._connections, place)

    def mark_draft(self, place: str, *, is_draft: bool) -> None:
        """Mark a place as a draft before it is made, or take the mark away."""
        with self._connections.writing() as connection:
            places.mark_draft(connection, place, is_draft=is_draft)

    def drop(self, place: str) -> None:
        """Drop a place whole; nothing where there is none."""
        places.drop(self._connections, place)

    def left(self, place: str) -> int:
        """Count all rows of all tables that the place has, attached or not; 0 proves that it is gone."""
        with self._connections.reading() as connection:
            return places.left(connection, place)

    def size_bytes(self, place: str) -> int:
        """Return what the place takes on the server's disk."""
        with self._connections.reading() as connection:
            return places.size_bytes(connection, place)

    def append(self, place: str, additions: Sequence[Addition]) -> None:
        """Store batches, in order; all or none.

        Raises:
            Outrun: another writer has added to one of the lanes or segments.
        """
        with self._connections.writing() as connection:
            appending.append(connection, place, additions)

    def close(self) -> None:
        """Let go of connections."""
        self._connections.close()
