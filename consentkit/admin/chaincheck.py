"""Checking the audit's chain from a page, within the time that somebody waits for one.

Owns the time limit. What a fault is, `audit.verification` says; the whole check, with the ledger of choices, is
the command line's.
"""

from __future__ import annotations

import time
from io import BytesIO
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.audit import Anchor, ChainReport, Fault, Verification, present_anchor, read_anchors

if TYPE_CHECKING:
    from consentkit.control import Control

SECONDS: Final = 20.0
_LOOK_EVERY: Final = 500


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a check came to.

    Attributes:
        report: of the entries that were reached.
        total: how many there are.
        is_whole: all were reached in time.
        seconds: how long it took.
    """

    report: ChainReport
    total: int
    is_whole: bool
    seconds: float

    @property
    def result(self) -> str:
        """``good``, ``bad``, or ``partial`` where what was reached holds."""
        if self.report.faults:
            return "bad"
        return "good" if self.is_whole else "partial"

    @property
    def first_fault(self) -> Fault | None:
        """The first place that does not hold."""
        return self.report.faults[0] if self.report.faults else None


def check_chain(control: Control, anchors: str, *, seconds: float = SECONDS) -> Check:
    """Walk over the chain, oldest entry first.

    Args:
        control: the control database.
        anchors: as they were printed, one a line; empty = none.
        seconds: after which it ends where it is.

    Raises:
        BadAnchor: a line is none.
        StorageError: the control database can't be read.
    """
    given = read_anchors(BytesIO(anchors.encode())) if anchors.strip() else []
    began, is_whole = time.monotonic(), True
    verification = Verification(control, given)
    total = verification.total()
    for number, _ in enumerate(verification.walk(), 1):
        if number % _LOOK_EVERY == 0 and time.monotonic() - began > seconds:
            is_whole = False
            break
    report = verification.report()
    if not is_whole:  # an anchor that was not reached says nothing
        report = msgspec.structs.replace(
            report, faults=tuple(one for one in report.faults if not one.place.startswith("anchor"))
        )
    return Check(report=report, total=total, is_whole=is_whole, seconds=time.monotonic() - began)


def newest_anchor(control: Control, operator: str) -> Anchor:
    """Return the end of the chain, to be written down elsewhere."""
    with control.transaction() as connection:
        return present_anchor(connection, operator)
