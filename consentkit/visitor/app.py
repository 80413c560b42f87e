"""The visitor's endpoints under the mount, put together.

Owns what is served where. What each takes and answers is its own module's, texts and markup are the rendering
modules'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route, Router

from consentkit.consent.csp import REPORT_PATH
from consentkit.visitor.choice_endpoint import ChoiceEndpoint
from consentkit.visitor.desk import ChoiceDesk
from consentkit.visitor.error_page import ErrorPage
from consentkit.visitor.functions import TemplateFunctions
from consentkit.visitor.information import Information
from consentkit.visitor.pagemarkup import PageMarkup
from consentkit.visitor.person_endpoint import PersonEndpoint
from consentkit.visitor.person_page import PersonPage
from consentkit.visitor.policyinforce import PolicyInForce
from consentkit.visitor.receipt_endpoint import ReceiptEndpoint
from consentkit.visitor.receipt_page import ReceiptPage
from consentkit.visitor.refusals import Refusals
from consentkit.visitor.reports import ReportEndpoint
from consentkit.visitor.settings_endpoint import SettingsEndpoint
from consentkit.visitor.settings_page import SettingsPage
from consentkit.visitor.shell import Shell
from consentkit.visitor.shown_texts import ShownTexts
from consentkit.visitor.static_files import StaticFiles
from consentkit.web.assets import Assets
from consentkit.web.folders import catalogue_folders, template_folders
from consentkit.web.templates import Templates
from consentkit.web.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from consentkit.consent.cspreport import ReportDesk
    from consentkit.consent.gate import Keys
    from consentkit.consent.names import CookieNames
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
        self._texts = Texts(settings.site.languages, folders=catalogue_folders(settings))
        assets, templates = Assets.load(), Templates(folders=template_folders(settings))
        self._policy = PolicyInForce(keys, deny_only=settings.consent.deny_only)
        self.markup = PageMarkup(
            settings,
            registry,
            self._texts,
            assets,
            templates,
            revision=self._policy.revision,
            news=self._policy.news,
            showings=showings,
        )
        self.template_functions = TemplateFunctions(self.markup)
        self._shell = Shell(settings, self._texts, assets, mount=settings.site.mount, templates=templates)
        self._refusals = Refusals(ErrorPage(self._shell), self.markup, settings)
        information = Information(
            settings, registry, self._shell, names=names, has_secret=has_secret, language=self.markup.language
        )
        routes = [
            *self._choice_routes(keys, record, names),
            *self._record_routes(receipt, links),
            *information.routes,
            Route(REPORT_PATH, ReportEndpoint(reports).post, methods=["POST"]),
            Route("/static/{name:path}", StaticFiles(assets).get, methods=["GET"]),
            Route("/{path:path}", self._refusals.get_nothing),
        ]
        self._router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one "http" scope whose root_path ends with the mount."""
        await self._router(scope, receive, send)

    def consent_page(self, request: Request, category: str) -> Response:
        """Return the answer to a visitor who has not granted what one of the site's endpoints needs: 403."""
        return self._refusals.need_consent(request, category)

    def _choice_routes(
        self, keys: Callable[[], Keys | None], record: Recorder, names: CookieNames
    ) -> tuple[Route, ...]:
        """Return where a choice is made, and looked at."""
        settings, registry = self._settings, self._registry
        page = SettingsEndpoint(
            SettingsPage(self._shell, registry, settings),
            self.markup,
            registry,
            mount=settings.site.mount,
            news=self._policy.news,
            refuse=self._refusals.refuse,
        )
        desk = ChoiceDesk(
            registry,
            keys=keys,
            record=record,
            shown=ShownTexts(registry, self._texts, settings).of,
            names=names,
            cookie_domain=settings.consent.cookie_domain,
            deny_only=settings.consent.deny_only,
        )
        choice = ChoiceEndpoint(
            desk,
            page,
            self.markup,
            registry,
            policy=self._policy,
            narrows_policy=settings.consent.csp == "enforce",
            refuse=self._refusals.refuse,
        )
        return (*choice.routes, *page.routes)

    def _record_routes(self, receipt: ReceiptReader, links: PersonLinks) -> tuple[Route, ...]:
        """Return where a visitor gets what is kept of him."""
        settings, refuse = self._settings, self._refusals.refuse_record
        mount = settings.site.mount
        page = ReceiptPage(self._shell, self._registry, mount=mount)
        receipts = ReceiptEndpoint(page, self.markup, receipt, refuse)
        people = PersonEndpoint(
            PersonPage(self._shell, mount=mount), self.markup, links, settings=settings, refuse=refuse
        )
        return (*receipts.routes, *people.routes)
