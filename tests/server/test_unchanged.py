"""Someone else's app, bare and wrapped: for a visitor who agreed to all, the same bytes but for what is added.

What may differ is written out by kind of answer, a function each; all else must be equal: status, header lines
in their order, with their repetitions and letter case, and body.
"""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.conftest import SITE
from tests.server.rawhttp import Answer, ask
from tests.serving import Server, ServerName, serving

pytestmark = pytest.mark.server

MODIFIED = 1_700_000_000
FILES = {
    "page.html": b"<!doctype html><html lang=en><head><title>File</title></head><body><p>A file</p></body></html>",
    "app.css": b"body { color: #111 }\n" * 200,
    "data.bin": bytes(range(256)) * 40,
    "list.html": b"<!doctype html><html lang=en><head></head><body>{% for n in numbers %}<li>{{ n }}{% endfor %}",
}
NAVIGATION = ("Accept: text/html,*/*;q=0.8", "Sec-Fetch-Dest: document")
SCRIPT = ("Accept: */*", "Sec-Fetch-Dest: empty")
PROGRAM = ("Accept: */*",)
_ONCE = re.compile(rb'name="once" value="[^"]+"')


class Sites(NamedTuple):
    """The same app twice, and what the visitor's browser sends."""

    bare: Server
    wrapped: Server
    cookie: str


@pytest.fixture(scope="module", params=["uvicorn", "granian"])
def sites(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Sites]:
    server: ServerName = request.param
    folder = tmp_path_factory.mktemp("foreign")
    files = folder / "files"
    files.mkdir()
    for name, content in FILES.items():
        (files / name).write_bytes(content)
        os.utime(files / name, (MODIFIED, MODIFIED))
    config = folder / "consentkit.toml"
    config.write_text(SITE.format(proxies="[]"), "utf-8")
    # Starlette puts the methods of an Allow in the order of a set.
    environment = {"FOREIGN_SITE": str(files), "CONSENTKIT_CONFIG": str(config), "PYTHONHASHSEED": "0"}
    with (
        serving("tests.server.foreign_site:bare", folder, server=server, environment=environment) as bare,
        serving("tests.server.foreign_site:wrapped", folder, server=server, environment=environment) as wrapped,
    ):
        chosen = httpx.post(
            f"{wrapped.url}/consentkit/choice",
            data={"decision": "accept"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        held = "; ".join(f"{cookie.name}={cookie.value}" for cookie in chosen.cookies.jar if cookie.path == "/")
        yield Sites(bare, wrapped, f"{held}; theme=light; visits=7")


# What is added, by kind of answer


def varying(answer: Answer, names: bytes) -> Answer:
    """Return the answer with names added to its last Vary, or in one of its own at the end."""
    headers = list(answer.headers)
    at = [index for index, (name, _) in enumerate(headers) if name.lower() == b"vary"]
    if at:
        headers[at[-1]] = (headers[at[-1]][0], headers[at[-1]][1] + b", " + names)
    else:
        headers.append((b"vary", names))
    return answer._replace(headers=headers)


def nothing_added(bare: Answer, wrapped: Answer) -> Answer:
    return bare


def encoding_named(bare: Answer, wrapped: Answer) -> Answer:
    """A text that might have been a page: the app was asked for it plain, so compression is ours."""
    return varying(bare, b"Accept-Encoding")


def kept_apart(bare: Answer, wrapped: Answer) -> Answer:
    """HTML that was not asked for as a page."""
    return varying(bare, b"Sec-Fetch-Dest")


def own_page(bare: Answer, wrapped: Answer) -> Answer:
    """A page for one visitor: markup, its length, and no shared cache."""
    page = with_markup(bare, wrapped)
    page.headers.append((b"cache-control", b"private"))
    return varying(page, b"Cookie, Sec-GPC, Accept-Encoding")


def shared_page(bare: Answer, wrapped: Answer) -> Answer:
    """A page that caches may keep: markup, its length, and a validator that stands for both."""
    page = with_markup(bare, wrapped)
    described = (b"etag", b"last-modified", b"accept-ranges")
    tags = [value for name, value in bare.headers if name.lower() == b"etag"]
    kept = [line for line in page.headers if line[0].lower() not in described]
    ours = [line for line in wrapped.headers if line[0] == b"etag"]
    for tag, line in zip(tags, ours, strict=True):
        assert re.fullmatch(rb'W/"%b\.ck-[0-9a-f]{8}"' % re.escape(tag.strip(b'"')), line[1])
    return varying(page._replace(headers=[*kept, *ours]), b"Sec-Fetch-Dest, Accept-Encoding")


def with_markup(bare: Answer, wrapped: Answer) -> Answer:
    """Put into the bare page what stands behind <head> and <body> of the wrapped one."""
    body = bare.body
    for tag, end in ((b"<head>", rb"</script>(?=<title>|</head>)"), (b"<body>", rb"</nav>")):
        found = re.search(re.escape(tag) + rb"(<(?:script|link|div).*?" + end + rb"\s*)", wrapped.body, re.DOTALL)
        assert found, "there is no markup"
        assert b"consentkit" in found[1]
        body = body.replace(tag, tag + found[1], 1)
    headers = [line for line in bare.headers if line[0].lower() != b"content-length"]
    return Answer(bare.status, [*headers, (b"content-length", b"%d" % len(body))], body)


Added = Callable[[Answer, Answer], Answer]
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x\r\nContent-Disposition: form-data; '
    b'name="f"; filename="f.bin"\r\n\r\n' + bytes(range(256)) * 20 + b"\r\n--x--\r\n"
)
MULTIPART = ("Content-Type: multipart/form-data; boundary=x",)
CORS = ("Origin: https://shop.example.lv",)
CASES = [
    # pages
    pytest.param("GET /page", NAVIGATION, own_page, id="page"),
    pytest.param("GET /page", PROGRAM, own_page, id="page for a program"),
    pytest.param("GET /template", NAVIGATION, own_page, id="template"),
    pytest.param("GET /page?cache-control=max-age%3D9", NAVIGATION, shared_page, id="page that may be shared"),
    pytest.param("GET /files/page.html", NAVIGATION, shared_page, id="static page"),
    pytest.param("GET /page", SCRIPT, kept_apart, id="page for a script"),
    pytest.param("GET /page", (*SCRIPT, "HX-Request: true"), kept_apart, id="page for htmx"),
    pytest.param("GET /fragment", (*SCRIPT, "HX-Request: true"), kept_apart, id="fragment for htmx"),
    pytest.param("GET /page", ("Sec-Fetch-Dest: iframe",), kept_apart, id="page in a frame"),
    pytest.param(
        "GET /page?cache-control=no-store", SCRIPT, nothing_added, id="page that nobody keeps, for a script"
    ),
    pytest.param("GET /download", NAVIGATION, nothing_added, id="page to be saved"),
    pytest.param("GET /files/page.html", (*NAVIGATION, "Range: bytes=0-9"), nothing_added, id="range of a page"),
    # texts and files
    pytest.param("GET /text", NAVIGATION, encoding_named, id="text"),
    pytest.param("GET /json", NAVIGATION, encoding_named, id="JSON in a tab"),
    pytest.param("GET /json", PROGRAM, encoding_named, id="JSON for a program"),
    pytest.param("GET /json", ("Accept: application/json",), nothing_added, id="JSON that was asked for"),
    pytest.param("GET /json", SCRIPT, nothing_added, id="JSON for a script"),
    pytest.param("GET /xhtml", NAVIGATION, encoding_named, id="XHTML"),
    pytest.param("GET /data.bin", NAVIGATION, nothing_added, id="file"),
    pytest.param("HEAD /data.bin", NAVIGATION, nothing_added, id="HEAD of a file"),
    pytest.param("GET /data.bin", (*NAVIGATION, "Range: bytes=5-99"), nothing_added, id="range"),
    pytest.param("GET /data.bin", (*NAVIGATION, "Range: bytes=5-9,20-29"), nothing_added, id="ranges"),
    pytest.param("GET /data.bin", (*NAVIGATION, "Range: bytes=99999-"), nothing_added, id="range beyond the end"),
    pytest.param(
        "GET /data.bin", (*NAVIGATION, "Range: bytes=5-9", 'If-Range: "x"'), nothing_added, id="If-Range"
    ),
    pytest.param("GET /stream", NAVIGATION, nothing_added, id="stream"),
    pytest.param(
        "GET /events", ("Accept: text/event-stream", "Sec-Fetch-Dest: empty"), nothing_added, id="events"
    ),
    pytest.param("GET /events", NAVIGATION, nothing_added, id="events in a tab"),
    pytest.param("GET /files/app.css", ("Sec-Fetch-Dest: style",), nothing_added, id="style"),
    pytest.param("GET /files/app.css", PROGRAM, nothing_added, id="style for a program"),
    pytest.param(
        "GET /files/app.css",
        (*SCRIPT, "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"),
        nothing_added,
        id="style confirmed",
    ),
    # compression inside
    pytest.param("GET /below/json", (*SCRIPT, "Accept-Encoding: gzip"), nothing_added, id="compressed by the app"),
    pytest.param("GET /below/text", (*SCRIPT, "Accept-Encoding: gzip"), nothing_added, id="text so"),
    pytest.param("GET /below/page", (*SCRIPT, "Accept-Encoding: gzip"), kept_apart, id="small page so"),
    # all else
    pytest.param("GET /cookies", NAVIGATION, encoding_named, id="cookies"),
    pytest.param("GET /cookies", SCRIPT, nothing_added, id="cookies for a script"),
    pytest.param("GET /headers", NAVIGATION, nothing_added, id="strange headers"),
    pytest.param("GET /session", SCRIPT, nothing_added, id="session"),
    pytest.param("GET /json", (*SCRIPT, *CORS), nothing_added, id="CORS"),
    pytest.param(
        "OPTIONS /json", (*CORS, "Access-Control-Request-Method: GET"), nothing_added, id="CORS preflight"
    ),
    pytest.param("GET /redirect", NAVIGATION, nothing_added, id="redirect"),
    pytest.param("GET /files", NAVIGATION, nothing_added, id="redirect to a folder"),
    pytest.param("GET /nothing", NAVIGATION, nothing_added, id="204"),
    pytest.param("GET /teapot", NAVIGATION, encoding_named, id="HTTPException"),
    pytest.param("GET /missing", SCRIPT, nothing_added, id="404"),
    pytest.param("DELETE /json", NAVIGATION, nothing_added, id="405"),
    pytest.param("GET /broken", SCRIPT, nothing_added, id="500"),
    pytest.param("GET /broken", NAVIGATION, encoding_named, id="500 in a tab"),
    pytest.param("GET /below/json", SCRIPT, nothing_added, id="mounted app"),
]


@pytest.mark.parametrize(("request_line", "headers", "added"), CASES)
def test_an_answer_has_the_apps_bytes_but_for_what_is_added(
    sites: Sites, request_line: str, headers: tuple[str, ...], added: Added
) -> None:
    sent = (*headers, f"Cookie: {sites.cookie}")
    bare, wrapped = (ask(server, request_line, sent) for server in (sites.bare, sites.wrapped))
    assert wrapped == added(bare, wrapped)


@pytest.mark.parametrize(
    ("request_line", "headers", "added"), [case for case in CASES if case.values[2] is nothing_added]
)
def test_what_passes_is_the_same_for_a_browser_that_takes_gzip(
    sites: Sites, request_line: str, headers: tuple[str, ...], added: Added
) -> None:
    sent = (*headers, "Accept-Encoding: gzip, deflate, br, zstd", f"Cookie: {sites.cookie}")
    bare, wrapped = (ask(server, request_line, sent) for server in (sites.bare, sites.wrapped))
    assert wrapped == added(bare, wrapped)


@pytest.mark.parametrize(
    ("request_line", "headers", "body"),
    [
        pytest.param("POST /upload", MULTIPART, FORM, id="upload"),
        pytest.param("POST /echo", (), bytes(range(256)) * 999, id="large body"),
        pytest.param("PUT /echo", NAVIGATION, b"<html><body>", id="PUT"),
        pytest.param("PATCH /echo", ("Content-Type: application/json",), b"{}", id="PATCH"),
        pytest.param("DELETE /echo", (), b"", id="DELETE"),
        pytest.param("POST /page", NAVIGATION, b"a=b", id="405 on POST"),
    ],
)
def test_what_changes_something_passes_as_it_is(
    sites: Sites, request_line: str, headers: tuple[str, ...], body: bytes
) -> None:
    sent = (*headers, f"Cookie: {sites.cookie}")
    bare, wrapped = (ask(server, request_line, sent, body) for server in (sites.bare, sites.wrapped))
    assert wrapped == bare


@pytest.mark.parametrize("path", ["/below/template", "/template", "/json"])
def test_a_text_that_is_compressed_holds_the_same(sites: Sites, path: str) -> None:
    coded, plain = (
        ask(sites.wrapped, f"GET {path}", (*NAVIGATION, f"Cookie: {sites.cookie}", f"Accept-Encoding: {coding}"))
        for coding in ("gzip", "identity")
    )
    assert (b"content-encoding", b"gzip") in coded.headers
    # The value by which a form that is sent twice is known differs from page to page.
    texts = (_ONCE.sub(b"", text) for text in (gzip.decompress(coded.body), plain.body))
    assert next(texts) == next(texts)


def test_a_task_behind_an_answer_is_run(sites: Sites) -> None:
    deadline = time.monotonic() + 10
    while b"task" not in ask(sites.wrapped, "GET /background", PROGRAM).body:
        assert time.monotonic() < deadline


def talk(server: Server, cookie: str) -> tuple[str | None, list[tuple[str, str]], list[object], int | None, str]:
    with connect(
        f"ws://127.0.0.1:{server.port}/talk?a=1&b=ā",
        subprotocols=[Subprotocol("chat.v1"), Subprotocol("chat.v2")],
        additional_headers={"Cookie": cookie},
        compression=None,
    ) as socket:
        assert socket.response is not None
        drawn = ("date", "server", "sec-websocket-accept")
        headers = [(k, v) for k, v in socket.response.headers.raw_items() if k.lower() not in drawn]
        heard: list[object] = [socket.recv(5)]
        for message in (b"abc", bytes(range(256)) * 300, b"end"):
            socket.send(message)
            if message != b"end":
                heard.append(socket.recv(5))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(5)
    end = closed.value.rcvd
    return socket.subprotocol, headers, heard, end.code if end else None, end.reason if end else ""


def test_a_websocket_is_the_apps_own(sites: Sites) -> None:
    bare = talk(sites.bare, sites.cookie)
    assert bare[0] == "chat.v2"
    assert bare[3:] == (4001, "good bye")
    assert talk(sites.wrapped, sites.cookie) == bare


def test_a_websocket_is_denied_in_the_apps_own_words(sites: Sites) -> None:
    told = []
    for server in (sites.bare, sites.wrapped):
        with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{server.port}/denied"):
            pass
        answer = refused.value.response
        told.append((answer.status_code, answer.headers.get("content-type"), answer.body))
    assert told[0] == told[1]
    assert told[0][0] == 403
