"""The journal of an incident: what the audit says was done for its case, in order.

Owns which entries belong to it: those of the incident itself, and every look and copy made for its case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.audit import Listing

if TYPE_CHECKING:
    from consentkit.archive.incident.listing import Incident
    from consentkit.audit import AuditEntry
    from consentkit.control import Control


class _Number(msgspec.Struct, frozen=True):
    incident: int = 0


def journal(control: Control, incident: Incident) -> list[AuditEntry]:
    """Return the entries of an incident and of its case, oldest first.

    A page of 1,000 rows that was copied or shown is an entry: the list grows with what was looked at, not with
    what is held.

    Raises:
        StorageError: the audit can't be read.
    """
    found = {entry.number: entry for entry in audit.listed(control, Listing(case=incident.case_id))}
    for entry in audit.listed(control, Listing(action="incident.*")):
        if _number(entry) == incident.number:
            found[entry.number] = entry
    return [found[number] for number in sorted(found)]


def _number(entry: AuditEntry) -> int:
    try:
        return msgspec.json.decode(entry.detail, type=_Number).incident
    except msgspec.DecodeError:
        return 0  # damaged: the chain tells of it
