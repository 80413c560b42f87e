"""Forms that visitors send: read within bounds, believed only from our own pages, and checked."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

_MAX_BODY_BYTES: Final = 16_384
_MAX_FIELDS: Final = 20
_MAX_NEXT_CHARACTERS: Final = 2_000
MAX_NAME_CHARACTERS: Final = 60
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")


def require_own(request: Request) -> None:
    """Require that one of our own pages sent this request, so that no other site acts for a visitor.

    Raises:
        HTTPException: 403 from another site.

    Source: Fetch Metadata §2.4 Sec-Fetch-Site; RFC 6454 §7 Origin.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        is_own = site == "same-origin"
    else:
        # A browser sends one of the two with each POST. What sends neither carries nobody's cookies.
        is_own = origin is None or _host_of(origin) == request.headers.get("host", "").lower()
    if not is_own:
        raise HTTPException(403)


async def read_own_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that one of our own pages sent; of a repeated field the last.

    Raises:
        HTTPException: 403 from another site, 415 not urlencoded, 413 longer than 16 KB, 400 too many fields.
    """
    require_own(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise HTTPException(413)
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as exc:
        raise HTTPException(400) from exc
    return dict(pairs)


def local_address(next_address: str, **query: str) -> str:
    """Return a form's `next` as path and query of this site, `/` if it leads elsewhere.

    `query` replaces the keys of the same name; an empty value takes the key out.
    """
    path, pairs = "/", list[tuple[str, str]]()
    if len(next_address) <= _MAX_NEXT_CHARACTERS and _is_path(next_address):
        path, _, text = next_address.partition("#")[0].partition("?")
        pairs = [(key, value) for key, value in parse_qsl(text)[:_MAX_FIELDS] if key not in query]
    pairs += [(key, value) for key, value in query.items() if value]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def message_faults(fields: dict[str, str]) -> dict[str, str]:
    """Return the key of a text for each field of the contact form that is not filled in rightly."""
    checks = {
        "name": 1 <= len(fields.get("name", "").strip()) <= MAX_NAME_CHARACTERS,
        "email": _EMAIL.fullmatch(fields.get("email", "").strip()[:255]) is not None,
        "message": 10 <= len(fields.get("message", "").strip()) <= 2_000,
    }
    return {name: f"{name}_wrong" for name, is_right in checks.items() if not is_right}


def _host_of(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") else None


def _is_path(address: str) -> bool:
    # Browsers read a backslash as a slash, and drop tabs and line breaks: both could make "//host".
    return (
        address.startswith("/")
        and not address.startswith("//")
        and address.isprintable()
        and address.isascii()
        and "\\" not in address
    )
