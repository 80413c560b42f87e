"""Markup in pages of every make: where it goes, and what of the app's own bytes is left as it was."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Scope

from consentkit.consent.inject import Inject, Insertion, markup_hash
from tests.consent.calls import Headers, answer, body_of, call, chunks_of, sends

HEAD, BODY = b"<link rel=stylesheet href=/ck.css>", b"<div id=consentkit></div>"
LIMIT_BYTES = 65_536

NAVIGATION = [(b"accept", b"text/html"), (b"sec-fetch-dest", b"document")]
SCRIPT = [(b"accept", b"*/*"), (b"sec-fetch-dest", b"empty")]
PROGRAM = [(b"accept", b"*/*")]
HTML = (b"content-type", b"text/html; charset=utf-8")
UNDECLARED = (b"content-type", b"text/html")


class Markup:
    """The same for every page."""

    def insertion(
        self, scope: Scope, *, page_language: str | None, shared: bool, nonce: str | None
    ) -> Insertion | None:
        return Insertion(HEAD, BODY)

    def shared_hashes(self) -> frozenset[str]:
        return frozenset({markup_hash(Insertion(HEAD, BODY))})


def injected(page: bytes, *headers: tuple[bytes, bytes], sizes: tuple[int, ...] = ()) -> bytes:
    return body_of(
        call(Inject(sends(answer(*(headers or (HTML,))), *chunks_of(page, *sizes)), Markup()), NAVIGATION)
    )


def marked(page: bytes) -> bytes:
    return page.replace(b"[H]", HEAD).replace(b"[B]", BODY)


def plain(page: bytes) -> bytes:
    return page.replace(b"[H]", b"").replace(b"[B]", b"")


PAGES = [
    pytest.param(b"<!doctype html><html><head>[H]</head><body>[B]<p>x</p></body></html>", id="ordinary"),
    pytest.param(b"[H][B]only text, no tags at all", id="no tags"),
    pytest.param(b"<!doctype html>[H]<title>x</title>[B]<p>no head, no body", id="no head, no body"),
    pytest.param(b"<head>[H]<!-- <body> --></head><!-- <body> --><body>[B]", id="body tag in comments"),
    pytest.param(b"<head>[H]<script>if (a<body) '<body>'</script></head><body>[B]", id="body tag in a script"),
    pytest.param(
        b"<head>[H]<script><!--<script><body></script>--></script><body>[B]", id="in a script in a script"
    ),
    pytest.param(
        b"<head>[H]<meta content='<body>'></head><body data-x=\"<body>\">[B]", id="body tag in attributes"
    ),
    pytest.param(b"<head>[H]<template><body></template></head><body>[B]", id="body tag in a template"),
    pytest.param(b"<head>[H]<noscript><body></noscript></head><body>[B]", id="body tag in a noscript"),
    pytest.param(b"<head>[H]<title><body></title></head><body>[B]", id="body tag in the title"),
    pytest.param(b"<head>[H]<style><body></style></head><body>[B]", id="body tag in a style"),
    pytest.param(b"<head>[H]</head><body>[B]<textarea><body></textarea>", id="body tag in a text area"),
    pytest.param(b"<head>[H]<![CDATA[ <x ]]></head><body>[B]", id="CDATA"),
    pytest.param(b"<head>[H]</head>[B]<bodyguard>", id="tag that begins so"),
    pytest.param(b"[H][B]<header>x</header>", id="header is no head"),
    pytest.param(b"\xef\xbb\xbf<!doctype html><head>[H]</head><body>[B]", id="byte order mark stays first"),
    pytest.param(b"<?xml version='1.0' encoding='utf-8'?><html><head>[H]</head><body>[B]", id="XHTML as HTML"),
    pytest.param("<html><head>[H]<title>ā</title></head><body>[B]šķē".encode("cp1257"), id="Windows-1257"),
    pytest.param("<html><head>[H]</head><body>[B]日本".encode("shift_jis"), id="Shift JIS"),
    pytest.param(b"<html><head>[H]</head><body>[B]\xff\xfe\x00\x80", id="no encoding at all"),
    pytest.param(b"<html><head></head><frameset cols=*><frame src=a></frameset></html>", id="frameset"),
    pytest.param(b"<html><head>" + b"<meta name=x>" * 5_100 + b"</head><body>", id="head beyond the limit"),
    pytest.param(b" " * LIMIT_BYTES + b"<html><head></head><body>", id="page behind the limit"),
    pytest.param(b"<html><head>[H]<style>" + b"a{}" * 20_000 + b"</style></head><body>[B]", id="large head"),
    pytest.param(b"<html><head><!-- " + b"x" * LIMIT_BYTES + b" --></head><body>", id="comment beyond the limit"),
]


@pytest.mark.parametrize("sizes", [(), (1,), (7, 1), (65_536,), (4_096, 1)], ids=str)
@pytest.mark.parametrize("page", PAGES)
def test_markup_stands_where_a_browser_opens_head_and_body(page: bytes, sizes: tuple[int, ...]) -> None:
    assert injected(plain(page), sizes=sizes) == marked(page)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<head><meta charset=windows-1257>[H]<title>\xe2</title></head><body>[B]\xf0", id="meta"),
        pytest.param(
            b'<head><meta http-equiv=content-type content="text/html; charset=windows-1257">[H]<body>[B]\xf0',
            id="old meta",
        ),
        pytest.param(b"\xef\xbb\xbf<head>[H]<meta charset=utf-8><body>[B]\xc4\x81", id="byte order mark decides"),
    ],
)
def test_a_charset_that_the_page_alone_tells_stays_before_the_markup(page: bytes) -> None:
    assert injected(plain(page), UNDECLARED) == marked(page)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_page_in_wide_letters_is_left_alone(encoding: str, declared: bool) -> None:
    page = "<html><head></head><body>ā".encode(encoding)
    kind = b"text/html; charset=" + encoding.encode() if declared else b"text/html"
    assert injected(page, (b"content-type", kind), sizes=(1,)) == page


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([HTML, (b"content-type", b"text/plain")], id="two types"),
        pytest.param([(b"content-type", b"text/plain"), HTML], id="two types, HTML last"),
        pytest.param([(b"content-type", b"text/html, text/plain")], id="two types in one line"),
        pytest.param([(b"content-type", b"application/xhtml+xml")], id="XHTML"),
        pytest.param([(b"content-type", b"text/event-stream")], id="event stream"),
        pytest.param([(b"content-type", b"text/vnd.turbo-stream.html")], id="Turbo stream"),
        pytest.param([(b"content-type", b"multipart/x-mixed-replace")], id="parts"),
        pytest.param([HTML, (b"content-disposition", b"attachment")], id="attachment"),
        pytest.param(
            [HTML, (b"content-disposition", b"inline"), (b"content-disposition", b"attachment")], id="both"
        ),
        pytest.param([HTML, (b"content-encoding", b"gzip")], id="encoded"),
        pytest.param([HTML, (b"content-encoding", b"identity, br")], id="encoded twice"),
    ],
)
def test_what_is_not_surely_a_page_is_left_alone(headers: Headers) -> None:
    page = b"<html><head></head><body>"
    assert injected(page, *headers) == page


def test_the_same_type_said_twice_is_that_type() -> None:
    assert injected(b"<html><head></head><body>", HTML, HTML) == marked(b"<html><head>[H]</head><body>[B]")


PIECES = [b"<html>", b"<head>", b"</head>", b"<body>", b"<body", b"<!--", b"-->", b"<title>", b"</title>"]
PIECES += [
    b"<script>",
    b"</script>",
    b"<p>",
    b"text",
    b" ",
    b"<",
    b">",
    b"'",
    b'"',
    b"<!doctype html>",
    b"<meta charset=x>",
    b"<template>",
]
SPLITS = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(tuple)


@given(page=st.lists(st.sampled_from(PIECES), min_size=1, max_size=25).map(b"".join), sizes=SPLITS)
def test_a_page_comes_out_the_same_however_it_is_cut(page: bytes, sizes: tuple[int, ...]) -> None:
    assert injected(page, sizes=sizes) == injected(page)
    assert injected(page, UNDECLARED, sizes=sizes) == injected(page, UNDECLARED)


@pytest.mark.parametrize("length", [b"3", b"30", b"9999", b"-1", b"1e3", b"12, 12"])
def test_a_wrong_length_of_the_apps_stays_as_wrong_as_it_was(length: bytes) -> None:
    page = b"<html><head></head><body>"
    messages = call(
        Inject(sends(answer(HTML, (b"content-length", length)), *chunks_of(page)), Markup()), NAVIGATION
    )
    told = dict(messages[0]["headers"]).get(b"content-length")
    assert body_of(messages) == marked(b"<html><head>[H]</head><body>[B]")
    assert told == (b"%d" % (int(length) + len(HEAD) + len(BODY)) if length.isdigit() else None)


def test_a_body_behind_the_end_reaches_the_server_as_the_apps_own_fault() -> None:
    page = chunks_of(b"<html><head></head><body>")
    late: Message = {"type": "http.response.body", "body": b"late", "more_body": False}
    messages = call(Inject(sends(answer(HTML), *page, late), Markup()), NAVIGATION)
    assert messages[-1] == late


def test_a_second_start_reaches_the_server_as_the_apps_own_fault() -> None:
    messages = call(Inject(sends(answer(HTML), answer(HTML, status=500)), Markup()), NAVIGATION)
    assert [message["status"] for message in messages] == [200, 500]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([HTML], id="page"),
        pytest.param([HTML, (b"cache-control", b"max-age=9"), (b"etag", b'"x"')], id="page that may be shared"),
        pytest.param([(b"content-type", b"application/json"), (b"content-length", b"999")], id="JSON"),
        pytest.param([(b"content-type", b"image/png"), (b"content-length", b"999")], id="image"),
        pytest.param([HTML, (b"vary", b"Origin"), (b"cache-control", b"no-store")], id="page nobody keeps"),
    ],
)
@pytest.mark.parametrize("coding", [b"gzip", b"identity"])
@pytest.mark.parametrize("asked", [NAVIGATION, SCRIPT, PROGRAM], ids=["navigation", "script", "program"])
def test_head_tells_what_get_would(told: Headers, coding: bytes, asked: Headers) -> None:
    """All of it is true of GET; what only the whole page can tell is left out (RFC 9110 §9.3.2)."""
    app = sends(answer(*told), *chunks_of(b"<html lang=lv><head></head><body>".ljust(999)))
    fields = [*asked, (b"accept-encoding", coding)]
    headers = {
        method: dict(call(Inject(app, Markup()), fields, method)[0]["headers"]) for method in ("GET", "HEAD")
    }
    of_the_whole = {b"content-length", b"content-encoding", b"etag"}
    members = [{*headers[method].pop(b"vary", b"").split(b", ")} for method in ("GET", "HEAD")]
    assert members[0] == members[1]
    assert headers["HEAD"].items() <= headers["GET"].items()
    assert headers["GET"].keys() - headers["HEAD"].keys() <= of_the_whole


# What is no page

VALUES = st.binary(max_size=12)
NAMES = st.sampled_from(
    [b"X-A", b"x-a", b"Set-Cookie", b"Link", b"Cache-Control", b"ETag", b"Vary", b"Content-Language"]
)
TYPES = st.sampled_from(
    [b"image/png", b"application/octet-stream", b"text/event-stream", b"font/woff2", b"", b"?"]
)
BODIES = st.lists(st.binary(max_size=30), min_size=1, max_size=4)


@given(
    lines=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    kind=TYPES,
    status=st.sampled_from([200, 201, 206, 302, 404, 500, 599]),
    parts=BODIES,
    asked=st.sampled_from([NAVIGATION, SCRIPT, PROGRAM]),
    coding=st.sampled_from([b"gzip", b"identity"]),
)
def test_what_is_no_page_passes_byte_for_byte(
    lines: Headers, kind: bytes, status: int, parts: list[bytes], asked: Headers, coding: bytes
) -> None:
    last = len(parts) - 1
    messages: list[Message] = [
        answer((b"Content-Type", kind), *lines, status=status),
        *({"type": "http.response.body", "body": part, "more_body": n < last} for n, part in enumerate(parts)),
    ]
    sent = call(Inject(sends(*messages), Markup()), [*asked, (b"accept-encoding", coding)])
    assert [message for message in sent if message["type"] == "http.response.body"] == messages[1:]
    told = [line for line in sent[0]["headers"] if line != (b"vary", b"Accept-Encoding")]
    without_vary = [line for line in messages[0]["headers"] if line[0].lower() != b"vary"]
    assert (sent[0]["status"], [line for line in told if line[0].lower() != b"vary"]) == (status, without_vary)
    if coding == b"identity" or asked is SCRIPT:
        assert sent == messages


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
def test_a_file_that_the_server_sends_itself_passes_as_it_is(kind: str) -> None:
    messages: list[Message] = [answer((b"content-type", b"image/png")), {"type": kind, "path": "/x", "file": 3}]
    for asked in (SCRIPT, NAVIGATION):
        assert call(Inject(sends(*messages), Markup()), asked) == messages


# Time

HOSTILE = [
    pytest.param(b"<", id="brackets"),
    pytest.param(b"<!--", id="comments that never end"),
    pytest.param(b"<script><!--<script>", id="scripts in scripts"),
    pytest.param(b"<meta a='", id="quotes that never end"),
    pytest.param(b"<title></titl", id="end tags that end nothing"),
    pytest.param(b"<meta a=b ", id="attributes without end"),
    pytest.param(b"<template></template>", id="templates"),
    pytest.param(b"<link><meta><base>", id="a head that never ends"),
    pytest.param(b"\x00", id="zeros"),
    pytest.param(b" ", id="space"),
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("size", [1, 65_536], ids=["byte by byte", "at once"])
def test_time_grows_no_faster_than_a_hostile_page(piece: bytes, size: int) -> None:
    def seconds(length: int) -> float:
        page = b"<html><head>" + piece * (length // len(piece))
        best = 9.0
        for _ in range(3):
            began = time.process_time()
            injected(page, UNDECLARED, sizes=(size,))
            best = min(best, time.process_time() - began)
        return best

    # Eight times the bytes: 8 when linear, 64 when quadratic.
    assert seconds(16_384) < 24 * max(seconds(2_048), 0.001)
