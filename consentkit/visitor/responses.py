"""What answers to visitors have in common: headers of pages, JSON that no cache keeps, the way on after a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

PAGE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": ("default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def wants_json(request: Request) -> bool:
    """Tell whether a script asks, and not a form or a link."""
    return "application/json" in request.headers.get("accept", "")


def json_response(content: object, *, status: int = 200) -> Response:
    """Return an answer to a script, for this visitor alone."""
    return JSONResponse(content, status, headers={"Cache-Control": "no-store", "Vary": "Cookie, Accept, Sec-GPC"})


def see_other(path: str) -> Response:
    """Return the way on after a form: 303, so that reloading sends nothing again (RFC 9110 §15.4.4)."""
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})
