"""Counting the rows of one place.

Owns the statements. Rows are counted by their numbers first: a text is looked up once, and sorting integers
keeps memory small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.store.addresses import unpack_address
from consentkit.archive.store.sqlite.matching import match, row_bounds
from consentkit.archive.store.sqlite.tables import TIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.places import By, Place, RowsOf
    from consentkit.archive.store.server.engine import Kind
    from consentkit.archive.store.sqlite.matching import Match

# Where what rows are counted by stands, of all but the status.
COLUMNS: Final[dict[By, tuple[Kind, str]]] = {
    "address": ("client", "address"),
    "path": ("resource", "path"),
    "agent": ("agent", "user_agent"),
    "host": ("resource", "host"),
    "referrer": ("referrer", "host"),
    "country": ("client", "country"),
    "browser": ("agent", "browser"),
    "device-type": ("agent", "device_type"),
    "query-flags": ("resource", "query_flags"),
}

_WHERE: Final = "FROM request r WHERE r.id >= ? AND r.id < ? {conditions}"
_EDGE: Final = f"SELECT r.id {_WHERE} ORDER BY r.id DESC LIMIT 1 OFFSET ?"
_STATUS: Final = f"SELECT r.status, count(*) {_WHERE} GROUP BY 1"
_TEXT: Final = f"""
SELECT t.{{column}}, sum(k.n)
FROM (SELECT r.{{table}} AS id, count(*) AS n {_WHERE} GROUP BY 1) k
  JOIN {{table}} t ON t.id = k.id
GROUP BY 1"""
_STEPS: Final = f"SELECT (r.id / {TIES} + ?) / ?, count(*) {_WHERE} GROUP BY 1"

_BY_STATUS: Final = f"""
SELECT (id / {TIES} + ?) / ?, CASE WHEN status BETWEEN 100 AND 599 THEN status / 100 ELSE 0 END, count(*)
FROM request GROUP BY 1, 2 ORDER BY 1, 2"""

Row = tuple[object, ...]


class Counting:
    """Count in one place what matches.

    Args:
        connection: the place's file.
        place: which one it is.
        filters: what to match.
        withheld: rows that are left out.

    Raises:
        sqlcipher3.dbapi2.Error: from every method, as the driver does.
    """

    def __init__(
        self, connection: sqlcipher.Connection, place: Place, filters: Filters, withheld: Sequence[RowsOf]
    ) -> None:
        self._connection = connection
        self._place = place
        self._bounds = row_bounds(place, filters)
        self._match: Match | None = match(connection, place, filters, withheld)

    def edge(self, rows: int) -> int | None:
        """Return the time from which on at most so many of the newest rows match; None where no more match."""
        found = self._rows(_EDGE, after=(rows,))
        return self._place.since_us + int(found[0][0]) // TIES + 1 if found else None  # type: ignore[call-overload]

    def by(self, by: By) -> dict[str, int]:
        """Count by a value."""
        if by == "status":
            found = self._rows(_STATUS)
        else:
            table, column = COLUMNS[by]
            found = self._rows(_TEXT, table=table, column=column)
        return {_text(value): count for value, count in found}  # type: ignore[misc]

    def over_time(self, step_us: int) -> dict[int, int]:
        """Count by the number of the step since 1970."""
        return dict(self._rows(_STEPS, before=(self._place.since_us, step_us)))  # type: ignore[arg-type]

    def _rows(self, statement: str, *, before: Row = (), after: Row = (), **names: str) -> list[Row]:
        if self._match is None:
            return []
        text = statement.format(conditions=self._match.conditions, **names)
        values = (*before, *self._bounds, *self._match.values, *after)
        return list(self._connection.execute(text, values))


def by_status(connection: sqlcipher.Connection, place: Place, step_us: int) -> list[tuple[int, int, int]]:
    """Count all rows by step and class of status (0 = none of 1 to 5), in that order."""
    return list(connection.execute(_BY_STATUS, (place.since_us, step_us)))


def _text(value: object) -> str:
    return unpack_address(value) if isinstance(value, bytes) else str(value)
