"""The ingester's housekeeping: heartbeat, heads noted, seals, retention, statistics, and addresses cut.

Owns when each is done, which of it one host does for all and which each does for itself, and that a failure of one
keeps neither the ingester from storing nor the others from being done: it is told once, counted, and tried again.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

from consentkit.archive import inforce
from consentkit.archive.aggregate import Aggregator
from consentkit.archive.ahead import make_next
from consentkit.archive.evidence.heads import note_heads
from consentkit.archive.evidence.proof import prune_proof
from consentkit.archive.evidence.pruning import prune_due
from consentkit.archive.export.pending import PendingExports
from consentkit.archive.farewell.countdown import Countdown, wind_down
from consentkit.archive.leading import Leading
from consentkit.archive.oldrequests import prune_requests
from consentkit.archive.period import Catalogue
from consentkit.archive.periodlock import PeriodBusy
from consentkit.archive.retention import Retention
from consentkit.archive.schedule import DAY_US
from consentkit.archive.sealing import is_ripe, seal
from consentkit.archive.showings import add_showings
from consentkit.archive.truncation import truncate_due
from consentkit.audit import SYSTEM
from consentkit.errors import ConsentKitError
from consentkit.settings import ConsentPolicy, Keep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from consentkit.archive.evidence.heads import WrittenHead
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.publishing import Publisher

logger = logging.getLogger("consentkit.ingest")

ROUND_SECONDS: Final = 60.0

# Readers are given their time by trying again each round, not by keeping the spool waiting.
_WAIT_SECONDS: Final = 0.2


class Caretaker:
    """Keep house beside an ingester, in its thread.

    Args:
        holdings: the store.
        retention_days: in force.
        truncate_after_days: when addresses are cut; None = never, 0 = in the worker already.
        release: called with the time before anything is sealed or destroyed; the ingester lets go.
        written: the heads that the ingester has written; those that are noted are taken out.
        keep_audit_days: how long an entry of the audit is kept.
        keep_proof_days: how long a decision is kept after its consent has ended.
        choice_lifetime_days: how long a choice holds.
        leading: this host's part among several; None = it has one of its own.
        catalogue: as new periods are cut; None = none is made ahead.
        countdown: to the destruction of all, after the service has ended.
        publisher: of what outsiders may see; None = nothing is published.
        now_us: the clock, in microseconds since 1970 UTC.

    Attributes:
        failures: how often something could not be done.
    """

    def __init__(
        self,
        holdings: Holdings,
        retention_days: int,
        *,
        truncate_after_days: int | None = None,
        release: Callable[[int], None],
        written: MutableMapping[str, WrittenHead] | None = None,
        keep_audit_days: int = Keep().audit,
        keep_proof_days: int = Keep().proof,
        choice_lifetime_days: int = ConsentPolicy().lifetime_days,
        leading: Leading | None = None,
        catalogue: Catalogue | None = None,
        countdown: Countdown | None = None,
        publisher: Publisher | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._holdings = holdings
        self._retention = Retention(holdings, retention_days, SYSTEM, wait_seconds=_WAIT_SECONDS)
        self._leading = leading or Leading(holdings.control)
        self._aggregator = Aggregator(holdings)
        self._catalogue = catalogue
        self._truncate_after_days = truncate_after_days
        self._retention_days = retention_days
        self._release = release
        self._written = {} if written is None else written
        self._keep_audit_days = keep_audit_days
        self._keep_proof_days = keep_proof_days
        self._choice_lifetime_days = choice_lifetime_days
        self._countdown = countdown
        self._publisher = publisher
        self._pruned_on = 0
        self._proof_pruned_on = 0
        self._now_us = now_us
        self._next_round = 0.0
        self._told: dict[str, str] = {}
        self.failures = 0

    def start(self, in_force: Mapping[str, object]) -> None:
        """Record the settings in force, and finish and do what retention asks before anything is stored."""
        self._attempt("the choice of the host that leads", self._leading.renew)
        self._attempt("the record of settings", lambda: self._record(in_force))
        self._lead("the heartbeat", self._beat)
        self._lead("retention", self._retain)

    def round(self, *, is_drained: bool) -> None:
        """Do what is to be done about once a minute.

        Args:
            is_drained: all of the spool is stored, so that what has ended can be sealed.
        """
        if time.monotonic() < self._next_round:
            return
        self._next_round = time.monotonic() + ROUND_SECONDS
        self.do(is_drained=is_drained)

    def do(self, *, is_drained: bool = True) -> None:
        """Do a round now."""
        self._attempt("the choice of the host that leads", self._leading.renew)
        self._lead("the heartbeat", self._beat)
        self._attempt("the note of heads", self._note)
        self._attempt("letting go of periods", lambda: self._release(self._now_us()))
        self._lead("retention", self._retain)
        self._lead("the end of the service", self._wind_down)
        self._attempt("the counts of the banner", self._add_showings)
        self._attempt("exports that nobody took", self._sweep_exports)
        if is_drained:
            self._lead("the statistics", lambda: self._aggregator.run(self._now_us()))
            self._lead("sealing", self._seal)
            self._lead("the cutting of addresses", self._truncate)
        self._lead("the next period", self._make_next)
        self._lead("the pruning of proof", self._prune_proof)
        self._lead("the pruning of the audit", self._prune)
        self._lead("the pruning of people's requests", self._prune_requests)
        if self._publisher is not None:
            self._attempt("publishing", self._publish)

    def stop(self) -> None:
        """Note what was written last, before the ingester ends in good order."""
        self._attempt("the note of heads", self._note)
        self._attempt("the counts of the banner", self._add_showings)
        self._leading.release()

    @property
    def undone(self) -> dict[str, str]:
        """What is not done, with the fault of each."""
        return dict(self._told)

    def _record(self, in_force: Mapping[str, object]) -> None:
        inforce.record_start(self._holdings.control, SYSTEM, in_force)

    def _beat(self) -> None:
        inforce.beat(self._holdings.control, self._now_us())

    def _note(self) -> None:
        note_heads(self._holdings.control, SYSTEM, self._written)

    def _add_showings(self) -> None:
        add_showings(self._holdings.control, self._holdings.directory, now_s=self._now_us() / 1_000_000)

    def _prune(self) -> None:
        day = self._now_us() // DAY_US
        if day != self._pruned_on:
            prune_due(
                self._holdings.control,
                SYSTEM,
                keep_days=self._keep_audit_days,
                now_us=self._now_us(),
                retention_days=self._retention_days,
            )
            self._pruned_on = day

    def _prune_requests(self) -> None:
        prune_requests(self._holdings.control, keep_days=self._keep_audit_days, now_us=self._now_us())

    def _prune_proof(self) -> None:
        day = self._now_us() // DAY_US
        if day != self._proof_pruned_on:
            prune_proof(
                self._holdings.control,
                SYSTEM,
                keep_days=self._keep_proof_days,
                lifetime_days=self._choice_lifetime_days,
                now_us=self._now_us(),
                retention_days=self._retention_days,
            )
            self._proof_pruned_on = day

    def _publish(self) -> None:
        if self._publisher is not None:
            self._publisher.publish(self._holdings, self._now_us())

    def _retain(self) -> None:
        outcome = self._retention.run(self._now_us())
        for certificate in outcome.certificates:
            logger.info("a period was destroyed: entry %d of the audit", certificate.number)
        if outcome.failures:
            raise _Unfinished("; ".join(f"{failure.period}: {failure.reason}" for failure in outcome.failures))

    def _truncate(self) -> None:
        with contextlib.suppress(PeriodBusy):  # readers have their time; it is done in a later round
            truncate_due(
                self._holdings, self._truncate_after_days, SYSTEM, self._now_us(), wait_seconds=_WAIT_SECONDS
            )

    def _sweep_exports(self) -> None:
        PendingExports(self._holdings.directory, self._holdings.keyring).sweep()

    def _wind_down(self) -> None:
        if self._countdown is not None:
            self._holdings = wind_down(
                self._holdings, self._countdown, SYSTEM, self._now_us(), wait_seconds=_WAIT_SECONDS
            )

    def _seal(self) -> None:
        faults = []
        for period in Catalogue(self._holdings.control, "day").known:
            if is_ripe(period, self._now_us()):
                try:
                    seal(self._holdings, period, SYSTEM, wait_seconds=_WAIT_SECONDS)
                except PeriodBusy:
                    continue  # somebody reads in it; it is sealed in a later round
                except ConsentKitError as exc:
                    faults.append(str(exc))
        if faults:
            raise _Unfinished("; ".join(faults))

    def _make_next(self) -> None:
        goes_on = self._countdown is None or self._countdown.ended is None
        if self._catalogue is not None and goes_on:
            make_next(self._holdings, self._catalogue, self._now_us())

    def _lead(self, what: str, do: Callable[[], object]) -> None:
        """Attempt what one host does for all."""
        if self._leading.leads:
            self._attempt(what, do)
        else:
            self._told.pop(what, None)

    def _attempt(self, what: str, do: Callable[[], object]) -> None:
        try:
            do()
        except (ConsentKitError, OSError) as exc:
            self._tell(what, str(exc))
        except Exception:
            # A fault of ours here must not stop the storing of the log.
            self.failures += 1
            self._told[what] = "a fault of consentkit's own; the site's log has it"
            logger.exception("%s failed; trying again", what)
        else:
            self._told.pop(what, None)

    def _tell(self, what: str, fault: str) -> None:
        self.failures += 1
        if self._told.get(what) != fault:
            self._told[what] = fault
            logger.error("%s is not done, trying again: %s", what, fault)


class _Unfinished(ConsentKitError):
    """Gather the faults of several periods into one."""
