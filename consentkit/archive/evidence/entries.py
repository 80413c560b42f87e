"""What the audit's entries about periods, and about the copies that incidents hold, say.

Owns reading their details. What follows from them is `replay`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.evidence.heads import ACTION
from consentkit.archive.evidence.listing import incident_name

if TYPE_CHECKING:
    from consentkit.audit import AuditEntry


class PeriodDetail(msgspec.Struct, frozen=True, kw_only=True):
    """The detail of one entry ``period.*`` or ``incident.*``, as far as it is evidence.

    What an entry doesn't say is None or empty.

    Attributes:
        period: its name.
        incident: its number.
        generation: of the file.
        rows: requests in it.
        file_hash: SHA-256 of the sealed file.
        replaces_file_hash: of the file that a rewrite took the place of.
        batch, head: the running digest, in hexadecimal.
        lane: whose; empty where a place has one writer.
        announced_in_entry: number of the ``period.destroying`` that a certificate follows.
    """

    period: str = ""
    incident: int | None = None
    generation: int | None = None
    rows: int | None = None
    file_hash: str = ""
    replaces_file_hash: str = ""
    batch: int = 0
    head: str = ""
    lane: str = ""
    announced_in_entry: int | None = None

    @property
    def name(self) -> str:
        """What it tells of, as `listing` names it; empty = neither."""
        return self.period if self.incident is None else incident_name(self.incident)


class _Heads(msgspec.Struct, frozen=True):
    heads: tuple[PeriodDetail, ...] = ()


def details(entry: AuditEntry) -> tuple[PeriodDetail, ...]:
    """Return what an entry says of periods; none where it can't be read, which the chain tells by its hash."""
    try:
        if entry.action == ACTION:
            return msgspec.json.decode(entry.detail, type=_Heads).heads
        detail = msgspec.json.decode(entry.detail, type=PeriodDetail)
    except (msgspec.DecodeError, TypeError):
        return ()
    return (detail,) if detail.name else ()
