"""Writing the audit: an entry follows from the one before, and is remembered outside the database.

Owns the order of the two. What an entry is, and what follows from a lost one, is left to `entry` and `putback`.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.audit.entry import BEFORE_FIRST, SYSTEM, Actor, AuditEntry, Link, Look, chain_hash
from consentkit.audit.memory import ChainMemory
from consentkit.audit.putback import PUT_BACK, is_told, loss
from consentkit.audit.reading import newest_link
from consentkit.control import Control, after_commit, audit, control_of, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_TURN: Final = "consentkit.audit.turn"

# In JSON text: an escaped backslash, which may stand before a u, or U+0000.
_ESCAPED: Final = re.compile(r"\\(?:\\|u0000)")


def record(
    control: Control,
    actor: Actor,
    action: str,
    *,
    look: Look | None = None,
    detail: Mapping[str, object] | None = None,
    rows: int = 0,
) -> AuditEntry:
    """Write one entry durably and return it.

    Args:
        control: the control database.
        actor: who does it.
        action: what is done, as in ``log.search``.
        look: the purpose, where personal data is shown.
        detail: what exactly, as in the filters of a search; no row's content.
        rows: how many rows of personal data are about to be shown.

    Raises:
        StorageError: the entry can't be made durable; then nothing may be shown.
    """
    with control.transaction() as connection:
        return append(connection, actor, action, look=look, detail=detail, rows=rows)


def append(
    connection: Connection,
    actor: Actor,
    action: str,
    *,
    look: Look | None = None,
    detail: Mapping[str, object] | None = None,
    rows: int = 0,
) -> AuditEntry:
    """Write one entry as part of a transaction, so that a change and its entry are durable together.

    Takes what `record` takes, and a connection of `Control.transaction`.
    """
    turn = begin(connection)
    return turn.write(connection, actor, action, look=look, detail=detail or {}, rows=rows)


def begin(connection: Connection) -> Turn:
    """Begin a transaction's entries if that was not done yet: a loss that was noticed is told first."""
    turn = connection.info.get(_TURN)
    if not isinstance(turn, Turn):
        turn = connection.info[_TURN] = Turn(connection)
        after_commit(connection, turn.remember)
    return turn


class Turn:
    """One transaction's entries: where the chain stands, and what was remembered of it before."""

    def __init__(self, connection: Connection) -> None:
        self._memory = ChainMemory(control_of(connection))
        self._newest = newest_link(connection)
        self._seen = self._memory.read()
        if self._seen.link is None and not self._memory.is_writable():
            return  # a file that can't be made tells nothing by its absence
        if self._seen.link is None and self._newest == BEFORE_FIRST:
            self._memory.keep(BEFORE_FIRST, replacing=None)
            return  # from now on, a missing file is one that was taken away
        lost = loss(connection, self._seen, self._newest)
        if lost is not None and not is_told(connection, lost):
            self.write(connection, SYSTEM, PUT_BACK, look=None, detail=msgspec.structs.asdict(lost), rows=0)

    def write(
        self,
        connection: Connection,
        actor: Actor,
        action: str,
        *,
        look: Look | None,
        detail: Mapping[str, object],
        rows: int,
    ) -> AuditEntry:
        """Write the next entry."""
        entry = AuditEntry(
            number=self._newest.number + 1,
            time_us=time.time_ns() // 1000,
            actor=plain_text(actor.name),
            origin=actor.origin,
            action=action,
            purpose=look.purpose if look else "",
            case_id=plain_text(look.case) if look else "",
            reason=plain_text(look.reason) if look else "",
            detail=_json(detail),
            rows=rows,
            previous_hash=self._newest.hash,
        )
        entry = msgspec.structs.replace(entry, hash=chain_hash(entry))
        connection.execute(audit.insert().values(msgspec.structs.asdict(entry)))
        self._newest = Link(entry.number, entry.hash)
        return entry

    def remember(self) -> None:
        """Remember the last one outside the database, when the transaction is durable."""
        self._memory.keep(self._newest, replacing=self._seen.link)


def _json(detail: Mapping[str, object]) -> str:
    """Return the canonical JSON. U+0000 is replaced in it: PostgreSQL can look into no object that holds it."""
    text = msgspec.json.encode(detail, order="sorted").decode()
    if "\\u0000" not in text:
        return text
    return _ESCAPED.sub(lambda found: found[0] if found[0] == "\\\\" else "\N{REPLACEMENT CHARACTER}", text)
