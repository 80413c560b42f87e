"""A site whose page asks two other hosts for scripts: a refused service's, and one of its own."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit

SETTINGS = """
[site]
operator = "SIA Piemērs"
languages = ["en"]

[consent]
csp = "{mode}"
csp_hosts = ["assets.example.net"]

[[consent.services]]
id = "counter"
name = "Example Counter"
provider = "Example Counter Limited"
category = "statistics"
purpose = "Counts visits"
hosts = ["counter.example.net"]
"""

PAGE = """<!doctype html><html lang="en"><head><title>Example</title>
<script>window.own = 1</script>
<script src="http://counter.example.net/count.js"></script>
<script src="http://assets.example.net/shape.js"></script></head><body><h1>Example</h1></body></html>"""


async def show(_: Request) -> Response:
    return HTMLResponse(PAGE, headers={"Cache-Control": "no-store"})


async def say_ready(_: Request) -> Response:
    return PlainTextResponse("ready")


app = ConsentKit().wrap(Starlette(routes=[Route("/ready", say_ready), Route("/", show)]))
