"""The rows of requests: a number for each, and their way into the table.

Owns numbers within a microsecond, the order of inserting, and the note of who was there when.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.sqlite.digest import REQUEST_COLUMNS
from consentkit.archive.store.sqlite.tables import STRETCH

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSERT: Final = f"INSERT INTO request ({REQUEST_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_VISIT: Final = "INSERT OR IGNORE INTO visit VALUES (?, ?)"
_CLIENT: Final = REQUEST_COLUMNS.split(", ").index("client")

# The first number from a stored one on that no row has.
_NEXT_FREE: Final = """
SELECT r.id + 1 FROM request r
WHERE r.id >= ? AND NOT EXISTS (SELECT 1 FROM request n WHERE n.id = r.id + 1) ORDER BY r.id LIMIT 1"""

_number: Final = itemgetter(0)


class RequestRows:
    """Number and insert the requests of one transaction after the other.

    Args:
        connection: the period's file.

    Attributes:
        taken: numbers given in this transaction.
    """

    def __init__(self, connection: sqlcipher.Connection) -> None:
        self._connection = connection
        self._last_free: dict[int, int] = {}
        self.taken: set[int] = set()

    def forget(self) -> None:
        """Begin a transaction."""
        self.taken.clear()
        self._last_free.clear()

    def free(self, wanted: int) -> int:
        """Return the first free number after one that is taken; what overflows takes the next microsecond's."""
        free = self._last_free.get(wanted, wanted) + 1
        while free in self.taken or self._is_stored(free):
            following = None if free in self.taken else self._connection.execute(_NEXT_FREE, (free,)).fetchone()
            free = following[0] if following else free + 1
        self._last_free[wanted] = free
        return free

    def insert(self, rows: list[list[int]]) -> None:
        """Insert rows, giving those whose number is taken in the file another one in place."""
        rows.sort(key=_number)  # pages fill from one end only in the order of numbers, whichever worker had them
        self._connection.execute("SAVEPOINT rows")
        try:
            self._connection.executemany(_INSERT, rows)
        except sqlcipher.IntegrityError:
            self._connection.execute("ROLLBACK TO rows")
            for row in rows:
                if self._is_stored(row[0]):
                    row[0] = self.free(row[0])
                    self.taken.add(row[0])
                self._connection.execute(_INSERT, row)
            rows.sort(key=_number)
        self._connection.execute("RELEASE rows")
        self._connection.executemany(_INSERT_VISIT, _visits(rows))

    def _is_stored(self, number: int) -> bool:
        return self._connection.execute("SELECT 1 FROM request WHERE id = ?", (number,)).fetchone() is not None


def _visits(rows: list[list[int]]) -> Iterator[tuple[int, int]]:
    """Yield which clients are in which stretches of sorted rows."""
    start = 0
    while start < len(rows):
        stretch = rows[start][0] // STRETCH
        end = bisect_left(rows, (stretch + 1) * STRETCH, start, key=_number)
        for client in sorted({row[_CLIENT] for row in rows[start:end]}):
            yield client, stretch
        start = end
