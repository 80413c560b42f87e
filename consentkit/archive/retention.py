"""Retention: what goes, in which order, and that one process at a time sees to it.

Owns a run over all periods: what was begun is finished, what is due goes, what would go early waits until
it is confirmed. How one period goes is `destruction`'s job, when `schedule`'s. Needs no traffic: the
ingester calls it at its start and each minute, the command line when it is asked.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive import aggregate, inforce, schedule
from consentkit.archive.custody import custody, require
from consentkit.archive.destruction import Order, destroy, finish_rewrite, remove_remains
from consentkit.archive.incident.begun import finish_begun
from consentkit.archive.period import Catalogue, Period, change, kept, note_ahead
from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.recovery import is_lost, take_back
from consentkit.archive.schedule import Going
from consentkit.archive.sealing import seal
from consentkit.audit import AuditEntry
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consentkit.archive.holdings import Holdings
    from consentkit.audit import Actor

logger = logging.getLogger("consentkit.retention")

STEADY_TIME: Final = "a day of steady time"
_LIVE: Final = ("open", "sealed")


class Failure(msgspec.Struct, frozen=True):
    """One period or incident that could not be destroyed now, and why; it is tried again at the next run."""

    period: str
    reason: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        certificates: the audit's entries ``period.destroyed``, one a period.
        waiting: what would go early and was not confirmed.
        failures: what could not be destroyed now.
    """

    certificates: tuple[AuditEntry, ...]
    waiting: tuple[Going, ...]
    failures: tuple[Failure, ...]


class Retention:
    """The retention of one installation.

    Args:
        holdings: the store.
        retention_days: in force now.
        actor: who destroys, for the audit.
        wait_seconds: how long readers, and another run, may take to leave.
    """

    def __init__(
        self, holdings: Holdings, retention_days: int, actor: Actor, *, wait_seconds: float = READER_SECONDS
    ) -> None:
        self._holdings = holdings
        self._retention_days = retention_days
        self._actor = actor
        self._wait_seconds = wait_seconds

    def plan(
        self, now_us: int, *, acting_as_us: int | None = None, listed: Sequence[Period] | None = None
    ) -> list[Going]:
        """Return what goes now, oldest first.

        Args:
            now_us: what the clock says.
            acting_as_us: go by this time instead; what its day has not come for is early.
            listed: the periods that are not destroyed, and any others; None = they are read.
        """
        if listed is None:
            listed = kept(self._holdings.control)
        found = schedule.going(
            (self._as_its_key(period) for period in listed),
            retention_days=self._retention_days,
            now_us=now_us,
            so_far=inforce.so_far(self._holdings.control, now_us, self._retention_days),
            acting_as_us=acting_as_us,
        )
        return sorted(found, key=lambda one: one.period.since_us)

    def run(
        self,
        now_us: int,
        *,
        acting_as_us: int | None = None,
        confirmed_by: str = "",
        each: Callable[[Going], None] = lambda _: None,
    ) -> Outcome:
        """Destroy what goes now.

        Args:
            now_us: what the clock says.
            acting_as_us: as in `plan`.
            confirmed_by: who lets go what would go early; empty = it waits.
            each: called before each period.

        Raises:
            StorageError: another run is under way, or the control database refuses. What fails of one
                period is in the outcome instead, and keeps no other from going.
        """
        certificates: list[AuditEntry] = []
        waiting: list[Going] = []
        failures: list[Failure] = []
        with custody(self._holdings.control, wait_seconds=self._wait_seconds) as held:
            take_back(self._holdings, self._periods(), self._actor)
            note_ahead(self._holdings.control, now_us, self._actor)
            plan = self.plan(now_us, acting_as_us=acting_as_us)
            for going in plan:
                if going.early and not going.is_begun and not confirmed_by:
                    waiting.append(going)
                    continue
                each(going)
                require(held)
                try:
                    certificates += self._destroy(going, confirmed_by)
                except (ConsentKitError, OSError) as exc:
                    failures.append(Failure(going.period.name, str(exc)))
            if acting_as_us is None:
                self._note_waiting({going.period.name: going.early for going in waiting})
            self._remove_remains()
            begun = finish_begun(self._holdings, self._actor, wait_seconds=self._wait_seconds)
            failures += [Failure(name, reason) for name, reason in begun]
        return Outcome(certificates=tuple(certificates), waiting=tuple(waiting), failures=tuple(failures))

    def _destroy(self, going: Going, confirmed_by: str) -> Iterator[AuditEntry]:
        # The certificate is for all of it: what a rewrite has left behind goes first.
        finish_rewrite(self._holdings, going.period, self._actor, wait_seconds=self._wait_seconds)
        if not going.is_begun:
            going = self._sealed(going)
            self._count(going.period)
            if going.period.early and not going.early:  # it has waited, and is let go by time
                going = msgspec.structs.replace(going, early=going.period.early)
        order = Order(
            actor=self._actor,
            retention_days=self._retention_days,
            confirmed_by=confirmed_by or STEADY_TIME,
            wait_seconds=self._wait_seconds,
        )
        for _ in destroy(self._holdings, going, order):
            pass
        with self._holdings.control.transaction() as connection:
            yield next(audit.newest_first(connection, "period.destroyed"))

    def _sealed(self, going: Going) -> Going:
        """Seal what was never sealed, so that the certificate can say what went; go on where that fails."""
        if going.period.state != "open":
            return going
        try:
            seal(self._holdings, going.period, self._actor, wait_seconds=self._wait_seconds)
        except ConsentKitError as exc:
            logger.warning("period %s is destroyed unsealed: %s", going.period.name, exc)
        present = next(period for period in self._periods() if period.name == going.period.name)
        return msgspec.structs.replace(going, period=present)

    def _count(self, period: Period) -> None:
        """Complete the statistics of a period before its rows go; go on where that fails."""
        try:
            aggregate.finish(self._holdings, period, wait_seconds=self._wait_seconds)
        except (ConsentKitError, OSError) as exc:
            logger.warning("period %s is destroyed, its statistics incomplete: %s", period.name, exc)

    def _as_its_key(self, period: Period) -> Period:
        """Return a period as being destroyed if its key already is, whatever a restored catalogue says."""
        if is_lost(self._holdings, period):
            return msgspec.structs.replace(period, state="destroying", early="")
        return period

    def _note_waiting(self, waiting: dict[str, str]) -> None:
        """Note what waits and why, and tell the audit once; what waits no longer is on its ordinary way."""
        for period in self._periods():
            early = waiting.get(period.name, "")
            if period.state not in _LIVE or bool(early) == bool(period.early):
                continue
            with self._holdings.control.transaction() as connection:
                if change(connection, period, _LIVE, early=early) and early:
                    detail = {"period": period.name, "reason": early}
                    audit.append(connection, self._actor, "period.waiting", detail=detail)

    def _remove_remains(self) -> None:
        there = {(one.name, one.generation) for one in self._holdings.rows.lying("period")}
        for period in self._periods():
            if period.state == "destroyed" and (period.name, period.generation) in there:
                remove_remains(self._holdings, period.place)
        self._destroy_returned_keys()

    def _destroy_returned_keys(self) -> None:
        """Destroy keys that may not be there: a restored copy of the keys folder has brought them back."""
        keyring = self._holdings.keyring
        listed = {period.name: period for period in self._periods()}
        for key_name in keyring.names("period"):
            name, _, generation = key_name.removeprefix("period/").rpartition(".")
            period = listed.get(name)
            if period is None or not generation.isdecimal() or generation == str(period.old_generation):
                continue  # not known of; or what finishes a rewrite destroys it, and tells the audit
            if period.state == "destroyed" or int(generation) < period.generation:
                keyring.destroy(key_name, is_remembered=True)

    def _periods(self) -> Sequence[Period]:
        return Catalogue(self._holdings.control, "day").known
