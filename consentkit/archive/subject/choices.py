"""What is kept of a person's choices: the decisions under her consent id, and until when they are proof.

Owns the day until which they stay. The ledger is append-only and chained: a decision that were taken out, or
whose id were, would break the proof of every other one; so erasing says what stays, why and until when.
Source: GDPR art. 7(1), 17(3)(e), 5(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit.archive.store.interface import iso_time
from consentkit.archive.subject.certificate import Certificate, begin, certify
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import decisions_of
from consentkit.control import policy as policy_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.subject.person import Person
    from consentkit.audit import Actor, Look
    from consentkit.control import Control
    from consentkit.crypto import Keyring
    from consentkit.settings import Settings

REASON: Final = "proof of consent, GDPR art. 7(1) and art. 17(3)(e)"

_DAY_S: Final = 86_400
_US: Final = 1_000_000


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How long a person's choices stay.

    Attributes:
        decisions: oldest first.
        is_in_force: the last one still grants something.
        until_us: the proof's last moment: `[keep] proof` after the consent has ended, at its lapse if not before.
    """

    decisions: tuple[Decision, ...]
    is_in_force: bool
    until_us: int

    @property
    def until(self) -> str:
        """Its last day, ISO date."""
        return iso_time(self.until_us)[:10]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The policy that a choice was made under.

    Attributes:
        revision: as decisions name it.
        hash: SHA-256 of its text.
        time: when it came into force, Unix seconds.
        text: canonical: cookies, services, providers, purposes, lifetimes.
    """

    revision: int
    hash: str
    time: int
    text: str


def proof_of(control: Control, person: Person, settings: Settings, now_us: int) -> Proof | None:
    """Return a person's choices and until when they stay; None where there are none under her id."""
    decisions = decisions_of(control, person.consent_id)
    if not decisions:
        return None
    last = decisions[-1]
    ended_s = last.minute * 60 + (settings.consent.lifetime_days * _DAY_S if last.granted else 0)
    return Proof(
        decisions=tuple(decisions),
        is_in_force=bool(last.granted) and ended_s * _US > now_us,
        until_us=(ended_s + settings.keep.proof * _DAY_S) * _US,
    )


def policies_of(control: Control, decisions: Sequence[Decision]) -> list[Policy]:
    """Return the policies that decisions were made under, oldest first."""
    wanted = {decision.revision for decision in decisions}
    with control.transaction() as connection:
        rows = connection.execute(
            select(policy_table).where(policy_table.c.revision.in_(wanted)).order_by(policy_table.c.revision)
        ).all()
    return [
        Policy(revision=row.revision, hash=row.hash, time=row.time, text=bytes(row.snapshot).decode("utf-8"))
        for row in rows
    ]


def erase_choices(
    control: Control, keyring: Keyring, person: Person, proof: Proof, *, actor: Actor, look: Look
) -> Certificate:
    """Record that erasure was asked for, what stays of the choices and until when, and return the certificate.

    Args:
        control, keyring: hold the audit and its key.
        person: by consent id.
        proof: what is there.
        actor, look: who, and why.
    """
    begun = begin(control, keyring, person, actor, look)
    numbers = [decision.number for decision in proof.decisions]
    kept = {"choices": len(numbers), "decisions": numbers, "reason": REASON, "until": proof.until}
    return certify(control, begun, actor, look, kept=[kept])
