"""The people who may sign in, in the control database.

Owns their rows, and that each change and its entry in the audit are durable together. Passwords come here hashed;
what a name and a role may be is `staff`'s and `roles`' matter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, func, insert, select, update

from consentkit import audit
from consentkit.admin.mark import note_staff
from consentkit.admin.roles import ROLES, Role
from consentkit.admin.staff import clean_name, fold
from consentkit.control import person as table
from consentkit.control import recovery_code, session
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Row

    from consentkit.audit import Actor
    from consentkit.control import Control

# How long a password holds that an administrator has given, in microseconds: three days.
TEMPORARY_US: Final = 3 * 86_400_000_000

_MAX_PEOPLE: Final = 1000


class BadPerson(ConsentKitError):
    """Refuse a change to the list of people.

    Attributes:
        fault: ``name``, ``taken``, ``unknown``, ``many`` or ``roles``.
    """

    def __init__(self, fault: str) -> None:
        self.fault = fault
        says = {
            "name": "a name has 1 to 64 letters of any language, digits, spaces and _ . @ ' -",
            "taken": "somebody has this name already, perhaps with other capitals",
            "unknown": "nobody has this name",
            "many": f"there are {_MAX_PEOPLE} people already",
            "roles": f"a person has one or more of these roles: {', '.join(ROLES)}",
        }
        super().__init__(says[fault])


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in, or might once.

    Attributes:
        number: never given twice.
        name: as it was given.
        roles: one or more.
        has_codes: one-time codes are asked for.
        is_temporary: the password was given by an administrator, and is to be replaced.
        created_us, password_us, changed_us: microseconds since 1970 UTC; the password's is of its last change.
        removed_us: since then he may not sign in; None = he may.
    """

    number: int
    name: str
    roles: frozenset[Role]
    has_codes: bool
    is_temporary: bool
    created_us: int
    password_us: int
    changed_us: int
    removed_us: int | None

    @property
    def is_expired(self) -> bool:
        """Whether a password that an administrator gave was not replaced in time."""
        return self.is_temporary and _now_us() - self.password_us > TEMPORARY_US


class People:
    """The list of people.

    Args:
        control: the control database.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def exist(self) -> bool:
        """Tell whether anybody may sign in."""
        with self._control.reading() as connection:
            found = connection.execute(select(table.c.number).where(table.c.removed_us.is_(None)).limit(1))
            return found.first() is not None

    def all(self) -> list[Person]:
        """List everybody, those who were removed too, by name."""
        with self._control.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.folded_name)).all()
        return [_person(row) for row in rows]

    def find(self, name: str) -> Person | None:
        """Return who has a name and may sign in, however it is capitalised."""
        with self._control.reading() as connection:
            return present(connection, name)

    def numbered(self, number: int) -> Person | None:
        """Return who has a number and may sign in."""
        return next((each for each in self.all() if each.number == number and each.removed_us is None), None)

    def secret_of(self, name: str) -> tuple[Person, str] | None:
        """Return a person with the hash of the password."""
        with self._control.reading() as connection:
            row = _row(connection, name)
        return None if row is None else (_person(row), row.password)

    def add(
        self, actor: Actor, name: str, roles: Iterable[Role], hashed: str, *, is_temporary: bool = False
    ) -> Person:
        """Let somebody sign in; one who was removed comes back under the same number.

        Raises:
            BadPerson: the name can't be taken, or there are too many.
            StorageError: it can't be made durable.
        """
        cleaned = clean_name(name)
        if cleaned is None:
            raise BadPerson("name")
        now_us, written = _now_us(), _written(roles)
        values = {
            "name": cleaned,
            "roles": written,
            "password": hashed,
            "is_temporary": int(is_temporary),
            "totp": None,
            "coming_totp": None,
            "totp_step": 0,
            "password_us": now_us,
            "changed_us": now_us,
            "removed_us": None,
        }
        note_staff(self._control.directory)
        with self._control.transaction() as connection:
            before = connection.execute(select(table).where(table.c.folded_name == fold(cleaned))).first()
            if before is not None and before.removed_us is None:
                raise BadPerson("taken")
            if before is not None:
                connection.execute(update(table).where(table.c.number == before.number).values(values))
            elif connection.execute(select(func.count()).select_from(table)).scalar_one() >= _MAX_PEOPLE:
                raise BadPerson("many")
            else:
                made = {"folded_name": fold(cleaned), "created_us": now_us}
                connection.execute(insert(table).values({**values, **made}))
            detail = {"person": cleaned, "roles": written.split(), "comes_back": before is not None}
            audit.append(connection, actor, "staff.add", detail=detail)
            return _require(connection, cleaned)

    def set_password(
        self,
        actor: Actor,
        name: str,
        hashed: str,
        *,
        is_temporary: bool = False,
        keep_session: int = 0,
    ) -> None:
        """Give another password, and end all sessions but one.

        Raises:
            BadPerson: nobody has this name.
            StorageError: it can't be made durable.
        """
        values = {"password": hashed, "is_temporary": int(is_temporary), "password_us": _now_us()}
        with self._control.transaction() as connection:
            person = _change(connection, name, values)
            _end_sessions(connection, person, keep=keep_session)
            audit.append(
                connection,
                actor,
                "staff.password",
                detail={"person": person.name, "is_temporary": is_temporary},
            )

    def keep_hash(self, name: str, hashed: str) -> None:
        """Keep the same password under another hash, made with today's parameters."""
        with self._control.transaction() as connection:
            connection.execute(update(table).where(table.c.folded_name == fold(name)).values(password=hashed))

    def set_roles(self, actor: Actor, name: str, roles: Iterable[Role]) -> None:
        """Give other roles; they hold from the next request on.

        Raises:
            BadPerson: nobody has this name.
            StorageError: it can't be made durable.
        """
        written = _written(roles)
        with self._control.transaction() as connection:
            before = _require(connection, name)
            person = _change(connection, name, {"roles": written})
            detail = {"person": person.name, "roles": written.split(), "before": _written(before.roles).split()}
            audit.append(connection, actor, "staff.roles", detail=detail)

    def remove(self, actor: Actor, name: str) -> None:
        """Let somebody sign in no more, and end all sessions.

        Raises:
            BadPerson: nobody has this name.
            StorageError: it can't be made durable.
        """
        gone: dict[str, object] = {"password": "", "totp": None, "coming_totp": None, "removed_us": _now_us()}
        with self._control.transaction() as connection:
            person = _require(connection, name)
            _change(connection, name, gone)
            _end_sessions(connection, person)
            connection.execute(delete(recovery_code).where(recovery_code.c.person == person.number))
            audit.append(connection, actor, "staff.remove", detail={"person": person.name})

    def is_last_admin(self, name: str) -> bool:
        """Tell whether nobody else has the role ``admin``."""
        admins = {fold(each.name) for each in self.all() if each.removed_us is None and "admin" in each.roles}
        return admins == {fold(name)}


def present(connection: Connection, name: str) -> Person | None:
    """Return who has a name and may sign in, in a transaction of the caller's."""
    row = _row(connection, name)
    return None if row is None else _person(row)


def _row(connection: Connection, name: str) -> Row[tuple[object, ...]] | None:
    cleaned = clean_name(name)
    if cleaned is None:
        return None
    query = select(table).where(table.c.folded_name == fold(cleaned), table.c.removed_us.is_(None))
    return connection.execute(query).first()


def _require(connection: Connection, name: str) -> Person:
    person = present(connection, name)
    if person is None:
        raise BadPerson("unknown")
    return person


def _change(connection: Connection, name: str, values: dict[str, object]) -> Person:
    person = _require(connection, name)
    changed = {**values, "changed_us": _now_us()}
    connection.execute(update(table).where(table.c.number == person.number).values(changed))
    return person


def _end_sessions(connection: Connection, person: Person, *, keep: int = 0) -> None:
    connection.execute(delete(session).where(session.c.folded_name == fold(person.name), session.c.number != keep))


def _written(roles: Iterable[Role]) -> str:
    wanted = frozenset(roles)
    if not wanted:
        raise BadPerson("roles")
    return " ".join(role for role in ROLES if role in wanted)


def _person(row: Row[tuple[object, ...]]) -> Person:
    values = row._mapping
    return Person(
        number=values["number"],
        name=values["name"],
        roles=frozenset(values["roles"].split()),
        has_codes=values["totp"] is not None,
        is_temporary=bool(values["is_temporary"]),
        created_us=values["created_us"],
        password_us=values["password_us"],
        changed_us=values["changed_us"],
        removed_us=values["removed_us"],
    )


def _now_us() -> int:
    return time.time_ns() // 1000
