"""A site that sets each kind of cookie on request, for tests over https under several host names."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit

PAGE = "<!doctype html><html lang='en'><head><title>Shop</title></head><body><h1>Shop</h1></body></html>"

# Every form in which a browser holds a cookie, by name.
VARIANTS = {
    "plain": "Path=/",
    "parent": "Path=/; Domain=site.test",
    "below": "Path=/shop",
    "below_parent": "Path=/shop; Domain=site.test",
    "httponly": "Path=/; HttpOnly; SameSite=Strict",
    "__Host-bound": "Path=/; Secure",
    "__Secure-bound": "Path=/; Secure; Domain=site.test; HttpOnly",
    "parted": "Path=/; Secure; SameSite=None; Partitioned",
    "parted_parent": "Path=/; Secure; SameSite=None; Partitioned; Domain=site.test",
    "__Host-parted": "Path=/; Secure; SameSite=None; Partitioned",
}


async def show(request: Request) -> Response:
    response = HTMLResponse(PAGE, headers={"Cache-Control": "no-store"})
    if "set" in request.query_params:
        for name, attributes in VARIANTS.items():
            response.raw_headers.append((b"set-cookie", f"{name}=1; Max-Age=9999; {attributes}".encode()))
        response.raw_headers.append((b"set-cookie", b"basket=1; Path=/"))
    return response


async def say_ready(_: Request) -> Response:
    return PlainTextResponse("ready")


app = ConsentKit().wrap(
    Starlette(routes=[Route("/ready", say_ready), *(Route(path, show) for path in ("/", "/shop", "/shop/cart"))])
)
