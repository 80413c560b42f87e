"""How ClickHouse servers are: whether they answer, how they are set up, and what our user may do.

Owns the questions. They are asked on connections of their own, which are closed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from consentkit.archive.store.clickhouse.address import parse_address
from consentkit.archive.store.clickhouse.connections import Connections
from consentkit.archive.store.clickhouse.ddl import TABLES, columns_of, is_modern
from consentkit.archive.store.clickhouse.shards import Shards
from consentkit.archive.store.condition import ANSWER_SECONDS, Condition, is_here
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.archive.store.clickhouse.address import Address
    from consentkit.archive.store.clickhouse.server import Server

_OLDEST: Final = (18, 16)
_HALF_SECOND_US: Final = 500_000


class _Clock(NamedTuple):
    seconds: int
    version: bytes


class _Setting(NamedTuple):
    name: bytes
    value: bytes


class _Column(NamedTuple):
    table: bytes
    name: bytes


class _Watched:
    """Connects, and knows afterwards to which address."""

    def __init__(self) -> None:
        self._addresses: list[tuple[Server, Address]] = []

    def connect(self, address: Address) -> Server:
        server = Connections(address)
        self._addresses.append((server, address))
        return server

    def address_of(self, server: Server) -> Address:
        return next(address for one, address in self._addresses if one is server)


def look(url: str) -> list[Condition]:
    """Return how the server is, or each shard of the cluster.

    Raises:
        SettingsError: the URL is none.
    """
    address = parse_address(url)
    seconds = {"connect_timeout": ANSWER_SECONDS, "send_receive_timeout": ANSWER_SECONDS}
    watched = _Watched()
    shards = Shards(msgspec.structs.replace(address, options={**address.options, **seconds}), watched.connect)
    try:
        return [_look_at(server, watched.address_of(server), shards.suffix) for server in shards.all]
    except StorageError as exc:  # the first is away, or the cluster is none
        return [_away(address, exc)]
    finally:
        shards.close()


def _away(address: Address, fault: StorageError) -> Condition:
    return Condition(kind="clickhouse", host=address.host, database=address.database, fault=fault.reason)


def _look_at(server: Server, address: Address, suffix: str) -> Condition:
    try:
        return _asked(server, address, suffix)
    except StorageError as exc:
        return _away(address, exc)


def _asked(server: Server, address: Address, suffix: str) -> Condition:
    is_supported = server.version >= _OLDEST  # opens the connection, which is not what is measured
    began, asked_us = time.monotonic(), time.time_ns() // 1000
    (clock,) = server.read("SELECT toUnixTimestamp(now()), version()", _Clock)
    took = time.monotonic() - began
    # It tells whole seconds: half of one is what it is off by on the whole.
    clock_us = clock.seconds * 1_000_000 + _HALF_SECOND_US
    lacks = _lacked(server)
    return Condition(
        kind="clickhouse",
        host=address.host,
        database=address.database,
        answer_seconds=took,
        version=clock.version.decode(errors="replace"),
        is_supported=is_supported,
        is_local=is_here(address.host),
        is_encrypted=address.secure,
        is_verified=address.secure and address.options.get("verify", True) is True,
        ahead_us=clock_us - asked_us - int(took * 500_000),
        risks=() if is_modern(server) else ("no_fsync",),
        tables=_tables(server, address.database, suffix),
        is_owner="ALTER" not in lacks,
        lacks=lacks,
    )


def _lacked(server: Server) -> tuple[str, ...]:
    """Tell what the user's profile forbids; what grants forbid is told when it is tried."""
    found = server.read(
        "SELECT name, value FROM system.settings WHERE name IN ('readonly', 'allow_ddl')", _Setting
    )
    values = dict(found)
    if values.get(b"readonly", b"0") != b"0":
        return "INSERT", "CREATE TABLE", "ALTER"
    return ("CREATE TABLE", "ALTER") if values.get(b"allow_ddl", b"1") == b"0" else ()


def _tables(server: Server, database: str, suffix: str) -> Literal["good", "missing", "foreign"]:
    names = ", ".join(f"'{table}{suffix}'" for table in TABLES)
    found = server.read(
        f"SELECT table, name FROM system.columns WHERE database = '{database}' AND table IN ({names})", _Column
    )
    columns: dict[str, set[str]] = {}
    for one in found:
        columns.setdefault(one.table.decode(), set()).add(one.name.decode())
    if any(columns.get(table + suffix, wanted) != wanted for table, wanted in _WANTED.items()):
        return "foreign"
    return "good" if len(columns) == len(TABLES) else "missing"


_WANTED: Final = {table: set(columns_of(table)) for table in TABLES}
