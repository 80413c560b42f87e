"""The engine: all that ClickHouse does for the request log, gathered.

Owns no statement: `reading`, `appending`, `places` and `ddl` do.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from consentkit.archive.store.clickhouse import places
from consentkit.archive.store.clickhouse.address import parse_address
from consentkit.archive.store.clickhouse.appending import append
from consentkit.archive.store.clickhouse.connections import Connections
from consentkit.archive.store.clickhouse.ddl import make_tables
from consentkit.archive.store.clickhouse.instant import Instant
from consentkit.archive.store.clickhouse.reading import Reading
from consentkit.archive.store.clickhouse.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consentkit.archive.store.clickhouse.address import Address
    from consentkit.archive.store.clickhouse.server import Server
    from consentkit.archive.store.server.engine import Addition


class ClickHouseEngine(Reading):
    """The tables of the request log on one ClickHouse server, or on the shards of a cluster; an `Engine`.

    Args:
        url: as `parse_address` has it. Nothing is opened before something is asked.
        connect: makes a `Server` of an address.

    Raises:
        SettingsError: the URL is none.
    """

    def __init__(self, url: str, *, connect: Callable[[Address], Server] = Connections) -> None:
        super().__init__(Shards(parse_address(url), connect))

    @contextlib.contextmanager
    def opened(self, place: str) -> Iterator[Reading | None]:
        """Give what is asked of a place as it is now; None where it is not made."""
        instant = Instant(self._shards, place)
        yield None if instant.is_empty and not self.is_made(place) else instant

    def prepare(self) -> None:
        """Make the tables that are not there, on every shard."""
        make_tables(self._shards)

    def places(self) -> dict[str, bool]:
        """Return the places that are made or marked, and of each whether it is marked as a draft."""
        return places.list_places(self._shards)

    def make(self, place: str) -> None:
        """Make a place; its partitions come with its first rows."""
        places.change_state(self._shards, place, is_made=True)

    def mark_draft(self, place: str, *, is_draft: bool) -> None:
        """Mark a place as a draft before it is made, or take the mark away, durably."""
        places.change_state(self._shards, place, is_draft=is_draft)

    def drop(self, place: str) -> None:
        """Drop a place's partitions whole, on every shard, its words with them; nothing where there is none."""
        places.drop_place(self._shards, place)

    def left(self, place: str) -> int:
        """Count all rows of all tables that the place has on any shard, in parts of any state."""
        return places.count_left(self._shards, place)

    def size_bytes(self, place: str) -> int:
        """Return what the place takes on the disks of all shards, indexes with it."""
        return places.measure_bytes(self._shards, place)

    def append(self, place: str, additions: Sequence[Addition]) -> None:
        """Store batches, in order; the same call again completes it.

        Raises:
            Outrun: another writer has added to one of the lanes or segments: read their ends again.
        """
        append(self._shards, place, additions)

    def close(self) -> None:
        """Let go of connections."""
        self._shards.close()
