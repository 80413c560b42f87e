"""Checking the ledger: each decision follows from the one before, is signed, and names what is kept.

Owns the walk and what it is held against: the public keys, the certificates and the noted end in the audit,
and the policies and texts by hash. Whether the audit itself holds is its own room's check.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit import audit
from consentkit.audit import Fault
from consentkit.consent.decision import Decision
from consentkit.consent.ledgerchain import HEAD, Link, begin_link, certificates
from consentkit.consent.ledgerpruning import noted_link
from consentkit.consent.statement import signed_bytes, statement_hash, statement_of
from consentkit.control import decision as decisions
from consentkit.control import policy as policy_table
from consentkit.control import shown_text
from consentkit.signing import BadSignature, Signature, installation_id, public_keys, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Table

    from consentkit.control import Control

_PAGE_ROWS: Final = 1000
_TOLD: Final = 20


class LedgerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the ledger came to.

    Attributes:
        decisions: how many are kept.
        let_go: how many were there once, by the certificates and their places in the chain.
        unproved: how many name no policy or no text, so that what was shown can't be proved.
        faults: what does not hold, the first 20; empty = all holds.
    """

    decisions: int
    let_go: int
    unproved: int
    faults: tuple[Fault, ...]

    @property
    def is_good(self) -> bool:
        """Whether all holds."""
        return not self.faults


def verify_decisions(control: Control, *, advance: Callable[[float], None] = lambda _: None) -> LedgerReport:
    """Check all decisions, in pages, so that nobody who decides meanwhile waits.

    Args:
        control: the control database.
        advance: called with how many were checked since the last call, of `count_decisions`.

    Raises:
        StorageError: the control database can't be read.
    """
    walk = _Walk(control)
    for page in _pages(control, walk.end.number):
        for decision in page:
            walk.take(decision)
        advance(len(page))
    return walk.report()


def count_decisions(control: Control) -> int:
    """Return how many rows there are, for who shows progress."""
    with control.transaction() as connection:
        return int(connection.execute(select(func.count()).select_from(decisions)).scalar_one())


class _Walk:
    """One walk over the chain, from the first row that is kept."""

    def __init__(self, control: Control) -> None:
        self._control = control
        with control.transaction() as connection:
            self.end = begin_link(connection)
            self._know(connection)
            self._policies = _hashes(connection, policy_table)
            self._texts = _hashes(connection, shown_text)
            heads = (noted_link(entry) for entry in audit.newest_first(connection, HEAD))
            self._heads = {head.number: head.hash for head in heads if head is not None}
        self._faults: list[Fault] = []
        self._is_broken = False
        self._decisions = self._unproved = 0

    def take(self, decision: Decision) -> None:
        """Check one row."""
        number = decision.number
        if decision.key_id not in self._key_ids or (decision.pruned_in and not self._is_certified(decision)):
            with self._control.transaction() as connection:  # a rotation, or a certificate, since we began
                self._know(connection)
        # One broken place is told: what follows would be told again and again.
        if not self._is_broken and (reason := self._link_fault(decision)):
            self._is_broken = True
            self._tell(f"decision {self.end.number + 1}", reason)
        elif reason := self._fault(decision):
            self._tell(f"decision {number}", reason)
        if self._heads.get(number, decision.hash) != decision.hash:
            self._tell(f"decision {number}", "is another one than the audit has noted")
        self._decisions += not decision.pruned_in
        self.end = Link(number, decision.hash)

    def report(self) -> LedgerReport:
        """Return what the walk came to, held against what was noted, and against the hashes of what was shown."""
        newest = max(self._heads, default=0)
        if newest > self.end.number:
            self._tell(f"decision {newest}", "is missing: the audit has noted it")
        with self._control.transaction() as connection:
            for table, what in ((policy_table, "policy"), (shown_text, "text")):
                for row in connection.execute(select(table.c.hash, table.c.snapshot)):
                    if hashlib.sha256(bytes(row.snapshot)).hexdigest() != row.hash:
                        self._tell(f"{what} {row.hash[:16]}", "was changed")
        return LedgerReport(
            decisions=self._decisions,
            let_go=self.end.number - self._decisions,
            unproved=self._unproved,
            faults=tuple(self._faults[:_TOLD]),
        )

    def _know(self, connection: Connection) -> None:
        self._keys = public_keys(connection)
        self._key_ids = {"", *(key.key_id for key in self._keys)}
        self._installation = installation_id(self._keys) if self._keys else ""
        self._certificates = certificates(connection)

    def _is_certified(self, decision: Decision) -> bool:
        certificate = self._certificates.get(decision.pruned_in)
        return certificate is not None and certificate.names(decision.number)

    def _link_fault(self, decision: Decision) -> str:
        reason = self._break(decision)
        if reason:  # the rows in front may have been let go since we began
            with self._control.transaction() as connection:
                begin = begin_link(connection)
            if begin.number > self.end.number:
                self.end = begin
                reason = self._break(decision)
        return reason

    def _break(self, decision: Decision) -> str:
        if decision.number != self.end.number + 1:
            return "is missing"
        if decision.previous_hash != self.end.hash:
            return "does not follow from the one before it"
        return ""

    def _fault(self, decision: Decision) -> str:
        if decision.pruned_in:
            return "" if self._is_certified(decision) else "was emptied, and no certificate names it"
        statement = statement_of(decision, self._installation)
        if decision.hash != statement_hash(statement):
            return "was changed"
        try:
            verify(
                signed_bytes(statement), Signature(key_id=decision.key_id, value=decision.signature), self._keys
            )
        except BadSignature:
            return "is not signed by a key of this installation"
        return self._snapshot_fault(decision)

    def _snapshot_fault(self, decision: Decision) -> str:
        if not decision.policy_hash or not decision.text_hash:
            self._unproved += 1
        if not self._is_kept(decision.policy_hash, self._policies, policy_table):
            return "names a policy that is not kept"
        if not self._is_kept(decision.text_hash, self._texts, shown_text):
            return "names a text that is not kept"
        return ""

    def _is_kept(self, name: str, known: set[str], table: Table) -> bool:
        if name and name not in known:
            with self._control.transaction() as connection:  # it may be new since we began
                known.update(_hashes(connection, table))
        return not name or name in known

    def _tell(self, place: str, reason: str) -> None:
        self._faults.append(Fault(place, f"{place} of the ledger {reason}"))


def _pages(control: Control, number: int) -> Iterator[list[Decision]]:
    while True:
        page = select(decisions).where(decisions.c.number > number).order_by(decisions.c.number).limit(_PAGE_ROWS)
        with control.transaction() as connection:
            found = [Decision(**row._asdict()) for row in connection.execute(page)]
        if found:
            yield found
            number = found[-1].number
        if len(found) < _PAGE_ROWS:
            return


def _hashes(connection: Connection, table: Table) -> set[str]:
    return set(connection.execute(select(table.c.hash)).scalars())
