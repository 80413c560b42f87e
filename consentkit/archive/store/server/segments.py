"""Whose frames the rows of a place are, as of one instant.

Owns turning a segment's number in rows into its worker and number again, and telling which rows are in: those
below the marks as they were when the place was opened. What is committed while a search reads is left to the
next one, for that search has found it in the spool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.archive.store.requeststore import Marks
    from consentkit.archive.store.server.engine import BatchRow, Row
    from consentkit.archive.store.server.words import Words


class Origin(NamedTuple):
    """A segment, and the sequence below which its frames are in."""

    worker: str
    number: int
    mark: int


class Segments:
    """The segments of a place.

    Args:
        origins: by number in rows.
    """

    def __init__(self, origins: dict[int, Origin]) -> None:
        self._origins = origins

    @classmethod
    def of_period(cls, words: Words, marks: Marks, copied: Iterable[BatchRow]) -> Segments:
        """Return those of a period.

        Args:
            words: of it.
            marks: as they were when it was opened.
            copied: batches of the lane without a name, if it has one: by a move a segment came in parts.
        """
        stored = {
            words.segment(worker, number): Origin(worker, number, mark) for (worker, number), mark in marks.items()
        }
        return cls(_origins(copied) | stored)

    @classmethod
    def of_copy(cls, batches: Iterable[BatchRow]) -> Segments:
        """Return those of an incident's copy, in which parts of a segment have numbers of their own."""
        return cls(_origins(batches))

    def origin(self, row: Row) -> Origin | None:
        """Return where a row comes from; None where it is not in yet."""
        origin = self._origins.get(row.segment)
        return origin if origin is not None and row.sequence < origin.mark else None


def _origins(batches: Iterable[BatchRow]) -> dict[int, Origin]:
    origins: dict[int, Origin] = {}
    for batch in batches:
        known = origins.get(batch.segment)
        mark = max(batch.next_sequence, known.mark if known else 0)
        origins[batch.segment] = Origin(batch.worker, batch.segment_number, mark)
    return origins
