"""What the signature of a decision covers: the decision as its visitor gets to see it in a receipt.

Owns its shape, its bytes and its hash. Which key signs is left to `ledger`, the check of a receipt to `receipt`.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from consentkit.consent.decision import Decision

SECONDS_A_MINUTE: Final = 60


class Statement(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="format",
    tag="consentkit-decision/1",
):
    """One decision, as it is signed. The order of the members is part of the format.

    Attributes:
        installation: where it was given; see `crypto.signatures.installation_id`.
        number: position in the ledger, from 1.
        time: of the answer, to the minute, as ``2026-11-23T13:06Z``.
        written: of the row; later where it could not be written at once.
        consent_id: the visitor's; empty where nothing was ever granted.
        granted, denied: categories in the policy's order, then single services, as ``+vimeo``.
        method: ``banner``, ``settings``, ``withdrawal``, ``embed`` or ``api``.
        revision, policy_hash: of the policy in force.
        text_hash: of what was shown.
        locale: the language in which it was.
        script: sent by a script, not by a plain form.
        previous_number: the same visitor's decision before; 0 = none.
        previous_hash: of the decision before in the ledger, whoever gave it.
    """

    installation: str
    number: int
    time: str
    written: str
    consent_id: str
    granted: tuple[str, ...]
    denied: tuple[str, ...]
    method: str
    revision: int
    policy_hash: str
    text_hash: str
    locale: str
    script: bool
    previous_number: int
    previous_hash: str


def statement_of(decision: Decision, installation: str) -> Statement:
    """Return what is said of a decision."""
    return Statement(
        installation=installation,
        number=decision.number,
        time=minute_text(decision.minute),
        written=minute_text(decision.written),
        consent_id=decision.consent_id,
        granted=_listed(decision.granted),
        denied=_listed(decision.denied),
        method=decision.method,
        revision=decision.revision,
        policy_hash=decision.policy_hash,
        text_hash=decision.text_hash,
        locale=decision.locale,
        script=bool(decision.script),
        previous_number=decision.previous_number,
        previous_hash=decision.previous_hash,
    )


def signed_bytes(statement: Statement) -> bytes:
    """Return what is signed: compact JSON in UTF-8, members in the order of `Statement`."""
    return msgspec.json.encode(statement)


def statement_hash(statement: Statement) -> str:
    """Return the hash by which the next decision follows: SHA-256 of what is signed."""
    return hashlib.sha256(signed_bytes(statement)).hexdigest()


def minute_text(minute: int) -> str:
    """Return a minute since 1970 UTC as ``2026-11-23T13:06Z``."""
    return datetime.fromtimestamp(minute * SECONDS_A_MINUTE, UTC).strftime("%Y-%m-%dT%H:%MZ")


def minute_of(text: str) -> int:
    """Return the minute since 1970 UTC that `minute_text` wrote.

    Raises:
        ValueError: it is no such text.
    """
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC).timestamp()) // SECONDS_A_MINUTE


def _listed(names: str) -> tuple[str, ...]:
    return tuple(filter(None, names.split(",")))
