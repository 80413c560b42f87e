"""Which stretches of time have rows that open incidents keep past their period.

Owns putting together what the audit says of each page that was copied. The rows themselves are not read, so the
answer is as fine as those pages are: rows of a quiet night between two pages count as held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit.archive.incident.listing import Incident, incidents
from consentkit.control import JsonNumber, audit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.control import Control

_PAGE: Final = "incident.opening.page"

# A page holds 1,000 rows; of more than this many the rest is not shown as held here, though it is.
_MAX_PAGES: Final = 20_000


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One open incident and the times of what it keeps.

    Attributes:
        incident: its entry.
        times: from and before, microseconds since 1970 UTC; in order, none touching another.
    """

    incident: Incident
    times: tuple[tuple[int, int], ...]

    def meets(self, since_us: int, until_us: int) -> bool:
        """Tell whether something of a stretch of time is kept."""
        return any(since < until_us and until > since_us for since, until in self.times)


def holds(control: Control) -> tuple[Hold, ...]:
    """Return the open incidents that keep rows, by number.

    Raises:
        StorageError: the control database refuses.
    """
    detail = audit.c.detail
    number, since, until = (JsonNumber(detail, name) for name in ("incident", "since_us", "until_us"))
    pages = select(number, since, until).where(audit.c.action == _PAGE, since.is_not(None)).limit(_MAX_PAGES)
    with control.reading() as connection:
        kept = {one.number: one for one in incidents(connection) if one.state == "open" and one.rows}
        if not kept:
            return ()
        times: dict[int, list[tuple[int, int]]] = {}
        for of_number, since_us, until_us in connection.execute(pages.where(number.in_(kept))):
            times.setdefault(of_number, []).append((since_us, until_us))
    return tuple(Hold(incident=one, times=_joined(times.get(one.number, ()))) for one in kept.values())


def _joined(times: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for since, until in sorted(times):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(until, found[-1][1]))
        else:
            found.append((since, until))
    return tuple(found)
