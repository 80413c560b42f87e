"""A worker's way to the ledger: decisions in, receipts out.

Owns what happens where the ledger refuses: a refusal is kept in `owed` and written later, and what could not
even be kept is counted. The rows are `ledger`'s, which is loaded at the first of them.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.consent.owed import FOLDER, OwedDecisions, waiting
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consentkit.consent.decision import Decision
    from consentkit.consent.outcomes import Outcome
    from consentkit.control import Control
    from consentkit.crypto import Keyring

logger = logging.getLogger("consentkit")

_SETTLE_EVERY_S: Final = 10.0


class Recording:
    """Write decisions and read receipts; all methods block.

    Args:
        directory: the data directory.
        keyring: seals what is owed.
        open_control: returns the control database, opened when it is first asked for.

    Attributes:
        unkept: refusals that hold, and whose record is lost.
    """

    def __init__(self, directory: Path, keyring: Keyring, open_control: Callable[[], Control]) -> None:
        self._folder = directory / FOLDER
        self._owed = OwedDecisions(directory, keyring)
        self._open_control = open_control
        self._lock = threading.Lock()
        self._next_settle = 0.0
        self._is_told = False
        self.unkept = 0

    def record(
        self,
        decision: Decision,
        counted: Sequence[Outcome] = (),
        shown: bytes = b"",
        *,
        once: str = "",
        may_wait: bool = False,
    ) -> Decision:
        """Make a decision durable, and return it as it is kept.

        Args:
            decision: the answer.
            counted: what it counts as in the rates.
            shown: canonical text of what was shown.
            once: digest of the form's own value, by which one that is sent twice makes one row.
            may_wait: it holds in any case, as a refusal does: where the ledger refuses, its row is owed.

        Raises:
            ConsentKitError: it is neither written nor kept.
        """
        self._settle_first()
        try:
            return self._write(decision, counted, shown, once)
        except ConsentKitError as exc:
            if not may_wait:
                raise
            logger.error("a refusal holds, its record is owed: %s", exc)
        given = msgspec.structs.replace(decision, minute=int(time.time()) // 60)
        try:
            self._owed.add(given, counted, shown, once)
        except ConsentKitError:
            with self._lock:
                self.unkept += 1
            raise
        return given

    def tend(self) -> None:
        """Write what is owed, if it is time; called about once a second."""
        if time.monotonic() >= self._next_settle:
            self._next_settle = time.monotonic() + _SETTLE_EVERY_S
            self._settle()

    def receipt(self, consent_id: str, *, operator: str, host: str) -> bytes | None:
        """Return the receipt of a visitor's own record; None where nothing is kept under his id.

        Raises:
            ConsentKitError: it can't be read or signed.
        """
        from consentkit.consent.receipts import make_receipt  # noqa: PLC0415 - brings SQLAlchemy along

        self._settle_first()
        return make_receipt(self._open_control(), consent_id, operator=operator, host=host)

    def _settle_first(self) -> None:
        """Keep a visitor's decisions in the order in which they were given."""
        try:
            has_owed = bool(waiting(self._folder))
        except OSError:
            return  # `tend` tells of it
        if has_owed:
            self._settle()

    def _settle(self) -> None:
        try:
            done = self._owed.settle(self._write)
        except (ConsentKitError, OSError) as exc:
            if not self._is_told:
                logger.error("decisions are still owed to the ledger: %s", exc)
            self._is_told = True
            return
        self._is_told = False
        if done:
            logger.info("decisions that were owed are in the ledger now: %d", done)

    def _write(self, decision: Decision, counted: Sequence[Outcome], shown: bytes, once: str) -> Decision:
        from consentkit.consent.ledger import record_decision  # noqa: PLC0415 - brings SQLAlchemy along

        return record_decision(self._open_control(), decision, counted, shown=shown, once=once)
