"""Where markup may stand in a page: right behind the start of its head, and of its body.

Owns the rules by which a browser opens the two, with tags or without. The syntax is `htmlscan`'s.

Source: WHATWG HTML §13.2.6.4.1 to §13.2.6.4.6 (from "initial" to "after head"), §13.2.3.2 (charset prescan).
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from consentkit.consent.htmlscan import Kind, Token, Tokenizer, attribute
from consentkit.consent.htmlsyntax import USUAL_PAGE

if TYPE_CHECKING:
    from consentkit.consent.htmlscan import PageBytes

SEARCH_LIMIT_BYTES = 65_536
_KEPT_TAG_BYTES = 512  # a longer tag is read each time

# Byte order marks of UTF-16 and UTF-32, and markup in them without a mark.
_WIDE_SIGNS = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<", b"\x00\x00")
_UTF8_MARK = b"\xef\xbb\xbf"

_LANGUAGE = re.compile(rb"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_CHARSET = re.compile(rb"charset", re.IGNORECASE)

_HEAD_ONLY = frozenset(b"base basefont bgsound link meta noframes noscript script style template title".split())
_OF_A_PAGE = frozenset((b"html", b"head", b"body", b"title", b"meta", b"base"))
# What may stand before <meta charset> and fetches or runs nothing.
_BEFORE_CHARSET = frozenset((b"meta", b"title", b"base"))
_OPENS_BODY_AT_ITS_END = frozenset((b"body", b"html", b"br"))


class Verdict(Enum):
    """Say how far the search came."""

    SEEKING = "more bytes are needed"
    FOUND = "the places are known"
    NO_PLACE = "there are none, or none within the limit"
    WIDE = "the page is UTF-16 or UTF-32, where ASCII markup can't stand"


class Places(Struct, frozen=True):
    """Give the places for markup, as offsets into the page.

    Attributes:
        head_at: right behind `<head …>`; without such a tag, where a browser opens the head. A needed
            `<meta charset>` stays before it: browsers look for one in the first 1,024 bytes alone.
        body_at: right behind `<body …>`; without such a tag, where a browser opens the body.
        language: the `lang` of `<html>`, well formed and with hyphens; None where there is none.
        is_whole_page: a doctype or an element was seen that fragments don't have.
    """

    head_at: int
    body_at: int
    language: str | None
    is_whole_page: bool


class PlaceSearch:
    """Search one page for its places, chunk by chunk.

    Args:
        charset_declared: the response says the charset itself, so that no `<meta>` is needed for it.
    """

    __slots__ = (
        "_after_head",
        "_charset_sought",
        "_head_at",
        "_is_whole_page",
        "_language",
        "_templates",
        "_tokens",
        "places",
        "verdict",
    )

    def __init__(self, *, charset_declared: bool = True) -> None:
        self.verdict = Verdict.SEEKING
        self.places: Places | None = None
        self._tokens = Tokenizer()
        self._charset_sought = not charset_declared
        self._head_at: int | None = None
        self._after_head = False
        self._templates = 0
        self._language: str | None = None
        self._is_whole_page = False

    def go_on(self, page: PageBytes, *, ended: bool) -> Verdict:
        """Go on with the search, as far as these bytes allow.

        Args:
            page: all of the page so far: what the last call was given, and more. Its first 64 KiB are read.
            ended: nothing follows.

        Returns:
            The verdict; once it is not `SEEKING` it stays. With `FOUND`, `places` are set.
        """
        stop = min(len(page), SEARCH_LIMIT_BYTES)
        ended = ended and stop == len(page)
        if self.verdict is not Verdict.SEEKING or not (self._tokens.at or self._begin(page, stop, ended=ended)):
            return self.verdict
        for token in self._tokens.read(page, stop, ended=ended):
            self._take(page, token)
            if self.verdict is not Verdict.SEEKING:
                return self.verdict
            if self._is_past_meaning():
                self._tokens.pass_usual_elements(page, stop)
        if ended:
            self._end(stop)
        elif stop == SEARCH_LIMIT_BYTES:
            self.verdict = Verdict.NO_PLACE
        return self.verdict

    def _begin(self, page: PageBytes, stop: int, *, ended: bool) -> bool:
        """Look at the page's very beginning; say whether its tokens are to be read now."""
        if stop < 4 and not ended:
            return False
        if page.startswith(_WIDE_SIGNS):
            self.verdict = Verdict.WIDE
            return False
        if page.startswith(_UTF8_MARK):
            self._tokens.at = len(_UTF8_MARK)
            self._charset_sought = False
        usual = None if self._charset_sought else USUAL_PAGE.match(page, self._tokens.at, stop)
        if usual is None:
            return True
        start_tag = usual["html"]
        read = _language_of if len(start_tag) <= _KEPT_TAG_BYTES else _language_of.__wrapped__
        self._language = read(bytes(start_tag))
        self._is_whole_page = True
        self._head_at = usual.end("head")
        self._found(usual.start("body"), usual.end("body"))
        return False

    def _is_past_meaning(self) -> bool:
        """Say that the head's usual elements have nothing more to tell."""
        return not (self._head_at is None or self._charset_sought or self._templates) and self._is_whole_page

    def _end(self, stop: int) -> None:
        """At the end of a page without content a browser opens the body, if anything made it a page."""
        is_open = self._tokens.is_between and not self._templates
        if is_open and (self._is_whole_page or self._head_at is not None):
            self._found(stop, stop)
        else:
            self.verdict = Verdict.NO_PLACE

    def _found(self, body_opens_at: int, body_at: int) -> None:
        head_at = body_opens_at if self._head_at is None else self._head_at
        self.places = Places(head_at, body_at, self._language, self._is_whole_page)
        self.verdict = Verdict.FOUND

    def _take(self, page: PageBytes, token: Token) -> None:
        if self._templates:
            self._templates += (token.name == b"template") * (1 if token.kind is Kind.START_TAG else -1)
        elif token.kind is Kind.START_TAG:
            self._start_tag(page, token)
        elif token.kind is Kind.END_TAG:
            self._end_tag(token)
        elif token.kind is Kind.DOCTYPE:
            self._is_whole_page = True
        else:
            self._found(token.at, token.at)

    def _start_tag(self, page: PageBytes, tag: Token) -> None:
        self._is_whole_page = self._is_whole_page or tag.name in _OF_A_PAGE
        if tag.name in _HEAD_ONLY and not (self._after_head and tag.name == b"noscript"):
            self._head_element(page, tag)
        elif tag.name == b"head":
            self._head_at = tag.end if self._head_at is None else self._head_at
        elif tag.name == b"html":
            self._language = self._language or _language(attribute(page, tag, b"lang"))
        elif tag.name == b"body":
            self._found(tag.at, tag.end)
        elif tag.name == b"frameset":  # stands in the body's stead, and any content before it would undo it
            self.verdict = Verdict.NO_PLACE
        else:
            self._found(tag.at, tag.at)

    def _head_element(self, page: PageBytes, tag: Token) -> None:
        if self._head_at is None:
            self._head_at = tag.at
        if self._charset_sought:
            if tag.name == b"meta" and _CHARSET.search(page, tag.at, tag.end):
                self._head_at = tag.end
                self._charset_sought = False
            self._charset_sought &= tag.name in _BEFORE_CHARSET
        self._templates = int(tag.name == b"template")

    def _end_tag(self, tag: Token) -> None:
        if tag.name == b"head":
            self._head_at = tag.at if self._head_at is None else self._head_at
            self._after_head = self._is_whole_page = True
        elif tag.name in _OPENS_BODY_AT_ITS_END:
            self._found(tag.at, tag.at)


@lru_cache(maxsize=128)
def _language_of(tag: bytes) -> str | None:
    """Read the `lang` of a whole `<html …>`; a site has few such tags, so it is kept."""
    return _language(attribute(tag, Token(Kind.START_TAG, b"html", 0, len(tag)), b"lang"))


def _language(value: bytes | None) -> str | None:
    value = (value or b"").strip()
    return value.decode("ascii").replace("_", "-") if _LANGUAGE.fullmatch(value) else None
