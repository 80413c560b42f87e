"""The visitor's endpoints under the mount.

Owns HTTP: what is taken, what is answered, what a cache may keep. An answer's meaning is `desk`'s, texts
and markup are the rendering modules'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router

from consentkit.consent.csp import REPORT_PATH
from consentkit.consent.gate import VISIT, Visit, host_of
from consentkit.visitor import once, wording
from consentkit.visitor.answers import answer_of, method_of
from consentkit.visitor.desk import (
    Answer,
    ChoiceDesk,
    NotDurable,
    NotOffered,
    Result,
    Submission,
    TooMany,
    TooManyServices,
)
from consentkit.visitor.error_page import ErrorPage
from consentkit.visitor.functions import TemplateFunctions
from consentkit.visitor.information import Information
from consentkit.visitor.news_wording import news_views
from consentkit.visitor.pagemarkup import PageMarkup
from consentkit.visitor.person_endpoint import PersonEndpoint
from consentkit.visitor.person_page import PersonPage
from consentkit.visitor.receipt_endpoint import ReceiptEndpoint
from consentkit.visitor.receipt_page import ReceiptPage
from consentkit.visitor.reports import ReportEndpoint
from consentkit.visitor.responses import PAGE_HEADERS, json_response, wants_json
from consentkit.visitor.settings_endpoint import SettingsEndpoint
from consentkit.visitor.settings_page import SettingsPage
from consentkit.visitor.shell import Shell
from consentkit.visitor.shown_texts import ShownTexts
from consentkit.visitor.static_files import StaticFiles
from consentkit.web import origin
from consentkit.web.assets import Assets
from consentkit.web.folders import catalogue_folders, template_folders
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
    from consentkit.consent.news import Addition
    from consentkit.consent.registry import Registry
    from consentkit.consent.showings import Showings
    from consentkit.settings import Settings
    from consentkit.visitor.desk import Recorder
    from consentkit.visitor.links import PersonLinks
    from consentkit.visitor.receipt_endpoint import ReceiptReader


class Visitor:
    """ASGI application of everything under the mount.

    Args:
        settings: in force.
        registry: what is declared.
        keys: signer and policy, None before the start.
        record: makes a decision durable.
        names: of consentkit's own cookies.
        reports: takes what browsers report of the narrowing policy.
        showings: counts the pages on which visitors are asked.
        receipt: makes a visitor's receipt.
        links: one-time links of people who asked for something.
        has_secret: the operator gave a secret, so that the disk alone opens nothing.

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
        showings: Showings,
        receipt: ReceiptReader,
        links: PersonLinks,
        has_secret: bool,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._keys = keys
        self._texts = Texts(settings.site.languages, folders=catalogue_folders(settings))
        self._mount = settings.site.mount
        self._assets = Assets.load()
        templates = Templates(folders=template_folders(settings))
        self.markup = PageMarkup(
            settings,
            registry,
            self._texts,
            self._assets,
            templates,
            revision=self._revision,
            news=self._news,
            showings=showings,
        )
        self.template_functions = TemplateFunctions(self.markup)
        shell = Shell(settings, self._texts, self._assets, mount=self._mount, templates=templates)
        self._settings_page = SettingsPage(shell, registry, settings)
        self._settings_endpoint = SettingsEndpoint(
            self._settings_page, self.markup, registry, mount=self._mount, news=self._news, refuse=self._refusal
        )
        self._error_page = ErrorPage(shell)
        self._desk = ChoiceDesk(
            registry,
            keys=keys,
            record=record,
            shown=ShownTexts(registry, self._texts, settings).of,
            names=names,
            cookie_domain=settings.consent.cookie_domain,
            deny_only=settings.consent.deny_only,
        )
        information = Information(
            settings, registry, shell, names=names, has_secret=has_secret, language=self.markup.language
        )
        page = ReceiptPage(shell, registry, mount=self._mount)
        receipts = ReceiptEndpoint(page, self.markup, receipt, self._record_refusal)
        people = PersonEndpoint(
            PersonPage(shell, mount=self._mount),
            self.markup,
            links,
            settings=settings,
            refuse=self._record_refusal,
        )
        self._router = Router(
            routes=[
                Route("/choice", self._get_choice, methods=["GET"]),
                Route("/choice", self._post_choice, methods=["POST"]),
                Route("/settings", self._settings_endpoint.get, methods=["GET"]),
                *information.routes,
                *receipts.routes,
                *people.routes,
                Route(REPORT_PATH, ReportEndpoint(reports).post, methods=["POST"]),
                Route("/remove", self._settings_endpoint.post_remove, methods=["POST"]),
                Route("/static/{name:path}", StaticFiles(self._assets).get, methods=["GET"]),
                Route("/{path:path}", self._get_nothing),
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one "http" scope whose root_path ends with the mount."""
        await self._router(scope, receive, send)

    async def _get_choice(self, request: Request) -> Response:
        visit: Visit = request.scope[VISIT]
        say = self._texts[self.markup.language(request.scope, None)]
        news = [each.text for each in news_views(self._news(visit), self._registry, say)]
        return json_response({**self._choice_view(visit.consent), "news": news})

    async def _post_choice(self, request: Request) -> Response:
        try:
            form = await read_form(request)
            answer = answer_of(form.get("decision", ""))
            if origin.is_cross_site(request) or not (answer == "reject" or origin.is_same_origin(request)):
                raise BadForm(403)
            result = await self._take(request, answer, form)
        except BadForm as exc:
            return self._refusal(request, exc.status)
        except NotOffered:
            return self._not_offered(request)
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
            is_scripted=wants_json(request),
            host=host_of(request.scope),
            address=client.host if client else "",
            id_path=request.scope["root_path"],
            once=form.get(once.FIELD, ""),
        )
        return await self._desk.take(visit, given)

    def _chosen(self, request: Request, form: dict[str, str], result: Result) -> Response:
        if not wants_json(request):
            return self._settings_endpoint.after_answer(request, form, has_cookie=bool(result.set_cookies))
        say = self._texts[self.markup.language(request.scope, form.get("lang"))]
        return json_response(
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

    def consent_page(self, request: Request, category: str) -> Response:
        """Return the answer to a visitor who has not granted what one of the site's endpoints needs: 403."""
        root_path = request.scope.get("root_path", "")
        if wants_json(request):
            settings = f"{root_path}{self._mount}/settings"
            needed = {"error": "consent_required", "category": category, "settings": settings}
            return json_response(needed, status=403)
        page = self._error_page.render_consent_needed(
            self.markup.language(request.scope, None),
            category,
            deny_only=self._settings.consent.deny_only,
            next_url=origin.next_path(request, request.url.path if request.method == "GET" else ""),
            root_path=root_path,
        )
        vary = {"Vary": "Cookie, Accept, Accept-Language, Sec-GPC"}
        return HTMLResponse(page, 403, headers={**PAGE_HEADERS, **vary})

    async def _get_nothing(self, request: Request) -> Response:
        return self._refusal(request, 404)

    def _choice_view(self, consent: Consent) -> dict[str, object]:
        return {
            "decided": consent.decided,
            "categories": consent.categories,
            "services": sorted(consent.services),
            "revision": self._revision(),
        }

    def _news(self, visit: Visit) -> tuple[Addition, ...]:
        """Return what is new since the visitor's last choice, where one is asked again."""
        keys = self._keys()
        if keys is None or visit.has_signal or self._settings.consent.deny_only:
            return ()
        return keys.policy.news(visit.choice)

    def _revision(self) -> int:
        keys = self._keys()
        return keys.policy.revision if keys else 0

    def _outer_root(self, request: Request) -> str:
        root_path: str = request.scope["root_path"]
        return root_path.removesuffix(self._mount)

    def _not_offered(self, request: Request) -> Response:
        if wants_json(request):
            return json_response({"error": 403}, status=403)
        return self._settings_endpoint.show(request, status=403)

    def _record_refusal(self, request: Request, status: int) -> Response:
        if status != 503 or wants_json(request):
            return self._refusal(request, status)
        page = self._error_page.render_unavailable(
            self.markup.language(request.scope, None), root_path=self._outer_root(request)
        )
        return HTMLResponse(page, status_code=status, headers=PAGE_HEADERS)

    def _refusal(self, request: Request, status: int) -> Response:
        if wants_json(request):
            return json_response({"error": status}, status=status)
        page = self._error_page.render_error(
            self.markup.language(request.scope, None), status=status, root_path=self._outer_root(request)
        )
        return HTMLResponse(page, status_code=status, headers=PAGE_HEADERS)
