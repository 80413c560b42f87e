"""The admin area as one ASGI application.

Owns the order in which a request is checked: is there anybody to let in, who asks, whether the form is our own,
whether a role allows it, what must be said or given first; then the page, its entry in the audit, the answer.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from consentkit.admin import faults, monitoring, prompts, replies, upload
from consentkit.admin.answer import Refused
from consentkit.admin.asking import Asking
from consentkit.admin.cookie import SessionCookie
from consentkit.admin.door import NOBODY, Door
from consentkit.admin.doorway import ClosedView
from consentkit.admin.frame import Framer, spoken_texts
from consentkit.admin.identity import Identifier, Identity
from consentkit.admin.office import Office
from consentkit.admin.pages import sign_in
from consentkit.admin.routing import RouteTable
from consentkit.admin.vault import Busy
from consentkit.admin.visit import Route, Visit
from consentkit.errors import ConsentKitError, StorageError
from consentkit.web import origin
from consentkit.web.assets import Assets
from consentkit.web.forms import BadForm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Receive, Scope, Send

    from consentkit.admin.frame import ErrorView
    from consentkit.admin.identity import Authenticate
    from consentkit.consent.names import CookieNames
    from consentkit.consent.registry import Registry
    from consentkit.control import Control
    from consentkit.crypto import Keyring
    from consentkit.settings import Settings

logger = logging.getLogger("consentkit")

# The modules below `consentkit.admin.pages` that have ROUTES.
PAGES: Final = (
    "overview",
    "retention",
    "health",
    "staff",
    "account",
    "search",
    "search_top",
    "search_export",
    "search_row",
    "consent",
    "consent_cookies",
    "consent_policies",
    "consent_receipts",
    "consent_verify",
    "audit",
    "audit_rows",
    "copies",
    "records",
    "history",
    "people",
    "people_request",
    "people_serving",
    "people_restriction",
    "incidents",
    "incident_new",
    "incident",
    "incident_row",
    "incident_rows",
    "incident_export",
    "incident_end",
)

Opened: TypeAlias = Callable[[], "tuple[Keyring, Control] | None"]
_Own: TypeAlias = Callable[[Door, Asking, Identity], Awaitable[Response]]

# Pages of the door itself, for who is not yet signed in.
_OUTSIDE: Final[dict[tuple[str, str], _Own]] = {
    ("GET", "/sign-in"): sign_in.get_sign_in,
    ("POST", "/sign-in"): sign_in.post_sign_in,
    ("GET", "/sign-in/code"): sign_in.get_code,
    ("POST", "/sign-in/code"): sign_in.post_code,
    ("POST", "/sign-out"): sign_in.post_sign_out,
}
# And for who is.
_INSIDE: Final[dict[tuple[str, str], _Own]] = {
    ("GET", "/look"): prompts.get_look,
    ("POST", "/look"): prompts.post_look,
    ("GET", "/confirm"): prompts.get_confirm,
    ("POST", "/confirm"): prompts.post_confirm,
}
# The only one for whom the password was given by an administrator.
_CHANGE: Final = "/account/password"

_METHODS: Final = ("GET", "POST")
_AT_WORK: Final = 4
# How long it holds that nobody, or somebody, may sign in: asked anew for each request it would cost a stranger's
# flood a look into the database each.
_KNOWN_S: Final = 3.0


class Admin:
    """ASGI application of everything under the admin area.

    Args:
        settings: in force.
        registry: what is declared.
        opened: returns keys and control database, None before the start; may block.
        names: of our cookies.
        authenticate: the site's own sign-in; None = ours.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        *,
        opened: Opened,
        names: CookieNames,
        authenticate: Authenticate | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._opened = opened
        self._names = names
        self._authenticate = authenticate
        self._below = f"{settings.site.mount}/admin"
        self._texts = spoken_texts(settings.site.languages)
        self._framer = Framer(settings, self._texts, Assets.load(), mount=settings.site.mount)
        self.table = RouteTable(_routes())
        self._monitoring = monitoring.Monitoring()
        self._door: Door | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self._known: tuple[float, bool] = (-_KNOWN_S, False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one "http" scope whose root_path ends with the admin area's."""
        asking = Asking(Request(scope, receive), below=self._below, texts=self._texts)
        response = await self._respond(asking)
        await response(scope, receive, send)

    async def _respond(self, asking: Asking) -> Response:
        try:
            door = await anyio.to_thread.run_sync(self._open)
            if door is None:
                return await self._error(asking, faults.not_started(asking.say))
            if asking.path == monitoring.PATH:
                return await self._monitoring.answer(asking.request, door.office)
            if not await self._has_people(door):
                return await door.page(asking, "closed.html", ClosedView(), status=404)
            return await self._admit(door, asking)
        except ConsentKitError as exc:
            # Of whatever kind: nothing was recorded, so nothing is shown.
            return await self._unavailable(asking, exc)

    async def _unavailable(self, asking: Asking, fault: ConsentKitError) -> Response:
        logger.error("a page of the admin area can't be shown: %s", fault)
        storage = self._settings.storage
        is_server = bool(storage.url or storage.requests_url) and isinstance(fault, StorageError)
        response = await self._error(
            asking, faults.unavailable(asking.say) if is_server else faults.fault(asking.say, 503)
        )
        response.headers["Retry-After"] = "60"
        return response

    async def _admit(self, door: Door, asking: Asking) -> Response:
        """Find out who asks, and let in who may."""
        identity = await Identifier(door.cookie, self._authenticate).find(asking, door.office)
        if identity.session is not None:
            await self._keep_language(door, asking, identity)
        try:
            if asking.method == "POST":
                if not origin.is_same_origin(asking.request):
                    raise BadForm(403)
                found = self.table.find(asking.path, "POST")
                route = found.route if found is not None else None
                asking.form = await upload.read_post(asking.request, route, identity.entrant)
            return await self._dispatch(door, asking, identity)
        except BadForm as exc:
            return await self._error(asking, faults.fault(asking.say, exc.status), identity)
        except Refused as exc:
            return await self._error(asking, faults.fault(asking.say, exc.status, exc.message), identity)
        except Busy:
            return await self._error(asking, faults.fault(asking.say, 429), identity)

    async def _dispatch(self, door: Door, asking: Asking, identity: Identity) -> Response:
        outside = _OUTSIDE.get((asking.method, asking.path)) if door.is_ours else None
        if outside is not None:
            return await outside(door, asking, identity)
        if identity.entrant is None:
            return await self._turn_away(door, asking)
        if identity.must_change and asking.path != _CHANGE:
            return door.see_other(asking, _CHANGE)
        inside = _INSIDE.get((asking.method, asking.path))
        if inside is not None:
            return await inside(door, asking, identity)
        found = self.table.find(asking.path, asking.method)
        if found is None:
            raise Refused(404, "")
        if found.route is None or asking.method not in _METHODS:
            response = await self._error(asking, faults.fault(asking.say, 405), identity)
            response.headers["Allow"] = ", ".join(found.methods)
            return response
        asking.request.scope["path_params"] = dict(found.parameters)
        return await self._enter(found.route, door, asking, identity)

    async def _enter(self, route: Route, door: Door, asking: Asking, identity: Identity) -> Response:
        """Check role, purpose and password, run the page, and answer."""
        entrant = identity.entrant
        if entrant is None or not entrant.may(route.action):
            if entrant is not None:
                detail: dict[str, object] = {"wanted": route.action, "path": route.path}
                await door.record(entrant.actor, "admin.refused", asking, identity=identity, detail=detail)
            return await self._error(asking, faults.wrong_role(asking.say, route.action), identity)
        asked = await prompts.before(route, door, asking, identity)
        if isinstance(asked, Response):
            return asked
        if self._limiter is None:  # made where the loop runs
            self._limiter = anyio.CapacityLimiter(_AT_WORK)
        visit = Visit(
            asking.request,
            entrant=entrant,
            say=asking.say,
            office=door.office,
            look=asked.look,
            form=asking.form,
            limiter=self._limiter,
        )
        return await door.answer(await route.handler(visit), asking, asked)

    async def _turn_away(self, door: Door, asking: Asking) -> Response:
        """Answer who is not signed in, alike whether there is something at the address or not."""
        if asking.method == "GET" and door.is_ours:
            return door.see_other(asking, f"/sign-in?{asking.next_query}")
        message = asking.say.gettext("Sign in first.")
        return await self._error(asking, faults.fault(asking.say, 403, message))

    async def _keep_language(self, door: Door, asking: Asking, identity: Identity) -> None:
        session = identity.session
        if session is None:
            return
        if asking.wanted_language and asking.wanted_language != session.language:
            await anyio.to_thread.run_sync(door.office.sessions.speak, session.number, asking.wanted_language)
        asking.speak(session.language)

    async def _has_people(self, door: Door) -> bool:
        if not door.is_ours:
            return True
        now_s = time.monotonic()
        if now_s - self._known[0] >= _KNOWN_S:
            self._known = (now_s, await anyio.to_thread.run_sync(door.office.people.exist))
        return self._known[1]

    async def _error(self, asking: Asking, view: ErrorView, identity: Identity = NOBODY) -> Response:
        text = self._framer.render(
            "error.html",
            asking.say,
            view,
            path=asking.path,
            root_path=asking.root_path,
            entrant=identity.entrant,
            look=identity.look,
        )
        return replies.html(text, status=view.status)

    def _open(self) -> Door | None:
        opened = self._opened()
        if opened is None:
            return None
        keyring, control = opened
        door = self._door
        if door is None or door.office.control is not control:
            is_ours = self._authenticate is None
            office = Office(self._settings, self._registry, keyring, control, keeps_people=is_ours)
            door = self._door = Door(office, self._framer, SessionCookie(keyring, self._names), is_ours=is_ours)
        return door


def _routes() -> Iterable[Route]:
    for name in PAGES:
        yield from importlib.import_module(f"consentkit.admin.pages.{name}").ROUTES
