"""One page of a search: its rows, what lies before and after them, what is missing among them.

Owns the size of a page and how long it may take. How rows are shown is `rowview`'s matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.search import Found, Losses
from consentkit.archive.search.gaps import in_order
from consentkit.archive.store.interface import Cursor
from consentkit.requestlog.record import Gap

if TYPE_CHECKING:
    from consentkit.admin.searching import Asked
    from consentkit.archive.search import Archive

ROWS: Final = 50

# A page that takes longer is a page that nobody waits for; it says how far it came.
SECONDS: Final = 2.0
# For who asks for it, where the shorter time was not enough to reach anything.
PATIENT_SECONDS: Final = 20.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a search.

    Attributes:
        rows: newest first.
        newer, older: cursors from which the pages beside this one go on; None = there is none, or nobody knows.
        has_newest: rows may have come before this page, that no cursor leads to: the first page shows them.
        reached: how far a search came that its time limit ended; None where it was not.
        is_stuck: in that time nothing at all was reached.
        gaps: what was lost in the time of the page, oldest first.
        losses: what of the spool can't be read.
        restricted: rows that match and may only be stored, in what was searched.
    """

    rows: tuple[Found, ...]
    newer: Cursor | None
    older: Cursor | None
    has_newest: bool
    reached: Cursor | None
    is_stuck: bool
    gaps: tuple[Gap, ...]
    losses: Losses
    restricted: int = 0


def look_up(archive: Archive, asked: Asked) -> Look:
    """Return the page that is asked for.

    Costs at most `SECONDS` or `PATIENT_SECONDS`, and the rows of one page in memory.

    Raises:
        StorageError, KeyUnavailable: as a search.
    """
    upwards = asked.after is not None
    found = archive.search(
        asked.filters,
        limit=ROWS + 1,  # one that is not shown tells that there are more
        before=asked.before,
        after=asked.after,
        oldest_first=upwards,
        time_limit_seconds=PATIENT_SECONDS if asked.is_patient else SECONDS,
    )
    every = list(found)
    rows, goes_on = every[:ROWS], len(every) > ROWS
    further = rows[-1][0] if goes_on else found.reached
    newer: Cursor | None = None
    older: Cursor | None = further
    if asked.after is not None:
        rows.reverse()
        newer, older = further, rows[-1][0] if rows else just_after(asked.after)
    elif asked.before is not None:
        newer = rows[0][0] if rows else just_before(asked.before)
    return Look(
        rows=tuple(rows),
        newer=newer,
        older=older,
        has_newest=upwards and newer is None,
        reached=None if goes_on else found.reached,
        is_stuck=not rows and found.reached is not None and _is_start(asked, found.reached),
        gaps=_of_page(in_order(found.gaps), asked, further),
        losses=found.losses,
        restricted=found.restricted,
    )


def same_rows(archive: Archive, asked: Asked, first: Cursor, last: Cursor) -> Look:
    """Return the rows between two that were shown, both of them included; at most a page.

    Raises:
        StorageError, KeyUnavailable: as a search.
    """
    found = archive.search(
        asked.filters,
        limit=ROWS,
        before=just_after(first),
        after=just_before(last),
        time_limit_seconds=PATIENT_SECONDS,
    )
    rows = tuple(found)
    return Look(
        rows=rows,
        newer=first,
        older=last,
        has_newest=False,
        reached=found.reached,
        is_stuck=False,
        gaps=_of_page(in_order(found.gaps), asked, last),
        losses=found.losses,
        restricted=found.restricted,
    )


def just_before(place: Cursor) -> Cursor:
    """Return the place right before a row, so that rows after it begin with that row."""
    return place._replace(tie=max(place.tie, 0) - 1)


def just_after(place: Cursor) -> Cursor:
    """Return the place right after a row, so that rows before it begin with that row."""
    return place._replace(tie=place.tie + 1)


def _is_start(asked: Asked, place: Cursor) -> bool:
    """Tell whether a search that came to a place got nowhere."""
    start = asked.after or asked.before
    if start is not None:
        return place == start
    now_us = int(asked.now.timestamp() * 1_000_000)
    return place >= Cursor(min(now_us, asked.filters.until_us))


def _of_page(gaps: list[Gap], asked: Asked, further: Cursor | None) -> tuple[Gap, ...]:
    """Return the gaps that touch the time of the page, so that each is told where it is, and on no other page."""
    upwards = asked.after is not None
    since_us = asked.after.time_us if asked.after else further.time_us if further else 0
    until_us = asked.before.time_us if asked.before else further.time_us if further and upwards else 2**62
    return tuple(gap for gap in gaps if gap.until_us >= since_us and gap.since_us <= until_us)
