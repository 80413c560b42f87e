"""What changed, and when: of the settings in force, and of who may do what.

Both stand in the audit: ``settings.in_force`` of each start, and ``staff.*``. Owns reading them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import or_, select

from consentkit import audit
from consentkit.control import audit as entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from consentkit.audit import AuditEntry
    from consentkit.control import Control

IN_FORCE: Final = "settings.in_force"
# A start that changed nothing is read and passed over: so many entries at most for one page.
_MAX_READ: Final = 2000


class SettingChange(msgspec.Struct, frozen=True):
    """One setting; its values as JSON, empty = it was not there."""

    name: str
    old: str
    new: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One point of the history.

    Attributes:
        number, time_us, actor, action: of the entry.
        settings: what changed; empty for one about people, and for the first start.
        is_first: the settings were recorded for the first time.
        person: whom it is about; empty for settings.
        roles, before: roles since then, and those before; empty where they did not change.
    """

    number: int
    time_us: int
    actor: str
    action: str
    settings: tuple[SettingChange, ...] = ()
    is_first: bool = False
    person: str = ""
    roles: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


class _InForce(msgspec.Struct, frozen=True):
    changed: dict[str, tuple[msgspec.Raw, msgspec.Raw]] = {}


class _Staff(msgspec.Struct, frozen=True):
    person: str = ""
    roles: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


def history(
    control: Control, *, before: int | None, limit: int, settings: bool = True, staff: bool = True
) -> tuple[tuple[Step, ...], int]:
    """Return steps, newest first, and the entry to go on before; 0 = no more.

    Args:
        control: the control database.
        before: steps before this entry alone.
        limit: at most so many.
        settings, staff: which kinds.

    Raises:
        StorageError: the control database can't be read.
    """
    kinds = [entries.c.action == IN_FORCE] if settings else []
    kinds += [entries.c.action.like("staff.%")] if staff else []
    found: list[Step] = []
    wanted = select(entries).where(or_(*kinds)).order_by(entries.c.number.desc()).limit(_MAX_READ)
    if before is not None:
        wanted = wanted.where(entries.c.number < before)
    with control.transaction() as connection:
        first, read, last = _first_start(connection), 0, 0
        for row in connection.execute(wanted):
            read, last = read + 1, row.number
            step = _step(audit.AuditEntry(**row._asdict()), first)
            if step is not None:
                found.append(step)
            if len(found) == limit:
                return tuple(found), last
    return tuple(found), last if read == _MAX_READ else 0


def last_change(control: Control, concerns: Callable[[str], bool]) -> int | None:
    """Return when one of some settings last changed, microseconds since 1970 UTC.

    Args:
        control: the control database.
        concerns: tells by a setting's name whether it is one of them.

    Returns:
        The time of the start with which it changed, else of the first start; None = there was none.
    """
    since: int | None = None
    with control.transaction() as connection:
        for entry in audit.newest_first(connection, IN_FORCE):
            since = entry.time_us
            if any(concerns(name) for name in _changed(entry)):
                break
    return since


def _step(entry: AuditEntry, first: int) -> Step | None:
    step = Step(number=entry.number, time_us=entry.time_us, actor=entry.actor, action=entry.action)
    if entry.action != IN_FORCE:
        try:
            said = msgspec.json.decode(entry.detail, type=_Staff)
        except msgspec.DecodeError:
            return step
        return msgspec.structs.replace(step, person=said.person, roles=said.roles, before=said.before)
    changes = tuple(
        SettingChange(name, _text(old), _text(new)) for name, (old, new) in sorted(_changed(entry).items())
    )
    if not changes and entry.number != first:
        return None
    return msgspec.structs.replace(step, settings=changes, is_first=entry.number == first)


def _changed(entry: AuditEntry) -> dict[str, tuple[msgspec.Raw, msgspec.Raw]]:
    try:
        return msgspec.json.decode(entry.detail, type=_InForce).changed
    except msgspec.DecodeError:
        return {}


def _first_start(connection: Connection) -> int:
    oldest = select(entries.c.number).where(entries.c.action == IN_FORCE).order_by(entries.c.number).limit(1)
    return int(connection.execute(oldest).scalar() or 0)


def _text(value: msgspec.Raw) -> str:
    content = msgspec.json.decode(value)
    if content is None:
        return ""
    return content if isinstance(content, str) else bytes(value).decode()
