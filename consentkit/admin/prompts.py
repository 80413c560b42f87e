"""What is asked for before a page is shown: a purpose, and the password once more.

Owns both questions. They come as pages of their own before a GET; before a POST they come in its stead and carry
its fields along, so that no form is lost.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, get_args
from urllib.parse import urlencode

import anyio.to_thread
import msgspec

from consentkit.admin import wording
from consentkit.admin.sessions import CONFIRMED_US
from consentkit.admin.vault import Busy
from consentkit.audit import Look, Purpose

if TYPE_CHECKING:
    from starlette.responses import Response

    from consentkit.admin.asking import Asking
    from consentkit.admin.door import Door
    from consentkit.admin.identity import Identity
    from consentkit.admin.visit import Route
    from consentkit.web.texts import Catalogue

# Fields of our own in a form that is carried along.
PASSWORD: Final = "confirm-password"  # noqa: S105 - a field's name
PURPOSE: Final = "look-purpose"
REASON: Final = "look-reason"
CASE: Final = "look-case"
# By which a password manager knows whose password is asked for.
_NAME: Final = "confirm-name"
_OWN: Final = frozenset({PASSWORD, PURPOSE, REASON, CASE, _NAME})

MAX_REASON_CHARACTERS: Final = 500
MIN_REASON_CHARACTERS: Final = 5
_CASE: Final = re.compile(r"[\w./#: -]{0,64}")


class LookView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``look.html`` is given.

    Attributes:
        action: where the form goes.
        carried: names and values of the form that waits.
        purposes: each with its name and what it is for.
        purpose, reason, case: as they were given.
        errors: by field.
    """

    action: str
    carried: tuple[tuple[str, str], ...]
    purposes: tuple[tuple[str, str, str], ...]
    purpose: str
    reason: str
    case: str
    errors: Mapping[str, str]


class ConfirmView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``confirm.html`` is given.

    Attributes:
        action: where the form goes.
        carried: names and values of the form that waits.
        error: why it did not work; empty before it was tried.
    """

    action: str
    carried: tuple[tuple[str, str], ...]
    error: str = ""


async def before(route: Route, door: Door, asking: Asking, identity: Identity) -> Response | Identity:
    """Return the question that must be answered before a route, or who asks and why, once nothing is missing.

    The form is left with the route's own fields.
    """
    if route.needs_look and identity.look is None:
        if asking.method != "POST":
            return door.see_other(asking, f"/look?{asking.next_query}")
        taken = await take_look(door, asking, identity) if PURPOSE in asking.form else {}
        if not isinstance(taken, Look):
            return await _ask_look(door, asking, identity, asking.here, taken)
        identity = msgspec.structs.replace(identity, look=taken)
    if route.needs_confirmation and not is_confirmed(door, identity):
        if asking.method != "POST":
            return door.see_other(asking, f"/confirm?{asking.next_query}")
        error = await _confirm(door, asking, identity) if PASSWORD in asking.form else ""
        if error is not None:
            return await _ask_password(door, asking, identity, asking.here, error)
    asking.form = {name: value for name, value in asking.form.items() if name not in _OWN}
    return identity


def is_confirmed(door: Door, identity: Identity) -> bool:
    """Tell whether the password was given lately; a site that signs people in answers for that."""
    if not door.is_ours:
        return True
    entrant = identity.entrant
    return entrant is not None and 0 <= time.time_ns() // 1000 - entrant.confirmed_us <= CONFIRMED_US


async def get_look(door: Door, asking: Asking, identity: Identity) -> Response:
    """Ask for the purpose; what was said before stands in the form."""
    return await _ask_look(door, asking, identity, f"/look?{_next(asking)}", {})


async def post_look(door: Door, asking: Asking, identity: Identity) -> Response:
    """Keep the purpose for an hour, and go on to the page that was asked for."""
    taken = await take_look(door, asking, identity)
    if not isinstance(taken, Look):
        return await _ask_look(door, asking, identity, f"/look?{_next(asking)}", taken)
    response = door.see_other(asking, asking.next())
    if identity.session is not None or identity.entrant is None:
        return response
    # The site signs people in: a session of ours holds what they look for, and nothing else.
    return door.with_session(response, await _begin(door, asking, identity.entrant.name, taken), asking)


async def get_confirm(door: Door, asking: Asking, identity: Identity) -> Response:
    """Ask for the password."""
    if is_confirmed(door, identity):
        return door.see_other(asking, asking.next())
    return await _ask_password(door, asking, identity, f"/confirm?{_next(asking)}", "")


async def post_confirm(door: Door, asking: Asking, identity: Identity) -> Response:
    """Check the password, and go on to the page that was asked for."""
    error = None if is_confirmed(door, identity) else await _confirm(door, asking, identity)
    if error is not None:
        return await _ask_password(door, asking, identity, f"/confirm?{_next(asking)}", error)
    return door.see_other(asking, asking.next())


async def take_look(door: Door, asking: Asking, identity: Identity) -> Look | dict[str, str]:
    """Keep what a form says of purpose, reason and case; return it, or what is wrong by field."""
    say, form = asking.say, asking.form
    purpose = next((each for each in get_args(Purpose) if each == form.get(PURPOSE)), None)
    reason, case = " ".join(form.get(REASON, "").split()), " ".join(form.get(CASE, "").split())
    errors = {}
    if purpose is None:
        errors[PURPOSE] = say.gettext("Choose a purpose.")
    if not MIN_REASON_CHARACTERS <= len(reason) <= MAX_REASON_CHARACTERS or not reason.isprintable():
        errors[REASON] = say.gettext(
            "Say why in {least} to {most} characters.", least=MIN_REASON_CHARACTERS, most=MAX_REASON_CHARACTERS
        )
    if not _CASE.fullmatch(case):
        errors[CASE] = say.gettext("At most 64 letters, digits, spaces and . / # : - _")
    if purpose is None or errors:
        return errors
    look = Look(purpose, case, reason)
    if identity.session is not None:
        await anyio.to_thread.run_sync(door.office.sessions.look, identity.session.number, look)
    return look


async def _begin(door: Door, asking: Asking, name: str, look: Look) -> str:
    sessions = door.office.sessions

    def begin() -> str:
        session_id = sessions.begin(name, asking.address)
        session = sessions.find(session_id)
        if session is not None:
            sessions.look(session.number, look)
        return session_id

    return await anyio.to_thread.run_sync(begin)


async def _confirm(door: Door, asking: Asking, identity: Identity) -> str | None:
    """Check the password in a form; return why it is not taken, None where it is.

    Raises:
        Busy: too many are being checked.
    """
    office, entrant = door.office, identity.entrant
    if entrant is None:
        return ""
    wait_s = await anyio.to_thread.run_sync(office.throttle.admit, entrant.name, asking.address)
    if wait_s:
        return asking.say.gettext("Too many attempts. Wait a little.")
    known = await anyio.to_thread.run_sync(office.people.secret_of, entrant.name)
    try:
        is_right = await office.vault.is_right(asking.form.get(PASSWORD, ""), known[1] if known else None)
    except Busy:
        await anyio.to_thread.run_sync(office.throttle.give_back, entrant.name, asking.address)
        raise
    if not is_right:
        await door.record(entrant.actor, "admin.confirm-failed", asking, identity=identity)
        return asking.say.gettext("This is not the password.")
    await anyio.to_thread.run_sync(office.throttle.succeed, entrant.name, asking.address)
    await door.record(entrant.actor, "admin.confirm", asking, identity=identity)
    await anyio.to_thread.run_sync(office.sessions.confirm, entrant.session)
    return None


async def _ask_look(
    door: Door, asking: Asking, identity: Identity, path: str, errors: Mapping[str, str]
) -> Response:
    before, form = identity.look, asking.form
    view = LookView(
        action=asking.root + path,
        carried=_carried(asking),
        purposes=_purposes(asking.say),
        purpose=form.get(PURPOSE, before.purpose if before else ""),
        reason=form.get(REASON, before.reason if before else "")[:MAX_REASON_CHARACTERS],
        case=form.get(CASE, before.case if before else "")[:64],
        errors=errors,
    )
    return await door.page(asking, "look.html", view, status=400 if errors else 200, identity=identity)


async def _ask_password(door: Door, asking: Asking, identity: Identity, path: str, error: str) -> Response:
    view = ConfirmView(action=asking.root + path, carried=_carried(asking), error=error)
    return await door.page(asking, "confirm.html", view, status=403 if error else 200, identity=identity)


def _carried(asking: Asking) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in asking.form.items() if name not in _OWN)


def _next(asking: Asking) -> str:
    return urlencode({"next": asking.next()}, errors="replace")


def _purposes(say: Catalogue) -> tuple[tuple[str, str, str], ...]:
    hints = {
        "operation": say.gettext("A fault, a slow page, a broken link."),
        "security": say.gettext("Attacks and attempts, before there is an incident."),
        "incident": say.gettext("An incident that is being looked into. Give its number."),
        "fraud": say.gettext("Orders, payments or accounts that were misused."),
        "person": say.gettext("Somebody asked for their own data. Give the request's number."),
        "audit": say.gettext("A check of how this log itself is used."),
    }
    return tuple((each, wording.purpose_name(say, each), hints[each]) for each in get_args(Purpose))
