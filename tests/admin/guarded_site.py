"""A site with the admin area, served by a real server."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from consentkit import ConsentKit


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await PlainTextResponse("the site")(scope, receive, send)


app = ConsentKit().wrap(site)
