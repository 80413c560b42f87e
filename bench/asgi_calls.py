"""Requests to an ASGI application in this process, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.traffic import HOST

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope

_BROWSER = (
    (b"host", HOST.encode("ascii")),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"lv,en;q=0.8"),
    (b"sec-fetch-dest", b"document"),
)


class Response(msgspec.Struct, frozen=True):
    """What an application answered.

    Attributes:
        status: of the response.
        headers: in order, as sent.
        body: all of it.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def get(app: ASGIApp, path: str, *, accept_encoding: bytes = b"identity") -> Response:
    """Ask for a path as a browser does that opens a page."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(path, accept_encoding), receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Response(sent[0]["status"], list(sent[0]["headers"]), body)


def _scope(path: str, accept_encoding: bytes) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("ascii"),
        "query_string": b"",
        "root_path": "",
        "headers": [*_BROWSER, (b"accept-encoding", accept_encoding)],
        "client": ("192.0.2.7", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
