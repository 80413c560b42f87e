"""Who asks: by our own sign-in, or by the site's.

Owns the answer, and that it is found anew for each request: a role that was taken away is gone at once.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import anyio.to_thread
import msgspec
from starlette.requests import Request

from consentkit.admin.sessions import Session
from consentkit.admin.staff import Staff, clean_name, fold, known_roles
from consentkit.admin.visit import Entrant
from consentkit.audit import Look

if TYPE_CHECKING:
    from consentkit.admin.asking import Asking
    from consentkit.admin.cookie import SessionCookie
    from consentkit.admin.office import Office

logger = logging.getLogger("consentkit")

Authenticate: TypeAlias = Callable[[Request], Awaitable[Staff | None] | Staff | None]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        entrant: who is signed in; None = nobody.
        session: ours, if there is one; where the site signs people in it holds what they said they look for.
        session_id: as the cookie has it; empty where there is none.
        must_change: the password was given by an administrator, and nothing is shown before it is replaced.
        look: why personal data is looked at, as said within the hour.
    """

    entrant: Entrant | None = None
    session: Session | None = None
    session_id: str = ""
    must_change: bool = False
    look: Look | None = None


class Identifier:
    """Find out who asks.

    Args:
        cookie: carries our session.
        authenticate: the site's own sign-in; None = ours.
    """

    def __init__(self, cookie: SessionCookie, authenticate: Authenticate | None) -> None:
        self._cookie = cookie
        self._authenticate = authenticate

    async def find(self, asking: Asking, office: Office) -> Identity:
        """Return who asks."""
        session_id = self._cookie.read(asking.request.headers.raw, is_secure=asking.is_secure)
        if self._authenticate is None:
            return await anyio.to_thread.run_sync(_of_session, office, session_id, asking)
        staff = await _ask(self._authenticate, asking.request)
        entrant = None if staff is None else _of_staff(staff, asking.address)
        if entrant is None:
            return Identity()
        session = await anyio.to_thread.run_sync(_session_of, office, session_id, entrant.name, asking.is_refresh)
        if session is None:
            return Identity(entrant=entrant)
        return Identity(entrant=entrant, session=session, session_id=session_id, look=session.look)


def _of_session(office: Office, session_id: str, asking: Asking) -> Identity:
    session = office.sessions.find(session_id, is_refresh=asking.is_refresh) if session_id else None
    if session is None:
        return Identity()
    person = office.people.find(session.folded_name)
    if person is None:
        return Identity()
    if session.is_pending:
        return Identity(session=session, session_id=session_id)
    entrant = Entrant(
        name=person.name,
        roles=person.roles,
        address=asking.address,
        session=session.number,
        confirmed_us=session.confirmed_us,
    )
    return Identity(
        entrant=entrant,
        session=session,
        session_id=session_id,
        must_change=person.is_temporary,
        look=session.look,
    )


def _session_of(office: Office, session_id: str, name: str, is_refresh: bool) -> Session | None:  # noqa: FBT001
    session = office.sessions.find(session_id, is_refresh=is_refresh) if session_id else None
    return session if session is not None and session.folded_name == fold(name) else None


async def _ask(authenticate: Authenticate, request: Request) -> Staff | None:
    # In a thread, as it may ask a database; what it gives back may still have to be awaited.
    answer = await anyio.to_thread.run_sync(authenticate, request)
    return await answer if inspect.isawaitable(answer) else answer


def _of_staff(staff: Staff, address: str) -> Entrant | None:
    name, roles = clean_name(staff.name), known_roles(staff.roles)
    if name is None or roles is None:
        logger.error("authenticate answered with a name or a role that can't be one: nobody is let in by that")
        return None
    return Entrant(name=name, roles=roles, address=address)
