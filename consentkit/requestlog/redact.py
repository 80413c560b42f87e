"""URLs fit to be kept: without values, secrets and persons, in one line of ASCII.

Owns what of a request's target stays. What a person's mark looks like is `identifiers`' matter, what an
attack looks like `queryflags`'.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import msgspec

from consentkit.requestlog.headertext import is_host
from consentkit.requestlog.identifiers import identifies, may_identify
from consentkit.requestlog.queryflags import (
    INERT,
    LONG,
    MAX_VALUE_BYTES,
    QUERY_FLAGS,
    flag_bits,
    flag_names,
    flags_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("QUERY_FLAGS", "RedactedUrl", "Redactor", "flag_bits", "flag_names")

REDACTED: Final = "REDACTED"
ELLIPSIS: Final = "…"  # no client can write it: what is not ASCII is percent-encoded
MAX_URL_CHARACTERS: Final = 2048
MAX_PAIRS: Final = 64
MAX_NAME_BYTES: Final = 64
MAX_KEPT_CHARACTERS: Final = 256  # of a value that the settings allow
_MAX_QUERY_BYTES: Final = 8192  # looked at; more would buy a client time of the worker
_PATHS_KEPT: Final = 2048
_NAMES_KEPT: Final = 1024
_MAX_REMEMBERED_BYTES: Final = 512

_UNSAFE: Final = re.compile(rb"[^!-~]")  # a space or a control character ends a line's field
_PIECE: Final = re.compile(rb"([/;])")  # path segments and their parameters, RFC 3986 §3.3
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,31}")
# Names that forms and frameworks use: order_by, filter[name], utm_source, a:b, $top.
_NAME: Final = re.compile(rb"[A-Za-z0-9_.:$!*()\[\]~-]{0,64}")
_INERT_QUERY: Final = INERT + b"&"


class RedactedUrl(msgspec.Struct, frozen=True, gc=False):
    """Hold a URL that may be kept.

    Attributes:
        url: path and query; visible ASCII, and ``…`` where something is left out; at most 2,048 characters.
        flags: bits of `QUERY_FLAGS`: what the query's values looked like.
    """

    url: str
    flags: int


class Redactor:
    """Make URLs fit to be kept.

    Args:
        keep_query_keys: names of the query keys whose values stay; those of all others are redacted.
        redact_paths: redact pieces of the path in which `identifiers` finds a person or a secret.
    """

    def __init__(self, keep_query_keys: Iterable[str] = (), *, redact_paths: bool = True) -> None:
        self._keep = frozenset(key.encode("utf-8") for key in keep_query_keys)
        self._redact_paths = redact_paths
        # Only what stays as it came is remembered, so that no secret outlives its request here.
        self._harmless: dict[bytes, RedactedUrl] = {}
        self._names: dict[bytes, tuple[str, bool]] = {}

    def url(self, raw_path: bytes, query_string: bytes) -> RedactedUrl:
        """Return path and query without what must not be kept.

        The path stays as the client sent it but for redacted pieces (whole, between ``/`` and ``;``), a
        user:password@ and the fragment, which go, and bytes that are not visible ASCII, which are
        percent-encoded. In the query the names stay; one that is over 64 bytes, holds characters that
        names don't have, or identifies, becomes REDACTED, and so does a component without ``=``, which may
        be a bare token. Names are decoded before they are compared with the allow-list. After 64 pairs or
        2,048 characters ``…`` stands for the rest, which is flagged `long`.

        Args:
            raw_path: the target's path as in ASGI `raw_path`; absolute-form and authority-form are taken.
            query_string: percent-encoded, without ``?``.
        """
        known = self._harmless.get(raw_path)
        if known is None:
            if b"?" in raw_path:  # some servers leave the query there
                raw_path, _, early = raw_path.partition(b"?")
                query_string = early + b"&" + query_string if query_string else early
            known = self._path(raw_path)
        return self._with_query(known, query_string) if query_string else known

    def _with_query(self, path: RedactedUrl, query_string: bytes) -> RedactedUrl:
        query, flags = self._query(query_string)
        url = f"{path.url}?{query}"
        if len(url) > MAX_URL_CHARACTERS:
            return RedactedUrl(url[: MAX_URL_CHARACTERS - 1] + ELLIPSIS, path.flags | flags | LONG)
        return RedactedUrl(url, path.flags | flags)

    def _path(self, raw: bytes) -> RedactedUrl:
        sent = raw
        raw = raw.partition(b"#")[0]
        if not raw.startswith(b"/"):
            raw = _without_userinfo(raw)
        is_cut = len(raw) > MAX_URL_CHARACTERS
        if is_cut:  # at the end of a piece: half a mail address would no longer be known for one
            raw = raw[:MAX_URL_CHARACTERS]
            raw = raw[: max(raw.rfind(b"/"), raw.rfind(b";")) + 1]
        if self._redact_paths and may_identify(raw):
            raw = b"".join(REDACTED.encode() if identifies(piece) else piece for piece in _PIECE.split(raw))
        text = _visible(raw)
        if is_cut or len(text) > MAX_URL_CHARACTERS:
            return RedactedUrl(text[: MAX_URL_CHARACTERS - 1] + ELLIPSIS, LONG)
        url = RedactedUrl(text, 0)
        if raw == sent and len(sent) <= _MAX_REMEMBERED_BYTES:
            if len(self._harmless) >= _PATHS_KEPT:
                self._harmless.clear()
            self._harmless[sent] = url
        return url

    def _query(self, query: bytes) -> tuple[str, int]:
        query = query.partition(b"#")[0]
        flags = 0
        is_cut = len(query) > _MAX_QUERY_BYTES
        query = query[:_MAX_QUERY_BYTES]
        pairs = query.split(b"&", MAX_PAIRS)
        is_inert = not query.translate(None, _INERT_QUERY)
        texts = []
        for pair in pairs[:MAX_PAIRS]:
            text, seen = self._pair(pair, is_inert=is_inert)
            texts.append(text)
            flags |= seen
        if len(pairs) > MAX_PAIRS:
            is_cut = True
            flags |= flags_of(pairs[-1])
        return ("&".join(texts) + ELLIPSIS, flags | LONG) if is_cut else ("&".join(texts), flags)

    def _pair(self, pair: bytes, *, is_inert: bool) -> tuple[str, int]:
        raw_name, equals, value = pair.partition(b"=")
        name, is_kept = self._names.get(raw_name) or self._name(raw_name)
        if is_inert and len(pair) <= MAX_VALUE_BYTES:
            flags = 0
        else:
            flags = flags_of(value) | (flags_of(raw_name) if name is REDACTED or not equals else 0)
        if not equals:
            return (name if is_kept or not pair else REDACTED), flags
        return f"{name}={_kept(value) if is_kept else REDACTED}", flags

    def _name(self, raw: bytes) -> tuple[str, bool]:
        """Return a key's name as it may be shown, and whether its value may be."""
        decoded = unquote_to_bytes(raw.replace(b"+", b" "))
        is_kept = decoded in self._keep
        if not is_kept and (
            _NAME.fullmatch(decoded) is None or len(raw) > 3 * MAX_NAME_BYTES or identifies(decoded)
        ):
            return REDACTED, False
        known = _visible(raw), is_kept
        if len(self._names) >= _NAMES_KEPT:
            self._names.clear()
        self._names[raw] = known
        return known


def _kept(value: bytes) -> str:
    """Return an allowed value, safe to show and cut to its cap."""
    if b";" in value:  # some parsers read "page=1;token=…" as two pairs
        return REDACTED
    text = _visible(value[:MAX_KEPT_CHARACTERS])
    if len(value) <= MAX_KEPT_CHARACTERS and len(text) <= MAX_KEPT_CHARACTERS:
        return text
    return text[: MAX_KEPT_CHARACTERS - 1] + ELLIPSIS


def _without_userinfo(target: bytes) -> bytes:
    """Return a target of absolute-form, authority-form or ``*`` without its user:password@.

    Source: RFC 9112 §3.2; RFC 3986 §3.2.1.
    """
    scheme, found, rest = target.partition(b"://")
    if found and _SCHEME.fullmatch(scheme) is not None:
        start = scheme + b"://"
    else:
        start, rest = b"", target
    authority, slash, path = rest.partition(b"/")
    host = authority.rpartition(b"@")[2]
    if host not in (b"", b"*") and not is_host(host):
        host = REDACTED.encode()
    return start + host + slash + path


def _visible(raw: bytes) -> str:
    """Return the bytes as text of visible ASCII, the others percent-encoded."""
    return _UNSAFE.sub(lambda unsafe: b"%%%02X" % unsafe[0][0], raw).decode("ascii")
