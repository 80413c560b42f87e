"""A site that does what it should not: the settings come from CONSENTKIT_CONFIG, as for any site."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit

SCRIPT = """
document.cookie = "leaky=1; max-age=31536000; path=/";
document.cookie = "theme=dark; max-age=31536000; path=/";
document.cookie = "x<img hidden>=1; path=/";
localStorage.setItem("tracker", "1");
"""


async def home(request: Request) -> Response:
    page = f"""<!doctype html><html lang="en"><head><title>Leaks</title></head><body><h1>Leaks</h1>
    <a href="/more">More</a><a href="/sign-out">Out</a><img alt="" src="http://localhost:{request.url.port}/pixel">
    <script src="/leak.js"></script></body></html>"""
    response = HTMLResponse(page)
    response.set_cookie("server_made", "1", max_age=86400)
    response.set_cookie("visits", "1", max_age=86400)
    return response


async def script(_: Request) -> Response:
    return Response(SCRIPT, media_type="text/javascript")


async def pixel(_: Request) -> Response:
    return Response(b"", media_type="image/png")


app = ConsentKit().wrap(
    Starlette(
        routes=[
            Route("/", home),
            Route("/more", home),
            Route("/leak.js", script),
            Route("/pixel", pixel),
        ]
    )
)
