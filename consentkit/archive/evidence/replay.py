"""Playing the chain again: what each period, and each incident's copy, must be by what the audit says of it.

Owns what follows from one entry after the other. Holding it against rows, keys and the catalogue is left to
`custody`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.evidence.entries import PeriodDetail, details
from consentkit.archive.store.places import Noted

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.audit import AuditEntry


class Sealed(NamedTuple):
    """What a seal found, and the entry that says so."""

    file_hash: str
    rows: int | None
    entry: int


class Expected:
    """What one period, or one incident's copy, must be.

    Attributes:
        generation: of its file; None = no entry says.
        state: ``open``, ``sealed``, ``destroying`` or ``destroyed``.
        noted: heads of the present generation, by lane and batch.
        sealed: what the seal found, while it is sealed.
        pending: the generation that a rewrite left behind and that is not yet destroyed.
        certificate: number of the entry ``period.destroyed``; None while there is none.
        faults: what contradicts itself in the chain.
        entries: how many told of it: it grows when something happened since.
    """

    __slots__ = (
        "announced",
        "certificate",
        "entries",
        "faults",
        "generation",
        "noted",
        "pending",
        "sealed",
        "state",
    )

    def __init__(self) -> None:
        self.generation: int | None = None
        self.state = "open"
        self.noted: dict[tuple[str, int], Noted] = {}
        self.sealed: Sealed | None = None
        self.pending: int | None = None
        self.announced: int | None = None
        self.certificate: int | None = None
        self.faults: list[str] = []
        self.entries = 0


class Replay:
    """All periods as the entries so far have them.

    Attributes:
        periods: by name; an incident's copy is ``incident 3``.
        accepted: the newest entry by which a restore was accepted; 0 = none.
        pruned_to: the last entry that was let go: what it and those before said is not known.
        pruned_us: when the first that is kept was written; 0 where none was let go.
    """

    def __init__(self) -> None:
        self.periods: dict[str, Expected] = {}
        self.accepted = 0
        self.pruned_to = 0
        self.pruned_us = 0
        self._is_begun = False

    def take(self, entry: AuditEntry) -> None:
        """Take the next entry into account."""
        if not self._is_begun and entry.number > 1:
            self.pruned_to, self.pruned_us = entry.number - 1, entry.time_us
        self._is_begun = True
        if entry.action == "audit.put_back_accepted":
            self.accepted = entry.number
        kind, _, action = entry.action.partition(".")
        step = _STEPS.get(action) if kind in ("period", "incident") else None
        if step is None:
            return
        for detail in details(entry):
            expected = self.periods.setdefault(detail.name, Expected())
            expected.entries += 1
            if expected.certificate is not None and action in _ONLY_LIVE:
                expected.faults.append(f"entry {entry.number} goes on after its certificate")
            step(expected, detail, entry.number)
            if action in ("destroyed", "closed"):
                self._require_announcement(expected, detail)

    def _require_announcement(self, expected: Expected, detail: PeriodDetail) -> None:
        named = detail.announced_in_entry
        if expected.announced is None and not (named is not None and named <= self.pruned_to):
            expected.faults.append(f"its certificate, entry {expected.certificate}, was never announced: forged")
        elif expected.announced is not None and named != expected.announced:
            expected.faults.append(f"its certificate, entry {expected.certificate}, names another announcement")


def _head(expected: Expected, detail: PeriodDetail, entry: int) -> None:
    if expected.generation is None:
        expected.generation = detail.generation
    if detail.generation != expected.generation or expected.certificate is not None:
        return  # written before another process rewrote or destroyed it, noted after
    last = max((batch for lane, batch in expected.noted if lane == detail.lane), default=0)
    before = expected.noted.get((detail.lane, detail.batch))
    if (before is None and detail.batch < last) or (before is not None and before.head != detail.head):
        expected.faults.append(f"entry {entry} notes another course of its rows than the entries before")
    expected.noted[detail.lane, detail.batch] = Noted(detail.head, entry)


def _sealed(expected: Expected, detail: PeriodDetail, entry: int) -> None:
    if expected.generation not in (None, detail.generation):
        expected.faults.append(f"entry {entry} seals generation {detail.generation}, not {expected.generation}")
    expected.generation = detail.generation
    if detail.head:  # of several lanes there is none: the file's hash is over all of them
        _head(expected, detail, entry)
    expected.state, expected.sealed = "sealed", Sealed(detail.file_hash, detail.rows, entry)


def _reopened(expected: Expected, _detail: PeriodDetail, _entry: int) -> None:
    expected.state, expected.sealed = "open", None


def _rewritten(expected: Expected, detail: PeriodDetail, entry: int) -> None:
    if expected.sealed is not None and expected.sealed.file_hash != detail.replaces_file_hash:
        expected.faults.append(f"entry {entry} rewrites another file than the one sealed")
    if expected.generation is not None and detail.generation != expected.generation + 1:
        expected.faults.append(f"entry {entry} names generation {detail.generation} after {expected.generation}")
    expected.pending = None if detail.generation is None else detail.generation - 1
    expected.generation = detail.generation
    expected.noted = {(detail.lane, detail.batch): Noted(detail.head, entry)} if detail.head else {}
    expected.state, expected.sealed = "sealed", Sealed(detail.file_hash, detail.rows, entry)


def _generation_destroyed(expected: Expected, detail: PeriodDetail, entry: int) -> None:
    if detail.generation == expected.generation:
        expected.faults.append(f"entry {entry} destroyed its present generation")
    if detail.generation == expected.pending:
        expected.pending = None


def _taken_back(expected: Expected, detail: PeriodDetail, entry: int) -> None:
    # What the rewrite had written was told in entries that the restore lost.
    expected.generation, expected.noted, expected.pending = detail.generation, {}, None
    expected.state, expected.sealed = "open", None
    if detail.file_hash:  # an incident's copy, which is hashed at once
        expected.state, expected.sealed = "sealed", Sealed(detail.file_hash, detail.rows, entry)


def _destroying(expected: Expected, detail: PeriodDetail, entry: int) -> None:
    if expected.sealed is not None and detail.file_hash not in ("", expected.sealed.file_hash):
        expected.faults.append(f"entry {entry} destroys another file than the one sealed")
    expected.state, expected.announced = "destroying", entry


def _destroyed(expected: Expected, _detail: PeriodDetail, entry: int) -> None:
    expected.state, expected.certificate = "destroyed", entry
    expected.noted, expected.sealed = {}, None


_STEPS: Final[dict[str, Callable[[Expected, PeriodDetail, int], None]]] = {
    "head": _head,
    "sealed": _sealed,
    "opened": _sealed,
    "reopened": _reopened,
    "truncated": _rewritten,
    "erased": _rewritten,
    "rewritten": _rewritten,
    "generation_destroyed": _generation_destroyed,
    "taken_back": _taken_back,
    "destroying": _destroying,
    "closing": _destroying,
    "destroyed": _destroyed,
    "closed": _destroyed,
}

# What nobody does to what is gone. A head may be noted after: it was written before.
_ONLY_LIVE: Final = frozenset(_STEPS) - {"head", "generation_destroyed"}
