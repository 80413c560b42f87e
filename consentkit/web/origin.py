"""Where a request to change something comes from, and where the visitor goes next.

Owns the checks against another site's forms and scripts. No token stands in a page: what the browser says
of the origin is enough, and leaves pages cacheable (OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.requests import Request

_MAX_NEXT_CHARACTERS: Final = 2048


def is_same_origin(request: Request) -> bool:
    """Tell whether the browser proves that one of this site's own pages sent the request.

    Sec-Fetch-Site where present must be ``same-origin``; else Origin's host must be Host's. A request
    without either proves nothing. Source: Fetch Metadata §2.1; RFC 6454 §7.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "null")
    host = request.headers.get("host", "")
    return origin != "null" and bool(host) and urlsplit(origin).netloc.lower() == host.lower()


def is_cross_site(request: Request) -> bool:
    """Tell whether the browser says that another site sent the request."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    return origin != "null" and not is_same_origin(request)


def next_path(request: Request, wanted: str) -> str:
    """Return the path on this site to go on to: the one asked for, else the page before, else the start.

    Never another site: a path begins with one slash, and holds no backslash (which browsers read as a
    slash) and no control character.
    """
    for candidate in (wanted, _own_referrer(request)):
        if is_path(candidate):
            return candidate
    return "/"


def is_path(text: str) -> bool:
    """Tell whether a text is a path on this site and nothing else."""
    return (
        text.startswith("/")
        and not text.startswith("//")
        and "\\" not in text
        and len(text) <= _MAX_NEXT_CHARACTERS
        and text.isprintable()
    )


def _own_referrer(request: Request) -> str:
    try:
        parts = urlsplit(request.headers.get("referer", "")[: 2 * _MAX_NEXT_CHARACTERS])
    except ValueError:
        return ""
    if parts.netloc.lower() != request.headers.get("host", "").lower():
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
