"""Which stored rows are one person's, and which can't be told apart from others' any more.

Owns the conditions, and where addresses were cut to networks: a row of a /24 or /48 may be anyone's who was in
it (GDPR art. 11), so it is counted, and neither handed over nor erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.rewrite import Generation, LeftOut
from consentkit.archive.store.tables import TIES
from consentkit.control import open_sqlcipher

if TYPE_CHECKING:
    from collections.abc import Iterable

    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.period import Period
    from consentkit.archive.subject.person import Person
    from consentkit.control import Control
    from consentkit.crypto import Keyring

_LAST_ID: Final = 2**63 - 1

_CONDITION: Final = "r.client IN (SELECT id FROM {schema}client WHERE address = ?) AND r.id >= ? AND r.id < ?"
_BY_AGENT: Final = " AND r.agent IN (SELECT id FROM {schema}agent WHERE user_agent = ?)"


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


def own_rows(person: Person, since_us: int, *, is_cut: bool) -> LeftOut | None:
    """Return the condition of the rows that are the person's; None where none can be known to be.

    Args:
        person: by address.
        since_us: what the rows of the place are numbered from.
        is_cut: the place may hold cut addresses.
    """
    if is_cut and person.is_network:
        return None
    return _between(person.packed, person, since_us, agent=person.agent)


def count(connection: sqlcipher.Connection, person: Person, since_us: int, *, is_cut: bool) -> Counted:
    """Count a person's rows in an open file of rows; arguments as `own_rows` has them."""
    own = own_rows(person, since_us, is_cut=is_cut)
    of_network = _between(person.packed_network, person, since_us) if is_cut else None
    rows = _count(connection, own)
    of_address = _between(person.packed, person, since_us) if person.agent and own is not None else None
    return Counted(rows, _count(connection, of_network), max(_count(connection, of_address) - rows, 0))


def count_in(keyring: Keyring, place: Generation, person: Person, *, is_cut: bool) -> Counted:
    """Open one generation and count; the caller holds its lock.

    Raises:
        KeyUnavailable: it can't be opened.
        sqlcipher3.dbapi2.Error: as the driver does.
    """
    connection = open_sqlcipher(place.file, keyring.load(place.key_name), read_only=True)
    try:
        return count(connection, person, place.period.since_us, is_cut=is_cut)
    finally:
        connection.close()


def _between(packed: bytes, person: Person, since_us: int, *, agent: str = "") -> LeftOut:
    first = max(person.since_us - since_us, 0) * TIES
    last = max(person.until_us - since_us, 0) * TIES
    bounds = packed, min(first, _LAST_ID), min(last, _LAST_ID)
    return LeftOut(_CONDITION + _BY_AGENT, (*bounds, agent)) if agent else LeftOut(_CONDITION, bounds)


def _count(connection: sqlcipher.Connection, rows: LeftOut | None) -> int:
    if rows is None:
        return 0
    statement, values = rows.statement()
    return int(connection.execute(f"SELECT count(*) FROM ({statement})", values).fetchone()[0])  # noqa: S608
