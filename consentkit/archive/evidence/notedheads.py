"""Heads that somebody outside noted down, held against the chains as they are now.

Owns that comparison. `archive.publishing` says what is in them; anchors, which have numbers, are the audit's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit import signing
from consentkit.archive.publishing import Heads, SignedHeads
from consentkit.audit import CHAIN_START, Fault, newest_first
from consentkit.control import audit, decision
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, Connection, Table

    from consentkit.control import Control

# A line an hour for ten years is 60 MB; who has more gives it in parts.
MAX_BYTES: Final = 64 * 2**20


class BadHeads(ConsentKitError):
    """Refuse a line that is no ``heads.json``.

    Attributes:
        line: its number, from 1.
    """

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(f"line {line} is no heads.json, as the site publishes it")


def read_heads(content: bytes) -> list[SignedHeads]:
    """Return the heads of a file, one a line; empty lines are passed over.

    Raises:
        BadHeads: a line is none, or there is none at all.
    """
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            signed = msgspec.json.decode(line, type=SignedHeads)
            msgspec.json.decode(signed.heads, type=Heads)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise BadHeads(number) from exc
        found.append(signed)
    if not found:
        raise BadHeads(1)
    return found


def contradicted(control: Control, noted: Iterable[SignedHeads]) -> tuple[list[Fault], int]:
    """Return what the chains contradict, and how many of the hashes are too old to be held against them.

    A hash must be that of an entry that is there, unless it was noted before the oldest of them. The ledger is
    empty after the end of a service alone, which the audit then says.

    Raises:
        StorageError: the control database can't be read.
    """
    faults, too_old = [], 0
    with control.transaction() as connection:
        keys = signing.public_keys(connection)
        is_wound_down = next(newest_first(connection, "service.wound_down"), None) is not None
        for signed in noted:
            heads = msgspec.json.decode(signed.heads, type=Heads)
            place = f"heads of {heads.time:%Y-%m-%dT%H:%M:%SZ}"
            try:
                signing.verify(signed.heads.encode(), signed.signature, keys)
            except signing.BadSignature as exc:
                faults.append(Fault(place, f"the {place} are not this installation's: {exc}"))
                continue
            chains = (
                ("audit", heads.audit, audit, audit.c.time_us, 1_000_000),
                ("ledger of decisions", heads.decisions, decision, decision.c.minute, 1 / 60),
            )
            for name, digest, table, time, units in chains:
                if digest == CHAIN_START or _is_there(connection, table, digest):
                    continue
                oldest = connection.execute(select(func.min(time))).scalar()
                if is_wound_down if oldest is None else heads.time.timestamp() * units < oldest:
                    too_old += 1
                else:
                    faults.append(Fault(place, f"the {name} has no entry any more that the {place} name"))
    return faults, too_old


def _is_there(connection: Connection, table: Table, digest: str) -> bool:
    column: Column[str] = table.c.hash
    return connection.execute(select(column).where(column == digest).limit(1)).scalar() is not None
