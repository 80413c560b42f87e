"""A small site that declares nothing of its own, for tests of what the settings alone say."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit


async def show(request: Request) -> Response:
    language = request.query_params.get("lang", "en")
    words = "<p>Words and <a href='/'>a link</a>.</p>" * 40
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><head><title>Example</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f"<body><header><a href='/'>Home</a></header><main><h1>Example</h1>{words}</main></body></html>",
        headers={"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'self'"},
    )


async def say_ready(_: Request) -> Response:
    return PlainTextResponse("ready")


app = ConsentKit().wrap(Starlette(routes=[Route("/ready", say_ready), Route("/", show)]))
