"""Pages and files that inform and change nothing: cookies, privacy, deletions, and what auditors fetch.

Owns HTTP for them. They read files, so each is answered in a thread of its own. What the pages say is theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit.archive.published import Published
from consentkit.visitor.cookies_page import CookiesPage
from consentkit.visitor.deletions_page import DeletionsPage
from consentkit.visitor.notice.page import PrivacyPage
from consentkit.visitor.responses import PAGE_HEADERS
from consentkit.visitor.undescribed import Undescribed
from consentkit.web import origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Scope

    from consentkit.consent.names import CookieNames
    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.visitor.shell import Shell

_VARIES: Final = {**PAGE_HEADERS, "Vary": "Accept-Language"}

# Any page may read them: they are public, and the same for everybody. A minute is how often they change at most.
_FILE_HEADERS: Final = {
    "Cache-Control": "public, max-age=60",
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
}
_JSON: Final = "application/json"


class Information:
    """Answer for the pages that inform.

    Args:
        settings: in force.
        registry: what is declared.
        shell: the frame of the pages.
        names: of consentkit's own cookies.
        has_secret: the operator gave a secret.
        language: chooses for a request.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        shell: Shell,
        *,
        names: CookieNames,
        has_secret: bool,
        language: Callable[[Scope, str | None], str],
    ) -> None:
        site = settings.site
        self._site = site
        self._language = language
        self._published = Published(settings.storage.directory)
        self._undescribed = Undescribed(settings.storage.directory, registry)
        self._cookies = CookiesPage(shell, registry, settings)
        self._privacy = PrivacyPage(shell, settings, registry, names=names, has_secret=has_secret)
        self._deletions = DeletionsPage(shell, mount=site.mount, retention_days=settings.requestlog.retention_days)

    @property
    def routes(self) -> list[Route]:
        """What is served, below the mount."""
        return [
            Route("/cookies", self.get_cookies, methods=["GET"]),
            Route("/privacy", self.get_privacy, methods=["GET"]),
            Route("/deletions", self.get_deletions, methods=["GET"]),
            Route("/heads.json", self.get_heads, methods=["GET"]),
            Route("/keys.json", self.get_keys, methods=["GET"]),
        ]

    def get_cookies(self, request: Request) -> Response:
        """Answer with the cookie policy."""
        page = self._cookies.render_cookies(
            self._language(request.scope, None),
            undescribed=self._undescribed.names(),
            next_url=_next(request),
            root_path=self._outer_root(request),
        )
        return HTMLResponse(page, headers=_VARIES)

    def get_privacy(self, request: Request) -> Response:
        """Answer with the privacy notice, as it is true now."""
        page = self._privacy.render_privacy(
            self._language(request.scope, None),
            is_secure=request.url.scheme == "https",
            next_url=_next(request),
            root_path=self._outer_root(request),
        )
        return HTMLResponse(page, headers=_VARIES)

    def get_deletions(self, request: Request) -> Response:
        """Answer with the deletions of a month."""
        page = self._deletions.render_deletions(
            self._language(request.scope, None),
            self._published.deletions(),
            month=request.query_params.get("month", ""),
            next_url=_next(request),
            root_path=self._outer_root(request),
        )
        return HTMLResponse(page, headers=_VARIES)

    def get_heads(self, request: Request) -> Response:
        """Answer with the signed heads; 404 until the ingester has written them."""
        heads = self._published.heads()
        if not heads:
            return Response(b'{"error":404}', 404, {"Cache-Control": "no-store"}, _JSON)
        return Response(heads, headers=_FILE_HEADERS, media_type=_JSON)

    def get_keys(self, request: Request) -> Response:
        """Answer with all public keys; with none until the ingester has written them."""
        keys = self._published.keys()
        if keys:
            return Response(keys, headers=_FILE_HEADERS, media_type=_JSON)
        from consentkit.crypto.signatures import KeySet  # noqa: PLC0415 - seldom, and brings its algorithms along

        empty = msgspec.json.encode(KeySet(installation="", operator=self._site.operator, keys=()))
        return Response(empty, headers={**_FILE_HEADERS, "Cache-Control": "no-store"}, media_type=_JSON)

    def _outer_root(self, request: Request) -> str:
        root_path: str = request.scope["root_path"]
        return root_path.removesuffix(self._site.mount)


def _next(request: Request) -> str:
    return origin.next_path(request, request.query_params.get("next", ""))
