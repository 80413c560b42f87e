"""One's own account: password, one-time codes, sessions.

Owns what each may change of himself. What others may change of him is `staff`'s page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import passwords, qrcode, totp, wording
from consentkit.admin.answer import Entry, Page, Refused, SeeOther, Written
from consentkit.admin.passwords import BadPassword
from consentkit.admin.roles import ROLES
from consentkit.admin.sessions import Session
from consentkit.admin.vault import Busy
from consentkit.admin.visit import Route, Visit

if TYPE_CHECKING:
    from consentkit.admin.answer import Answer
    from consentkit.admin.people import Person
    from consentkit.web.texts import Catalogue

_MADE: Final = Written(0)  # people's changes make their entries themselves


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``account.html`` is given.

    Attributes:
        name: of the person.
        roles: their names.
        is_ours: the account is kept here.
        has_codes: one-time codes are asked for.
        recovery_left: how many recovery codes are left.
        password_us: when the password was changed.
        sessions: that hold, newest first.
        own_session: number of the present one.
    """

    name: str
    roles: tuple[str, ...]
    is_ours: bool
    has_codes: bool = False
    recovery_left: int = 0
    password_us: int = 0
    sessions: tuple[Session, ...] = ()
    own_session: int = 0


class PasswordView(msgspec.Struct, frozen=True):
    """What ``account_password.html`` is given: what is wrong, by field."""

    is_temporary: bool
    errors: dict[str, str] = {}


class CodesView(msgspec.Struct, frozen=True):
    """What ``account_codes.html`` is given.

    Attributes:
        secret: in groups of four letters.
        address: that the QR code holds.
        code: the QR code.
        error: why the code was not taken.
    """

    secret: str
    address: str
    code: qrcode.QrCode
    error: str = ""


class RecoveryView(msgspec.Struct, frozen=True):
    """What ``account_recovery.html`` is given."""

    codes: tuple[str, ...]


async def show(visit: Visit) -> Answer:
    """Show the account."""
    entry = Entry(action="admin.account")
    roles = tuple(wording.role_name(visit.say, role) for role in ROLES if role in visit.entrant.roles)
    if not visit.office.keeps_people:
        view = AccountView(name=visit.entrant.name, roles=roles, is_ours=False)
        return Page(template="account.html", view=view, entry=entry)
    person = await _own(visit)
    office = visit.office
    view = AccountView(
        name=person.name,
        roles=roles,
        is_ours=True,
        has_codes=person.has_codes,
        recovery_left=await visit.work(office.codes.recovery_left, person),
        password_us=person.password_us,
        sessions=tuple(await visit.work(office.sessions.of, person.name)),
        own_session=visit.entrant.session,
    )
    return Page(template="account.html", view=view, entry=entry)


async def show_password(visit: Visit) -> Answer:
    """Show the form for another password."""
    view = PasswordView((await _own(visit)).is_temporary)
    return Page(template="account_password.html", view=view, entry=Entry(action="admin.account"))


async def change_password(visit: Visit) -> Answer:
    """Take another password, and end all other sessions."""
    person = await _own(visit)
    errors = await _password_errors(visit, person)
    if errors:
        entry = Entry(action="admin.password-failed", detail={"fields": sorted(errors)})
        view = PasswordView(person.is_temporary, errors)
        return Page(template="account_password.html", view=view, entry=entry, status=400)
    hashed = await visit.office.vault.hash(visit.form["password"])
    await visit.work(
        visit.office.people.set_password,
        visit.entrant.actor,
        person.name,
        hashed,
        keep_session=visit.entrant.session,
    )
    return SeeOther(path="/account", notice="password-changed", entry=_MADE)


async def end_sessions(visit: Visit) -> Answer:
    """End all sessions but this one."""
    person = await _own(visit)
    await visit.work(visit.office.sessions.end_all, person.name, but=visit.entrant.session)
    entry = Entry(action="admin.sign-out", detail={"sessions": "others"})
    return SeeOther(path="/account", notice="sessions-ended", entry=entry)


async def begin_codes(visit: Visit) -> Answer:
    """Make a secret that waits for its first code."""
    person = await _own(visit)
    await visit.work(visit.office.codes.prepare, person)
    return SeeOther(path="/account/codes", entry=Entry(action="admin.account", detail={"codes": "prepared"}))


async def show_codes(visit: Visit) -> Answer:
    """Show the secret as QR code and text."""
    return await _codes_page(visit, await _own(visit))


async def enrol_codes(visit: Visit) -> Answer:
    """Take the first code, and show recovery codes once."""
    person = await _own(visit)
    office = visit.office
    if await visit.work(office.throttle.admit, person.name, visit.entrant.address):
        return await _codes_page(visit, person, visit.say.gettext("Too many attempts. Wait a little."))
    code = "".join(visit.form.get("code", "")[:32].split())
    recovery = await visit.work(office.codes.enrol, visit.entrant.actor, person, code)
    if not recovery:
        return await _codes_page(
            visit,
            person,
            visit.say.gettext("This code is not right. Does the device's clock show the right time?"),
        )
    await visit.work(office.throttle.give_back, person.name, visit.entrant.address)
    return Page(template="account_recovery.html", view=RecoveryView(tuple(recovery)), entry=_MADE)


async def remove_codes(visit: Visit) -> Answer:
    """Ask for one-time codes no more."""
    person = await _own(visit)
    await visit.work(visit.office.codes.remove, visit.entrant.actor, person)
    return SeeOther(path="/account", notice="codes-removed", entry=_MADE)


async def _own(visit: Visit) -> Person:
    """Return who asks.

    Raises:
        Refused: the site keeps its people itself, or he was removed meanwhile.
    """
    office = visit.office
    person = await visit.work(office.people.find, visit.entrant.name) if office.keeps_people else None
    if person is None:
        raise Refused(404, visit.say.gettext("The site itself keeps this account."))
    return person


async def _codes_page(visit: Visit, person: Person, error: str = "") -> Answer:
    secret = await visit.work(visit.office.codes.coming, person)
    if not secret:
        return SeeOther(path="/account", entry=Entry(action="admin.account"))
    site = visit.office.settings.site.operator
    address = totp.address_of(secret, name=person.name, site=site)
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    view = CodesView(grouped, address, qrcode.draw(address), error)
    status = 400 if error else 200
    return Page(template="account_codes.html", view=view, entry=Entry(action="admin.account"), status=status)


async def _password_errors(visit: Visit, person: Person) -> dict[str, str]:
    say, form, office = visit.say, visit.form, visit.office
    fresh = form.get("password", "")
    try:
        passwords.require_good(fresh, name=person.name)
    except BadPassword as exc:
        return {"password": password_fault(say, exc)}
    if fresh != form.get("again", ""):
        return {"again": say.gettext("This is not the same password.")}
    if await visit.work(office.throttle.admit, person.name, visit.entrant.address):
        return {"current": say.gettext("Too many attempts. Wait a little.")}
    known = await visit.work(office.people.secret_of, person.name)
    try:
        is_right = await office.vault.is_right(form.get("current", ""), known[1] if known else None)
    except Busy:
        await visit.work(office.throttle.give_back, person.name, visit.entrant.address)
        raise
    if not is_right:
        return {"current": say.gettext("This is not the password.")}
    await visit.work(office.throttle.succeed, person.name, visit.entrant.address)
    if fresh == form.get("current", ""):
        return {"password": say.gettext("This is the present password.")}
    return {}


def password_fault(say: Catalogue, fault: BadPassword) -> str:
    """Return why a new password is not taken."""
    texts = {
        "short": say.gettext("At least {n} characters.", n=passwords.MIN_CHARACTERS),
        "long": say.gettext("At most {n} characters.", n=passwords.MAX_CHARACTERS),
        "name": say.gettext("Not one's own name."),
        "common": say.gettext("This one is among those that are tried first."),
    }
    return texts[fault.fault]


ROUTES: Final = (
    Route(path="/account", action="account.view", handler=show),
    Route(path="/account/password", action="account.change", handler=show_password),
    Route(path="/account/password", action="account.change", handler=change_password, method="POST"),
    Route(path="/account/sessions/end", action="account.change", handler=end_sessions, method="POST"),
    Route(
        path="/account/codes/begin",
        action="account.change",
        handler=begin_codes,
        method="POST",
        needs_confirmation=True,
    ),
    Route(path="/account/codes", action="account.change", handler=show_codes),
    Route(path="/account/codes", action="account.change", handler=enrol_codes, method="POST"),
    Route(
        path="/account/codes/remove",
        action="account.change",
        handler=remove_codes,
        method="POST",
        needs_confirmation=True,
    ),
)
