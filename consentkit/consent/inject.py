"""Markup in pages, on the wire: ASGI middleware around the app.

Owns which requests are looked at, and what the app sees of them: a page must come plain, so for a request that
may be answered with one the app is shown ``Accept-Encoding: identity``. The response, and its compression in the
app's stead, are left to `pageresponse`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from consentkit.consent.cachepolicy import fields_of, kept_apart
from consentkit.consent.documents import Asked, asked_of, is_html_document
from consentkit.consent.fragments import EXEMPT_HEADER, Fragments, Insertion, markup_hash
from consentkit.consent.pageresponse import Exchange, PageResponse
from consentkit.consent.validators import for_the_app

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Fragments", "Inject", "Insertion", "markup_hash"]

_IDENTITY = (b"accept-encoding", b"identity")
# By these a server sends a file itself; a page must come as bytes.
_FILE_EXTENSIONS = frozenset(("http.response.pathsend", "http.response.zerocopysend"))


class Inject:
    """Put markup into the pages that the app answers.

    Args:
        app: the site.
        fragments: gives the markup.
        enabled: False passes everything through.

    Attributes:
        injected: pages that got markup.
        missed: pages in whose first 64 KiB no place was found.
        encoded: pages that came compressed all the same, and were left alone.
        wide: pages in UTF-16 or UTF-32, left alone.
    """

    def __init__(self, app: ASGIApp, fragments: Fragments, *, enabled: bool = True) -> None:
        self.injected = 0
        self.missed = 0
        self.encoded = 0
        self.wide = 0
        self._app = app
        self._fragments = fragments
        self._enabled = enabled

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one scope; what can't be answered with a page goes to the app as it came."""
        if not self._enabled or scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return self._app(scope, receive, send)
        asked = asked_of(scope["headers"], scope["path"])
        if asked is None:
            return self._app(scope, receive, _apart(send))
        return self._answer(self._exchange(scope, asked, send), receive)

    def _exchange(self, scope: Scope, asked: Asked, send: Send) -> Exchange:
        headers = [line for line in scope["headers"] if line[0] != b"accept-encoding"]
        headers.append(_IDENTITY)
        tags: dict[bytes, bytes] = {}
        if asked.has_conditions:
            conditions = for_the_app(
                headers, hashes=self._fragments.shared_hashes, keeps_foreign=asked.keeps_foreign
            )
            headers, tags = conditions.headers, conditions.tags
        app_scope = {**scope, "headers": headers}
        extensions = scope.get("extensions")
        if extensions and not _FILE_EXTENSIONS.isdisjoint(extensions):
            app_scope["extensions"] = {
                name: extensions[name] for name in extensions if name not in _FILE_EXTENSIONS
            }
        return Exchange(scope, app_scope, asked, tags, send)

    async def _answer(self, exchange: Exchange, receive: Receive) -> None:
        response = PageResponse(exchange, self._fragments, self)
        try:
            await self._app(exchange.app_scope, receive, response.send)
        except Exception:
            # Without us the server would have had these messages before the error, so it gets them now. If it
            # can't take them the client is gone, and the app's own error is the one to tell of.
            with suppress(OSError):
                await response.let_go()
            raise
        await response.let_go()


def _apart(send: Send) -> Send:
    """Return a send that keeps HTML which was not asked for as a page from those who ask for one."""

    def send_apart(message: Message) -> Awaitable[None]:
        is_good = message["type"] == "http.response.start" and message["status"] == 200
        return send(_kept_apart(message) if is_good else message)

    return send_apart


def _kept_apart(message: Message) -> Message:
    headers = list(message.get("headers", ()))
    fields = fields_of(headers)
    if is_html_document(fields) and EXEMPT_HEADER not in fields:
        headers = kept_apart(headers)
    return {**message, "headers": headers}
