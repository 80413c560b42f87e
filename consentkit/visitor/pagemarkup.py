"""What goes into the site's own pages: the banner for this visitor, or one for all, and what templates place.

Owns which markup a request gets, and in which language. Rendering is `banner`'s and `embed`'s, putting it
into a page `consent.inject`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.requests import Request

from consentkit.consent.fragments import Insertion, markup_hash
from consentkit.consent.gate import VISIT, Visit
from consentkit.visitor.banner import Banner, State
from consentkit.visitor.embed import Embeds
from consentkit.web import origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup
    from starlette.types import Scope

    from consentkit.consent.news import Addition
    from consentkit.consent.registry import Registry
    from consentkit.consent.showings import Showings
    from consentkit.settings import Settings
    from consentkit.web.assets import Assets
    from consentkit.web.templates import Templates
    from consentkit.web.texts import Catalogue, Texts

# Root paths under which shared pages were served, for their validators; a server has one or two.
_ROOTS_KEPT: Final = 8

# Key of the request's state: its page is counted as shown.
_COUNTED: Final = "consentkit_counted"


class PageMarkup:
    """Give pages their markup; `consent.inject.Fragments` and `functions.Markups`.

    Args:
        settings: in force.
        registry: what is declared.
        texts: catalogues of the site's languages.
        assets: the static files.
        templates: render the markup.
        revision: returns the policy's, 0 before the start.
        news: returns what is new since a visitor's last choice.
        showings: counts the pages on which visitors are asked.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        texts: Texts,
        assets: Assets,
        templates: Templates,
        *,
        revision: Callable[[], int],
        news: Callable[[Visit], tuple[Addition, ...]],
        showings: Showings,
    ) -> None:
        self._registry = registry
        self._texts = texts
        self._mount = settings.site.mount
        self._deny_only = settings.consent.deny_only and bool(registry.categories)
        self._revision = revision
        self._news = news
        self._showings = showings
        self._banner = Banner(settings, registry, texts, assets, mount=self._mount, templates=templates)
        self._embeds = Embeds(
            registry, texts, mount=self._mount, templates=templates, deny_only=settings.consent.deny_only
        )
        self._shared_roots = {""}

    def insertion(
        self, scope: Scope, *, page_language: str | None, shared: bool, nonce: str | None
    ) -> Insertion | None:
        """Return what goes into one of the site's pages; `consent.inject.Fragments`."""
        root_path = scope.get("root_path", "")
        if shared:  # the same for all: the page's own language, never the visitor's
            language = self._texts.choose(page=page_language)
            if len(self._shared_roots) < _ROOTS_KEPT:
                self._shared_roots.add(root_path)
            if self._registry.categories and not self._deny_only:
                self._showings.show(language, is_shared=True)
            return self._shared(language, root_path, nonce)
        language = self.language(scope, page_language)
        if not scope["state"].get(_COUNTED):
            self._count(scope[VISIT], language)
        return self._own(scope, language, nonce)

    def own_markup(self, request: Request, language: str | None) -> Insertion:
        """Return this visitor's markup for a page whose template places it; `functions.Markups`."""
        language, state = self.language(request.scope, language), request.scope["state"]
        if request.method != "HEAD" and not state.get(_COUNTED):  # it is asked for the head and for the body
            state[_COUNTED] = True
            self._count(request.scope[VISIT], language)
        return self._own(request.scope, language, None)

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
            self.language(request.scope, language),
            service=service,
            content=content,
            width=width,
            height=height,
            url=url,
            next_url=_own_url(request.scope),
            root_path=request.scope.get("root_path", ""),
        )

    def is_declared(self, service: str) -> bool:
        """Tell whether a service is declared; `functions.Markups`."""
        return self._registry.service(service) is not None

    def settings_url(self, request: Request) -> str:
        """Return the address of the settings, which comes back to this page; `functions.Markups`."""
        scope = request.scope
        return f"{scope.get('root_path', '')}{self._mount}/settings?{urlencode({'next': _own_url(scope)})}"

    def _own(self, scope: Scope, language: str, nonce: str | None) -> Insertion:
        visit: Visit = scope[VISIT]
        state = self._state(visit)
        return self._banner.fragment(
            language,
            state=state,
            news=self._news(visit) if state == "ask" else (),
            next_url=_own_url(scope),
            nonce=nonce,
            root_path=scope.get("root_path", ""),
            revision=self._shown_revision(),
        )

    def _count(self, visit: Visit, language: str) -> None:
        if self._state(visit) == "ask":
            self._showings.show(language)

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
            language,
            state="answered" if self._deny_only else "shared",
            next_url="",
            nonce=nonce,
            root_path=root_path,
            revision=self._shown_revision(),
        )

    def _shown_revision(self) -> int:
        # No choice is one of revision 0: scripts then ask the server, and take nothing for granted.
        return 0 if self._deny_only else self._revision()

    def _state(self, visit: Visit) -> State:
        if self._registry.categories:
            return "answered" if visit.consent.decided or self._deny_only else "ask"
        return "answered" if visit.choice else "notice"

    def catalogue(self, request: Request, page_language: str | None = None) -> Catalogue:
        """Return the words for one of our own pages, or of an answer to a page of this language."""
        return self._texts[self.language(request.scope, page_language)]

    def language(self, scope: Scope, page_language: str | None) -> str:
        """Return the language for a request: the page's own, the query's, the browser's, else the default."""
        own = self._texts.match(page_language) if page_language else None
        if own:  # as with most pages that get a banner; the rest need not be read then
            return own
        request = Request(scope)
        return self._texts.choose(
            query=request.query_params.get("lang"),
            accept_language=request.headers.get("accept-language", ""),
        )


def _own_url(scope: Scope) -> str:
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    url = f"{path}?{query}" if query else path
    return url if origin.is_path(url) else "/"
