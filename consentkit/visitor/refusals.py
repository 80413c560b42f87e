"""The answers to requests that can't be served: a page for a visitor, a few words for a script.

Owns which of the two, and what a cache may keep. The page is `error_page`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from consentkit.visitor.responses import PAGE_HEADERS, json_response, wants_json
from consentkit.web import origin

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from consentkit.settings import Settings
    from consentkit.visitor.error_page import ErrorPage
    from consentkit.visitor.pagemarkup import PageMarkup


class Refusals:
    """Refuse, in the visitor's language.

    Args:
        page: renders it.
        markup: knows a request's language.
        settings: the mount, and whether anything can be granted.
    """

    def __init__(self, page: ErrorPage, markup: PageMarkup, settings: Settings) -> None:
        self._page = page
        self._markup = markup
        self._mount = settings.site.mount
        self._deny_only = settings.consent.deny_only

    async def get_nothing(self, request: Request) -> Response:
        """Answer for an address at which there is nothing."""
        return self.refuse(request, 404)

    def refuse(self, request: Request, status: int) -> Response:
        """Return the answer to a request that can't be taken, by its HTTP status."""
        if wants_json(request):
            return json_response({"error": status}, status=status)
        page = self._page.render_error(
            self._markup.language(request.scope, None), status=status, root_path=self._outer_root(request)
        )
        return HTMLResponse(page, status_code=status, headers=PAGE_HEADERS)

    def refuse_record(self, request: Request, status: int) -> Response:
        """Return the same for who asks for his record: 503 says that it can't be looked up now."""
        if status != 503 or wants_json(request):
            return self.refuse(request, status)
        page = self._page.render_unavailable(
            self._markup.language(request.scope, None), root_path=self._outer_root(request)
        )
        return HTMLResponse(page, status_code=status, headers=PAGE_HEADERS)

    def need_consent(self, request: Request, category: str) -> Response:
        """Return the answer to a visitor who has not granted what one of the site's endpoints needs: 403."""
        root_path = request.scope.get("root_path", "")
        if wants_json(request):
            settings = f"{root_path}{self._mount}/settings"
            needed = {"error": "consent_required", "category": category, "settings": settings}
            return json_response(needed, status=403)
        page = self._page.render_consent_needed(
            self._markup.language(request.scope, None),
            category,
            deny_only=self._deny_only,
            next_url=origin.next_path(request, request.url.path if request.method == "GET" else ""),
            root_path=root_path,
        )
        vary = {"Vary": "Cookie, Accept, Accept-Language, Sec-GPC"}
        return HTMLResponse(page, 403, headers={**PAGE_HEADERS, **vary})

    def _outer_root(self, request: Request) -> str:
        root_path: str = request.scope["root_path"]
        return root_path.removesuffix(self._mount)
