"""When decisions go, by a clock that is trusted, and the note of where their chain ends.

Owns the hour; which decisions have been kept for long enough is `consent.ledgerpruning`'s. Holds are set on
requests, by address, time or path; a decision has none of these, so that no hold is about one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive import inforce
from consentkit.consent.ledgerpruning import note_head, prune_decisions

if TYPE_CHECKING:
    from consentkit.audit import Actor, AuditEntry
    from consentkit.control import Control

_MINUTE_US: Final = 60_000_000


def prune_proof(
    control: Control, actor: Actor, *, keep_days: int, lifetime_days: int, now_us: int, retention_days: int
) -> list[AuditEntry]:
    """Let go of the decisions that are due, note where the chain ends, and return the certificates.

    A clock that leapt ahead makes nothing old: the measure is the time that heartbeats followed each other by.

    Args:
        control: the control database.
        actor: who does it.
        keep_days: ``[keep] proof``.
        lifetime_days: of a choice.
        now_us: what the clock says; microseconds since 1970 UTC.
        retention_days: of the request log.

    Raises:
        StorageError: what is not certified by then is kept.
    """
    trusted_us = inforce.so_far(control, now_us, retention_days).time_us
    made = prune_decisions(
        control, actor, now_minute=trusted_us // _MINUTE_US, keep_days=keep_days, lifetime_days=lifetime_days
    )
    note_head(control, actor)
    return made
