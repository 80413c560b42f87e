"""Which requests ask for a page, and which responses are one: told from header fields alone.

A page is what a browser shows in a tab. Frames, fetched data and fragments that a script puts into a page are
none. What is done with a page is `inject`'s job.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.consent.cachepolicy import Fields

_READ = frozenset(
    b"accept accept-encoding if-match if-modified-since if-none-match if-range hx-boosted hx-request"
    b" hx-history-restore-request purpose sec-fetch-dest sec-purpose turbo-frame x-requested-with"
    b" x-turbo-request-id".split()
)
_CONDITIONS = frozenset((b"if-match", b"if-modified-since", b"if-none-match", b"if-range"))
# What Turbo up to 7, Turbolinks and their like send when they fetch a page to show it.
_PAGE_FETCH_ACCEPT = b"text/html, application/xhtml+xml"

# Asked for without naming HTML, such a path is a file: its compressed form, its ranges stay the app's affair.
# fmt: off
_FILE_SUFFIXES = frozenset((
    "7z", "atom", "avif", "bin", "bmp", "br", "bz2", "css", "csv", "eot", "exe", "flac", "gif", "gz", "ico",
    "iso", "jpeg", "jpg", "js", "json", "m4a", "map", "md", "mjs", "mov", "mp3", "mp4", "oga", "ogg", "ogv",
    "otf", "pdf", "png", "rss", "svg", "tar", "tif", "tiff", "ttf", "txt", "wasm", "wav", "webm",
    "webmanifest", "webp", "woff", "woff2", "xml", "zip", "zst",
))
# fmt: on

_ASCII_INCOMPATIBLE = re.compile(rb"(?:cs)?(?:utf-?(?:16|32)|(?:iso-10646-)?ucs-?[24]|unicode)", re.IGNORECASE)
_CHARSET = re.compile(rb";\s*+charset\s*+=\s*+[\"']?([^\s;\"']++)", re.IGNORECASE)
_NONCE = re.compile(rb"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_SCRIPT_DIRECTIVES = (b"script-src-elem", b"script-src", b"default-src")
_TEXTUAL = re.compile(
    rb"text/(?!event-stream)|application/(?:[a-z0-9.-]+\+)?(?:json|xml)\b|application/javascript|image/svg\+xml",
    re.IGNORECASE,
)


class Asks(Enum):
    """Say what a request asks for."""

    PAGE = "a browser's navigation: all that is HTML will be shown as a page"
    PAGE_FOR_SCRIPT = "a script's navigation, or a prefetch: a page where the answer is a whole one"
    ANYTHING = "a client that takes what comes: a page where the answer is a whole one"


class Asked(Struct, frozen=True):
    """Give what matters of a request that may be answered with a page.

    Attributes:
        asks: for what.
        takes_gzip: the client accepts gzip.
        has_conditions: it carries validators.
        keeps_foreign: validators that we did not make may be for something that is no page; False without any.
    """

    asks: Asks
    takes_gzip: bool
    has_conditions: bool
    keeps_foreign: bool


def asked_of(headers: Iterable[tuple[bytes, bytes]], path: str) -> Asked | None:
    """Return what a GET or HEAD request asks for, or None where no page can come of it.

    Source: Fetch Metadata §2.1 (Sec-Fetch-Dest); the request headers of htmx and Turbo.
    """
    fields = {name: value for name, value in headers if name in _READ}
    asks = _asks_of(fields)
    if asks is None or (asks is Asks.ANYTHING and _is_file(path)):
        return None
    has_conditions = not _CONDITIONS.isdisjoint(fields)
    return Asked(
        asks,
        _takes_gzip(fields.get(b"accept-encoding", b"")),
        has_conditions,
        has_conditions and (asks is Asks.ANYTHING or _is_file(path)),
    )


def _asks_of(fields: dict[bytes, bytes]) -> Asks | None:
    # This value decides alone, as caches know no other: else one forged request could leave them a bare page.
    if fields.get(b"sec-fetch-dest") == b"document":
        return Asks.PAGE
    if b"turbo-frame" in fields:
        return None
    if fields.get(b"x-requested-with", b"").lower() == b"xmlhttprequest":  # Android's web views send an app's name
        return None
    return _told(fields) if b"hx-request" in fields or b"sec-fetch-dest" in fields else _guessed(fields)


def _guessed(fields: dict[bytes, bytes]) -> Asks | None:
    """Judge by Accept alone: older browsers, any over plain http, and programs."""
    accept = fields.get(b"accept", b"*/*").lower()
    if b"text/html" in accept:
        return Asks.PAGE
    return Asks.ANYTHING if b"*/*" in accept or b"text/*" in accept else None


def _told(fields: dict[bytes, bytes]) -> Asks | None:
    """Judge by what the browser or its script says itself."""
    if b"hx-request" in fields:
        shows_page = b"hx-boosted" in fields or b"hx-history-restore-request" in fields
        return Asks.PAGE_FOR_SCRIPT if shows_page else None
    is_fetched = fields[b"sec-fetch-dest"] == b"empty"
    return Asks.PAGE_FOR_SCRIPT if is_fetched and _is_fetched_page(fields) else None


def _is_fetched_page(fields: dict[bytes, bytes]) -> bool:
    purpose = fields.get(b"sec-purpose", fields.get(b"purpose", b""))
    if b"x-turbo-request-id" in fields or purpose.startswith(b"prefetch"):
        return True
    return fields.get(b"accept", b"").lower() == _PAGE_FETCH_ACCEPT


def _is_file(path: str) -> bool:
    _, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return dot != "" and suffix.lower() in _FILE_SUFFIXES


def _takes_gzip(accepted: bytes) -> bool:
    """Read Accept-Encoding; a weight of 0 refuses (RFC 9110 §12.5.3)."""
    if b";" not in accepted:
        return b"gzip" in accepted
    for member in accepted.lower().split(b","):
        coding, _, weight = member.partition(b";")
        if coding.strip() in (b"gzip", b"x-gzip"):
            return weight.replace(b" ", b"").strip(b"q=0.") != b"" or not weight
    return False


class ContentType(Struct, frozen=True):
    """Give what matters of a Content-Type.

    Attributes:
        is_html: `text/html`; XHTML is another format.
        is_text: text of some kind that compression makes smaller, and no event stream.
        has_charset: it names one.
        takes_ascii: ASCII bytes are themselves in that charset, or none is named.
    """

    is_html: bool
    is_text: bool
    has_charset: bool
    takes_ascii: bool


@lru_cache(maxsize=128)
def content_type(value: bytes) -> ContentType:
    """Read a Content-Type; an app has few, so they are kept."""
    charset = _CHARSET.search(value)
    return ContentType(
        is_html=value.partition(b";")[0].strip().lower() == b"text/html",
        is_text=_TEXTUAL.match(value.strip()) is not None,
        has_charset=charset is not None,
        takes_ascii=charset is None or _ASCII_INCOMPATIBLE.match(charset[1]) is None,
    )


def content_type_of(fields: Fields) -> ContentType:
    """Return a response's content type, read; of several that differ none counts, as browsers don't agree."""
    values = fields.get(b"content-type", (b"",))
    return content_type(values[0] if len(values) == 1 or len({*values}) == 1 else b"")


def is_html_document(fields: Fields) -> bool:
    """Say whether a 200 response is HTML to be shown, not to be saved."""
    return content_type_of(fields).is_html and not is_attachment(fields)


def is_attachment(fields: Fields) -> bool:
    """Say whether a response is to be saved: any disposition but `inline` (RFC 6266 §4.2)."""
    if b"content-disposition" not in fields:
        return False
    kinds = [value.partition(b";")[0].strip().lower() for value in fields[b"content-disposition"]]
    return any(kind not in (b"inline", b"") for kind in kinds)


def is_encoded(fields: Fields) -> bool:
    """Say whether the body is in a content coding, so that its bytes aren't the page's."""
    codings = fields.get(b"content-encoding", ())
    return any(coding.strip().lower() not in (b"identity", b"") for coding in codings) if codings else False


def is_compressible(fields: Fields) -> bool:
    """Say whether a response gains by compression and loses nothing: text, in one piece, not to be saved."""
    if not content_type_of(fields).is_text or is_encoded(fields) or is_attachment(fields):
        return False
    return b"content-range" not in fields and fields.get(b"accept-ranges", (b"none",))[0] == b"none"


def nonce_of(fields: Fields) -> str | None:
    """Return the nonce by which the response's own policy lets scripts run, or None.

    Source: CSP Level 3 §2.3.1 (nonce-source), §6.8.1 (script-src-elem, else script-src, else default-src).
    """
    for value in fields.get(b"content-security-policy", ()):
        for policy in value.split(b","):
            found = _NONCE.search(_script_sources(policy))
            if found:
                return found[1].decode("ascii")
    return None


def _script_sources(policy: bytes) -> bytes:
    sources: dict[bytes, bytes] = {}
    for directive in policy.split(b";"):
        name, *values = directive.split(None, 1) or [b""]
        sources.setdefault(name.lower(), b"".join(values))
    return next((sources[name] for name in _SCRIPT_DIRECTIVES if name in sources), b"")
