"""The register of copies: what left the care of the archive, and what became of it.

It is the audit's entries ``copy.made`` and ``copy.destroyed``. Owns reading them together, and the second kind: an
officer's word that a copy is gone, which nobody can check from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit import audit
from consentkit.control import audit as entries
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from sqlalchemy import Connection

    from consentkit.audit import Actor, AuditEntry
    from consentkit.control import Control

MADE: Final = "copy.made"
DESTROYED: Final = "copy.destroyed"

MAX_HOW_CHARACTERS: Final = 500


class NoSuchCopy(ConsentKitError):
    """Refuse to mark a copy that is not registered."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"there is no copy {number} in the register")


class Destroyed(msgspec.Struct, frozen=True, kw_only=True):
    """The word that a copy is gone: in which entry, when it was said, by whom, and how it was destroyed."""

    entry: int
    time_us: int
    actor: str
    how: str


class RegisteredCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy.

    Attributes:
        number: of its entry in the audit.
        time_us: when it was made, microseconds since 1970 UTC.
        actor, purpose, case, reason: who and why.
        format, output, recipient: what it is, where it went, for whom; empty = for who made it.
        rows, bytes, sha256: of it.
        destroy_by: ISO date; empty = none is set.
        is_whole: it came to its end.
        incident: number of the incident that it is of; None = of none.
        destroyed: what became of it; None = nobody has said.
    """

    number: int
    time_us: int
    actor: str
    purpose: str
    case: str
    reason: str
    format: str
    output: str
    recipient: str
    rows: int
    bytes: int
    sha256: str
    destroy_by: str
    is_whole: bool
    incident: int | None
    destroyed: Destroyed | None

    def is_overdue(self, today: date) -> bool:
        """Tell whether its day has passed and nobody has said that it is gone."""
        return self.destroyed is None and bool(self.destroy_by) and self.destroy_by < today.isoformat()


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    format: str = ""
    output: str = ""
    recipient: str = ""
    rows: int = 0
    bytes: int = 0
    sha256: str = ""
    destroy_by: str = ""
    is_whole: bool = True
    incident: int | None = None


class _Gone(msgspec.Struct, frozen=True, kw_only=True):
    copy: int
    how: str = ""


def registered_copies(
    connection: Connection, *, before: int | None = None, limit: int | None = None
) -> Iterator[RegisteredCopy]:
    """Yield the copies, newest first.

    Args:
        connection: of the control database.
        before: those before this number alone.
        limit: at most so many; None = all.
    """
    gone = _gone(connection)
    page = select(entries).where(entries.c.action == MADE).order_by(entries.c.number.desc()).limit(limit)
    if before is not None:
        page = page.where(entries.c.number < before)
    for row in connection.execute(page):
        yield _registered(audit.AuditEntry(**row._asdict()), gone)


def mark_destroyed(control: Control, actor: Actor, number: int, how: str) -> AuditEntry:
    """Write down that a copy is gone; where that was said before, it is said again, and this word counts.

    Args:
        control: the control database.
        actor: who says so.
        number: of the copy.
        how: in words, as ``deleted from the provider's share``.

    Raises:
        NoSuchCopy: it is not in the register.
        StorageError: it can't be made durable.
    """
    with control.transaction() as connection:
        known = select(entries.c.number).where(entries.c.action == MADE, entries.c.number == number)
        if connection.execute(known).first() is None:
            raise NoSuchCopy(number)
        return audit.append(connection, actor, DESTROYED, detail={"copy": number, "how": how})


def _gone(connection: Connection) -> dict[int, Destroyed]:
    found: dict[int, Destroyed] = {}
    for entry in audit.newest_first(connection, DESTROYED):
        try:
            said = msgspec.json.decode(entry.detail, type=_Gone)
        except msgspec.DecodeError:
            continue  # it was changed: the chain's check tells, and the copy counts as not destroyed
        found.setdefault(
            said.copy,
            Destroyed(entry=entry.number, time_us=entry.time_us, actor=entry.actor, how=said.how),
        )
    return found


def _registered(entry: AuditEntry, gone: dict[int, Destroyed]) -> RegisteredCopy:
    try:
        made = msgspec.json.decode(entry.detail, type=_Made)
    except msgspec.DecodeError:
        made = _Made(is_whole=False)
    return RegisteredCopy(
        number=entry.number,
        time_us=entry.time_us,
        actor=entry.actor,
        purpose=entry.purpose,
        case=entry.case_id,
        reason=entry.reason,
        destroyed=gone.get(entry.number),
        **msgspec.structs.asdict(made),
    )
