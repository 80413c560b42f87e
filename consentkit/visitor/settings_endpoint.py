"""The settings page over HTTP: shown, come back to after an answer, and a cookie removed from it.

Owns what its requests mean. The page is `settings_page`'s, an answer's meaning `desk`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlencode

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit.consent import sweep
from consentkit.consent.gate import VISIT, Visit, host_of
from consentkit.visitor import wording
from consentkit.visitor.responses import PAGE_HEADERS, see_other
from consentkit.visitor.settings_page import Asker
from consentkit.web import origin
from consentkit.web.forms import BadForm, read_form

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from consentkit.consent.news import Addition
    from consentkit.consent.registry import Registry
    from consentkit.visitor.pagemarkup import PageMarkup
    from consentkit.visitor.settings_page import SettingsPage

# In the query of the page to which a form without script goes on, where it is not known that cookies are kept.
_ANSWERED = "answered"


class SettingsEndpoint:
    """Answer for the settings page.

    Args:
        page: renders it.
        markup: knows a request's language.
        registry: what is declared.
        mount: path of our pages, without the root path.
        news: returns what is new since a visitor's last choice.
        refuse: returns the page for a request that can't be taken, by its status.
    """

    def __init__(
        self,
        page: SettingsPage,
        markup: PageMarkup,
        registry: Registry,
        *,
        mount: str,
        news: Callable[[Visit], tuple[Addition, ...]],
        refuse: Callable[[Request, int], Response],
    ) -> None:
        self._page = page
        self._markup = markup
        self._registry = registry
        self._mount = mount
        self._news = news
        self._refuse = refuse

    @property
    def routes(self) -> tuple[Route, ...]:
        """Where it is served."""
        return (
            Route("/settings", self.get, methods=["GET"]),
            Route("/remove", self.post_remove, methods=["POST"]),
        )

    async def get(self, request: Request) -> Response:
        """Return the page; or the way on, where an answer's cookie has come back."""
        visit: Visit = request.scope[VISIT]
        if _ANSWERED not in request.query_params:
            return self.show(request)
        if visit.has_cookies:
            return see_other(origin.next_path(request, request.query_params.get("next", "")))
        say = self._markup.catalogue(request)
        return self.show(request, errors=(wording.blocked_message(say),))

    def show(self, request: Request, *, status: int = 200, errors: tuple[str, ...] = ()) -> Response:
        """Return the page as this visitor sees it."""
        visit: Visit = request.scope[VISIT]
        page = self._page.render_settings(
            self._markup.language(request.scope, None),
            Asker(
                consent_state={name: visit.consent.answer(name) for name in self._registry.categories},
                services=visit.consent.services,
                sent_cookies=visit.sent,
                has_receipt=bool(visit.consent_id),
                news=self._news(visit),
                gpc=visit.has_signal,
            ),
            errors=errors,
            next_url=origin.next_path(request, request.query_params.get("next", "")),
            root_path=request.scope["root_path"].removesuffix(self._mount),
        )
        return HTMLResponse(page, status, headers={**PAGE_HEADERS, "Vary": "Cookie, Accept-Language, Sec-GPC"})

    def after_answer(self, request: Request, form: dict[str, str], *, has_cookie: bool) -> Response:
        """Return where a form without script goes on: to the page it came from.

        A browser that sent no cookie may keep none. It goes by the settings, which see whether the choice came
        back, and tell where it didn't.

        Args:
            request: of the form.
            form: its fields.
            has_cookie: the answer sets a cookie.
        """
        visit: Visit = request.scope[VISIT]
        next_url = origin.next_path(request, form.get("next", ""))
        if visit.has_cookies or not has_cookie:
            return see_other(next_url)
        query = {_ANSWERED: "1", "next": next_url, "lang": form.get("lang", "")}
        return see_other(f"{request.scope['root_path']}/settings?{urlencode(query, errors='replace')}")

    async def post_remove(self, request: Request) -> Response:
        """Remove one of the cookies that this browser sent, and show the page again."""
        try:
            form = await read_form(request)
            if not origin.is_same_origin(request):
                raise BadForm(403)
        except BadForm as exc:
            return self._refuse(request, exc.status)
        visit: Visit = request.scope[VISIT]
        name = unquote_to_bytes(form.get("name", ""))
        back = urlencode([(key, form[key]) for key in ("lang", "next") if key in form])
        response = see_other(f"{request.scope['root_path']}/settings?{back}")
        if name in visit.sent:
            for field in sweep.expirations(
                [name], self._registry, host=host_of(request.scope), is_secure=visit.is_secure
            ):
                response.raw_headers.append((b"set-cookie", field))
        return response
