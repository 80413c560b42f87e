"""Sites that the server tests run: each another way of building an ASGI app, each wrapped by one line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from consentkit import ConsentKit, ConsentKitMiddleware

PAGE = """<!doctype html><html lang="en"><head><title>Page</title></head><body><h1>Page</h1>{}</body></html>"""


async def page(request: Request) -> Response:
    response = HTMLResponse(PAGE.format("<p>" + "text " * 200 + "</p>"))
    response.set_cookie("visits", "1", httponly=True)
    response.set_cookie("theme", "dark")
    response.set_cookie("session", "abc", httponly=True)
    return response


async def seen(request: Request) -> Response:
    return JSONResponse(
        {
            "cookies": sorted(request.cookies),
            "state": sorted(request.scope.get("state", {})),
            "flag": getattr(request.state, "flag", None),
            "allowed": request.state.consent.categories,
            "client": request.client.host if request.client else None,
            "scheme": request.url.scheme,
            "pid": os.getpid(),
        }
    )


ROUTES = [Route("/", page), Route("/seen", seen), Route("/page/{number}", page)]


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
    print("the app's own start", flush=True)
    yield {"flag": "from the app's lifespan"}
    print("the app's own stop", flush=True)


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that knows no lifespan, and says so by raising."""
    if scope["type"] != "http":
        raise RuntimeError("only http is served here")
    body = PAGE.format("bare").encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, (b"set-cookie", b"theme=x")]})
    await send({"type": "http.response.body", "body": body})


plain = ConsentKit().wrap(Starlette(routes=ROUTES))
with_lifespan = ConsentKit().wrap(Starlette(routes=ROUTES, lifespan=lifespan))
compressing = ConsentKit().wrap(
    Starlette(routes=ROUTES, middleware=[Middleware(GZipMiddleware, minimum_size=100)])
)
without_lifespan = ConsentKit().wrap(bare)
below = Starlette(routes=[Mount("/below", app=ConsentKit().wrap(Starlette(routes=ROUTES)))])
by_middleware = Starlette(routes=ROUTES, lifespan=lifespan)
by_middleware.add_middleware(ConsentKitMiddleware, kit=ConsentKit())
not_outermost = Starlette(routes=ROUTES, lifespan=lifespan)
not_outermost.add_middleware(ConsentKitMiddleware, kit=ConsentKit())
not_outermost.add_middleware(GZipMiddleware)
