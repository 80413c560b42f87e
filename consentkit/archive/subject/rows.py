"""Which stored rows are one person's, and which can't be told apart from others' any more.

Owns the conditions, and where addresses were cut to networks: a row of a /24 or /48 may be anyone's who was in
it (GDPR art. 11), so it is counted, and neither handed over nor erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.archive.store.places import RowsOf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.archive.period import Period
    from consentkit.archive.store.requeststore import Reader
    from consentkit.archive.subject.person import Person
    from consentkit.control import Control


class Cuts(msgspec.Struct, frozen=True):
    """Where addresses were cut to networks.

    Attributes:
        periods: names of those that were ever truncated; late rows may have come to them since.
        is_everywhere: addresses are cut before they are stored.
    """

    periods: frozenset[str]
    is_everywhere: bool

    @classmethod
    def known(cls, control: Control, periods: Iterable[Period], truncate_after_days: int | None) -> Cuts:
        """Return what the catalogue, the audit and the setting say of it."""
        with control.transaction() as connection:
            told = {
                msgspec.json.decode(entry.detail, type=_Named).period
                for entry in audit.newest_first(connection, "period.truncated")
            }
        told |= {period.name for period in periods if period.is_truncated}
        return cls(frozenset(told), truncate_after_days == 0)

    def are_in(self, period_name: str) -> bool:
        """Tell whether a period may hold cut addresses."""
        return self.is_everywhere or period_name in self.periods

    @property
    def are_anywhere(self) -> bool:
        """Whether a copy of rows from several periods may hold cut addresses."""
        return self.is_everywhere or bool(self.periods)


class _Named(msgspec.Struct, frozen=True):
    period: str


class Counted(msgspec.Struct, frozen=True):
    """How many rows of one place are a person's, and how many only may be.

    Attributes:
        rows: the person's.
        indistinct: of the network, once addresses were cut.
        others: of the same address by other browsers, where the person's is named.
    """

    rows: int
    indistinct: int
    others: int = 0

    def __bool__(self) -> bool:
        return bool(self.rows or self.indistinct or self.others)


def own_rows(person: Person, *, is_cut: bool) -> RowsOf | None:
    """Return which rows are the person's; None where none can be known to be.

    Args:
        person: by address.
        is_cut: the place may hold cut addresses.
    """
    if is_cut and person.is_network:
        return None
    return RowsOf(person.address, person.since_us, person.until_us, person.agent)


def count(reader: Reader, person: Person, *, is_cut: bool) -> Counted:
    """Count a person's rows in an open place; arguments as `own_rows` has them.

    Raises:
        StorageError: it can't be read.
    """
    own = own_rows(person, is_cut=is_cut)
    rows = 0 if own is None else reader.count_of(own)
    of_network = of_address = 0
    if is_cut:
        of_network = reader.count_of(RowsOf(person.network, person.since_us, person.until_us))
    if person.agent and own is not None:
        of_address = reader.count_of(own._replace(agent=""))
    return Counted(rows, of_network, max(of_address - rows, 0))
