"""Erasing a person's requests: from the spool, from every period, and from incidents' copies that are let go.

Owns the order, and that each place is erased by one rewrite and one transaction. Where the rows are is
`subject`'s business, the copy the store's, the certificate `subject.certificate`'s.

    begun in the audit | the spool stored and emptied | a place written anew without the rows | the switch and
    its entry | the generation before destroyed, key first | the next place | the certificate

Each step is durable before the next. A crash leaves a prefix of it; erasing again goes on from there, and the
certificate counts what was done before the crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consentkit import audit
from consentkit.archive.custody import custody
from consentkit.archive.destruction import finish_rewrite
from consentkit.archive.handover import asking_for
from consentkit.archive.period import Catalogue, Period, change
from consentkit.archive.sealing import seal_locked
from consentkit.archive.subject import spooled
from consentkit.archive.subject.certificate import Begun, Certificate, begin, certify
from consentkit.archive.subject.incidents import erase_in_incident
from consentkit.archive.subject.looks import copies_of
from consentkit.archive.subject.place import ErasureOrder, count_rows, told, write_without
from consentkit.archive.subject.rows import Cuts
from consentkit.archive.subject.traces import find_traces, live_periods, open_incidents
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.store.places import Rewritten
    from consentkit.settings import RequestLog


class Step(NamedTuple):
    """What is durable by now.

    Attributes:
        place: ``spool``, a period's name or ``incident 7``; empty for what concerns all.
        done: ``begun``, ``stored``, ``rewritten``, ``gone`` or ``certified``.
    """

    place: str
    done: str


class Erasure:
    """One run of an erasure.

    Args:
        holdings: the store.
        log: for storing what is in the spool.
        order: what is erased.
        each_wait: called while the spool is waited for.

    Attributes:
        certificate: written with the last step.
    """

    def __init__(
        self,
        holdings: Holdings,
        log: RequestLog,
        order: ErasureOrder,
        *,
        each_wait: Callable[[spooled.Spooled], None] = lambda _: None,
    ) -> None:
        self._holdings = holdings
        self._log = log
        self._order = order
        self._each_wait = each_wait
        self.certificate: Certificate | None = None

    def run(self) -> Iterator[Step]:
        """Erase, yielding after each step what is durable by then; nothing further is done until asked.

        Raises:
            PeriodBusy: readers did not leave a place; erasing again goes on there.
            KeyUnavailable, StorageError: likewise.
        """
        holdings, order = self._holdings, self._order
        begun = begin(holdings.control, holdings.keyring, order.person, order.actor, order.look)
        yield Step("", "begun")
        lying = spooled.settle(
            holdings, order.person, self._log, wait_seconds=order.spool_seconds, each=self._each_wait
        ).lying
        yield Step("spool", "stored")
        with custody(holdings.control, wait_seconds=order.wait_seconds):
            for period in reversed(live_periods(holdings, order.person)):
                yield from self._period(period, begun)
            for incident in open_incidents(holdings):
                for done in erase_in_incident(holdings, incident, order, begun, is_cut=self._cuts().are_anywhere):
                    yield Step(incident.name, done)
        self.certificate = self._certify(begun, len(lying))
        yield Step("", "certified")

    def _period(self, listed: Period, begun: Begun) -> Iterator[Step]:
        holdings, order = self._holdings, self._order
        finish_rewrite(holdings, listed, order.actor, wait_seconds=order.wait_seconds)
        cuts = self._cuts()
        with (
            asking_for(holdings.directory, listed.file_name),
            holdings.rows.lock(listed.place, exclusive=True, wait_seconds=order.wait_seconds),
        ):
            period = self._to_rewrite(listed, is_cut=cuts.are_in(listed.name))
            if period is None:
                return
            fresh = msgspec.structs.replace(period, generation=period.generation + 1)
            places, is_cut = (period.place, fresh.place), cuts.are_in(period.name)
            written = write_without(holdings, *places, period.file_hash, order.person, is_cut=is_cut)
            if not self._switch(period, fresh, written, begun):
                raise StorageError(period.file_name, "was changed meanwhile; erase again")
        yield Step(period.name, "rewritten")
        present = msgspec.structs.replace(fresh, old_generation=period.generation)
        finish_rewrite(holdings, present, order.actor, wait_seconds=order.wait_seconds)
        yield Step(period.name, "gone")

    def _to_rewrite(self, listed: Period, *, is_cut: bool) -> Period | None:
        """Return a locked period, sealed, if it holds rows of the person; the ingester opens it again."""
        if not count_rows(self._holdings, listed.place, self._order.person, is_cut=is_cut):
            return None
        period = self._present(listed)
        if period.state == "open":
            seal_locked(self._holdings, period, self._order.actor)
            period = self._present(listed)
        return period

    def _present(self, listed: Period) -> Period:
        present = next(one for one in Catalogue(self._holdings.control, "day").known if one.name == listed.name)
        if present.generation != listed.generation or present.is_gone:
            raise StorageError(listed.file_name, "was changed meanwhile; erase again")
        return present

    def _switch(self, period: Period, fresh: Period, written: Rewritten, begun: Begun) -> bool:
        detail = {"period": period.name, **told(period.file_hash, fresh.generation, written, begun)}
        values = {
            **written.contents.columns,
            "generation": fresh.generation,
            "old_generation": period.generation,
        }
        with self._holdings.control.transaction() as connection:
            if not change(connection, period, ("sealed",), **values):
                return False
            audit.append(connection, self._order.actor, "period.erased", look=self._order.look, detail=detail)
        return True

    def _cuts(self) -> Cuts:
        periods = Catalogue(self._holdings.control, "day").known
        return Cuts.known(self._holdings.control, periods, self._log.truncate_ip_after_days)

    def _certify(self, begun: Begun, lying: int) -> Certificate:
        holdings, order = self._holdings, self._order
        left = find_traces(holdings, order.person, self._log)
        kept = [
            {
                "incident": trace.incident.number,
                "rows": trace.counted.rows,
                "reason": trace.incident.reason,
                "review": trace.incident.review,
            }
            for trace in left.incidents
            if trace.counted.rows
        ]
        return certify(
            holdings.control,
            begun,
            order.actor,
            order.look,
            kept=kept,
            indistinct=left.indistinct,
            spooled=lying,
            copies=[copy.number for copy in copies_of(holdings.control, order.person)],
        )
