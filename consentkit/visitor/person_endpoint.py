"""The one-time link of a person who asked for something, over HTTP.

Owns what of a request shows who asks, and that guessing is slow: so many tries a minute from an address, and one
look into the database at a time. Opening the page changes nothing, whoever does it; its form uses the link up.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit.consent.consentid import read_consent_id
from consentkit.consent.gate import VISIT, Visit
from consentkit.errors import ConsentKitError
from consentkit.requestlog.capture import MAX_AGENT_BYTES
from consentkit.requestlog.headertext import clean_text
from consentkit.requestlog.truncate import truncate_address
from consentkit.visitor.links import Claim, UnfitClaim
from consentkit.visitor.ratelimit import RateLimit
from consentkit.visitor.responses import PAGE_HEADERS
from consentkit.web import origin
from consentkit.web.forms import BadForm, read_form

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from consentkit.settings import Settings
    from consentkit.visitor.links import PersonLinks
    from consentkit.visitor.pagemarkup import PageMarkup
    from consentkit.visitor.person_page import PersonPage

T = TypeVar("T")

logger = logging.getLogger("consentkit")

_TOKEN: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)

_A_MINUTE: Final = 20
_WAITING: Final = 8

_HEADERS: Final = {**PAGE_HEADERS, "Vary": "Cookie, Accept-Language", "X-Robots-Tag": "noindex"}


class PersonEndpoint:
    """Answer for the links.

    Args:
        page: renders it.
        markup: knows a request's language.
        links: checks and uses links.
        settings: how old requests get in the log, for the days that the form begins with, and whether it has
            whole addresses.
        refuse: returns the page for a request that can't be served, by its status.
    """

    def __init__(
        self,
        page: PersonPage,
        markup: PageMarkup,
        links: PersonLinks,
        *,
        settings: Settings,
        refuse: Callable[[Request, int], Response],
    ) -> None:
        self._page = page
        self._markup = markup
        self._links = links
        log = settings.requestlog
        self._kept = timedelta(days=log.retention_days)
        self._kept_address = truncate_address if log.truncate_ip_after_days == 0 else str
        self._refuse = refuse
        self._limit = RateLimit(_A_MINUTE)
        self._limiter: anyio.CapacityLimiter | None = None
        self._asking = 0

    @property
    def routes(self) -> tuple[Route, ...]:
        """Where it is served."""
        return (
            Route("/me/{token}", self.get, methods=["GET"]),
            Route("/me/{token}", self.post, methods=["POST"]),
        )

    async def get(self, request: Request) -> Response:
        """Show what was asked for and what would be noted; 404 where the link does not work."""
        return await self._form(request)

    async def post(self, request: Request) -> Response:
        """Note what the person lets be noted, once."""
        try:
            form = await read_form(request)
            if not origin.is_same_origin(request):
                raise BadForm(403)
        except BadForm as exc:
            return self._refuse(request, exc.status)
        token = self._admitted(request)
        if not isinstance(token, str):
            return token
        try:
            claim = self._claim(request, form)
            is_noted = await self._work(partial(self._links.use, token, claim))
        except (UnfitClaim, ValueError, OverflowError):
            return await self._form(request, form.get("lang"), is_faulty=True)
        except ConsentKitError as exc:
            return self._unavailable(request, exc)
        if not is_noted:
            return self._refuse(request, 404)
        language = self._markup.language(request.scope, form.get("lang"))
        return HTMLResponse(
            self._page.render_noted(language, mount_path=request.scope["root_path"]), headers=_HEADERS
        )

    async def _form(self, request: Request, chosen: str | None = None, *, is_faulty: bool = False) -> Response:
        token = self._admitted(request)
        if not isinstance(token, str):
            return token
        try:
            kind = await self._work(partial(self._links.kind, token))
        except ConsentKitError as exc:
            return self._unavailable(request, exc)
        if kind is None:
            return self._refuse(request, 404)
        today = datetime.now(UTC).date()
        page = self._page.render_form(
            self._markup.language(request.scope, chosen),
            kind=kind,
            path=f"/me/{token}",
            mount_path=request.scope["root_path"],
            address=request.client.host if request.client else "",
            has_choices=bool(_consent_id(request)),
            days=(today - self._kept, today),
            is_faulty=is_faulty,
        )
        return HTMLResponse(page, 400 if is_faulty else 200, headers=_HEADERS)

    def _admitted(self, request: Request) -> str | Response:
        """Return the token; a refusal where it can be none, or too many were tried."""
        if not self._limit.allows(request.client.host if request.client else ""):
            return self._refuse(request, 429)
        token: str = request.path_params["token"]
        return token if _TOKEN.fullmatch(token) else self._refuse(request, 404)

    def _claim(self, request: Request, form: dict[str, str]) -> Claim:
        address = request.client.host if request.client and form.get("address") else ""
        consent_id = _consent_id(request) if form.get("choices") else ""
        if not address:
            return Claim(consent_id=consent_id)
        now = datetime.now(UTC)
        until = min(_midnight(form.get("until", "")) + timedelta(days=1), now)
        return Claim(
            address=self._kept_address(address),
            since_us=_us(_midnight(form.get("since", ""))),
            until_us=_us(until),
            # As the request log has it: the rows are found by the same text.
            agent=clean_text(dict(request.scope["headers"]).get(b"user-agent", b""), MAX_AGENT_BYTES),
            consent_id=consent_id,
        )

    async def _work(self, do: Callable[[], T]) -> T:
        if self._asking >= _WAITING:
            raise _Busy("too many use links at once")
        limiter = self._limiter = self._limiter or anyio.CapacityLimiter(1)
        self._asking += 1
        try:
            return await anyio.to_thread.run_sync(do, limiter=limiter)
        finally:
            self._asking -= 1

    def _unavailable(self, request: Request, fault: ConsentKitError) -> Response:
        logger.error("a person's link can't be served: %s", fault)
        response = self._refuse(request, 503)
        response.headers["Retry-After"] = "60"
        return response


class _Busy(ConsentKitError):
    """Refuse one more who waits."""


def _consent_id(request: Request) -> str:
    visit: Visit = request.scope[VISIT]
    return read_consent_id(visit.consent_id)


def _midnight(text: str) -> datetime:
    day = date.fromisoformat(text)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _us(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
