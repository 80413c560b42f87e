"""Which rows a look leaves out because they may only be stored.

Owns turning restrictions into rows of a period. Which there are is `archive.restrictions`' matter; a look
that names the case of one, for legal claims, sees its rows. Source: GDPR art. 18(1), (2).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from consentkit.archive.restrictions import Restriction, in_force
from consentkit.archive.store.matching import Withheld, count_withheld
from consentkit.archive.store.select import row_bounds
from consentkit.archive.store.tables import TIES

if TYPE_CHECKING:
    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.period import Period
    from consentkit.archive.store.interface import Filters
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

    def of(self, period: Period) -> tuple[Withheld, ...]:
        """Return the rows of a period that are left out."""
        return tuple(
            Withheld(
                one.network,
                max(one.since_us - period.since_us, 0) * TIES,
                (min(one.until_us, period.until_us) - period.since_us) * TIES,
                one.agent,
            )
            for one in self._restrictions
            if one.since_us < period.until_us and one.until_us > period.since_us
        )

    def count(self, connection: sqlcipher.Connection, period: Period, filters: Filters) -> int:
        """Return how many rows of a period's file match, and are left out."""
        withheld = self.of(period)
        return count_withheld(connection, filters, withheld, *row_bounds(period, filters, None, None))
