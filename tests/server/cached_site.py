"""A site whose pages say each something else of caching; each tells how often the app itself was asked."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
POLICIES: Mapping[str, Mapping[str, str]] = {
    "/public": {"Cache-Control": "public, max-age=600"},
    "/expires": {"Expires": "Fri, 01 Jan 2100 00:00:00 GMT"},
    "/tagged": {"Cache-Control": "max-age=1", "ETag": '"one"'},
    "/dated": {"Cache-Control": "max-age=1", "Last-Modified": DATE},
    "/private": {"Cache-Control": "private, max-age=600"},
    "/silent": {},
    "/no-lang": {},
    "/counter": {"Cache-Control": "public, max-age=600"},
}
numbers = itertools.count(1)


def is_confirmed(request: Request, policy: Mapping[str, str]) -> bool:
    if "ETag" in policy:
        return request.headers.get("if-none-match") == policy["ETag"]
    return "Last-Modified" in policy and request.headers.get("if-modified-since") == policy["Last-Modified"]


async def page(request: Request) -> Response:
    path = request.url.path
    headers = {**POLICIES[path], "X-Served": str(next(numbers))}
    if is_confirmed(request, POLICIES[path]):
        return Response(status_code=304, headers=headers)
    language = "" if path == "/no-lang" else ' lang="en"'
    text = f"<h1>A page</h1><p>statistics: {request.state.consent.allows('statistics')}</p>"
    response = HTMLResponse(
        f"<!doctype html><html{language}><head><title>A page</title></head><body>{text}</body></html>",
        headers=headers,
    )
    if path in ("/counter", "/silent"):
        response.set_cookie("visits", "1")
        response.set_cookie("session", f"of-{request.headers.get('user-agent', '')}")
    return response


app = ConsentKit().wrap(Starlette(routes=[Route(path, page) for path in POLICIES]))
