"""The check of all evidence: the chain, what it says of periods and incidents, and what lies there.

Owns the order and what is told: the first place that fails of each period, and all periods. It is itself an
entry of the audit. Each step is left to the module beside it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.evidence.custody import Verdict, check_period
from consentkit.archive.evidence.listing import Listed, all_listed
from consentkit.archive.evidence.replay import Replay
from consentkit.archive.evidence.strays import Known, strays
from consentkit.archive.periodlock import READER_SECONDS, PeriodBusy
from consentkit.audit import ChainReport, Fault, Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from consentkit.archive.holdings import Holdings
    from consentkit.audit import Actor, Anchor, AuditEntry

ACTION: Final = "log.verified"

# A period that is sealed, opened or rewritten while it is read is read again, so often.
_TRIES: Final = 3

# So many places are named in the audit's entry: the report has them all.
_NAMED: Final = 20


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the log came to.

    Attributes:
        chain: of the audit, on which all else rests.
        verdicts: one a period, oldest first, and one a place where something lies that no period has.
    """

    chain: ChainReport
    verdicts: tuple[Verdict, ...]

    @property
    def bad(self) -> list[Fault]:
        """What does not hold, the chain first."""
        return [*self.chain.faults, *(Fault(one.place, one.fault) for one in self.verdicts if one.fault)]

    @property
    def is_good(self) -> bool:
        """Whether all holds."""
        return not self.bad


class LastVerification(msgspec.Struct, frozen=True):
    """When the log was last checked, and what it came to.

    Attributes:
        time_us: microseconds since 1970 UTC.
        is_good: all held.
        until: the entry of the audit up to which.
        bad: the first places that did not hold.
    """

    time_us: int
    is_good: bool
    until: int
    bad: tuple[str, ...]


class LogVerification:
    """One check of the log.

    Args:
        holdings: the store.
        anchors: what was written down elsewhere.
        advance: called with the bytes that were read since the last call, of `total_bytes`.
    """

    def __init__(
        self,
        holdings: Holdings,
        anchors: Iterable[Anchor] = (),
        *,
        advance: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._holdings = holdings
        self._chain = Verification(holdings.control, anchors)
        self._replay = Replay()
        self._advance = advance

    def total_bytes(self) -> int:
        """Return the size of all that is read, for who shows progress."""
        kept = (one.place for one in all_listed(self._holdings).values() if not one.is_gone)
        return sum(map(self._holdings.rows.size_bytes, kept))

    def run(self) -> LogReport:
        """Check all.

        Raises:
            StorageError: the control database can't be read.
        """
        known = self._know()
        found = strays(self._holdings, self._know)
        names = {**known.listed, **known.expected}
        verdicts = [self._settled(name, found.pop(name, "")) for name in sorted(names)]
        verdicts += [Verdict(place=place, state="unknown", fault=reason) for place, reason in found.items()]
        return LogReport(chain=self._chain.report(), verdicts=tuple(verdicts))

    def _know(self) -> Known:
        listed = all_listed(self._holdings)
        self._go_on()
        return Known(listed, self._replay.periods)

    def _go_on(self) -> None:
        for entry in self._chain.walk():
            self._replay.take(entry)

    def _settled(self, name: str, stray: str) -> Verdict:
        """Return the verdict on a period, once more where something happened to it meanwhile."""
        for _ in range(_TRIES):
            listed, before = self._as_of_now(name)
            verdict = self._checked(name, listed)
            if not verdict.fault or self._as_of_now(name) == (listed, before):
                break
        return verdict if verdict.fault or not stray else msgspec.structs.replace(verdict, fault=stray)

    def _as_of_now(self, name: str) -> tuple[Listed | None, int]:
        """Return a period as it is listed, and how many entries told of it, by now."""
        listed = all_listed(self._holdings, name).get(name)
        self._go_on()
        expected = self._replay.periods.get(name)
        return listed, expected.entries if expected else 0

    def _checked(self, name: str, listed: Listed | None) -> Verdict:
        rows = self._holdings.rows
        with contextlib.ExitStack() as locked:
            size = 0
            if listed is not None and not listed.is_gone and rows.exists(listed.place):
                try:
                    locked.enter_context(rows.lock(listed.place, exclusive=False, wait_seconds=READER_SECONDS))
                except PeriodBusy as exc:
                    return Verdict(place=name, state=listed.state, fault=str(exc))
                size = rows.size_bytes(listed.place)
                listed, _ = self._as_of_now(name)

            def advance(share: float) -> None:
                self._advance(share * size)

            return check_period(self._holdings, name, listed, self._replay, advance=advance)


def record_result(holdings: Holdings, actor: Actor, report: LogReport, *, anchors: int = 0) -> AuditEntry:
    """Write what a check came to into the audit. No row was shown, so no purpose is asked for.

    Raises:
        StorageError: it can't be made durable.
    """
    bad = report.bad
    detail = {
        "result": "bad" if bad else "good",
        "until": report.chain.end.number,
        "until_hash": report.chain.end.hash,
        "periods": len(report.verdicts),
        "rows_read": sum(verdict.rows or 0 for verdict in report.verdicts),
        "anchors": anchors,
        "bad": [f"{fault.place}: {fault.reason}" for fault in bad[:_NAMED]],
    }
    return audit.record(holdings.control, actor, ACTION, detail=detail)


def last_verification(connection: Connection) -> LastVerification | None:
    """Return the newest check of the log that is in the audit; None = there was none."""
    for entry in audit.newest_first(connection, ACTION):
        said = msgspec.json.decode(entry.detail, type=_Said)
        return LastVerification(entry.time_us, said.result == "good", said.until, said.bad)
    return None


class _Said(msgspec.Struct, frozen=True):
    result: str
    until: int
    bad: tuple[str, ...] = ()
