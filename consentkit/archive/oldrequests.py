"""Letting go of people's requests that were closed long ago.

Owns their clock, which is the audit's: until then it can be shown what was asked for and decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete

from consentkit import audit
from consentkit.audit import SYSTEM
from consentkit.control import subject_link, subject_request

if TYPE_CHECKING:
    from consentkit.control import Control

_DAY_US: Final = 86_400_000_000


def prune_requests(control: Control, *, keep_days: int, now_us: int) -> int:
    """Remove requests that were closed longer ago than the audit is kept, and return how many."""
    before_us = now_us - keep_days * _DAY_US
    with control.transaction() as connection:
        gone = connection.execute(delete(subject_request).where(subject_request.c.closed_us < before_us)).rowcount
        connection.execute(delete(subject_link).where(subject_link.c.expires_us < now_us))
        if gone:
            audit.append(connection, SYSTEM, "subject.requests.pruned", detail={"requests": gone})
    return gone
