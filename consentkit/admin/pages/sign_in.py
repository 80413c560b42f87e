"""Signing in and out.

Owns the order of a sign-in's steps, and that none of its answers tells whether a name is anybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import anyio.to_thread
import msgspec

from consentkit.admin import passwords
from consentkit.admin.vault import Busy
from consentkit.audit import SYSTEM, Actor

if TYPE_CHECKING:
    from starlette.responses import Response

    from consentkit.admin.asking import Asking
    from consentkit.admin.door import Door
    from consentkit.admin.identity import Identity
    from consentkit.admin.people import Person

_MAX_NAME_CHARACTERS: Final = 256
_SECONDS_A_MINUTE: Final = 60


class SignInView(msgspec.Struct, frozen=True):
    """What ``sign_in.html`` is given.

    Attributes:
        next: where to go on to.
        error: why it did not work; empty before it was tried.
        name: as it was given.
    """

    next: str
    error: str = ""
    name: str = ""


class CodeView(msgspec.Struct, frozen=True):
    """What ``sign_in_code.html`` is given."""

    next: str
    error: str = ""


async def get_sign_in(door: Door, asking: Asking, identity: Identity) -> Response:
    """Show the form; who is signed in goes on."""
    if identity.entrant is not None:
        return door.see_other(asking, asking.next())
    return await door.page(asking, "sign_in.html", SignInView(asking.next()))


async def post_sign_in(door: Door, asking: Asking, identity: Identity) -> Response:
    """Check name and password, and begin a session or ask for the one-time code."""
    name, password = asking.form.get("name", "")[:_MAX_NAME_CHARACTERS], asking.form.get("password", "")
    person = await _checked(door, asking, name, password)
    if isinstance(person, str):
        view = SignInView(asking.next(asking.form.get("next", "")), person, name)
        return await door.page(asking, "sign_in.html", view, status=403)
    if person.has_codes:
        await anyio.to_thread.run_sync(door.office.throttle.give_back, name, asking.address)
        session_id = await _begin(door, asking, identity, person, is_pending=True)
        response = door.see_other(asking, f"/sign-in/code?{_next(asking)}")
        return door.with_session(response, session_id, asking)
    return await _enter(door, asking, identity, person)


async def get_code(door: Door, asking: Asking, identity: Identity) -> Response:
    """Ask for the one-time code."""
    if identity.session is None or not identity.session.is_pending:
        return door.see_other(asking, f"/sign-in?{_next(asking)}")
    return await door.page(asking, "sign_in_code.html", CodeView(asking.next()))


async def post_code(door: Door, asking: Asking, identity: Identity) -> Response:
    """Check the one-time code, and begin the session."""
    pending = identity.session
    if pending is None or not pending.is_pending:
        return door.see_other(asking, f"/sign-in?{_next(asking)}")
    office = door.office
    wait_s = await anyio.to_thread.run_sync(office.throttle.admit, pending.folded_name, asking.address)
    person = await anyio.to_thread.run_sync(office.people.find, pending.folded_name)
    if wait_s or person is None:
        error = _wait(asking, wait_s)
    elif await anyio.to_thread.run_sync(office.codes.take, person, asking.form.get("code", "")[:64]):
        return await _enter(door, asking, identity, person)
    else:
        await door.record(Actor(person.name, "admin"), "admin.sign-in-failed", asking, detail={"step": "code"})
        error = asking.say.gettext("This code is not right, or was used already.")
    view = CodeView(asking.next(asking.form.get("next", "")), error)
    return await door.page(asking, "sign_in_code.html", view, status=403)


async def post_sign_out(door: Door, asking: Asking, identity: Identity) -> Response:
    """End the session."""
    entrant, session = identity.entrant, identity.session
    if session is not None and entrant is not None:
        await door.record(entrant.actor, "admin.sign-out", asking, identity=identity)
        await anyio.to_thread.run_sync(door.office.sessions.end, session.number)
    return door.with_session(door.see_other(asking, "/sign-in", notice="signed-out"), "", asking)


async def _checked(door: Door, asking: Asking, name: str, password: str) -> Person | str:
    """Return whose name and password these are, or what is said where they are nobody's.

    Raises:
        Busy: too many are being checked.
    """
    office = door.office
    wait_s = await anyio.to_thread.run_sync(office.throttle.admit, name, asking.address)
    if wait_s:
        return _wait(asking, wait_s)
    known = await anyio.to_thread.run_sync(office.people.secret_of, name)
    person, hashed = known or (None, None)
    try:
        is_right = await office.vault.is_right(password, hashed)
    except Busy:
        await anyio.to_thread.run_sync(office.throttle.give_back, name, asking.address)
        raise
    if person is not None and hashed is not None and is_right and not person.is_expired:
        if passwords.needs_new_hash(hashed):
            again = await office.vault.hash(password)
            await anyio.to_thread.run_sync(office.people.keep_hash, person.name, again)
        return person
    # A name that nobody has is not written down: it may be a password that was typed in the wrong field.
    actor = SYSTEM if person is None else Actor(person.name, "admin")
    await door.record(actor, "admin.sign-in-failed", asking, detail={"step": "password"})
    return asking.say.gettext("Name and password don't fit together.")


async def _enter(door: Door, asking: Asking, identity: Identity, person: Person) -> Response:
    await anyio.to_thread.run_sync(door.office.throttle.succeed, person.name, asking.address)
    detail: dict[str, object] = {"roles": sorted(person.roles), "with_code": person.has_codes}
    await door.record(Actor(person.name, "admin"), "admin.sign-in", asking, detail=detail)
    session_id = await _begin(door, asking, identity, person, is_pending=False)
    response = door.see_other(asking, asking.next(asking.form.get("next", "")))
    return door.with_session(response, session_id, asking)


async def _begin(door: Door, asking: Asking, identity: Identity, person: Person, *, is_pending: bool) -> str:
    return await anyio.to_thread.run_sync(
        lambda: door.office.sessions.begin(
            person.name, asking.address, is_pending=is_pending, replacing=identity.session_id
        )
    )


def _next(asking: Asking) -> str:
    return urlencode({"next": asking.next(asking.form.get("next"))}, errors="replace")


def _wait(asking: Asking, wait_s: int) -> str:
    say = asking.say
    if wait_s < 2 * _SECONDS_A_MINUTE:
        return say.ngettext(
            "Too many attempts. Wait {n} second.", "Too many attempts. Wait {n} seconds.", max(wait_s, 1)
        )
    minutes = -(-wait_s // _SECONDS_A_MINUTE)
    return say.ngettext("Too many attempts. Wait {n} minute.", "Too many attempts. Wait {n} minutes.", minutes)
