"""One response, on its way from the app: held until it is known whether and where markup goes in.

Owns the order of messages, and when Starlette's GZipResponder compresses in the app's stead. Messages are copied
and changed, never made anew, so that keys unknown here survive; what is neither a response's start nor body
passes as it is. What a page is, where markup goes, what becomes of validators and caches is asked of
`documents`, `places`, `validators` and `cachepolicy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from starlette.types import Message, Receive, Scope, Send

from consentkit.consent.cachepolicy import (
    fields_of,
    keep_private,
    kept_apart,
    may_be_shared,
    with_vary,
    without_vary,
)
from consentkit.consent.choice import Consent
from consentkit.consent.documents import (
    Asked,
    Asks,
    content_type_of,
    is_compressible,
    is_encoded,
    is_html_document,
    nonce_of,
)
from consentkit.consent.edits import Edit, edited
from consentkit.consent.fragments import EXEMPT_HEADER, Fragments, Insertion, markup_hash
from consentkit.consent.places import Places, PlaceSearch, Verdict
from consentkit.consent.validators import of_not_modified, our_tag, without_the_bytes
from consentkit.consent.waiting import granted_tags

if TYPE_CHECKING:
    from consentkit.consent.cachepolicy import Fields, Headers
    from consentkit.consent.htmlscan import PageBytes

_MINIMUM_SIZE_BYTES = 500  # Starlette's own default
_COMPRESS_LEVEL = 6  # zlib's default; 9 takes longer for hardly a byte
_ACCEPT_ENCODING = (b"Accept-Encoding",)
_VARY_BY_VISITOR = (b"Cookie", b"Sec-GPC")


class Counts(Protocol):
    """Count what became of pages; attributes as in `Inject`."""

    injected: int
    missed: int
    encoded: int
    wide: int


class Exchange(Struct, frozen=True):
    """Give what is known of a request by the time the app answers it.

    Attributes:
        scope: as it came.
        app_scope: as the app sees it, and leaves word in its state.
        asked: what the request asks for.
        tags: what the client holds, by what the app was asked for (`validators.Conditions`).
        send: to the server, without compression.
    """

    scope: Scope
    app_scope: Scope
    asked: Asked
    tags: dict[bytes, bytes]
    send: Send


class PageResponse:
    """Pass one response on, with markup where it is a page that gets some.

    At most 64 KiB of body and the chunk that exceeds them are held; with them, the start.

    Args:
        exchange: the request.
        fragments: gives the markup.
        counts: counts what became of pages.
    """

    __slots__ = (
        "_counts",
        "_exchange",
        "_fields",
        "_fragments",
        "_has_begun",
        "_held_body",
        "_page",
        "_search",
        "_send_body",
        "_start",
    )

    def __init__(self, exchange: Exchange, fragments: Fragments, counts: Counts) -> None:
        self._exchange = exchange
        self._fragments = fragments
        self._counts = counts
        self._send_body = exchange.send
        self._has_begun = False
        self._fields: Fields = {}
        self._start: Message | None = None  # held back as long as it is set
        self._held_body: Message | None = None  # the keys of all held body messages; their bytes are in _page
        self._page: PageBytes = b""
        self._search: PlaceSearch | None = None

    async def send(self, message: Message) -> None:
        """Take a message from the app."""
        kind = message["type"]
        if kind == "http.response.body":
            if self._start is None:
                await self._send_body(message)
            else:
                await self._hold(message)
        elif kind == "http.response.start" and not self._has_begun:
            self._has_begun = True
            await self._begin(message)
        else:
            if self._start is not None and self._search is not None:
                self._counts.missed += 1
            await self.let_go()
            await self._exchange.send(message)

    async def let_go(self) -> None:
        """Send what is held, without markup: the app has ended, or sent what may not be overtaken."""
        start, body = self._start, self._held_body
        if start is None:
            return
        self._start = self._held_body = None
        headers = start["headers"] if self._search is None else kept_apart(start["headers"])
        if body is None:
            await self._exchange.send({**start, "headers": headers})
            return
        # What is short would leave as it is, and the responder costs more than all else that is done here. It
        # appends its name to Vary where that stands already, too.
        is_short = not body["more_body"] and len(self._page) < _MINIMUM_SIZE_BYTES
        if self._exchange.asked.takes_gzip and not is_short:
            headers = without_vary(headers, *_ACCEPT_ENCODING)
            self._send_body = self._compressing()
        else:
            headers = with_vary(headers, _ACCEPT_ENCODING)
        await self._send_body({**start, "headers": headers})
        await self._send_body({**body, "body": bytes(self._page)})
        self._page = b""

    async def _begin(self, message: Message) -> None:
        """Judge the response by its start: hold it, or send it on with the headers it should have."""
        headers: Headers = list(message.get("headers", ()))
        self._fields = fields_of(headers)
        says_exempt = self._fields.get(EXEMPT_HEADER, (b"",))[0].strip() == b"1"
        is_exempt = says_exempt or self._is_marked("consentkit_exempt")
        is_head = self._exchange.scope["method"] == "HEAD"
        is_page = message["status"] == 200 and not is_exempt and self._takes_markup()
        if message["status"] == 304 and self._exchange.tags:
            headers = of_not_modified(headers, self._exchange.tags)
        is_ours = is_page or is_compressible(self._fields)
        if is_head and is_ours:
            headers = self._head_of(headers, is_page=is_page)
        start = {**message, "headers": headers}
        if is_head or not is_ours:
            await self._exchange.send(start)
            return
        self._start = start
        if is_page:
            self._search = PlaceSearch(charset_declared=content_type_of(self._fields).has_charset)

    def _takes_markup(self) -> bool:
        if not is_html_document(self._fields):
            return False
        if is_encoded(self._fields):
            self._counts.encoded += 1
            return False
        if not content_type_of(self._fields).takes_ascii:
            self._counts.wide += 1
            return False
        return True

    def _head_of(self, headers: Headers, *, is_page: bool) -> Headers:
        """Leave out what only the whole answer could tell (RFC 9110 §8.6, §9.3.2)."""
        if is_page:
            headers = without_the_bytes(headers)
            if not may_be_shared(self._fields):
                headers = keep_private(headers, vary=_VARY_BY_VISITOR)
            headers = kept_apart(headers)
        elif self._exchange.asked.takes_gzip:
            headers = [line for line in headers if line[0].lower() != b"content-length"]
        return with_vary(headers, _ACCEPT_ENCODING)

    async def _hold(self, message: Message) -> None:
        body, more_body = bytes(message.get("body", b"")), message.get("more_body", False)
        self._held_body = {**(self._held_body or {}), **message, "more_body": more_body}
        if not self._page:
            self._page = body
        elif isinstance(self._page, bytearray):
            self._page += body
        else:
            self._page = bytearray(self._page + body)
        verdict = Verdict.NO_PLACE
        if self._search is not None:
            verdict = self._search.go_on(self._page, ended=not more_body)
            if verdict is Verdict.SEEKING:
                return
            self._count(verdict)
        if verdict is Verdict.FOUND and self._search is not None and self._search.places is not None:
            self._insert(self._search.places)
        await self.let_go()

    def _count(self, verdict: Verdict) -> None:
        if verdict is Verdict.WIDE:
            self._counts.wide += 1
        elif verdict is Verdict.NO_PLACE and self._page.strip():
            self._counts.missed += 1

    def _insert(self, places: Places) -> None:
        """Put the markup into what is held, if this page gets any."""
        is_fragment = self._exchange.asked.asks is not Asks.PAGE and not places.is_whole_page
        if self._start is None or is_fragment:
            return
        may_share = may_be_shared(self._fields)
        edits = [] if may_share else self._granted()
        # What the page's own template placed is this visitor's, whatever the app says of caches.
        is_placed = self._is_marked("consentkit_placed")
        shared = may_share and not is_placed and not self._is_marked("consentkit_personal")
        insertion, nonce = None, nonce_of(self._fields)
        if not is_placed:
            insertion = self._fragments.insertion(
                self._exchange.scope, page_language=places.language, shared=shared, nonce=nonce
            )
        if insertion is not None and (insertion.head or insertion.body):
            edits = [Edit(places.head_at, insertion.head), Edit(places.body_at, insertion.body), *edits]
            self._counts.injected += 1
        elif not is_placed and not edits:
            return
        headers: Headers = self._start["headers"]
        if edits:
            headers = self._headers_with(edits, headers)
        if insertion is not None and nonce is None:  # a 304 would bring the next nonce to this one's markup
            headers = self._with_our_tag(insertion, headers)
        if not shared:
            needs_language = () if is_placed or places.language else (b"Accept-Language",)
            headers = keep_private(headers, vary=(*_VARY_BY_VISITOR, *needs_language))
        self._start = {**self._start, "headers": headers}
        self._page = edited(self._page, edits)

    def _granted(self) -> list[Edit]:
        """Return what takes the tags away around markup that waited for the consent this visitor has given."""
        state = self._exchange.scope.get("state")
        consent = state.get("consent") if isinstance(state, Mapping) else None
        if not isinstance(consent, Consent):
            return []
        return [Edit(at, b"", end - at) for at, end in granted_tags(self._page, consent)]

    def _headers_with(self, edits: Sequence[Edit], headers: Headers) -> Headers:
        changed = without_the_bytes(headers)
        length = self._fields.get(b"content-length", (b"",))[0]
        if length.isdigit():
            changed.append((b"content-length", b"%d" % (int(length) + sum(edit.growth for edit in edits))))
        return changed

    def _with_our_tag(self, insertion: Insertion, headers: Headers) -> Headers:
        etag = self._fields.get(b"etag", (None,))[0]
        last_modified = self._fields.get(b"last-modified", (None,))[0]
        if etag is None and last_modified is None:
            return headers
        tag = our_tag(etag, last_modified, markup_hash(insertion))
        return [*headers, (b"etag", tag)] if tag else headers

    def _compressing(self) -> Send:
        """Return a send through compression; it changes its messages, and wants a body in each."""
        from starlette.middleware.gzip import GZipResponder  # noqa: PLC0415 - brings asyncio and http.client along

        responder = GZipResponder(_no_app, _MINIMUM_SIZE_BYTES, compresslevel=_COMPRESS_LEVEL)
        responder.send = self._send_varied

        async def send_compressed(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": message.get("body", b"")}
            await responder.send_with_compression(message)

        return send_compressed

    async def _send_varied(self, message: Message) -> None:
        """Mark the response as chosen by Accept-Encoding where the responder left it as it was, too."""
        if message["type"] == "http.response.start":
            message = {**message, "headers": with_vary(message["headers"], _ACCEPT_ENCODING)}
        await self._exchange.send(message)

    def _is_marked(self, mark: str) -> bool:
        state = self._exchange.app_scope.get("state")
        return isinstance(state, Mapping) and bool(state.get(mark))


async def _no_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for the app that a responder asks for, and here never runs: messages are handed to it one by one."""
