"""How a PostgreSQL server is: whether it answers, how it is set up, what our role may do, and who leads.

Owns the questions. Everything is asked on one connection of its own, which is closed.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final, Literal

import psycopg
from msgspec.structs import replace
from psycopg.conninfo import conninfo_to_dict

from consentkit.archive.store.condition import ANSWER_SECONDS, Condition, Leader, Risk, is_here
from consentkit.archive.store.postgresql.cutoff import CutOff
from consentkit.archive.store.postgresql.ddl import READER_MAY, WRITER_MAY
from consentkit.archive.store.postgresql.preparing import REQUESTS
from consentkit.control.connecting import SCHEMA, connect, lock_number
from consentkit.control.faults import fault_of
from consentkit.control.migrations import CONTROL, outstanding
from consentkit.control.roles import ADMIN_MAY, APP_MAY
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from consentkit.control.migrations import Part

# docs/postgresql.md
_OLDEST: Final = 140_000
# What checks the server's certificate and its name. Source: libpq, "Protection Provided in Different Modes".
_VERIFYING: Final = "verify-full"

_SETTINGS: Final = (
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, current_setting('server_version'),"
    " current_setting('fsync'), current_setting('full_page_writes'),"
    " pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
)
_OWNS: Final = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)"
_LACKED: Final = """
SELECT may, name FROM unnest(%s::text[], %s::text[]) AS needed (may, name)
  WHERE NOT CASE WHEN may = 'DELETE' THEN has_table_privilege(name, may)
    ELSE has_any_column_privilege(name, may) END"""
# A lock of 64 bits is listed as two halves. Source: PostgreSQL documentation, "pg_locks".
_HOLDERS: Final = f"""
SELECT held.mode, coalesce(pg_has_role(session.usesysid, its.relowner, 'USAGE'), false) FROM pg_locks AS held
  LEFT JOIN pg_stat_activity AS session ON session.pid = held.pid
  LEFT JOIN pg_class AS its ON its.oid = to_regclass('{SCHEMA}.audit')
  WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND held.classid = %s::bigint::oid AND held.objid = %s::bigint::oid"""
_COLUMNS: Final = re.compile(r" \([^)]*\)")


def look(url: str, *, has_requests: bool) -> Condition:
    """Return how the server is.

    Args:
        url: ``postgresql://…``.
        has_requests: the request log lies there too.
    """
    blank = Condition(kind="postgresql", host="", database="")
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        return replace(blank, fault="the URL can't be read")
    away = replace(blank, host=str(given.get("host") or ""), database=str(given.get("dbname") or ""))
    try:
        with connect(url) as connection, CutOff(connection, ANSWER_SECONDS):
            return _asked(connection, away, has_requests=has_requests)
    except psycopg.Error as exc:
        return replace(away, fault=fault_of(exc))


def _asked(connection: Connection, found: Condition, *, has_requests: bool) -> Condition:
    found = replace(found, host=connection.info.host, database=connection.info.dbname)
    found = _way(connection, _settings(connection, found))
    tables = _tables(connection, (CONTROL, REQUESTS) if has_requests else (CONTROL,))
    found = replace(found, tables=tables)
    if tables != "good":
        return found
    return _hosts(connection, _rights(connection, found, has_requests=has_requests))


def _settings(connection: Connection, found: Condition) -> Condition:
    began, asked_us = time.monotonic(), time.time_ns() // 1000
    row = connection.execute(_SETTINGS).fetchone()
    took = time.monotonic() - began
    clock_us, version, fsync, full_page_writes, is_read_only = row or (asked_us, "", "on", "on", False)
    risks: list[Risk] = ["fsync_off"] if fsync == "off" else []
    if full_page_writes == "off":
        risks.append("full_page_writes_off")
    return replace(
        found,
        answer_seconds=took,
        version=version,
        is_supported=connection.info.server_version >= _OLDEST,
        is_writable=not is_read_only,
        ahead_us=clock_us - asked_us - int(took * 500_000),  # it looked at its clock half-way
        risks=tuple(risks),
    )


def _way(connection: Connection, found: Condition) -> Condition:
    given = connection.info.get_parameters()
    return replace(
        found,
        is_local=is_here(connection.info.hostaddr or connection.info.host),
        is_encrypted=bool(connection.pgconn.ssl_in_use),
        is_verified=given.get("sslmode") == _VERIFYING,
    )


def _tables(connection: Connection, parts: Sequence[Part]) -> Literal["good", "missing", "older", "newer"]:
    try:
        left = [(part, len(outstanding(connection, part))) for part in parts]
    except StorageError:
        return "newer"
    if all(steps == 0 for _, steps in left):
        return "good"
    return "missing" if all(steps in (0, part.newest) for part, steps in left) else "older"


def _rights(connection: Connection, found: Condition, *, has_requests: bool) -> Condition:
    """Tell what our role may: the owner all, another what one of the two roles needs."""
    table = f"{SCHEMA}.request" if has_requests else f"{SCHEMA}.audit"
    owns = connection.execute(_OWNS, (table,)).fetchone()
    if owns is not None and owns[0]:
        return found
    app = _lacked(connection, (*APP_MAY, *(WRITER_MAY if has_requests else ())))
    admin = _lacked(connection, (*ADMIN_MAY, *(READER_MAY if has_requests else ())))
    can_read = has_requests and not _lacked(connection, (f"SELECT ON {table}",))
    return replace(
        found,
        is_owner=False,
        lacks=min(app, admin, key=len),
        may_read_requests=can_read and bool(admin),  # who looks things up is meant to
    )


def _lacked(connection: Connection, may: Sequence[str]) -> tuple[str, ...]:
    needed = list(dict.fromkeys(_apart(may)))
    found = connection.execute(_LACKED, ([one for one, _ in needed], [name for _, name in needed]))
    return tuple(f"{one} ON {name}" for one, name in found)


def _apart(may: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each right with its table; a right to some columns counts as one to the table."""
    for one in may:
        rights, _, name = _COLUMNS.sub("", one).partition(" ON ")
        if name.startswith(f"{SCHEMA}."):
            yield from ((right, name) for right in rights.split(", "))


def _hosts(connection: Connection, found: Condition) -> Condition:
    leading = [owns for mode, owns in _holders(connection, "leader") if mode == "ExclusiveLock"]
    present = [mode for mode, _ in _holders(connection, "hosts") if mode == "ShareLock"]
    leader = Leader(may_make_places=leading[0]) if leading else None
    return replace(found, hosts=len(present), leader=leader)


def _holders(connection: Connection, name: str) -> list[tuple[str, bool]]:
    number = lock_number(name)
    halves = (number >> 32 & 0xFFFF_FFFF, number & 0xFFFF_FFFF)
    return [(str(mode), bool(owns)) for mode, owns in connection.execute(_HOLDERS, halves)]
