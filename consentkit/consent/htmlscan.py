"""The markup of a page's first bytes, as tokens, in one forward pass.

Owns the reading: tags, attributes, comments, doctype and raw text, over chunks. The patterns are kept in
`htmlsyntax`; what the tokens mean is `places`' affair.

Each byte is looked at a fixed number of times, however the page is cut into chunks: what was read is a
position and a mode, each mode a jump of `re` or `find`, and no quantifier gives back what it took.

Source: WHATWG HTML §13.2.5 (tokenization).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from consentkit.consent.htmlsyntax import (
    ATTRIBUTE,
    COMMENT_END,
    DOUBLE_ESCAPED,
    ESCAPED,
    MARKUP,
    OPENER,
    OPENER_BYTES,
    PLAIN,
    RAW_END,
    RAW_END_BYTES,
    REST_OF_TAG,
    SCRIPT_SIGNS,
    SPACE,
    TAG_STATES,
    USUAL_CONTENT,
    USUAL_ELEMENTS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PageBytes: TypeAlias = bytes | bytearray


class Kind(Enum):
    """Name the tokens that matter before the body."""

    START_TAG = auto()
    END_TAG = auto()
    DOCTYPE = auto()
    TEXT = auto()


class Token(NamedTuple):
    """Give one token.

    Attributes:
        kind: what it is.
        name: of tags, in lower case and cut after 16 bytes; else empty.
        at: offset of its first byte in the page.
        end: offset behind its last byte.
    """

    kind: Kind
    name: bytes
    at: int
    end: int


class Tokenizer:
    """Read tokens from a page that comes in chunks.

    Comments, white space and the content of raw text elements make no token. `<plaintext>` is not known here:
    it opens the body, so nobody reads past it.
    """

    __slots__ = (
        "_comment_at",
        "_ended",
        "_mode",
        "_script",
        "_tag_at",
        "_tag_kind",
        "_tag_name",
        "_tag_state",
        "at",
    )

    def __init__(self) -> None:
        self.at = 0  # everything before it is read
        self._ended = False
        self._mode: Callable[[Tokenizer, PageBytes, int], Token | bool] = Tokenizer._between
        self._tag_kind = Kind.START_TAG
        self._tag_name = b""
        self._tag_at = 0
        self._tag_state = "gap"
        self._comment_at = 0
        self._script = PLAIN

    @property
    def is_between(self) -> bool:
        """Say that the reader stands outside every tag, comment and raw text."""
        return self._mode is Tokenizer._between

    def read(self, page: PageBytes, stop: int, *, ended: bool) -> Iterator[Token]:
        """Yield the tokens that are complete before `stop`.

        Args:
            page: all of the page so far: what an earlier call was given, and more.
            stop: offset at which to stop.
            ended: the page ends at `stop`, so nothing is waited for.
        """
        self._ended = ended
        while read := self._mode(self, page, stop):
            if isinstance(read, Token):
                yield read

    def pass_usual_elements(self, page: PageBytes, stop: int) -> None:
        """Pass over what a head is usually made of, as far as it is whole, without tokens for it."""
        if self._mode is Tokenizer._between and (usual := USUAL_ELEMENTS.match(page, self.at, stop)):
            self.at = usual.end()

    def pass_usual_content(self, page: PageBytes, stop: int) -> None:
        """Pass over text, and what a body is usually made of, as far as it is whole, without tokens for it."""
        if self._mode is Tokenizer._between and (usual := USUAL_CONTENT.match(page, self.at, stop)):
            self.at = usual.end()

    # The modes. Each reads what it can, and returns a token, True to go on, or False for want of bytes.

    def _between(self, page: PageBytes, stop: int) -> Token | bool:
        space = SPACE.match(page, self.at, stop)
        at = self.at = space.end() if space else self.at
        if at == stop:
            return False
        opener = OPENER.match(page, at, stop)
        if opener is None:
            is_cut = page[at] == 0x3C and at + 1 == stop and not self._ended
            return not is_cut and self._text(page, stop)
        if opener.end() == stop and stop - at < OPENER_BYTES and not self._ended:
            return False
        if opener[2] is None:
            return self._declaration(page, stop)
        self._tag_kind = Kind.END_TAG if opener[1] else Kind.START_TAG
        self._tag_name = opener[2].lower()
        self._tag_at = at
        rest = REST_OF_TAG.match(page, opener.end(), stop)
        if rest is not None:
            return self._end_tag(rest.end())
        self.at, self._mode, self._tag_state = opener.end(), Tokenizer._in_tag, "gap"
        return True

    def _text(self, page: PageBytes, stop: int) -> Token:
        at = self.at
        markup = MARKUP.search(page, at, stop)
        # A "<" at the very end may begin the next markup.
        self.at = markup.start() if markup else max(stop - page.endswith(b"<", at, stop), at + 1)
        return Token(Kind.TEXT, b"", at, self.at)

    def _declaration(self, page: PageBytes, stop: int) -> bool:
        at = self.at
        first = bytes(page[at : min(at + 9, stop)]).lower()
        is_cut = len(first) < 9 and (b"<!--".startswith(first) or b"<!doctype".startswith(first))
        if is_cut and not self._ended:
            return False
        self._tag_kind = Kind.DOCTYPE if first == b"<!doctype" else Kind.TEXT
        self._tag_at = self._comment_at = at
        self._mode = Tokenizer._in_comment if first.startswith(b"<!--") else Tokenizer._in_declaration
        self.at = at + 2  # what follows is shared with the end: "<!-->" is a whole comment, as is "<!>"
        return True

    def _in_comment(self, page: PageBytes, stop: int) -> bool:
        end = COMMENT_END.search(page, self.at, stop)
        if end is None:
            self.at = max(self.at, stop - 3)
            return False
        # "--!>" ends a comment only behind all of "<!--".
        is_whole = end.end() - end.start() == 3 or end.start() >= self._comment_at + 4
        self.at = end.end() if is_whole else end.start() + 1
        if is_whole:
            self._mode = Tokenizer._between
        return True

    def _in_declaration(self, page: PageBytes, stop: int) -> Token | bool:
        end = page.find(b">", self.at, stop) + 1
        self.at = end or stop
        if not end:
            return False
        self._mode = Tokenizer._between
        return self._tag_kind is not Kind.DOCTYPE or Token(Kind.DOCTYPE, b"", self._tag_at, end)

    def _in_tag(self, page: PageBytes, stop: int) -> Token | bool:
        state = self._tag_state
        while state != "end":
            pattern, steps, otherwise = TAG_STATES[state]
            run = pattern.match(page, self.at, stop)
            self.at = run.end() if run else self.at
            if self.at == stop:
                self._tag_state = state
                return False
            state, taken = steps.get(page[self.at], otherwise)
            self.at += taken
        return self._end_tag(self.at)

    def _end_tag(self, end: int) -> Token:
        self.at = end
        self._mode = Tokenizer._between
        if self._tag_kind is Kind.START_TAG:
            if self._tag_name == b"script":
                self._mode, self._script = Tokenizer._in_script, PLAIN
            elif self._tag_name in RAW_END:
                self._mode = Tokenizer._in_raw_text
        return Token(self._tag_kind, self._tag_name, self._tag_at, end)

    def _in_raw_text(self, page: PageBytes, stop: int) -> bool:
        end = RAW_END[self._tag_name].search(page, self.at, stop)
        if end is None:
            self.at = max(self.at, stop - RAW_END_BYTES)
            return False
        self.at, self._mode = end.start(), Tokenizer._between
        return True

    def _in_script(self, page: PageBytes, stop: int) -> bool:
        sign = SCRIPT_SIGNS[self._script].search(page, self.at, stop)
        if sign is None:
            self.at = max(self.at, stop - RAW_END_BYTES)
            return False
        self.at = sign.end()
        if sign[0] == b"<!--":
            self._script = ESCAPED
            self.at -= 2  # "<!-->" opens and closes
        elif sign[0] == b"-->":
            self._script = PLAIN
        elif sign[0][1:2] != b"/":
            self._script = DOUBLE_ESCAPED
        elif self._script == DOUBLE_ESCAPED:
            self._script = ESCAPED
        else:
            self.at, self._mode = sign.start(), Tokenizer._between
        return True


def attribute(page: PageBytes, tag: Token, wanted: bytes) -> bytes | None:
    """Return the value of a start tag's attribute, or None; the first counts where it stands twice.

    Args:
        page: the page that the token was read from.
        tag: a complete start tag whose name has fewer than 16 bytes.
        wanted: the attribute's name in lower case.
    """
    for found in ATTRIBUTE.finditer(page, tag.at + 1 + len(tag.name), tag.end - 1):
        if found[1].lower() == wanted:
            return bytes(found[2] or found[3] or found[4] or b"")
    return None
