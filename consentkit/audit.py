"""The chained record of everything that was done to personal data.

Owns how an entry is written and how the chain is checked. An entry is durable before what it tells of is
shown; who must write one is said where the thing is done.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec
from sqlalchemy import Connection, func, select

from consentkit.control import Control, audit
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Purpose: TypeAlias = Literal["operation", "security", "incident", "fraud", "person", "audit"]

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)

CHAIN_START: Final = "0" * 64


class BrokenChain(ConsentKitError):
    """Report the first entry of a chain that does not follow from the one before.

    Attributes:
        number: the entry's number.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"entry {number} does not follow from the one before it")


class Actor(msgspec.Struct, frozen=True):
    """Who acts, and from where.

    Attributes:
        name: the system user, or the administrator's name; ``consentkit`` for what runs by itself.
        origin: ``cli``, ``admin`` or ``system``.
    """

    name: str
    origin: str


SYSTEM: Final = Actor("consentkit", "system")


class Look(msgspec.Struct, frozen=True):
    """Why personal data is looked at.

    Attributes:
        purpose: one of `PURPOSES`.
        case: number of an incident or request; empty where there is none.
        reason: in words.
    """

    purpose: Purpose
    case: str = ""
    reason: str = ""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, as stored. Times are microseconds since 1970 UTC; `detail` is JSON."""

    number: int
    time_us: int
    actor: str
    origin: str
    action: str
    purpose: str
    case_id: str
    reason: str
    detail: str
    rows: int
    previous_hash: str
    hash: str = ""


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
    previous = connection.execute(
        select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    entry = AuditEntry(
        number=previous.number + 1 if previous else 1,
        time_us=time.time_ns() // 1000,
        actor=actor.name,
        origin=actor.origin,
        action=action,
        purpose=look.purpose if look else "",
        case_id=look.case if look else "",
        reason=look.reason if look else "",
        detail=msgspec.json.encode(detail or {}, order="sorted").decode(),
        rows=rows,
        previous_hash=previous.hash if previous else CHAIN_START,
    )
    entry = msgspec.structs.replace(entry, hash=chain_hash(entry))
    connection.execute(audit.insert().values(msgspec.structs.asdict(entry)))
    return entry


def newest_first(connection: Connection, action: str) -> Iterator[AuditEntry]:
    """Yield the entries of one action, newest first. The chain is not checked: that is `entries`' job."""
    of_action = select(audit).where(audit.c.action == action).order_by(audit.c.number.desc())
    for row in connection.execute(of_action):
        yield AuditEntry(**row._asdict())


def last_number(connection: Connection) -> int:
    """Return the number of the newest entry; 0 = there is none."""
    return int(connection.execute(select(func.coalesce(func.max(audit.c.number), 0))).scalar_one())


def entries(connection: Connection) -> Iterator[AuditEntry]:
    """Yield every entry, oldest first.

    Raises:
        BrokenChain: an entry was changed, removed, added or moved; names the first.
    """
    expected, number = CHAIN_START, 1
    for row in connection.execute(select(audit).order_by(audit.c.number)):
        entry = AuditEntry(**row._asdict())
        if (entry.number, entry.previous_hash, entry.hash) != (number, expected, chain_hash(entry)):
            raise BrokenChain(number)
        yield entry
        expected, number = entry.hash, number + 1


def chain_hash(entry: msgspec.Struct) -> str:
    """Return the SHA-256 of an entry's canonical JSON, its own hash left out."""
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(entry, hash=""), order="sorted")).hexdigest()
