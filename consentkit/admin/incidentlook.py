"""One page of an incident's rows, found within the time that somebody waits for a page.

Owns how far a search came, and where the pages beside it begin. How rows are shown is `rowview`'s matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.admin.looking import PATIENT_SECONDS, ROWS, SECONDS, just_after, just_before
from consentkit.archive.incident.reading import reading
from consentkit.archive.search import Found
from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store.interface import Cursor, Filters
from consentkit.archive.store.places import TimeIsUp

if TYPE_CHECKING:
    from consentkit.admin.searching import Asked
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.reading import Kept


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One page of rows.

    Attributes:
        rows: newest first.
        newer, older: places from which the pages beside it go on; None = there is none.
        reached: how far a search came that its time limit ended; None where it was not, or is stuck.
        is_stuck: in that time nothing at all was reached.
    """

    rows: tuple[Found, ...]
    newer: Cursor | None
    older: Cursor | None
    reached: Cursor | None
    is_stuck: bool


def look_into(holdings: Holdings, number: int, asked: Asked, *, is_patient: bool = False) -> Part:
    """Return the page that is asked for.

    Costs at most `SECONDS`, or `PATIENT_SECONDS` where that is asked for, and the rows of one page in memory.

    Args:
        holdings: the store.
        number: of the incident.
        asked: filters and place.
        is_patient: it may take longer, whatever was asked for.

    Raises:
        BadIncident: it holds nothing any more.
        PeriodBusy: it is just being closed or written anew.
        KeyUnavailable, StorageError: it can't be read.
    """
    seconds = PATIENT_SECONDS if is_patient or asked.is_patient else SECONDS
    with reading(holdings, number) as kept:
        return _turned(asked, _Going(kept, asked, Deadline(seconds)))


def row_at(holdings: Holdings, number: int, place: Cursor) -> Found | None:
    """Return one row; None where there is none at this place.

    Raises:
        BadIncident, PeriodBusy, KeyUnavailable, StorageError: as `look_into`.
    """
    with reading(holdings, number) as kept:
        found = list(kept.rows(Filters(), limit=1, before=just_after(place), after=just_before(place)))
    return found[0] if found else None


class _Going:
    """A search: what it found, and how far it came where it was ended."""

    def __init__(self, kept: Kept, asked: Asked, deadline: Deadline) -> None:
        self.found: list[Found] = []
        self.place: Cursor | None = None
        self.was_ended = False
        self._deadline = deadline
        rows = kept.rows(
            asked.filters,
            limit=ROWS + 1,  # one that is not shown tells that there are more
            before=asked.before,
            after=asked.after,
            oldest_first=asked.after is not None,
            deadline=deadline,
            reached=self._reached,
        )
        try:
            for row in rows:
                self.found.append(row)
                self.place = row[0]
        except TimeIsUp:
            self.was_ended = True

    def _reached(self, time_us: int) -> None:
        self.place = Cursor(time_us)
        self._deadline.check()


def _turned(asked: Asked, going: _Going) -> Part:
    """Return what was found, newest first, whichever way was searched."""
    rows, goes_on = going.found[:ROWS], len(going.found) > ROWS
    reached = going.place if going.was_ended and not goes_on else None
    further = rows[-1][0] if goes_on else reached
    newer: Cursor | None = None
    older = further
    if asked.after is not None:
        rows.reverse()
        newer, older = further, rows[-1][0] if rows else just_after(asked.after)
    elif asked.before is not None:
        newer = rows[0][0] if rows else just_before(asked.before)
    is_stuck = going.was_ended and going.place is None
    return Part(rows=tuple(rows), newer=newer, older=older, reached=reached, is_stuck=is_stuck)
