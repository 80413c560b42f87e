"""Places: made, marked, dropped, and proved gone.

Owns table `place`, whose rows are added and never changed: the one of the highest version says what holds.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

from consentkit.archive.store.clickhouse.conditions import named
from consentkit.archive.store.clickhouse.ddl import TABLES, columns_of, is_modern
from consentkit.archive.store.clickhouse.server import PLACE
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.store.clickhouse.server import Server
    from consentkit.archive.store.clickhouse.shards import Shards

# So long an insert of a writer that is gone may take to end, and a merge's leftovers to be deleted.
_QUIET_SECONDS: Final = 30.0
_GONE_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.1
# Old servers delete what merges have left as a partition is dropped, and else in ten seconds or so. To drop ends
# all merges of the table, so it is done again ever more rarely: after so long, then twice as long, up to the last.
_AGAIN_SECONDS: Final = 0.5
_RAREST_AGAIN_SECONDS: Final = 8.0


class _Place(NamedTuple):
    name: bytes
    is_made: int
    is_draft: int


class State(NamedTuple):
    """Where a place stands.

    Attributes:
        version: counts its rows; 0 = there are none.
    """

    version: int
    is_made: int
    is_draft: int


def query_id(database: str, place: str, rest: str) -> str:
    """Return the id under which something is inserted into a place, which `wait_until_quiet` knows."""
    return f"{_prefix(database, place)}{rest}"


def list_places(shards: Shards) -> dict[str, bool]:
    """Return the places that are made or marked, and of each whether it is marked as a draft."""
    found = shards.first.read(
        "SELECT place, argMax(is_made, version), argMax(is_draft, version)"
        f" FROM {shards.database}.place GROUP BY place ORDER BY place",
        _Place,
    )
    return {one.name.decode(): bool(one.is_draft) for one in found if one.is_made or one.is_draft}


def state_of(shards: Shards, place: str) -> State:
    """Return where a place stands."""
    found = shards.first.read(
        "SELECT max(version), argMax(is_made, version), argMax(is_draft, version)"
        f" FROM {shards.database}.place WHERE place = {named(place)}",
        State,
    )
    return found[0] if found else State(0, 0, 0)


def change_state(shards: Shards, place: str, *, is_made: bool | None = None, is_draft: bool | None = None) -> None:
    """Make what holds of a place; None = as it is. Nothing where it holds already."""
    state = state_of(shards, place)
    made = state.is_made if is_made is None else int(is_made)
    draft = state.is_draft if is_draft is None else int(is_draft)
    if (made, draft) == (state.is_made, state.is_draft):
        return
    line = (place.encode(), state.version + 1, made, draft)
    shards.of(place, "").insert(
        f"place{shards.suffix}",
        columns_of("place"),
        lambda: [line],
        query_id=query_id(shards.database, place, f"state/{uuid4().hex}"),
    )


def drop_place(shards: Shards, place: str) -> None:
    """Drop a place's partitions on every shard, and wait until nothing of them lies there.

    Raises:
        StorageError: a writer that is gone has left an insert that still runs, or the server has not yet
            deleted what it merged; the same call again goes on.
    """
    for server in shards.all:
        wait_until_quiet(server, shards.database, place)
    _drop_partitions(shards.all, shards, place)
    deadline = time.monotonic() + _GONE_SECONDS
    pause_seconds = _AGAIN_SECONDS
    again = time.monotonic() + pause_seconds
    while left := [server for server in shards.all if _merged(server, shards, place)]:
        now = time.monotonic()
        if now > deadline:
            raise StorageError(PLACE, "has not yet deleted all parts of a dropped place (old_parts_lifetime)")
        if now >= again:
            _drop_partitions([server for server in left if not is_modern(server)], shards, place)
            pause_seconds = min(2 * pause_seconds, _RAREST_AGAIN_SECONDS)
            again = now + pause_seconds
        time.sleep(_PAUSE_SECONDS)


def wait_until_quiet(server: Server, database: str, place: str) -> None:
    """Wait until nothing is being inserted into a place.

    A writer sends its rows only when the server has taken note of the insert, so what is not listed here can no
    longer come from a writer that is gone.
    """
    deadline = time.monotonic() + _QUIET_SECONDS
    prefix = _prefix(database, place)
    statement = f"SELECT count() FROM system.processes WHERE startsWith(query_id, '{prefix}')"
    while any(server.read(statement, int)):
        if time.monotonic() > deadline:
            raise StorageError(PLACE, "rows of a writer that is gone are still being stored; try again later")
        time.sleep(_PAUSE_SECONDS)


def count_left(shards: Shards, place: str) -> int:
    """Count what lies of a place on all shards: rows, rows in parts that were merged away, and detached parts."""
    total = 0
    for server in shards.all:
        for table in TABLES:
            own = f"{shards.database}.{table}{shards.suffix}"
            total += sum(server.read(f"SELECT count() FROM {own} WHERE place = {named(place)}", int))
        total += _merged(server, shards, place)
        if is_modern(server):
            total += sum(
                server.read(
                    f"SELECT count() FROM system.detached_parts WHERE database = '{shards.database}'"
                    f" AND {_own_tables(shards)} AND partition_id = partitionID({named(place)})",
                    int,
                )
            )
    return total


def measure_bytes(shards: Shards, place: str) -> int:
    """Return what a place takes on the disks of all shards."""
    statement = f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND {_parts(shards, place)}"
    return sum(sum(server.read(statement, int)) for server in shards.all)


def _drop_partitions(servers: Sequence[Server], shards: Shards, place: str) -> None:
    """Drop them table by table: what lists the place goes last."""
    for table in TABLES:
        own = f"{shards.database}.{table}{shards.suffix}"
        for server in servers:
            server.run(f"ALTER TABLE {own} DROP PARTITION {named(place)}")
            if is_modern(server):
                server.run(
                    f"ALTER TABLE {own} DROP DETACHED PARTITION {named(place)} SETTINGS allow_drop_detached = 1"
                )


def _merged(server: Server, shards: Shards, place: str) -> int:
    statement = f"SELECT sum(rows) FROM system.parts WHERE NOT active AND {_parts(shards, place)}"
    return sum(server.read(statement, int))


def _parts(shards: Shards, place: str) -> str:
    return f"database = '{shards.database}' AND {_own_tables(shards)} AND partition = {named(place)}"


def _own_tables(shards: Shards) -> str:
    return f"table IN ({', '.join(repr(table + shards.suffix) for table in TABLES)})"


def _prefix(database: str, place: str) -> str:
    return f"consentkit/{database}/{blake2b(place.encode(), digest_size=16).hexdigest()}/"
