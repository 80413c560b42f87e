"""The ledger: which policies there were, and each decision that visitors made under them.

Owns the append-only rows behind a proof of consent. A row holds no address and no user agent; one without
any consent holds no id. Loaded at a worker's first write, since it brings the database with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import Connection, select

from consentkit.audit import CHAIN_START, BrokenChain, chain_hash
from consentkit.consent.decision import Decision
from consentkit.consent.policy import PolicyState, policy_hash
from consentkit.control import decision as decisions
from consentkit.control import policy as policy_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.control import Control

_SECONDS_A_MINUTE: Final = 60


def record_decision(control: Control, answer: Decision) -> Decision:
    """Write one decision durably and return it with its number, time and place in the chain.

    Raises:
        StorageError: it can't be made durable; a grant must then not be given.
    """
    with control.transaction() as connection:
        last = connection.execute(
            select(decisions.c.number, decisions.c.hash).order_by(decisions.c.number.desc()).limit(1)
        ).one_or_none()
        decision = msgspec.structs.replace(
            answer,
            number=last.number + 1 if last else 1,
            minute=int(time.time()) // _SECONDS_A_MINUTE,
            previous_number=_previous_number(connection, answer.consent_id),
            previous_hash=last.hash if last else CHAIN_START,
        )
        decision = msgspec.structs.replace(decision, hash=chain_hash(decision))
        connection.execute(decisions.insert().values(msgspec.structs.asdict(decision)))
    return decision


def decisions_of(control: Control, consent_id: str) -> list[Decision]:
    """Return all decisions under one consent id, oldest first."""
    with control.transaction() as connection:
        found = connection.execute(
            select(decisions).where(decisions.c.consent_id == consent_id).order_by(decisions.c.number)
        ).all()
    return [Decision(**row._asdict()) for row in found]


def verify_decisions(control: Control) -> int:
    """Check the whole chain and return how many decisions there are.

    Raises:
        BrokenChain: names the first decision that does not follow from the one before.
    """
    number, expected = 0, CHAIN_START
    with control.transaction() as connection:
        for row in connection.execute(select(decisions).order_by(decisions.c.number)):
            decision = Decision(**row._asdict())
            number += 1
            if (decision.number, decision.previous_hash, decision.hash) != (
                number,
                expected,
                chain_hash(decision),
            ):
                raise BrokenChain(number)
            expected = decision.hash
    return number


def register_policy(
    control: Control, canonical: bytes, additions: Callable[[bytes, bytes], frozenset[str]]
) -> PolicyState:
    """Enter a policy if it is new, and return its state.

    Args:
        control: the control database.
        canonical: the policy's canonical text.
        additions: tells the categories to which the second policy adds something over the first.
    """
    wanted = policy_hash(canonical)
    with control.transaction() as connection:
        known = connection.execute(select(policy_table).order_by(policy_table.c.revision)).all()
        if not known or known[-1].hash != wanted:
            revision = known[-1].revision + 1 if known else 1
            row = {"revision": revision, "hash": wanted, "snapshot": canonical, "time": int(time.time())}
            connection.execute(policy_table.insert().values(row))
        else:
            revision = known[-1].revision
    steps = [bytes(row.snapshot) for row in known if row.revision < revision] + [canonical]
    numbers = [row.revision for row in known if row.revision < revision]
    renewed: dict[int, tuple[str, ...]] = {}
    added: frozenset[str] = frozenset()
    for index in range(len(numbers) - 1, -1, -1):  # an addition that was taken back still was an addition
        added |= additions(steps[index], steps[index + 1])
        renewed[numbers[index]] = tuple(sorted(added))
    return PolicyState(revision, wanted, renewed)


def _previous_number(connection: Connection, consent_id: str) -> int:
    if not consent_id:
        return 0
    found = connection.execute(
        select(decisions.c.number)
        .where(decisions.c.consent_id == consent_id)
        .order_by(decisions.c.number.desc())
        .limit(1)
    ).scalar()
    return int(found or 0)
