"""The visitor's endpoints under the mount.

Owns HTTP: what is taken, what is answered, what a cache may keep. An answer's meaning is `desk`'s, texts
and markup are the rendering modules'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes, urlencode

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from consentkit.consent import sweep
from consentkit.consent.csp import REPORT_PATH
from consentkit.consent.gate import VISIT, Visit, host_of
from consentkit.visitor import wording
from consentkit.visitor.answers import answer_of, method_of
from consentkit.visitor.cookies_page import CookiesPage
from consentkit.visitor.desk import (
    Answer,
    ChoiceDesk,
    NotDurable,
    Result,
    Submission,
    TooMany,
    TooManyServices,
)
from consentkit.visitor.error_page import ErrorPage
from consentkit.visitor.functions import TemplateFunctions
from consentkit.visitor.pagemarkup import PageMarkup
from consentkit.visitor.reports import ReportEndpoint
from consentkit.visitor.settings_page import SettingsPage
from consentkit.visitor.shell import Shell
from consentkit.web import origin
from consentkit.web.assets import Assets
from consentkit.web.forms import BadForm, read_form
from consentkit.web.templates import Templates
from consentkit.web.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from consentkit.consent.choice import Consent
    from consentkit.consent.cspreport import ReportDesk
    from consentkit.consent.gate import Keys
    from consentkit.consent.names import CookieNames
    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.visitor.desk import Recorder


_PAGE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": ("default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_IMMUTABLE: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class Visitor:
    """ASGI application of everything under the mount.

    Args:
        settings: in force.
        registry: what is declared.
        keys: signer and policy, None before the start.
        record: makes a decision durable.
        names: of consentkit's own cookies.
        reports: takes what browsers report of the narrowing policy.

    Attributes:
        markup: what goes into the site's own pages.
        template_functions: what the site's templates may call.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        *,
        keys: Callable[[], Keys | None],
        record: Recorder,
        names: CookieNames,
        reports: ReportDesk,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._keys = keys
        self._texts = Texts(settings.site.languages)
        self._mount = settings.site.mount
        self._assets = Assets.load()
        templates = Templates()
        self.markup = PageMarkup(settings, registry, self._texts, self._assets, templates, revision=self._revision)
        self.template_functions = TemplateFunctions(self.markup)
        shell = Shell(settings, self._texts, self._assets, mount=self._mount, templates=templates)
        self._settings_page = SettingsPage(shell, registry, operator=settings.site.operator)
        self._cookies_page = CookiesPage(shell, registry, operator=settings.site.operator)
        self._error_page = ErrorPage(shell)
        self._desk = ChoiceDesk(
            registry,
            keys=keys,
            record=record,
            names=names,
            cookie_domain=settings.consent.cookie_domain,
        )
        self._router = Router(
            routes=[
                Route("/choice", self._get_choice, methods=["GET"]),
                Route("/choice", self._post_choice, methods=["POST"]),
                Route("/settings", self._get_settings, methods=["GET"]),
                Route("/cookies", self._get_cookies, methods=["GET"]),
                Route(REPORT_PATH, ReportEndpoint(reports).post, methods=["POST"]),
                Route("/remove", self._post_remove, methods=["POST"]),
                Route("/static/{name:path}", self._get_static, methods=["GET"]),
                Route("/{path:path}", self._get_nothing),
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one "http" scope whose root_path ends with the mount."""
        await self._router(scope, receive, send)

    async def _get_choice(self, request: Request) -> Response:
        visit: Visit = request.scope[VISIT]
        return _json(self._choice_view(visit.consent))

    async def _post_choice(self, request: Request) -> Response:
        try:
            form = await read_form(request)
            answer = answer_of(form.get("decision", ""))
            if origin.is_cross_site(request) or not (answer == "reject" or origin.is_same_origin(request)):
                raise BadForm(403)
            result = await self._take(request, answer, form)
        except BadForm as exc:
            return self._refusal(request, exc.status)
        except TooManyServices:
            return self._refusal(request, 400)
        except TooMany:
            return self._refusal(request, 429)
        except NotDurable:
            return self._refusal(request, 503)
        response = self._chosen(request, form, result)
        for field in result.set_cookies:
            response.raw_headers.append((b"set-cookie", field))
        return response

    async def _take(self, request: Request, answer: Answer, form: dict[str, str]) -> Result:
        client = request.client
        visit: Visit = request.scope[VISIT]
        given = Submission(
            answer=answer,
            ticked=frozenset(name for name, value in form.items() if value != "off"),
            unticked=frozenset(name for name, value in form.items() if value == "off"),
            keeps="keep" in form,  # as an embed's buttons ask for
            service=form.get("service", ""),
            removed=form.get("remove", ""),
            method=method_of(form.get("via", "")),
            locale=self.markup.language(request.scope, form.get("lang")),
            is_scripted=_wants_json(request),
            host=host_of(request.scope),
            address=client.host if client else "",
            id_path=request.scope["root_path"],
        )
        return await self._desk.take(visit, given)

    def _chosen(self, request: Request, form: dict[str, str], result: Result) -> Response:
        if not _wants_json(request):
            return _see_other(origin.next_path(request, form.get("next", "")))
        say = self._texts[self.markup.language(request.scope, form.get("lang"))]
        return _json(
            {
                **self._choice_view(result.consent),
                "message": wording.saved_message(say, result.consent.categories, result.consent.services),
                "reload": result.is_withdrawal or self._widens_policy(request, result.consent),
            }
        )

    def _widens_policy(self, request: Request, consent: Consent) -> bool:
        """Tell whether the page that asked has a policy that keeps out what is allowed now."""
        before: Consent = request.scope[VISIT].consent
        return self._settings.consent.csp == "enforce" and any(
            service.hosts and consent.allows_service(service.id) and not before.allows_service(service.id)
            for service in self._registry.services
        )

    async def _get_settings(self, request: Request) -> Response:
        visit: Visit = request.scope[VISIT]
        language = self.markup.language(request.scope, None)
        page = self._settings_page.render_settings(
            language,
            consent_state={name: visit.consent.answer(name) for name in self._registry.categories},
            services=visit.consent.services,
            sent_cookies=visit.sent,
            gpc=visit.has_signal,
            next_url=origin.next_path(request, request.query_params.get("next", "")),
            root_path=self._outer_root(request),
        )
        return HTMLResponse(page, headers={**_PAGE_HEADERS, "Vary": "Cookie, Accept-Language, Sec-GPC"})

    async def _get_cookies(self, request: Request) -> Response:
        page = self._cookies_page.render_cookies(
            self.markup.language(request.scope, None),
            next_url=origin.next_path(request, request.query_params.get("next", "")),
            root_path=self._outer_root(request),
        )
        return HTMLResponse(page, headers={**_PAGE_HEADERS, "Vary": "Accept-Language"})

    async def _post_remove(self, request: Request) -> Response:
        try:
            form = await read_form(request)
            if not origin.is_same_origin(request):
                raise BadForm(403)
        except BadForm as exc:
            return self._refusal(request, exc.status)
        visit: Visit = request.scope[VISIT]
        name = unquote_to_bytes(form.get("name", ""))
        back = urlencode([(key, form[key]) for key in ("lang", "next") if key in form])
        response = _see_other(f"{request.scope['root_path']}/settings?{back}")
        if name in visit.sent:
            for field in sweep.expirations(
                [name], self._registry, host=host_of(request.scope), is_secure=visit.is_secure
            ):
                response.raw_headers.append((b"set-cookie", field))
        return response

    def consent_page(self, request: Request, category: str) -> Response:
        """Return the answer to a visitor who has not granted what one of the site's endpoints needs: 403."""
        root_path = request.scope.get("root_path", "")
        if _wants_json(request):
            settings = f"{root_path}{self._mount}/settings"
            return _json({"error": "consent_required", "category": category, "settings": settings}, status=403)
        page = self._error_page.render_consent_needed(
            self.markup.language(request.scope, None),
            category,
            next_url=origin.next_path(request, request.url.path if request.method == "GET" else ""),
            root_path=root_path,
        )
        vary = {"Vary": "Cookie, Accept, Accept-Language, Sec-GPC"}
        return HTMLResponse(page, 403, headers={**_PAGE_HEADERS, **vary})

    async def _get_static(self, request: Request) -> Response:
        asset = self._assets.find(request.path_params["name"])
        if asset is None:
            return Response(status_code=404, headers={"Cache-Control": "no-store"})
        headers = {**_IMMUTABLE, "Content-Type": asset.content_type}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.gzipped, headers={**headers, "Content-Encoding": "gzip"})
        return Response(asset.content, headers=headers)

    async def _get_nothing(self, request: Request) -> Response:
        return self._refusal(request, 404)

    def _choice_view(self, consent: Consent) -> dict[str, object]:
        return {
            "decided": consent.decided,
            "categories": consent.categories,
            "services": sorted(consent.services),
            "revision": self._revision(),
        }

    def _revision(self) -> int:
        keys = self._keys()
        return keys.policy.revision if keys else 0

    def _outer_root(self, request: Request) -> str:
        root_path: str = request.scope["root_path"]
        return root_path.removesuffix(self._mount)

    def _refusal(self, request: Request, status: int) -> Response:
        if _wants_json(request):
            return _json({"error": status}, status=status)
        page = self._error_page.render_error(
            self.markup.language(request.scope, None), status=status, root_path=self._outer_root(request)
        )
        return HTMLResponse(page, status_code=status, headers=_PAGE_HEADERS)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _json(content: object, *, status: int = 200) -> Response:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store", "Vary": "Cookie, Accept, Sec-GPC"})


def _see_other(path: str) -> Response:
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})
