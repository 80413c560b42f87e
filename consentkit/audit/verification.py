"""Checking the audit: each entry follows from the one before, and nothing that was seen of it is gone.

Owns the walk over the chain, and what it is held against: the entry remembered in the keys folder, anchors,
and restores that nobody accepted. What the entries say of periods is held against the files by
`archive.evidence`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select

from consentkit.audit.entry import BEFORE_FIRST, Link, link_fault
from consentkit.audit.memory import ChainMemory
from consentkit.audit.putback import remembered_fault, unaccepted
from consentkit.audit.reading import after, begin_link, newest_link
from consentkit.control import audit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consentkit.audit.anchor import Anchor
    from consentkit.audit.entry import AuditEntry
    from consentkit.control import Control


class Fault(msgspec.Struct, frozen=True):
    """One thing that does not hold.

    Attributes:
        place: where, as in ``entry 17``, ``anchor of 2026-11-23T00:00:00Z`` or a period's name.
        reason: how.
    """

    place: str
    reason: str


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the chain came to.

    Attributes:
        entries: how many there are.
        pruned_to: the last one that was let go; 0 = none was.
        end: the newest.
        faults: what does not hold, the first place in the chain first; empty = all holds up to `end`.
        unchecked: anchors older than what is kept, which can't be held against it any more.
    """

    entries: int
    pruned_to: int
    end: Link
    faults: tuple[Fault, ...]
    unchecked: int = 0

    @property
    def is_good(self) -> bool:
        """Whether all holds."""
        return not self.faults


class Verification:
    """One walk over the chain, which may be gone on with when more was written.

    Args:
        control: the control database.
        anchors: what was written down elsewhere.

    Attributes:
        end: the entry up to which it went.
    """

    def __init__(self, control: Control, anchors: Iterable[Anchor] = ()) -> None:
        self._control = control
        self._anchors: dict[int, list[Anchor]] = defaultdict(list)
        for anchor in anchors:
            self._anchors[anchor.number].append(anchor)
        with control.transaction() as connection:
            self._begin = begin_link(connection)
        self.end = self._begin
        self._entries = 0
        self._faults: list[Fault] = []
        self._is_broken = False

    def walk(self) -> Iterator[AuditEntry]:
        """Yield the entries since the last walk, oldest first, also those behind a broken place.

        Raises:
            StorageError: the control database can't be read.
        """
        for entry in after(self._control, self.end.number if self._entries else 0):
            self._check(entry)
            self.end = Link(entry.number, entry.hash)
            self._entries += 1
            yield entry

    def total(self) -> int:
        """Return how many entries there are now, for who shows progress."""
        with self._control.transaction() as connection:
            return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())

    def report(self) -> ChainReport:
        """Return what the walk came to, held against what is remembered, and against the anchors."""
        with self._control.transaction() as connection:
            seen = ChainMemory(self._control).read()
            newest = newest_link(connection)
            faults = [*self._faults, *self._put_back(unaccepted(connection))]
            if seen.link is not None:
                reason = remembered_fault(connection, seen.link, newest)
            else:
                reason = "" if newest == BEFORE_FIRST else seen.fault
        if reason:
            place = f"entry {seen.link.number}" if seen.link else "the remembered entry"
            faults.append(Fault(place, reason))
        return ChainReport(
            entries=self._entries,
            pruned_to=self._begin.number,
            end=self.end,
            faults=(*faults, *self._anchor_faults()),
            unchecked=sum(len(self._anchors[number]) for number in self._too_old()),
        )

    def _check(self, entry: AuditEntry) -> None:
        # One broken place is told: what follows would be told again and again.
        if not self._is_broken and (reason := self._link_fault(entry)):
            self._faults.append(Fault(f"entry {self.end.number + 1}", f"entry {self.end.number + 1} {reason}"))
            self._is_broken = True
        for anchor in self._anchors.get(entry.number, ()):
            if anchor.hash != entry.hash:
                reason = f"entry {entry.number} is another one than the anchor of {anchor.time} names"
                self._faults.append(Fault(f"anchor {anchor.number}", reason))

    def _link_fault(self, entry: AuditEntry) -> str:
        reason = link_fault(entry, self.end)
        if reason and not self._entries:  # the oldest may have been let go since we looked
            with self._control.transaction() as connection:
                self._begin = self.end = begin_link(connection)
            reason = link_fault(entry, self.end)
        return reason

    def _put_back(self, numbers: Iterable[int]) -> Iterator[Fault]:
        for number in numbers:
            reason = (
                f"entry {number} says that the database was put back to an older copy, or entries were cut off;"
                " where that was meant: consentkit audit verify --accept-restore --reason TEXT"
            )
            yield Fault(f"entry {number}", reason)

    def _anchor_faults(self) -> Iterator[Fault]:
        for number, anchors in sorted(self._anchors.items()):
            if number > self.end.number:
                reason = f"entry {number} of the anchor of {anchors[0].time} is missing: the audit ends at entry"
                yield Fault(f"anchor {number}", f"{reason} {self.end.number}")
            elif number == self._begin.number and any(anchor.hash != self._begin.hash for anchor in anchors):
                yield Fault(f"anchor {number}", f"entry {number}, after which the audit begins, is another one")
        if self._anchors and len(self._too_old()) == len(self._anchors):
            yield Fault("anchors", "none of them lies in what is kept, so that none can be held against it")

    def _too_old(self) -> list[int]:
        return [number for number in self._anchors if number < self._begin.number]
