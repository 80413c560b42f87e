"""Markup in pages, over plain ASGI calls."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from consentkit.consent.inject import Inject, Insertion, markup_hash

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD, BODY = b"<link rel=stylesheet href=/ck.css>", b"<div id=consentkit>" + b"x" * 600 + b"</div>"
NAVIGATION = [(b"accept", b"text/html,*/*;q=0.8"), (b"sec-fetch-dest", b"document")]
PAGE = b"<!doctype html><html lang=lv><head><title>x</title></head><body class=a><p>Hello</p></body></html>"
INJECTED = PAGE.replace(b"<head>", b"<head>" + HEAD).replace(b"<body class=a>", b"<body class=a>" + BODY)
Headers = list[tuple[bytes, bytes]]


class Markup:
    """Markup by language, as a visitor's pages would give it."""

    def __init__(self) -> None:
        self.version = b""
        self.asked: list[tuple[str | None, bool, str | None]] = []
        self.wanted = True

    def of(self, page_language: str | None) -> Insertion:
        return Insertion(HEAD + self.version, BODY if page_language else BODY + b"<i>")

    def insertion(
        self, scope: Scope, *, page_language: str | None, shared: bool, nonce: str | None
    ) -> Insertion | None:
        self.asked.append((page_language, shared, nonce))
        return self.of(page_language) if self.wanted else None

    def shared_hashes(self) -> frozenset[str]:
        return frozenset({markup_hash(self.of("lv")), markup_hash(self.of(None))})


class Answer:
    """What reached the server."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    @property
    def start(self) -> Message:
        return next(message for message in self.messages if message["type"] == "http.response.start")

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages if m["type"] == "http.response.body")

    @property
    def types(self) -> list[str]:
        return [message["type"].removeprefix("http.response.") for message in self.messages]

    def header(self, name: str) -> str | None:
        values = [value for line, value in self.start["headers"] if line.lower() == name.encode()]
        assert len(values) < 2, name
        return values[0].decode("latin-1") if values else None


def scope_of(headers: Headers = NAVIGATION, *, path: str = "/", method: str = "GET", **more: object) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.1", 4000),
        "server": ("example.lv", 443),
        "state": {},
        **more,
    }


def call(app: ASGIApp, scope: Scope | None = None, *, answer: Answer | None = None) -> Answer:
    received = answer or Answer()

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        received.messages.append(message)

    asyncio.run(app(scope or scope_of(), receive, send))  # type: ignore[arg-type]
    return received


def sends(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200, html: bool = True, **more: object) -> Message:
    kind = [(b"content-type", b"text/html; charset=utf-8")] if html else []
    return {"type": "http.response.start", "status": status, "headers": [*kind, *headers], **more}


def body(data: bytes, *, more_body: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more_body}


def page_app(*headers: tuple[bytes, bytes], page: bytes = PAGE, status: int = 200) -> ASGIApp:
    return sends(start(*headers, status=status), body(page))


def test_a_page_gets_its_markup_and_the_right_length() -> None:
    markup = Markup()
    inject = Inject(page_app((b"content-length", b"%d" % len(PAGE))), markup)
    answer = call(inject)
    assert answer.body == INJECTED
    assert answer.header("content-length") == str(len(INJECTED))
    assert markup.asked == [("lv", False, None)]
    assert inject.injected == 1


@pytest.mark.parametrize(
    ("scope", "app"),
    [
        pytest.param(scope_of(method="POST"), page_app(), id="POST"),
        pytest.param(scope_of([(b"sec-fetch-dest", b"iframe")]), page_app(), id="iframe"),
        pytest.param(scope_of([(b"hx-request", b"true")]), page_app(), id="htmx"),
        pytest.param(scope_of([(b"turbo-frame", b"x")]), page_app(), id="Turbo frame"),
        pytest.param(scope_of([(b"sec-fetch-dest", b"empty")]), page_app(), id="fetch"),
        pytest.param(scope_of([]), page_app(page=b"<li>one</li>"), id="fragment for a program"),
        pytest.param(scope_of(), page_app(status=404), id="404"),
        pytest.param(scope_of(), page_app((b"content-range", b"bytes 0-9/99"), status=206), id="206"),
        pytest.param(scope_of(), page_app((b"content-encoding", b"br")), id="encoded"),
        pytest.param(scope_of(), page_app((b"content-disposition", b"attachment")), id="attachment"),
        pytest.param(
            scope_of(),
            sends(start((b"content-type", b"application/xhtml+xml"), html=False), body(PAGE)),
            id="XHTML",
        ),
        pytest.param(
            scope_of(), sends(start((b"content-type", b"text/event-stream"), html=False), body(PAGE)), id="stream"
        ),
        pytest.param(scope_of(), sends(start(html=False), body(PAGE)), id="no type"),
        pytest.param(scope_of(), page_app(page=b" \n"), id="empty page"),
        pytest.param(scope_of(), page_app(page=PAGE.decode().encode("utf-16")), id="UTF-16"),
        pytest.param(
            scope_of(), page_app(page=b"<html><head>" + b" " * 70_000 + b"<body>"), id="body tag too far"
        ),
        pytest.param(scope_of(state={"consentkit_exempt": True}), page_app(), id="exempt"),
    ],
)
def test_what_is_no_page_passes_as_it_is(scope: Scope, app: ASGIApp) -> None:
    plain, markup = call(app, scope), Markup()
    answer = call(Inject(app, markup), scope)
    assert answer.body == plain.body
    kept = [line for line in answer.start["headers"] if line[0] != b"vary"]
    assert kept == plain.start["headers"]
    assert {*(answer.header("vary") or "").split(", ")} <= {"", "Accept-Encoding", "Sec-Fetch-Dest"}
    assert markup.asked == []


def test_a_page_that_placed_the_banner_itself_stays_as_it_is_and_is_this_visitors_alone() -> None:
    answer = call(Inject(page_app(), Markup()), scope_of(state={"consentkit_placed": True}))
    assert answer.body == PAGE
    assert (b"cache-control", b"private") in answer.start["headers"]


def test_nothing_is_touched_when_switched_off() -> None:
    app = page_app()
    assert call(Inject(app, Markup(), enabled=False)).messages == call(app).messages


def test_a_page_that_gets_no_markup_keeps_its_headers() -> None:
    markup = Markup()
    markup.wanted = False
    headers = ((b"etag", b'"abc"'), (b"accept-ranges", b"bytes"))
    answer = call(Inject(page_app(*headers), markup))
    assert answer.body == PAGE
    assert set(headers) <= set(answer.start["headers"])
    assert answer.header("cache-control") is None


def test_what_was_left_alone_is_counted() -> None:
    apps = [
        page_app((b"content-encoding", b"br")),
        page_app(page=b"<html><!-- "),
        page_app(page=PAGE.decode().encode("utf-16")),
        sends(start((b"content-type", b"text/html; charset=utf-16le"), html=False), body(b"<\0")),
        page_app(),
    ]
    counts = []
    for app in apps:
        inject = Inject(app, Markup())
        call(inject)
        counts.append((inject.injected, inject.missed, inject.encoded, inject.wide))
    assert counts == [(0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1), (0, 0, 0, 1), (1, 0, 0, 0)]


# Messages


def test_unknown_keys_survive_and_other_messages_keep_their_place() -> None:
    hint: Message = {"type": "http.response.early_hint", "links": []}
    debug: Message = {"type": "http.response.debug", "info": {}}
    trailers: Message = {"type": "http.response.trailers", "headers": [], "more_trailers": False}
    app = sends(
        hint,
        debug,
        start(trailers=True, future=1),
        {**body(PAGE[:30], more_body=True), "future": 2},
        body(PAGE[30:]),
        trailers,
    )
    answer = call(Inject(app, Markup()))
    assert answer.types == ["early_hint", "debug", "start", "body", "trailers"]
    assert (answer.start["trailers"], answer.start["future"], answer.messages[3]["future"]) == (True, 1, 2)
    assert answer.messages[3]["more_body"] is False
    assert answer.body == INJECTED


def test_a_message_that_may_not_be_overtaken_ends_the_search() -> None:
    push: Message = {"type": "http.response.push", "path": "/x", "headers": []}
    inject = Inject(sends(start(), push, body(PAGE)), Markup())
    answer = call(inject)
    assert answer.types == ["start", "push", "body"]
    assert answer.body == PAGE
    assert inject.missed == 1


def test_neither_the_servers_scope_nor_the_apps_message_is_changed() -> None:
    headers: Headers = [*NAVIGATION, (b"accept-encoding", b"gzip"), (b"if-none-match", b'"x"')]
    extensions: dict[str, dict[str, str]] = {"http.response.pathsend": {}, "http.response.trailers": {}}
    scope = scope_of(list(headers), extensions=extensions)
    message, page = start(), body(PAGE * 9)
    sent_headers = list(message["headers"])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(message)
        await send(page)

    before = dict(scope)
    call(Inject(app, Markup()), scope)
    assert scope == before
    assert scope["headers"] == headers
    assert list(extensions) == ["http.response.pathsend", "http.response.trailers"]
    assert message["headers"] == sent_headers
    assert page["body"] == PAGE * 9


def test_a_state_that_can_not_be_written_is_only_read() -> None:
    class Frozen(dict[str, object]):
        def __setitem__(self, key: str, value: object) -> None:
            raise TypeError

    assert call(Inject(page_app(), Markup()), scope_of(state=Frozen())).body == INJECTED


def test_scopes_other_than_http_reach_the_app_as_they_came() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    for kind in ("websocket", "lifespan"):
        scope: Scope = {"type": kind}
        call(Inject(app, Markup()), scope)
        assert seen.pop() is scope


# Streaming


def test_chunks_pass_at_once_when_the_markup_is_in() -> None:
    answer = Answer()
    held: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        for chunk in (b"<html><head>", b"</head>", b"<body>", b"one", b"two"):
            await send(body(chunk, more_body=True))
            held.append(len(answer.messages))
        await send(body(b""))

    call(Inject(app, Markup()), answer=answer)
    assert held == [0, 0, 2, 3, 4]
    assert answer.body == b"<html><head>" + HEAD + b"</head><body>" + BODY + b"<i>onetwo"


def test_no_more_than_64_kib_are_held() -> None:
    answer = Answer()
    most = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal most
        await send(start())
        for sent in range(0, 300_000, 1000):
            await send(body(b" " * 1000, more_body=True))
            most = max(most, sent + 1000 - len(answer.body))
        await send(body(b"<p>"))

    call(Inject(app, Markup()), answer=answer)
    assert most <= 65_536
    assert answer.body == b" " * 300_000 + b"<p>"


@given(cuts=st.lists(st.integers(0, len(PAGE) - 1), max_size=12), encoding=st.sampled_from([b"identity", b"gzip"]))
def test_the_page_is_the_same_however_it_is_cut(cuts: list[int], encoding: bytes) -> None:
    edges = [0, *sorted(cuts), len(PAGE)]
    chunks = [body(PAGE[a:b], more_body=b < len(PAGE)) for a, b in itertools.pairwise(edges)]
    answer = call(
        Inject(sends(start(), *chunks), Markup()), scope_of([*NAVIGATION, (b"accept-encoding", encoding)])
    )
    sent = gzip.decompress(answer.body) if answer.header("content-encoding") == "gzip" else answer.body
    assert sent == INJECTED


PIECES = [b"<html>", b"<head>", b"</head>", b"<body>", b"<body a='>'>", b"<!--", b"-->", b"<title>", b"</title>"]
PIECES += [
    b"<script>",
    b"</script>",
    b"text",
    b"<p>",
    b" ",
    b"<",
    b"\xff",
    b"<!doctype html>",
    b"<meta charset=x>",
]


@given(page=st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
def test_without_the_markup_the_apps_bytes_are_left(page: bytes) -> None:
    inject = Inject(page_app(page=page), Markup())
    sent = call(inject).body
    assert sent.replace(HEAD, b"").replace(BODY + b"<i>", b"") == page
    assert (sent == page) is (inject.injected == 0)


@pytest.mark.parametrize("length", [b"7", b"99999", b"many"])
def test_a_wrong_content_length_stays_the_apps_own_fault(length: bytes) -> None:
    answer = call(Inject(page_app((b"content-length", length)), Markup()))
    added = len(INJECTED) - len(PAGE)
    assert answer.body == INJECTED
    assert answer.header("content-length") == (str(int(length) + added) if length.isdigit() else None)


# Errors


class Broken(Exception):
    """The app's own fault."""


@pytest.mark.parametrize(
    ("sent", "types"),
    [
        pytest.param([], [], id="before the start"),
        pytest.param([start()], ["start"], id="behind the start"),
        pytest.param([start(), body(b"<html>", more_body=True)], ["start", "body"], id="while the body is held"),
        pytest.param([start(), body(PAGE, more_body=True)], ["start", "body"], id="behind the markup"),
        pytest.param([start(html=False)], ["start"], id="no page"),
    ],
)
@pytest.mark.parametrize("encoding", [b"gzip", b"identity"])
def test_an_apps_error_leaves_the_server_what_it_would_have_had(
    sent: list[Message], types: list[str], encoding: bytes
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send(dict(message))
        raise Broken

    answer = Answer()
    scope = scope_of([*NAVIGATION, (b"accept-encoding", encoding)])
    with pytest.raises(Broken):
        call(Inject(app, Markup()), scope, answer=answer)
    assert answer.types == types


def test_an_apps_error_is_told_even_if_the_client_is_gone() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        raise Broken

    async def send(message: Message) -> None:
        raise OSError

    with pytest.raises(Broken):
        asyncio.run(Inject(app, Markup())(scope_of(), None, send))  # type: ignore[arg-type]


def test_a_client_that_is_gone_is_told_to_the_app() -> None:
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await page_app()(scope, receive, send)
        except OSError:
            told.append("gone")

    async def send(message: Message) -> None:
        raise OSError

    with contextlib.suppress(OSError):
        asyncio.run(Inject(app, Markup())(scope_of(), None, send))  # type: ignore[arg-type]
    assert told == ["gone"]


def test_an_app_that_ends_without_a_body_leaves_its_start() -> None:
    assert call(Inject(sends(start()), Markup())).types == ["start"]


def test_a_500_that_the_app_sends_itself_is_untouched() -> None:
    async def broken(request: Request) -> Response:
        raise Broken

    answer = Answer()
    with pytest.raises(Broken):
        call(Inject(Starlette(routes=[Route("/", broken)]), Markup()), answer=answer)
    assert (answer.start["status"], answer.body) == (500, b"Internal Server Error")


# Caches


@pytest.mark.parametrize(
    ("headers", "shared"),
    [
        pytest.param([], False, id="nothing said"),
        pytest.param([(b"cache-control", b"no-cache")], False, id="no-cache"),
        pytest.param([(b"cache-control", b"public, max-age=60")], True, id="public"),
        pytest.param([(b"etag", b'"abc"')], True, id="etag"),
        pytest.param([(b"last-modified", b"Sun, 06 Nov 1994 08:49:37 GMT")], True, id="last-modified"),
    ],
)
def test_only_what_no_other_visitor_may_get_is_the_visitors_own(headers: Headers, shared: bool) -> None:
    markup = Markup()
    answer = call(Inject(page_app(*headers, page=PAGE.replace(b" lang=lv", b"")), markup))
    assert markup.asked == [(None, shared, None)]
    if shared:
        assert (answer.header("cache-control") or "").encode() == dict(headers).get(b"cache-control", b"")
        assert answer.header("vary") == "Sec-Fetch-Dest, Accept-Encoding"
    else:
        assert "private" in (answer.header("cache-control") or "")
        assert answer.header("vary") == "Cookie, Sec-GPC, Accept-Language, Accept-Encoding"


def test_a_page_with_a_language_does_not_vary_by_that_of_the_browser() -> None:
    assert (
        call(Inject(page_app((b"vary", b"cookie")), Markup())).header("vary") == "cookie, Sec-GPC, Accept-Encoding"
    )


def test_what_described_the_apps_bytes_is_gone() -> None:
    names = [b"Accept-Ranges", b"Content-MD5", b"Digest", b"Repr-Digest", b"Content-Digest", b"Last-Modified"]
    answer = call(Inject(page_app(*((name, b"x") for name in names), (b"x-frame-options", b"DENY")), Markup()))
    assert not {name.lower() for name in names} & {name.lower() for name, _ in answer.start["headers"]}
    assert answer.header("x-frame-options") == "DENY"


def cached_page(request: Request) -> Response:
    if request.headers.get("if-none-match") == 'W/"v1"':
        return Response(status_code=304, headers={"etag": 'W/"v1"', "content-length": "5"})
    return HTMLResponse(PAGE, headers={"etag": 'W/"v1"'})


def dated_page(request: Request) -> Response:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    if request.headers.get("if-modified-since") == date:
        return Response(status_code=304, headers={"last-modified": date})
    return HTMLResponse(PAGE, headers={"last-modified": date})


@pytest.mark.parametrize("page", [cached_page, dated_page], ids=["etag", "last-modified"])
def test_a_304_follows_only_while_the_markup_is_the_same(page: Callable[[Request], Response]) -> None:
    markup = Markup()
    inject = Inject(Starlette(routes=[Route("/", page)]), markup)
    tag = call(inject).header("etag")
    assert tag is not None
    again = scope_of([*NAVIGATION, (b"if-none-match", tag.encode())])
    unchanged = call(inject, again)
    assert (unchanged.start["status"], unchanged.header("etag"), unchanged.body) == (304, tag, b"")
    assert unchanged.header("last-modified") is None
    markup.version = b"<!-- new -->"
    changed = call(inject, again)
    assert changed.start["status"] == 200
    assert b"<!-- new -->" in changed.body
    assert changed.header("etag") not in (None, tag)


def test_a_page_kept_from_before_is_not_confirmed() -> None:
    inject = Inject(Starlette(routes=[Route("/", cached_page)]), Markup())
    answer = call(inject, scope_of([*NAVIGATION, (b"if-none-match", b'W/"v1"')]))
    assert (answer.start["status"], answer.body) == (200, INJECTED)


def test_a_page_with_a_nonce_can_not_be_confirmed() -> None:
    markup = Markup()
    policy = (b"content-security-policy", b"script-src 'nonce-Abc='")
    answer = call(Inject(page_app(policy, (b"etag", b'"abc"')), markup))
    assert markup.asked == [("lv", True, "Abc=")]
    assert answer.header("etag") is None


# Exemption


def test_an_exempt_response_passes_as_it_is() -> None:
    answer = call(Inject(page_app((b"ConsentKit-Exempt", b"1"), (b"etag", b'"abc"')), Markup()))
    assert answer.body == PAGE
    assert answer.header("consentkit-exempt") == "1"  # the gate takes it off
    assert answer.header("etag") == '"abc"'


def test_a_route_may_exempt_itself_while_it_answers() -> None:
    async def page(request: Request) -> Response:
        request.state.consentkit_exempt = True
        return HTMLResponse(PAGE)

    assert call(Inject(Starlette(routes=[Route("/", page)]), Markup())).body == PAGE


def test_a_page_that_places_the_banner_while_it_streams_gets_no_second() -> None:
    async def page(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"<html><head>"
            request.state.consentkit_placed = True
            yield b"</head><body>"

        return StreamingResponse(chunks(), media_type="text/html")

    assert call(Inject(Starlette(routes=[Route("/", page)]), Markup())).body == b"<html><head></head><body>"


# Compression


@pytest.mark.parametrize("inner", [False, True], ids=["app without gzip", "app with gzip"])
def test_a_page_is_compressed_once_when_the_client_takes_it(inner: bool) -> None:
    seen: list[str | None] = []

    async def page(request: Request) -> Response:
        seen.append(request.headers.get("accept-encoding"))
        return HTMLResponse(PAGE * 9)

    middleware = [Middleware(GZipMiddleware)] if inner else []
    inject = Inject(Starlette(routes=[Route("/", page)], middleware=middleware), Markup())
    answer = call(inject, scope_of([*NAVIGATION, (b"accept-encoding", b"gzip, br")]))
    assert answer.header("content-encoding") == "gzip"
    assert gzip.decompress(answer.body).startswith(INJECTED)
    assert answer.header("content-length") == str(len(answer.body))
    assert answer.header("vary") == "Cookie, Sec-GPC, Accept-Encoding"
    assert seen == ["identity"]
    assert inject.encoded == 0


def test_a_small_page_says_all_the_same_that_it_may_be_compressed() -> None:
    inject = Inject(page_app((b"vary", b"accept-encoding"), page=b"<p>", status=404), Markup())
    answer = call(inject, scope_of([*NAVIGATION, (b"accept-encoding", b"gzip")]))
    assert answer.body == b"<p>"
    assert answer.header("vary") == "accept-encoding"  # the app's own, and once


def test_a_short_text_says_that_a_longer_one_would_be_compressed() -> None:
    inject = Inject(page_app((b"vary", b"Origin"), page=b"<p>", status=404), Markup())
    answer = call(inject, scope_of([*NAVIGATION, (b"accept-encoding", b"gzip")]))
    assert answer.body == b"<p>"
    assert answer.header("content-encoding") is None
    assert answer.header("vary") == "Origin, Accept-Encoding"


@pytest.mark.parametrize("accepted", [b"br", b"gzip;q=0", b"identity"])
def test_a_page_stays_plain_when_the_client_does_not_take_gzip(accepted: bytes) -> None:
    answer = call(Inject(page_app(), Markup()), scope_of([*NAVIGATION, (b"accept-encoding", accepted)]))
    assert answer.body == INJECTED
    assert answer.header("vary") == "Cookie, Sec-GPC, Accept-Encoding"


@pytest.mark.parametrize(
    ("kind", "compressed"),
    [(b"application/json", True), (b"application/pdf", False), (b"application/octet-stream", False)],
)
def test_other_answers_are_compressed_only_where_it_helps(kind: bytes, compressed: bool) -> None:
    app = sends(start((b"content-type", kind), (b"content-length", b"9000"), html=False), body(b"x" * 9000))
    answer = call(Inject(app, Markup()), scope_of([(b"accept-encoding", b"gzip")]))
    assert (answer.header("content-encoding") == "gzip") is compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body) == b"x" * 9000
    assert answer.header("content-length") == str(len(answer.body))


def test_a_streamed_page_is_compressed_chunk_by_chunk() -> None:
    app = sends(start(), body(PAGE, more_body=True), body(b"more", more_body=True), body(b""))
    answer = call(Inject(app, Markup()), scope_of([*NAVIGATION, (b"accept-encoding", b"gzip")]))
    assert answer.types == ["start", "body", "body", "body"]
    assert gzip.decompress(answer.body) == INJECTED + b"more"


def test_requests_for_other_things_keep_their_encoding_and_extensions() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = scope_of([(b"sec-fetch-dest", b"style"), (b"accept-encoding", b"br")])
    call(Inject(app, Markup()), scope)
    assert seen == [scope]
    assert seen[0] is scope


# HEAD


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        pytest.param(
            [(b"content-length", b"99"), (b"accept-ranges", b"bytes"), (b"x", b"y")],
            [(b"x", b"y"), (b"cache-control", b"private"), (b"vary", b"Cookie, Sec-GPC, Accept-Encoding")],
            id="visitor's own",
        ),
        pytest.param(
            [(b"content-length", b"99"), (b"etag", b'"abc"'), (b"cache-control", b"max-age=9")],
            [(b"cache-control", b"max-age=9"), (b"vary", b"Sec-Fetch-Dest, Accept-Encoding")],
            id="shared",
        ),
    ],
)
def test_head_says_nothing_that_get_would_not(headers: Headers, kept: Headers) -> None:
    answer = call(Inject(sends(start(*headers), body(b"")), Markup()), scope_of(method="HEAD"))
    assert answer.start["headers"] == [(b"content-type", b"text/html; charset=utf-8"), *kept]
    assert answer.types == ["start", "body"]


def test_head_of_something_else_is_untouched() -> None:
    app = sends(start((b"content-type", b"image/png"), (b"content-length", b"99"), html=False), body(b""))
    assert call(Inject(app, Markup()), scope_of(method="HEAD")).messages == call(app).messages


# Real apps


@pytest.fixture
def site(tmp_path: Path) -> Starlette:
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "page.html").write_bytes(PAGE)
    (tmp_path / "style.css").write_bytes(b"a{}" * 500)

    async def chunks() -> AsyncIterator[str]:
        for at in range(0, len(PAGE), 7):
            yield PAGE[at : at + 7].decode()

    def route(path: str, answer: Callable[[], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            return answer()

        return Route(path, endpoint)

    return Starlette(
        routes=[
            route("/stream", lambda: StreamingResponse(chunks(), media_type="text/html")),
            route("/json", lambda: JSONResponse({"a": 1})),
            route("/file", lambda: FileResponse(tmp_path / "page.html")),
            route("/download", lambda: FileResponse(tmp_path / "page.html", filename="page.html")),
            Mount("/", StaticFiles(directory=tmp_path, html=True)),
        ]
    )


PATHSEND: dict[str, dict[str, str]] = {"http.response.pathsend": {}, "http.response.zerocopysend": {}}


@pytest.mark.parametrize("path", ["/", "/page.html", "/file", "/stream"])
def test_pages_of_real_apps_get_their_markup(site: Starlette, path: str) -> None:
    answer = call(Inject(site, Markup()), scope_of(path=path, extensions=PATHSEND))
    assert answer.body == INJECTED
    assert answer.header("content-length") in (None, str(len(INJECTED)))
    assert answer.header("accept-ranges") is None


@pytest.mark.parametrize("path", ["/json", "/download", "/style.css"])
def test_other_answers_of_real_apps_are_their_own(site: Starlette, path: str) -> None:
    plain = call(site, scope_of(path=path))
    answer = call(Inject(site, Markup()), scope_of(path=path))
    assert answer.body == plain.body
    assert answer.header("etag") == plain.header("etag")
    assert answer.header("content-length") == plain.header("content-length")


def test_a_server_sends_files_itself_where_no_page_can_come(site: Starlette) -> None:
    headers = [(b"sec-fetch-dest", b"style")]
    answer = call(Inject(site, Markup()), scope_of(headers, path="/style.css", extensions=PATHSEND))
    assert answer.types == ["start", "pathsend"]


def test_a_file_sent_past_us_all_the_same_passes() -> None:
    pathsend: Message = {"type": "http.response.pathsend", "path": "/page.html"}
    inject = Inject(sends(start(), pathsend), Markup())
    assert call(inject).types == ["start", "pathsend"]
    assert inject.missed == 1


def test_static_pages_are_confirmed_under_our_tag(site: Starlette) -> None:
    inject = Inject(site, Markup())
    first = call(inject, scope_of(path="/page.html"))
    tag = first.header("etag")
    assert tag is not None
    assert tag.startswith('W/"')
    assert first.header("last-modified") is None
    again = call(inject, scope_of([*NAVIGATION, (b"if-none-match", tag.encode())], path="/page.html"))
    assert (again.start["status"], again.header("etag")) == (304, tag)


@pytest.mark.parametrize("condition", [b"if-none-match", b"if-modified-since"])
def test_other_static_files_are_confirmed_under_the_apps_validator(site: Starlette, condition: bytes) -> None:
    validator = "etag" if condition == b"if-none-match" else "last-modified"
    held = call(site, scope_of(path="/style.css")).header(validator)
    assert held is not None
    answer = call(Inject(site, Markup()), scope_of([*NAVIGATION, (condition, held.encode())], path="/style.css"))
    assert answer.start["status"] == 304


def test_a_range_of_a_page_passes_as_it_is(site: Starlette) -> None:
    answer = call(Inject(site, Markup()), scope_of([*NAVIGATION, (b"range", b"bytes=0-9")], path="/page.html"))
    assert (answer.start["status"], answer.body) == (206, PAGE[:10])


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_markups_hash_tells_all_of_it(size: int) -> None:
    markups: Iterable[tuple[bytes, bytes]] = [(b"ab", b"c"), (b"a", b"bc"), (b"abc", b""), (b"a" * size, b"x")]
    hashes = {markup_hash(Insertion(*pair)) for pair in markups}
    assert len(hashes) == 4
    assert all(len(digits) == 8 and int(digits, 16) >= 0 for digits in hashes)
