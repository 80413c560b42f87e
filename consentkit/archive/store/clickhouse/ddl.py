"""The tables in ClickHouse, and how they are made on one server or on every shard.

`request` is ordered by stretches of four hours, within them by client and time: an address is found by a range
in each stretch, and a page by time reads a stretch or two. Over 10**7 rows of a day, on 18.16 and two cores, the
first page of an address took 9 ms and the newest page 62 ms; ordered by client alone it was 5 and 730 ms, and a
second table by time would double the bytes.

What must be in together stands in one table: one block of one partition on one server is all that ClickHouse makes
atomic, so a batch's gaps and the batch itself are rows of `request` too, in stretches of their own below zero
(`ledger`). `word` may hold a word twice, under the same number and with the same meaning; its `lane` and `batch`
are of one that it came before, so that who has read the words up to a batch finds those that came since.

Nothing is ever changed: no mutations, no TTL. Partitions are dropped, by our retention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.store.clickhouse.server import PLACE
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.archive.store.clickhouse.server import Server
    from consentkit.archive.store.clickhouse.shards import Shards

STRETCH_US: Final = 4 * 3600 * 1_000_000

# What each holds in its column `stretch`, below those of requests.
BATCHES: Final = -1
GAPS: Final = -2

_ZSTD: Final = "CODEC(ZSTD(1))"
_DELTA: Final = "CODEC(Delta, ZSTD(1))"
_T64: Final = "CODEC(T64, ZSTD(1))"

# Codecs make a row 11 bytes instead of 23 (a million rows); LowCardinality gains nothing beside them.
_COLUMNS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "request": (
        ("place", "String", _ZSTD),
        ("stretch", "Int32", _ZSTD),
        ("time_us", "Int64", _DELTA),
        ("segment", "Int64", _ZSTD),
        ("sequence", "Int64", _DELTA),
        ("client", "Int64", _ZSTD),
        ("agent", "Int64", _ZSTD),
        ("resource", "Int64", _ZSTD),
        ("referrer", "Int64", _ZSTD),
        ("result", "Int32", _ZSTD),
        ("bytes_sent", "Int64", _T64),
        ("duration_us", "Int64", _T64),
        ("claimed_us", "Int64", _ZSTD),
        ("note", "String", _ZSTD),
    ),
    "word": (
        ("place", "String", _ZSTD),
        ("kind", "Int8", _ZSTD),
        ("number", "Int64", _ZSTD),
        ("lookup", "Int64", _ZSTD),
        ("lane", "Int64", _ZSTD),
        ("batch", "Int64", _ZSTD),
        ("sealed", "String", _ZSTD),
    ),
    "place": (
        ("place", "String", _ZSTD),
        ("version", "Int64", _ZSTD),
        ("is_made", "UInt8", _ZSTD),
        ("is_draft", "UInt8", _ZSTD),
    ),
}
_ENGINES: Final = {"request": "MergeTree", "word": "ReplacingMergeTree", "place": "MergeTree"}
_ORDERS: Final = {
    "request": "stretch, client, time_us, segment, sequence",
    "word": "kind, number",
    "place": "version",
}

# As they are dropped: what is left is listed until all is gone, and where batches are left so are all words.
TABLES: Final = ("request", "word", "place")

# Codecs of columns came with 19.1, T64 with 19.11, the settings below and detached parts by 20.10.
_MODERN: Final = (20, 10)
_GRANULARITY: Final = 2048
# What has returned is on the disk, and so is what a merge wrote before its sources are deleted.
_DURABLY: Final = (
    "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 5"
)
# An old server never asks the disk: so long a merge's sources stay, as long as Linux takes to write it by itself.
_OLD_LIFETIME_SECONDS: Final = 60
_OLD_DEFAULT: Final = b"480"


def columns_of(table: str) -> tuple[str, ...]:
    """Return the names of a table's columns, in order."""
    return tuple(name for name, _, _ in _COLUMNS[table])


def is_modern(server: Server) -> bool:
    """Tell whether a server knows codecs, fsync, and what is detached."""
    return server.version >= _MODERN


def make_tables(shards: Shards) -> None:
    """Make the tables that are not there, on every shard.

    Raises:
        StorageError: the server refuses, or has tables by these names that are not ours.
    """
    for server in shards.all:
        settings = _settings(server)
        for table in TABLES:
            server.run(_local(shards, table, settings, has_codecs=is_modern(server)))
            if shards.cluster:
                server.run(_distributed(shards, table))
            _check(server, shards.database, table, table + shards.suffix)


class _Column(NamedTuple):
    name: bytes


def _check(server: Server, database: str, table: str, own: str) -> None:
    found = server.read(
        f"SELECT name FROM system.columns WHERE database = '{database}' AND table = '{own}'", _Column
    )
    if {one.name.decode() for one in found} != set(columns_of(table)):
        raise StorageError(PLACE, f"its table {table} is not ours; give consentkit a database of its own")


def _local(shards: Shards, table: str, settings: str, *, has_codecs: bool) -> str:
    columns = ", ".join(
        f"{name} {kind} {codec}" if has_codecs else f"{name} {kind}" for name, kind, codec in _COLUMNS[table]
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {shards.database}.{table}{shards.suffix} ({columns})"
        f" ENGINE = {_ENGINES[table]}() PARTITION BY place ORDER BY ({_ORDERS[table]}) SETTINGS {settings}"
    )


def _distributed(shards: Shards, table: str) -> str:
    own = f"{shards.database}.{table}"
    return (
        f"CREATE TABLE IF NOT EXISTS {own} AS {own}{shards.suffix}"
        f" ENGINE = Distributed('{shards.cluster}', '{shards.database}', '{table}{shards.suffix}')"
    )


def _settings(server: Server) -> str:
    common = f"index_granularity = {_GRANULARITY}"
    if is_modern(server):
        return f"{common}, {_DURABLY}"
    lifetime = server.read(
        "SELECT value FROM system.merge_tree_settings WHERE name = 'old_parts_lifetime'", _Column
    )
    if [one.name for one in lifetime] == [_OLD_DEFAULT]:
        return f"{common}, old_parts_lifetime = {_OLD_LIFETIME_SECONDS}"
    return common  # the operator has decided
