"""Whose frames the rows of a place are, as of one instant.

Owns turning a segment's number in rows into its worker and number again, and telling which rows are in: those
below the marks as they were when the place was opened. What is committed while a search reads is left to the
next one, for that search has found it in the spool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.store.server.engine import Origin, Reading, Row


class Segments:
    """The segments of a place, as far as rows of them were met.

    Args:
        reading: tells what a number stands for.
        name: the place's, to the server.
    """

    def __init__(self, reading: Reading, name: str) -> None:
        self._reading = reading
        self._name = name
        self._origins: dict[int, Origin | None] = {}

    def known(self, rows: Sequence[Row]) -> list[tuple[Row, Origin]]:
        """Return those rows that are in, each with where it comes from."""
        unknown = sorted({row.segment for row in rows} - self._origins.keys())
        if unknown:
            found = self._reading.origins(self._name, unknown)
            self._origins |= {segment: found.get(segment) for segment in unknown}
        known = ((row, self._origins[row.segment]) for row in rows)
        return [(row, origin) for row, origin in known if origin is not None and row.sequence < origin.mark]
