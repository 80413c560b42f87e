"""How the servers are that the settings name: values, and asking each of them in its own words.

Owns the shape of an answer and which servers are asked. Judging it is `archive.health`'s job. A URL holds a
password: no more than host and database of it goes on.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.settings import Storage

Kind: TypeAlias = Literal["postgresql", "clickhouse"]
Risk: TypeAlias = Literal["no_fsync", "fsync_off", "full_page_writes_off"]

# A server that takes longer to say how it is does not answer.
ANSWER_SECONDS: Final = 5


class Leader(msgspec.Struct, frozen=True, kw_only=True):
    """The session that holds the lock of the host that leads.

    Attributes:
        may_make_places: its role is the owner of the tables, so that it may make and drop places.
    """

    may_make_places: bool


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One server, as it was when it was asked. All but the first four tell nothing where `fault` is set.

    Attributes:
        kind: of server.
        host, database: for administrators; neither user nor password.
        fault: why it did not answer; empty where it did.
        answer_seconds: how long one question took on an open connection.
        version: as the server says it.
        is_supported: the version is one that is tested.
        is_writable: it is no replica, nor set to read only.
        is_local: host or socket of this machine.
        is_encrypted, is_verified: by TLS, and the certificate is checked against the host's name.
        ahead_us: its clock minus ours; negative where it is behind.
        risks: how it can lose what it has confirmed.
        tables: ``missing`` = not made yet, ``older`` and ``newer`` than this version, ``foreign`` = not ours.
        is_owner: our role may make and drop places.
        lacks: rights that our role needs and does not have, as ``INSERT ON consentkit.audit``.
        may_read_requests: our role may.
        hosts: ingesters that are there, of all hosts; 0 where the server holds no locks of ours.
        leader: the one that leads.
    """

    kind: Kind
    host: str
    database: str
    fault: str = ""
    answer_seconds: float = 0.0
    version: str = ""
    is_supported: bool = True
    is_writable: bool = True
    is_local: bool = False
    is_encrypted: bool = False
    is_verified: bool = False
    ahead_us: int = 0
    risks: tuple[Risk, ...] = ()
    tables: Literal["good", "missing", "older", "newer", "foreign"] = "good"
    is_owner: bool = True
    lacks: tuple[str, ...] = ()
    may_read_requests: bool = True
    hosts: int = 0
    leader: Leader | None = None


def look_at_servers(storage: Storage) -> tuple[Condition, ...]:
    """Ask each server that the settings name how it is; none where all is embedded. Of a cluster, each shard.

    Blocks for some seconds where one is away.

    Raises:
        SettingsError: a URL can't be used.
    """
    found: list[Condition] = []
    if storage.url:
        found += _asked("postgresql", lambda: _look_at_postgresql(storage))
    if storage.requests_url:
        found += _asked("clickhouse", lambda: _look_at_clickhouse(storage.requests_url))
    return tuple(found)


def is_here(host: str) -> bool:
    """Tell whether a host's name or address, or the folder of a socket, is this machine's."""
    if not host or host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _look_at_postgresql(storage: Storage) -> list[Condition]:
    from consentkit.archive.store.postgresql.condition import look  # noqa: PLC0415 - an extra

    return [look(storage.url, has_requests=not storage.requests_url)]


def _look_at_clickhouse(url: str) -> list[Condition]:
    from consentkit.archive.store.clickhouse.condition import look  # noqa: PLC0415 - an extra

    return look(url)


def _asked(kind: Kind, look: Callable[[], list[Condition]]) -> list[Condition]:
    try:
        return look()
    except ModuleNotFoundError:
        fault = f"its driver is not installed: pip install 'consentkit[{kind}]'"
        return [Condition(kind=kind, host="", database="", fault=fault)]
