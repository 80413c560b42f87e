"""The visitor's endpoints under the mount, and what goes into the site's pages.

Owns HTTP: what is taken, what is answered, what a cache may keep. An answer's meaning is `desk`'s, texts
and markup are the rendering modules'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from consentkit.consent import sweep
from consentkit.consent.fragments import Insertion, markup_hash
from consentkit.consent.gate import VISIT, Visit, host_of
from consentkit.visitor import origin, wording
from consentkit.visitor.assets import Assets
from consentkit.visitor.banner import Banner, State
from consentkit.visitor.cookies_page import CookiesPage
from consentkit.visitor.desk import Answer, ChoiceDesk, NotDurable, Result, TooMany
from consentkit.visitor.embed import Embeds
from consentkit.visitor.error_page import ErrorPage
from consentkit.visitor.forms import BadForm, answer_of, method_of, read_form
from consentkit.visitor.functions import TemplateFunctions
from consentkit.visitor.settings_page import SettingsPage
from consentkit.visitor.shell import Shell
from consentkit.visitor.templates import Templates
from consentkit.visitor.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup
    from starlette.types import Receive, Scope, Send

    from consentkit.consent.gate import Keys
    from consentkit.consent.names import CookieNames
    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.visitor.desk import Recorder


# Root paths under which shared pages were served, for their validators; a server has one or two.
_ROOTS_KEPT: Final = 8

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
    """ASGI application of everything under the mount, and source of what is put into the site's pages.

    Args:
        settings: in force.
        registry: what is declared.
        keys: signer and policy, None before the start.
        record: makes a decision durable.
        names: of consentkit's own cookies.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        *,
        keys: Callable[[], Keys | None],
        record: Recorder,
        names: CookieNames,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._keys = keys
        self._texts = Texts(settings.site.languages)
        self._mount = settings.site.mount
        self._assets = Assets.load()
        templates = Templates()
        self._banner = Banner(
            settings, registry, self._texts, self._assets, mount=self._mount, templates=templates
        )
        shell = Shell(settings, self._texts, self._assets, mount=self._mount, templates=templates)
        self._settings_page = SettingsPage(shell, registry, operator=settings.site.operator)
        self._cookies_page = CookiesPage(shell, registry, operator=settings.site.operator)
        self._error_page = ErrorPage(shell)
        self._shared_roots = {""}
        self._embeds = Embeds(registry, self._texts, mount=self._mount, templates=templates)
        self.template_functions = TemplateFunctions(self)
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
                Route("/remove", self._post_remove, methods=["POST"]),
                Route("/static/{name:path}", self._get_static, methods=["GET"]),
                Route("/{path:path}", self._get_nothing),
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one "http" scope whose root_path ends with the mount."""
        await self._router(scope, receive, send)

    def insertion(
        self, scope: Scope, *, page_language: str | None, shared: bool, nonce: str | None
    ) -> Insertion | None:
        """Return what goes into one of the site's pages; `consent.inject.Fragments`."""
        root_path = scope.get("root_path", "")
        if shared:  # the same for all: the page's own language, never the visitor's
            language = self._texts.choose(page=page_language)
            if len(self._shared_roots) < _ROOTS_KEPT:
                self._shared_roots.add(root_path)
            return self._shared(language, root_path, nonce)
        return self._own(scope, self._language(scope, page_language), nonce)

    def own_markup(self, request: Request, language: str | None) -> Insertion:
        """Return this visitor's markup for a page whose template places it; `functions.Markups`."""
        return self._own(request.scope, self._language(request.scope, language), None)

    def placeholder(
        self,
        request: Request,
        language: str | None,
        service: str,
        content: str,
        *,
        width: int,
        height: int,
        url: str,
    ) -> Markup | None:
        """Return the placeholder of an embed; `functions.Markups`."""
        return self._embeds.placeholder(
            self._language(request.scope, language),
            service=service,
            content=content,
            width=width,
            height=height,
            url=url,
            next_url=_own_url(request.scope),
            root_path=request.scope.get("root_path", ""),
        )

    def category_of(self, service: str) -> str | None:
        """Return the category of a declared service; `functions.Markups`."""
        declared = self._registry.service(service)
        return declared.category if declared else None

    def settings_url(self, request: Request) -> str:
        """Return the address of the settings, which comes back to this page; `functions.Markups`."""
        scope = request.scope
        return f"{scope.get('root_path', '')}{self._mount}/settings?{urlencode({'next': _own_url(scope)})}"

    def _own(self, scope: Scope, language: str, nonce: str | None) -> Insertion:
        return self._banner.fragment(
            language,
            state=self._state(scope[VISIT]),
            next_url=_own_url(scope),
            nonce=nonce,
            root_path=scope.get("root_path", ""),
            revision=self._revision(),
        )

    def shared_hashes(self) -> frozenset[str]:
        """Return the hashes of the markup that shared pages get at present; `consent.inject.Fragments`."""
        return frozenset(
            markup_hash(self._shared(language, root_path, None))
            for language in self._texts.languages
            for root_path in self._shared_roots
        )

    def _shared(self, language: str, root_path: str, nonce: str | None) -> Insertion:
        """Return markup without a trace of the visitor or the page: it comes back by the Referer."""
        return self._banner.fragment(
            language, state="shared", next_url="", nonce=nonce, root_path=root_path, revision=self._revision()
        )

    def _state(self, visit: Visit) -> State:
        if self._registry.categories:
            return "answered" if visit.consent.decided else "ask"
        return "answered" if visit.choice else "notice"

    def _language(self, scope: Scope, page_language: str | None) -> str:
        own = self._texts.match(page_language) if page_language else None
        if own:  # as with most pages that get a banner; the rest need not be read then
            return own
        request = Request(scope)
        return self._texts.choose(
            query=request.query_params.get("lang"),
            accept_language=request.headers.get("accept-language", ""),
        )

    async def _get_choice(self, request: Request) -> Response:
        return _json(self._choice_view(request.scope[VISIT]))

    async def _post_choice(self, request: Request) -> Response:
        try:
            form = await read_form(request)
            answer = answer_of(form.get("decision", ""))
            if origin.is_cross_site(request) or not (answer == "reject" or origin.is_same_origin(request)):
                raise BadForm(403)
            result = await self._take(request, answer, form)
        except BadForm as exc:
            return self._refusal(request, exc.status)
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
        ticked = frozenset(form)
        if "keep" in form:  # one more category beside those granted, as an embed's button asks for
            ticked |= {name for name, allowed in visit.consent.categories.items() if allowed}
        return await self._desk.take(
            visit,
            answer,
            ticked,
            method=method_of(form.get("via", "")),
            locale=self._language(request.scope, form.get("lang")),
            is_scripted=_wants_json(request),
            host=host_of(request.scope),
            address=client.host if client else "",
            id_path=request.scope["root_path"],
        )

    def _chosen(self, request: Request, form: dict[str, str], result: Result) -> Response:
        if not _wants_json(request):
            return _see_other(origin.next_path(request, form.get("next", "")))
        say = self._texts[self._language(request.scope, form.get("lang"))]
        categories = result.consent.categories
        return _json(
            {
                "decided": True,
                "categories": categories,
                "message": wording.saved_message(say, categories),
                "reload": result.is_withdrawal,
                "revision": self._revision(),
            }
        )

    async def _get_settings(self, request: Request) -> Response:
        visit: Visit = request.scope[VISIT]
        language = self._language(request.scope, None)
        page = self._settings_page.render_settings(
            language,
            consent_state={name: visit.consent.answer(name) for name in self._registry.categories},
            sent_cookies=visit.sent,
            next_url=origin.next_path(request, request.query_params.get("next", "")),
            root_path=self._outer_root(request),
        )
        return HTMLResponse(page, headers={**_PAGE_HEADERS, "Vary": "Cookie, Accept-Language, Sec-GPC"})

    async def _get_cookies(self, request: Request) -> Response:
        page = self._cookies_page.render_cookies(
            self._language(request.scope, None),
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
        back = urlencode([(name, form[name]) for name in ("lang", "next") if name in form])
        response = _see_other(f"{request.scope['root_path']}/settings?{back}")
        if name in visit.sent:
            for field in sweep.expirations(
                [name], self._registry, host=host_of(request.scope), is_secure=visit.is_secure
            ):
                response.raw_headers.append((b"set-cookie", field))
        return response

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

    def _choice_view(self, visit: Visit) -> dict[str, object]:
        return {
            "decided": visit.consent.decided,
            "categories": visit.consent.categories,
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
            self._language(request.scope, None), status=status, root_path=self._outer_root(request)
        )
        return HTMLResponse(page, status_code=status, headers=_PAGE_HEADERS)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _json(content: object, *, status: int = 200) -> Response:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store", "Vary": "Cookie, Accept, Sec-GPC"})


def _see_other(path: str) -> Response:
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})


def _own_url(scope: Scope) -> str:
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    url = f"{path}?{query}" if query else path
    return url if origin.is_path(url) else "/"
