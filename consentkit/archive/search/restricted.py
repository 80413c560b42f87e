"""Which rows a look leaves out because they may only be stored.

Owns turning restrictions into rows of a period. Which there are is `archive.restrictions`' matter; a look
that names the case of one, for legal claims, sees its rows. Source: GDPR art. 18(1), (2).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from consentkit.archive.restrictions import Restriction, in_force
from consentkit.archive.store.places import RowsOf

if TYPE_CHECKING:
    from consentkit.archive.period import Period
    from consentkit.archive.store.interface import Filters
    from consentkit.archive.store.requeststore import Reader
    from consentkit.control import Control


class Restrictions:
    """The restrictions that hold for one look.

    Args:
        restrictions: in force, but for those that the look may see.
    """

    def __init__(self, restrictions: tuple[Restriction, ...] = ()) -> None:
        self._restrictions = restrictions

    @classmethod
    def present(cls, control: Control, case: str = "") -> Restrictions:
        """Return those in force now; without those whose case a look names."""
        found = in_force(control, datetime.now(UTC).date())
        return cls(tuple(one for one in found if one.case_id != case))

    def of(self, period: Period) -> tuple[RowsOf, ...]:
        """Return the rows of a period that are left out."""
        return tuple(
            RowsOf(one.network, one.since_us, one.until_us, one.agent)
            for one in self._restrictions
            if one.since_us < period.until_us and one.until_us > period.since_us
        )

    def count(self, reader: Reader, period: Period, filters: Filters) -> int:
        """Return how many rows of a place of a period match, and are left out."""
        withheld = self.of(period)
        return reader.count_withheld(filters, withheld) if withheld else 0
