"""The places: making their partitions ahead, dropping them whole, and proving that they are gone.

Owns who has to wait for whom. What reads or writes names its partition, so that a parent table is held for moments
alone: a place is made while all go on, and dropped as soon as those who add rows anywhere have ended their
transaction. Whoever is read elsewhere, however long, is not in the way. Needs the owner's role.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from psycopg import sql

from consentkit.archive.store.postgresql.ddl import TABLES, partition
from consentkit.archive.store.postgresql.limits import Busy
from consentkit.control.connecting import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.store.postgresql.connections import Connection, Connections

# While one waits for a table of its own, all who come after wait too: short at first, longer where it must be.
# All tries together: about 40 seconds. After that the caller tries again at its next turn.
_LOCK_MS: Final = (200, 400, 800, 1600, *[3200] * 10)
_PAUSE_SECONDS: Final = 0.2

# What is granted on a parent, on whole tables and on columns.
_GRANTED: Final = """
SELECT granted.grantee::regrole::text, granted.privilege_type, NULL FROM pg_class AS parent,
  aclexplode(parent.relacl) AS granted
  WHERE parent.oid = %(parent)s::regclass AND granted.grantee NOT IN (0, parent.relowner)
UNION ALL
SELECT granted.grantee::regrole::text, granted.privilege_type, attribute.attname::text FROM pg_class AS parent
  JOIN pg_attribute AS attribute ON attribute.attrelid = parent.oid, aclexplode(attribute.attacl) AS granted
  WHERE parent.oid = %(parent)s::regclass AND granted.grantee NOT IN (0, parent.relowner)"""


def names(connection: Connection) -> dict[str, bool]:
    """Return the places, made or marked, and of each whether it is marked as a draft."""
    found = connection.execute(
        f"SELECT name, is_draft FROM {SCHEMA}.place WHERE is_made OR is_draft ORDER BY name"
    )
    return dict(found)


def is_made(connection: Connection, place: str) -> bool:
    """Tell whether a place has its partitions."""
    return connection.execute(question_of_made(place)).fetchone() is not None


def question_of_made(place: str) -> sql.Composed:
    """Return what has a row where a place has its partitions, to be sent together with other statements."""
    return sql.SQL(f"SELECT 1 FROM {SCHEMA}.place WHERE name = {{}} AND is_made").format(sql.Literal(place))


def made(connection: Connection) -> list[str]:
    """Return the places that have partitions."""
    found = connection.execute(f"SELECT name FROM {SCHEMA}.place WHERE is_made ORDER BY name")
    return [name for (name,) in found]


def make(connections: Connections, place: str) -> None:
    """Make a place's partitions; nothing where they are there, which takes no more than reading."""
    with connections.asking() as connection:
        is_there = is_made(connection, place)
    if not is_there:
        _patiently(connections, lambda connection: _make(connection, place))


def mark_draft(connection: Connection, place: str, *, is_draft: bool) -> None:
    """Mark a place, which need not be made, as a draft, or take the mark away."""
    if is_draft:
        connection.execute(
            f"INSERT INTO {SCHEMA}.place AS known (name, is_draft) VALUES (%s, true)"
            " ON CONFLICT (name) DO UPDATE SET is_draft = true",
            [place],
        )
        return
    connection.execute(f"DELETE FROM {SCHEMA}.place WHERE name = %s AND NOT is_made", [place])
    connection.execute(f"UPDATE {SCHEMA}.place SET is_draft = false WHERE name = %s", [place])


def drop(connections: Connections, place: str) -> None:
    """Drop a place's partitions, and the row that tells of it; nothing where there is none.

    Raises:
        Busy: somebody reads this very place, or holds all of them; nothing was dropped.
    """
    _patiently(connections, lambda connection: _drop(connection, place))


def left(connection: Connection, place: str) -> int:
    """Count the rows of all tables of a place, attached or not, and the one that tells of it."""
    found = connection.execute(f"SELECT count(*) FROM {SCHEMA}.place WHERE name = %s", [place])
    rows = sum(int(count) for (count,) in found)
    for table in _tables(connection, place):
        rows += sum(int(count) for (count,) in connection.execute(f"SELECT count(*) FROM {table}"))
    return rows


def size_bytes(connection: Connection, place: str) -> int:
    """Return what a place's tables take on the disk, indexes with them."""
    tables = list(_tables(connection, place))
    found = connection.execute(
        "SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest(%s::text[]) AS t", [tables]
    )
    return sum(int(size) for (size,) in found if size is not None)


def share_grants(connection: Connection, place: str) -> None:
    """Grant on a place's partitions what is granted on their parents."""
    for table in TABLES:
        granted = connection.execute(_GRANTED, {"parent": f"{SCHEMA}.{table}"}).fetchall()
        for role, privilege, column in granted:
            columns = sql.SQL(" ({})").format(sql.Identifier(column)) if column else sql.SQL("")
            # A role's name comes quoted from the server, a privilege is one of its own words.
            statement = sql.SQL("GRANT {}{} ON {} TO {}").format(
                sql.SQL(privilege), columns, sql.SQL(partition(table, place)), sql.SQL(role)
            )
            connection.execute(statement)


def _make(connection: Connection, place: str) -> None:
    # The row is locked until all is made: a second who makes the same place waits, and finds it made.
    found = connection.execute(
        f"INSERT INTO {SCHEMA}.place AS known (name, is_made) VALUES (%s, true)"
        " ON CONFLICT (name) DO UPDATE SET is_made = true WHERE NOT known.is_made RETURNING number",
        [place],
    ).fetchone()
    if found is None:
        return
    number = int(found[0])
    for table in TABLES:
        one = partition(table, place)
        # Made by itself and attached while empty, which needs no lock that would hold up a reader or a writer.
        connection.execute(f"CREATE TABLE {one} (LIKE {SCHEMA}.{table} INCLUDING ALL)")
        connection.execute(f"ALTER TABLE {SCHEMA}.{table} ATTACH PARTITION {one} FOR VALUES IN ({number})")
    share_grants(connection, place)


def _drop(connection: Connection, place: str) -> None:
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {partition(table, place)}")
    connection.execute(f"DELETE FROM {SCHEMA}.place WHERE name = %s", [place])


def _tables(connection: Connection, place: str) -> list[str]:
    wanted = [partition(table, place) for table in TABLES]
    found = connection.execute("SELECT t FROM unnest(%s::text[]) AS t WHERE to_regclass(t) IS NOT NULL", [wanted])
    return [table for (table,) in found]


def _patiently(connections: Connections, work: Callable[[Connection], None]) -> None:
    *first, last = _LOCK_MS
    for lock_ms in first:
        try:
            with connections.writing(lock_ms=lock_ms) as connection:
                return work(connection)
        except Busy:
            time.sleep(_PAUSE_SECONDS)
    with connections.writing(lock_ms=last) as connection:
        return work(connection)
