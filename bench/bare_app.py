"""The site that is measured, without consentkit: its workers must not even import it.

uvicorn bench.bare_app:make --factory
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.pages import make_page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_TEXT: Final = (b"text/plain; charset=utf-8", b"ok")
_JSON: Final = (
    b"application/json",
    b'{"items":[{"id":1,"name":"amber"},{"id":2,"name":"birch"}],"next":null}',
)
_PAGE: Final = (b"text/html; charset=utf-8", make_page())


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 200 to any "http" scope: by its path a short JSON text, a 30 KB page, or two bytes of plain text."""
    if scope["type"] != "http":
        return
    path = scope["path"]
    kind, body = _JSON if path.startswith("/api/") else _PAGE if path.startswith("/page/") else _TEXT
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make() -> ASGIApp:
    """Return the site alone."""
    return site
