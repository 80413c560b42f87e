"""Header bytes as text that is safe to show: no control, direction or invisible character comes out.

Owns what a line of the log may hold and the syntax of a host. Which headers are kept is `capture`'s
choice; quoting for a format is the export's.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_MAX_REFERRER_BYTES: Final = 2048
_ORIGINS_KEPT: Final = 1024
_AFTER_SCHEME: Final = len(b"https://")
_MAX_PORT: Final = 65535
_MAX_HOST_BYTES: Final = 253 + len(":65535")
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,31}")  # RFC 3986 §3.1
_WEB_SCHEMES: Final = frozenset({b"https", b"http"})
_AUTHORITY_END: Final = re.compile(rb"[?#\\]")  # the backslash too: browsers read it as a slash
# RFC 3986 §3.2.2 without percent-encoding and sub-delims, which no host on the web has; RFC 1035 §2.3.4.
_HOST: Final = re.compile(rb"(?:([A-Za-z0-9_][A-Za-z0-9._-]{0,252})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{1,5}))?")
# Characters that Python calls printable and no one sees: Default_Ignorable_Code_Point (Unicode, UAX #44)
# without those of category Cf, and the blank Braille pattern.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Letters and digits that run from right to left turn round the neutral signs and numbers after them.
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})

_origins: dict[bytes, str] = {}


def clean_text(raw: bytes, max_bytes: int) -> str:
    """Return header bytes as text that can neither break, forge nor disguise a line.

    UTF-8 is read as such, anything else as Latin-1 (RFC 9110 §5.5). Control, direction and zero-width
    characters, line and paragraph separators, spaces other than U+0020, right-to-left letters and code
    points without a character become U+FFFD.

    Args:
        raw: the header's value.
        max_bytes: the most that is read, and the most that the text takes as UTF-8.
    """
    head = raw[:max_bytes]
    if head.isascii():
        text = head.decode("ascii")
        if text.isprintable():
            return text
    else:
        text = _INVISIBLE.sub(REPLACEMENT, _decode(head, is_cut=len(head) < len(raw)))
    # U+FFFD and Latin-1 take more bytes than what they stand for.
    return "".join(map(_safe, text)).encode()[:max_bytes].decode("utf-8", "ignore")


def referrer_host(raw: bytes) -> str:
    """Return host[:port] of a Referer in lower case; empty if it has none of valid syntax.

    Source: RFC 9110 §10.1.3; RFC 3986 §3.2.
    """
    slash = raw.find(b"/", _AFTER_SCHEME)
    origin = raw[:slash] if slash > 0 else b""
    if (known := _origins.get(origin)) is not None:
        return known
    host = _referrer_host(raw)
    # No more than an origin is remembered, so that no secret outlives its request here.
    if host and origin.lower().endswith(b"://" + host.encode()):
        if len(_origins) >= _ORIGINS_KEPT:
            _origins.clear()
        _origins[origin] = host
    return host


def _referrer_host(raw: bytes) -> str:
    scheme, found, rest = raw[:_MAX_REFERRER_BYTES].partition(b"://")
    if not found or (scheme not in _WEB_SCHEMES and _SCHEME.fullmatch(scheme) is None):
        return ""
    authority, ended, _ = rest.partition(b"/")
    if not ended and len(raw) > _MAX_REFERRER_BYTES:
        return ""  # cut within the host: what is left could be the name of another one
    end = _AUTHORITY_END.search(authority)
    host = authority[: end.start() if end else None].rpartition(b"@")[2]
    return _host_text(host) if len(host) <= _MAX_HOST_BYTES else ""


def is_host(raw: bytes) -> bool:
    """Tell whether the bytes are host[:port]: a name of at most 253 bytes, IPv4, or [IPv6].

    Source: RFC 9110 §7.2; RFC 3986 §3.2.2.
    """
    match = _HOST.fullmatch(raw)
    if match is None:
        return False
    name, literal, port = match.groups()
    if port is not None and int(port) > _MAX_PORT:
        return False
    if literal is None:
        return b".." not in name
    try:
        ipaddress.IPv6Address(literal.decode("ascii"))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _host_text(host: bytes) -> str:
    return host.decode("ascii").lower() if is_host(host) else ""


def _decode(raw: bytes, *, is_cut: bool) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        if is_cut and fault.reason == "unexpected end of data":
            return raw[: fault.start].decode("utf-8")
        return raw.decode("latin-1")


def _safe(character: str) -> str:
    if not character.isprintable() or unicodedata.bidirectional(character) in _RIGHT_TO_LEFT:
        return REPLACEMENT
    return character
