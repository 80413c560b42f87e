"""Whether an incident's rows are what was copied: their hash and their digest, held against the audit.

Owns the order of questions. The first that fails is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.evidence.custody import Verdict
from consentkit.archive.store.places import Noted
from consentkit.audit import Listing

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.audit import AuditEntry
    from consentkit.control import Control

# What makes a generation the present one, and says what is in it.
_WRITTEN: Final = ("incident.opened", "incident.erased", "incident.rewritten", "incident.taken_back")


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    incident: int
    generation: int
    rows: int
    file_hash: str
    batch: int = 0
    head: str = ""
    lane: str = ""


def verify(
    holdings: Holdings, incident: Incident, *, advance: Callable[[float], None] = lambda _: None
) -> Verdict:
    """Check an open incident's rows; the caller holds its lock.

    Args:
        holdings: the store.
        incident: which one.
        advance: called with the share that was read since the last call; they add up to at most 1.

    Raises:
        KeyUnavailable: its key is missing.
        StorageError: the control database can't be read.
    """
    told, entry = _told(holdings.control, incident)

    def verdict(fault: str, rows: int | None = None) -> Verdict:
        return Verdict(place=incident.name, state=incident.state, rows=rows, fault=fault)

    if told is None:
        return verdict(f"no entry of the audit says what generation {incident.generation} holds")
    if (told.file_hash, told.rows) != (incident.file_hash, incident.rows):
        return verdict(f"is listed with another hash or number of rows than entry {entry} says")
    noted = {(told.lane, told.batch): Noted(told.head, entry)} if told.head else {}
    content = holdings.rows.check(incident.place(), noted, is_sealed=True, advance=advance)
    if content.file_hash != told.file_hash and (content.file_hash or not content.fault):
        reasons = (f"its file is not the one that entry {entry} tells of", content.fault)
        return verdict("; ".join(filter(None, reasons)), content.rows)
    if not content.fault and content.rows != told.rows:
        return verdict(f"it holds {content.rows} rows, and entry {entry} says {told.rows}", content.rows)
    return verdict(content.fault, content.rows)


def _told(control: Control, incident: Incident) -> tuple[_Told | None, int]:
    """Return what the newest entry about the present generation says, and the entry's number."""
    for entry in audit.listed(control, Listing(action="incident.*")):
        told = _decoded(entry) if entry.action in _WRITTEN else None
        if told is not None and (told.incident, told.generation) == (incident.number, incident.generation):
            return told, entry.number
    return None, 0


def _decoded(entry: AuditEntry) -> _Told | None:
    try:
        return msgspec.json.decode(entry.detail, type=_Told)
    except msgspec.DecodeError:
        return None  # the chain tells of a changed entry
