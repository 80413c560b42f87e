"""Where the chain of decisions begins and ends, and what was let go of it.

Owns the links and the certificates, which are entries of the audit. Walking over the chain is `ledgercheck`'s
job, writing `ledger`'s, letting go `ledgerpruning`'s.

A decision that was kept for long enough loses all but its number and its two hashes, so that the ones around
it still follow from each other. Such rows go altogether once nothing older is kept.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit import audit
from consentkit.audit import CHAIN_START
from consentkit.control import decision as decisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

PRUNED: Final = "consent.pruned"
HEAD: Final = "consent.head"


class Link(msgspec.Struct, frozen=True):
    """A place in the chain: a decision's number and hash; number 0 = before the first."""

    number: int
    hash: str


BEFORE_FIRST: Final = Link(0, CHAIN_START)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The detail of ``consent.pruned``: which decisions were let go.

    Attributes:
        decisions: how many.
        numbers: which, as ``3-17,20``.
        kept_days: the setting by which they went.
        begins_after: where the chain begins from now on.
    """

    decisions: int
    numbers: str
    kept_days: int
    begins_after: Link

    def names(self, number: int) -> bool:
        """Tell whether a decision is among them."""
        return any(number in run for run in self._runs())

    def _runs(self) -> Iterator[range]:
        for part in filter(None, self.numbers.split(",")):
            first, _, last = part.partition("-")
            yield range(int(first), int(last or first) + 1)


def runs(numbers: Iterable[int]) -> str:
    """Return ascending numbers as ``3-17,20``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def newest_link(connection: Connection) -> Link:
    """Return where the chain ends: the newest decision, or the last one that was let go."""
    newest = select(decisions.c.number, decisions.c.hash).order_by(decisions.c.number.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Link(row.number, row.hash) if row else begin_link(connection)


def begin_link(connection: Connection) -> Link:
    """Return the decision after which the chain begins: the last one that went altogether, or none."""
    if connection.execute(select(func.min(decisions.c.number))).scalar() == 1:
        return BEFORE_FIRST
    newest = next(audit.newest_first(connection, PRUNED), None)
    return _certificate(newest.detail).begins_after if newest else BEFORE_FIRST


def certificates(connection: Connection) -> dict[int, Certificate]:
    """Return the certificates of the emptied rows that are still there, by the number of their entry."""
    oldest = _oldest_certificate(connection)
    entries = audit.newest_first(connection, PRUNED) if oldest else ()
    needed = takewhile(lambda entry: entry.number >= (oldest or 0), entries)
    return {entry.number: _certificate(entry.detail) for entry in needed}


def needed_entries(connection: Connection) -> list[int]:
    """Return the entries of the audit without which the chain could not be checked."""
    newest = next(audit.newest_first(connection, PRUNED), None)
    return [number for number in (_oldest_certificate(connection), newest and newest.number) if number]


def _oldest_certificate(connection: Connection) -> int | None:
    return connection.execute(select(func.min(decisions.c.pruned_in)).where(decisions.c.pruned_in > 0)).scalar()


def _certificate(detail: str) -> Certificate:
    try:
        return msgspec.json.decode(detail, type=Certificate)
    except msgspec.DecodeError:  # a forged one: it names nothing, and the audit's own check tells of it
        return Certificate(decisions=0, numbers="", kept_days=0, begins_after=BEFORE_FIRST)
