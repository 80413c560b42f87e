"""A place in memory: rows that still wait in the spool are searched by the same statements as stored ones.

Owns filling it, and leaving out of it what was stored since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.sqlite.periodfile import PeriodFile
from consentkit.archive.store.sqlite.reader import SqliteReader

if TYPE_CHECKING:
    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.interface import Batch
    from consentkit.archive.store.places import Marks, Place

_SEGMENTS: Final = "SELECT id, worker, number FROM segment"
_LEAVE_OUT: Final = """
DELETE FROM request WHERE sequence < ? AND batch IN (SELECT id FROM batch WHERE segment = ?)"""


class MemoryPlace:
    """Rows of one place that lie nowhere.

    Args:
        place: which one.
        resolvers: asked once per distinct value.

    Attributes:
        reader: of what is there.
    """

    def __init__(self, place: Place, resolvers: Resolvers) -> None:
        self._connection = sqlcipher.connect(":memory:", isolation_level=None)
        self._file = PeriodFile(self._connection, place, resolvers)
        self.reader = SqliteReader(self._connection, place)

    def add(self, batch: Batch) -> None:
        """Add the frames of a batch that are not in yet.

        Raises:
            StorageError: there is no memory for them.
        """
        self._file.apply([batch])

    def leave_out(self, marks: Marks) -> None:
        """Leave out for good the frames that are stored: those below the marks."""
        for number, worker, segment in self._connection.execute(_SEGMENTS).fetchall():
            if mark := marks.get((worker, segment)):
                self._connection.execute(_LEAVE_OUT, (mark, number))
