"""The validators of injected pages: ours outside, the app's inside.

An app's entity tag stands for its own content. A page with markup added gets a tag that stands for both, so
that no "304 Not Modified" brings an old banner back: always weak (RFC 9110 §8.8.1), the app's opaque text,
then ``.ck-`` and eight digits of the markup's hash. Where the app has only a Last-Modified, the tag holds it.

    "abc"  →  W/"abc.ck-1f2e3d4c"        W/"abc"  →  W/"W/abc.ck-1f2e3d4c"
    Last-Modified at 1767225600  →  W/"@1767225600.ck-1f2e3d4c"

Owns that form and its way back. Which pages get one is `inject`'s decision.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from consentkit.consent.cachepolicy import Headers, kept_apart, unix_time, with_vary

if TYPE_CHECKING:
    from collections.abc import Callable

_TAG = re.compile(rb"(W/)?\"([\x21\x23-\x7e\x80-\xff]*+)\"")
_OURS = re.compile(rb"W/\"([\x21\x23-\x7e\x80-\xff]*)\.ck-([0-9a-f]{8})\"")
_MARK = b".ck-"
# Opaque texts that begin so could be taken for a form of ours: "=" before them says that they are the app's.
_ESCAPED = (b"W/", b"@", b"=")
_DATE_BYTES = 12  # "@" and eleven digits: up to the year 5138
# A browser keeps one tag for a page, a cache some variants; who sends more gets a whole answer.
_TAGS_READ = 32

# Of the app's bytes, no longer true of the page (RFC 9530, RFC 3230, RFC 1864).
_OF_THE_BYTES = frozenset(
    (b"content-length", b"content-digest", b"repr-digest", b"digest", b"content-md5", b"accept-ranges")
)


class Conditions(Struct, frozen=True):
    """Give a request's headers as the app may see them, and how to answer for it.

    Attributes:
        headers: the request's, with the app's own validators in place of ours.
        tags: what the client holds for each tag that the app is shown; empty bytes stand for a date. Nothing
            where the client sent no tag of ours.
    """

    headers: Headers
    tags: dict[bytes, bytes]


def our_tag(etag: bytes | None, last_modified: bytes | None, markup_hash: str) -> bytes | None:
    """Return the entity tag of an injected page, or None where the app gave nothing usable to make it from.

    Args:
        etag: the app's ETag; a malformed one counts as none, for it can't be found again.
        last_modified: the app's Last-Modified, used where there is no ETag.
        markup_hash: eight hexadecimal digits.
    """
    if etag is not None:
        tag = _TAG.fullmatch(etag.strip())
        if tag is None:
            return None
        opaque = (b"W/" if tag[1] else b"=" if tag[2].startswith(_ESCAPED) else b"") + tag[2]
    else:
        changed_at = None if last_modified is None else unix_time(last_modified)
        if changed_at is None:
            return None
        opaque = b"@%d" % changed_at
    return b'W/"%b.ck-%b"' % (opaque, markup_hash.encode("ascii"))


def original_of(tag: bytes) -> tuple[bytes, str] | None:
    """Return the app's validator and the markup's hash behind a tag of ours, or None for any other tag.

    The validator is an entity tag, or ``@`` and a Unix time in seconds.
    """
    ours = _OURS.fullmatch(tag)
    if ours is None:
        return None
    opaque = ours[1]
    if opaque.startswith(b"@"):
        return (opaque, ours[2].decode()) if opaque[1:].isdigit() and len(opaque) <= _DATE_BYTES else None
    if opaque.startswith(b"W/"):
        return b'W/"%b"' % opaque[2:], ours[2].decode()
    return b'"%b"' % opaque.removeprefix(b"="), ours[2].decode()


def for_the_app(headers: Headers, *, hashes: Callable[[], frozenset[str]], keeps_foreign: bool) -> Conditions:
    """Translate the validators of a GET or HEAD request for a page.

    Tags of ours with a hash that still holds become the app's; others of ours go, and the whole page follows.
    A range of an injected page is not to be had: where If-Range names our tag, it and Range go.

    Args:
        headers: the request's headers; not changed.
        hashes: returns the hashes of the markup that pages now get; asked only where a tag of ours came.
        keeps_foreign: validators that are not ours stay. Under them a browser holds pages without markup, so
            for its navigations they go.

    Source: RFC 9110 §13.1.
    """
    given = b",".join(value for name, value in headers if name == b"if-none-match")
    has_ours = _MARK in given
    tags = _translated(given, hashes(), keeps_foreign=keeps_foreign) if has_ours else {}
    dropped = {b"if-none-match"}
    if has_ours or not keeps_foreign:
        dropped.add(b"if-modified-since")
    if any(name == b"if-range" and original_of(value.strip()) for name, value in headers):
        dropped |= {b"if-range", b"range"}
    if any(name == b"if-match" and _MARK in value for name, value in headers):
        dropped.add(b"if-match")  # never true of a weak tag, and reading a page loses no one's update
    kept = [line for line in headers if line[0] not in dropped]
    if tags:
        kept.append(_condition(tags))
    elif given and keeps_foreign and not has_ours:
        kept.append((b"if-none-match", given))
    return Conditions(kept, tags)


def _translated(given: bytes, hashes: frozenset[str], *, keeps_foreign: bool) -> dict[bytes, bytes]:
    """Return what the client holds, by what the app is asked for instead."""
    tags: dict[bytes, bytes] = {}
    for found in islice(_TAG.finditer(given), _TAGS_READ):
        original = original_of(found[0])
        if original is None:
            if keeps_foreign:
                tags.setdefault(found[0], found[0])
        elif original[1] in hashes:
            tags.setdefault(b"" if original[0].startswith(b"@") else original[0], found[0])
    return tags


def _condition(tags: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return the one condition for the app; a date counts only where there is no tag (RFC 9110 §13.1.3)."""
    names = b", ".join(filter(None, tags))
    if names:
        return b"if-none-match", names
    seconds = int(_OURS.sub(rb"\1", tags[b""])[1:])
    from email.utils import formatdate  # noqa: PLC0415 - heavy, and seldom needed

    return b"if-modified-since", formatdate(seconds, usegmt=True).encode("ascii")


def of_not_modified(headers: Headers, tags: dict[bytes, bytes]) -> Headers:
    """Return the headers of a 304 as the client may see them: with the tag that it holds.

    Args:
        headers: the app's; not changed.
        tags: what `for_the_app` returned; not empty.

    Source: RFC 9110 §15.4.5 (what a 304 carries), RFC 9111 §3.2 (caches take it over into what they hold).
    """
    kept = without_the_bytes(headers)
    etag = next((value.strip() for name, value in headers if name.lower() == b"etag"), b"")
    held = next(
        (held for shown, held in tags.items() if shown.removeprefix(b"W/") == etag.removeprefix(b"W/")), None
    )
    if held is None and not etag and len(tags) == 1:
        held = next(iter(tags.values()))
    if held or etag:
        kept.append((b"etag", held or etag))
    return with_vary(kept_apart(kept), (b"Accept-Encoding",))


def without_the_bytes(headers: Headers) -> Headers:
    """Return headers without what describes the app's own bytes: length, digests, ranges, validators."""
    return [
        line
        for line in headers
        if (name := line[0].lower()) not in _OF_THE_BYTES and name not in (b"etag", b"last-modified")
    ]
