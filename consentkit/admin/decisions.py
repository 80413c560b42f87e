"""The decisions under one consent id, each held against its neighbours in the chain and its signature.

Owns reading a page of them and what of each can be proved at once. The whole chain, and that its end was not cut
off, is `consent.ledgercheck`'s.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import func, select

from consentkit import signing
from consentkit.consent.decision import Decision
from consentkit.consent.ledgerchain import begin_link
from consentkit.consent.statement import signed_bytes, statement_hash, statement_of
from consentkit.control import decision as decisions
from consentkit.control import policy as policy_table
from consentkit.control import shown_text
from consentkit.signing import BadSignature, Signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

    from consentkit.control import Control
    from consentkit.crypto import Keyring
    from consentkit.crypto.signatures import KeySet

State: TypeAlias = Literal["good", "changed", "unlinked", "unsigned", "unproved", "forged"]

PAGE_ROWS: Final = 50

# As `consent.choice` makes them: 16 random bytes in base64url.


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One decision and what a look at it came to.

    Attributes:
        decision: as it is kept.
        state: ``good``; ``changed``: not what was signed; ``unlinked``: a neighbour does not follow from it, or it
            from one; ``unsigned``: by no key of this installation; ``forged``: the policy or text that it names is
            gone, or another one than its hash says; ``unproved``: it names none.
    """

    decision: Decision
    state: State


class DecisionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of decisions.

    Attributes:
        rows: oldest first.
        total: how many there are under the id.
        after: number of the last row, where more follow; 0 = there are none.
    """

    rows: tuple[Checked, ...]
    total: int
    after: int


def decisions_of(
    control: Control, keyring: Keyring, consent_id: str, *, operator: str, after: int = 0
) -> DecisionPage:
    """Return a page of what was decided under an id, checked.

    Args:
        control, keyring: opened.
        consent_id: not empty.
        operator: in the settings' words.
        after: number of the decision before the page; 0 = from the oldest on.

    Raises:
        KeyUnavailable, StorageError: as `signing.key_set`.
    """
    is_his = decisions.c.consent_id == consent_id
    wanted = select(decisions).where(is_his, decisions.c.number > after).order_by(decisions.c.number)
    with control.transaction() as connection:
        found = [Decision(**row._asdict()) for row in connection.execute(wanted.limit(PAGE_ROWS + 1))]
        total = connection.execute(select(func.count()).select_from(decisions).where(is_his)).scalar_one()
        shown = found[:PAGE_ROWS]
        check = _Check(connection, signing.key_set(connection, keyring, operator), shown)
        rows = tuple(Checked(decision=decision, state=check.state(decision)) for decision in shown)
    return DecisionPage(rows=rows, total=int(total), after=shown[-1].number if len(found) > PAGE_ROWS else 0)


class _Check:
    """Hold decisions against what stands around them."""

    def __init__(self, connection: Connection, keys: KeySet, shown: Sequence[Decision]) -> None:
        self._keys = keys
        self._begin = begin_link(connection)
        around = {decision.number + step for decision in shown for step in (-1, 1)}
        columns = decisions.c.number, decisions.c.hash, decisions.c.previous_hash
        rows = connection.execute(select(*columns).where(decisions.c.number.in_(around)))
        self._around = {row.number: (row.hash, row.previous_hash) for row in rows}
        self._newest = connection.execute(select(func.max(decisions.c.number))).scalar() or 0
        self._policies = _kept(connection, policy_table, {each.policy_hash for each in shown})
        self._texts = _kept(connection, shown_text, {each.text_hash for each in shown})

    def state(self, decision: Decision) -> State:
        statement = statement_of(decision, self._keys.installation)
        if decision.hash != statement_hash(statement):
            return "changed"
        signature = Signature(key_id=decision.key_id, value=decision.signature)
        try:
            signing.verify(signed_bytes(statement), signature, self._keys.keys)
        except BadSignature:
            return "unsigned"
        if not self._is_linked(decision):
            return "unlinked"
        if not {decision.policy_hash, ""} & self._policies or not {decision.text_hash, ""} & self._texts:
            return "forged"
        return "good" if decision.policy_hash and decision.text_hash else "unproved"

    def _is_linked(self, decision: Decision) -> bool:
        number = decision.number
        before, after = self._around.get(number - 1), self._around.get(number + 1)
        before_hash = before[0] if before else self._begin.hash if self._begin.number == number - 1 else None
        if decision.previous_hash != before_hash:
            return False
        return after[1] == decision.hash if after else number == self._newest


def _kept(connection: Connection, table: Table, hashes: set[str]) -> set[str]:
    """Return those hashes whose snapshot is kept and has it; the empty one stands for what is not known."""
    rows = connection.execute(select(table.c.hash, table.c.snapshot).where(table.c.hash.in_(hashes)))
    return {""} & hashes | {
        row.hash for row in rows if hashlib.sha256(bytes(row.snapshot)).hexdigest() == row.hash
    }
