"""The people who may sign in, for administrators.

Owns that nobody changes himself here: neither his roles, nor his codes, nor whether he may sign in.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import wording
from consentkit.admin.answer import Entry, Page, Refused, SeeOther, Written
from consentkit.admin.people import BadPerson, Person
from consentkit.admin.roles import ROLES, Role
from consentkit.admin.visit import Route, Visit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consentkit.admin.answer import Answer
    from consentkit.web.texts import Catalogue

_MADE: Final = Written(0)  # people's changes make their entries themselves

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 4


class RoleChoice(msgspec.Struct, frozen=True):
    """A role as a check box: its field, its names, what it is for, and whether it is given."""

    field: str
    role: str
    name: str
    hint: str
    is_given: bool


class Row(msgspec.Struct, frozen=True):
    """A person in the list."""

    person: Person
    roles: str
    is_self: bool


class StaffView(msgspec.Struct, frozen=True):
    """What ``staff.html`` is given.

    Attributes:
        is_ours: people are kept here, and not by the site.
        rows: who may sign in.
        gone: names of those who may not any more.
        choices: of the form for another person.
        name: as it was given.
        errors: by field.
    """

    is_ours: bool
    rows: tuple[Row, ...]
    gone: tuple[str, ...]
    choices: tuple[RoleChoice, ...]
    name: str = ""
    errors: dict[str, str] = {}


class PersonView(msgspec.Struct, frozen=True):
    """What ``staff_person.html`` is given."""

    person: Person
    choices: tuple[RoleChoice, ...]
    is_self: bool
    error: str = ""


class GivenView(msgspec.Struct, frozen=True):
    """What ``staff_password.html`` is given: a password that is shown this once."""

    name: str
    password: str
    days: int


async def show(visit: Visit) -> Answer:
    """List everybody."""
    return await _list(visit, Entry(action="admin.staff"))


async def add(visit: Visit) -> Answer:
    """Let somebody sign in, with a password that is shown once."""
    _require_ours(visit)
    name, roles = visit.form.get("name", ""), _roles_given(visit)
    if not roles:
        return await _refuse_new(visit, {"roles": visit.say.gettext("Choose at least one role.")})
    password = _temporary()
    hashed = await visit.office.vault.hash(password)
    people = visit.office.people
    try:
        person = await visit.work(people.add, visit.entrant.actor, name, roles, hashed, is_temporary=True)
    except BadPerson as exc:
        return await _refuse_new(visit, {"name": _fault(visit.say, exc)})
    await visit.work(visit.office.throttle.forget, person.name)
    return Page(template="staff_password.html", view=GivenView(person.name, password, 3), entry=_MADE)


async def show_person(visit: Visit) -> Answer:
    """Show one person."""
    person = await _person(visit)
    view = PersonView(person, _choices(visit.say, person.roles), _is_self(visit, person))
    entry = Entry(action="admin.staff", detail={"person": person.name})
    return Page(template="staff_person.html", view=view, entry=entry)


async def change_roles(visit: Visit) -> Answer:
    """Give other roles; they hold from the next request on."""
    person, roles = await _other(visit), _roles_given(visit)
    if not roles:
        raise Refused(400, visit.say.gettext("Choose at least one role."), field="roles")
    await visit.work(visit.office.people.set_roles, visit.entrant.actor, person.name, roles)
    return SeeOther(path=f"/staff/{person.number}", notice="saved", entry=_MADE)


async def give_password(visit: Visit) -> Answer:
    """Give a password that is shown once, and end all sessions."""
    person, password = await _other(visit), _temporary()
    hashed = await visit.office.vault.hash(password)
    people = visit.office.people
    await visit.work(people.set_password, visit.entrant.actor, person.name, hashed, is_temporary=True)
    await visit.work(visit.office.throttle.forget, person.name)
    return Page(template="staff_password.html", view=GivenView(person.name, password, 3), entry=_MADE)


async def remove_codes(visit: Visit) -> Answer:
    """Ask a person for one-time codes no more, as when device and recovery codes are lost."""
    person = await _other(visit)
    await visit.work(visit.office.codes.remove, visit.entrant.actor, person)
    return SeeOther(path=f"/staff/{person.number}", notice="codes-removed", entry=_MADE)


async def remove(visit: Visit) -> Answer:
    """Let a person sign in no more."""
    person = await _other(visit)
    await visit.work(visit.office.people.remove, visit.entrant.actor, person.name)
    return SeeOther(path="/staff", notice="person-removed", entry=_MADE)


async def _list(visit: Visit, entry: Entry, *, status: int = 200, errors: dict[str, str] | None = None) -> Answer:
    office, say = visit.office, visit.say
    everybody = await visit.work(office.people.all) if office.keeps_people else []
    rows = tuple(
        Row(each, _named(say, each.roles), _is_self(visit, each)) for each in everybody if each.removed_us is None
    )
    view = StaffView(
        office.keeps_people,
        rows,
        tuple(each.name for each in everybody if each.removed_us is not None),
        _choices(say, _roles_given(visit)),
        visit.form.get("name", "")[:64],
        errors or {},
    )
    return Page(template="staff.html", view=view, entry=entry, status=status)


async def _refuse_new(visit: Visit, errors: dict[str, str]) -> Answer:
    entry = Entry(action="admin.staff", detail={"refused": sorted(errors)})
    return await _list(visit, entry, status=400, errors=errors)


async def _person(visit: Visit) -> Person:
    _require_ours(visit)
    person = await visit.work(visit.office.people.numbered, int(visit.request.path_params["number"]))
    if person is None:
        raise Refused(404, visit.say.gettext("Nobody has this number, or not any more."))
    return person


async def _other(visit: Visit) -> Person:
    person = await _person(visit)
    if _is_self(visit, person):
        raise Refused(409, visit.say.gettext("Nobody changes himself here. Another administrator can."))
    return person


def _require_ours(visit: Visit) -> None:
    if not visit.office.keeps_people:
        raise Refused(404, visit.say.gettext("The site itself keeps its people."))


def _is_self(visit: Visit, person: Person) -> bool:
    return person.name == visit.entrant.name


def _roles_given(visit: Visit) -> frozenset[Role]:
    return frozenset(role for role in ROLES if f"role-{role}" in visit.form)


def _choices(say: Catalogue, given: frozenset[Role]) -> tuple[RoleChoice, ...]:
    hints = {
        "viewer": say.gettext("Retention, statistics and cookies; no personal data."),
        "investigator": say.gettext("Search and incidents."),
        "officer": say.gettext("Requests of people, holds, erasure, hand-over, the audit."),
        "admin": say.gettext("People and settings; no personal data."),
    }
    return tuple(
        RoleChoice(f"role-{role}", role, wording.role_name(say, role), hints[role], role in given)
        for role in ROLES
    )


def _named(say: Catalogue, roles: frozenset[Role]) -> str:
    return say.join([wording.role_name(say, role) for role in ROLES if role in roles])


def _fault(say: Catalogue, fault: BadPerson) -> str:
    texts = {
        "name": say.gettext("1 to 64 letters of any language, digits, spaces and _ . @ ' -"),
        "taken": say.gettext("Somebody has this name already, perhaps with other capitals."),
        "many": say.gettext("There are too many people already."),
    }
    return texts.get(fault.fault, texts["name"])


def _temporary() -> str:
    """Return a password of 79 random bits that can be read out on the telephone."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))


def _changing(path: str, handler: Callable[[Visit], Awaitable[Answer]]) -> Route:
    return Route(path=path, action="staff.change", handler=handler, method="POST", needs_confirmation=True)


ROUTES: Final = (
    Route(path="/staff", action="staff.view", handler=show),
    _changing("/staff", add),
    Route(path="/staff/{number:int}", action="staff.view", handler=show_person),
    _changing("/staff/{number:int}/roles", change_roles),
    _changing("/staff/{number:int}/password", give_password),
    _changing("/staff/{number:int}/codes", remove_codes),
    _changing("/staff/{number:int}/remove", remove),
)
