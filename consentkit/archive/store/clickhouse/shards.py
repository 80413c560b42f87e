"""Which servers there are, and on which of them a lane's batches of a place lie.

Owns the way from the URL to a server. With ``cluster`` in the URL the shards are those that the first server
knows by that name; reading goes through its Distributed tables, writing and DDL to each shard by a connection of
its own, so that no queue lies between an insert and its answer, and no ZooKeeper is needed.
"""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.store.clickhouse.server import PLACE
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.store.clickhouse.address import Address
    from consentkit.archive.store.clickhouse.server import Server

# Of the tables on the shards of a cluster, behind the Distributed ones.
LOCAL: Final = "_local"


class _Replica(NamedTuple):
    shard: int
    host: bytes
    port: int


class Shards:
    """The servers of a URL.

    Args:
        address: of the first, which is asked.
        connect: makes a `Server` of an address.
    """

    def __init__(self, address: Address, connect: Callable[[Address], Server]) -> None:
        self._address = address
        self._connect = connect
        self._guard = threading.Lock()
        self._by_number: dict[int, Server] = {}
        self.first = connect(address)
        self.database = address.database
        self.cluster = address.cluster

    @property
    def suffix(self) -> str:
        """What the names of a shard's own tables end in."""
        return LOCAL if self.cluster else ""

    @property
    def all(self) -> list[Server]:
        """Return every shard.

        Raises:
            StorageError: there are none, or some have replicas.
        """
        return [self._found()[number] for number in sorted(self._found())]

    def of(self, place: str, lane: str) -> Server:
        """Return the shard that a lane's batches of a place lie on.

        The highest of a hash per shard: one host's places spread over all shards, and another shard takes no
        more than its share of the places to come.
        """
        found = self._found()
        return found[max(found, key=lambda number: _weight(place, lane, number))]

    def close(self) -> None:
        """Let go of connections."""
        self.first.close()
        for server in self._by_number.values():
            server.close()

    def _found(self) -> dict[int, Server]:
        with self._guard:
            if not self._by_number:
                self._by_number = self._connected() if self.cluster else {1: self.first}
            return self._by_number

    def _connected(self) -> dict[int, Server]:
        replicas = self.first.read(
            f"SELECT shard_num, host_name, port FROM system.clusters WHERE cluster = '{self.cluster}'", _Replica
        )
        if not replicas:
            raise StorageError(PLACE, "has no such cluster")
        by_number = {one.shard: one for one in replicas}
        if len(by_number) < len(replicas):
            raise StorageError(PLACE, "the cluster's shards have replicas; name one server a shard")
        return {
            number: self._connect(self._address.at(one.host.decode(), one.port))
            for number, one in by_number.items()
        }


def _weight(place: str, lane: str, number: int) -> bytes:
    return blake2b(f"{place}\0{lane}\0{number}".encode(), digest_size=8).digest()
