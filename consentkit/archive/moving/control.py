"""Copying the control data into another database, in the caller's one transaction.

Owns that every table is there, row by row and compared, and that the numbers which a database gives go on after
the highest. Where a table is new it is copied too: the list is the tables' own.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, inspect, select, text

from consentkit.control import metadata
from consentkit.control.tables import installation
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Table

    from consentkit.control import Control

_ROWS_AT_ONCE: Final = 1_000

# All but what says whose database it is, which each has for itself.
_TABLES: Final = tuple(table for table in metadata.sorted_tables if table is not installation)

encode = msgspec.msgpack.Encoder().encode


def control_rows(control: Control) -> int:
    """Return how many rows there are, for who shows progress."""
    with control.reading() as connection:
        counts = [connection.execute(select(func.count()).select_from(table)) for table in _TABLES]
        return sum(count.scalar_one() for count in counts)


def is_empty(control: Control) -> bool:
    """Tell whether nothing was ever entered."""
    return control_rows(control) == 0


def copy_control(source: Connection, target: Connection, *, advance: Callable[[int], None]) -> None:
    """Copy all tables and compare them.

    Args:
        source: of `Control.reading`.
        target: of `Control.transaction`, of a database in which nothing was ever entered.
        advance: called with the rows that were copied since the last call.

    Raises:
        StorageError: what was written is not what was read; the transaction must not end well.
    """
    for table in _TABLES:
        for rows in _pages(source, table):
            target.execute(table.insert(), rows)
            advance(len(rows))
        if _digest(source, table) != _digest(target, table):
            raise StorageError(table.name, "is not what was copied; nothing was changed; move again")
        _go_on_counting(target, table)


def _pages(connection: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS_AT_ONCE)
    for rows in connection.execute(query).partitions():
        yield [dict(row._mapping) for row in rows]


def _digest(connection: Connection, table: Table) -> bytes:
    # Sorted here: two databases may order texts otherwise.
    rows = sorted(encode(list(row.values())) for page in _pages(connection, table) for row in page)
    return blake2b(b"".join(rows)).digest()


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Have the next number be a new one."""
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    name = f"{table.schema}.{table.name}" if table.schema else table.name
    names = inspect(connection).get_sequence_names(schema=table.schema)
    if not names:
        return
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": name, "column": column.name}
    ).scalar()
    if sequence is not None:
        highest = connection.execute(select(func.max(column))).scalar()
        if highest is not None:
            connection.execute(
                text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest}
            )
