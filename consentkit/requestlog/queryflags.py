"""What the values of a query looked like, so that an attack stays searchable though its values are gone.

Owns the flags' names, bits and signs. They are hints for a search, not a verdict: the log blocks nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from collections.abc import Iterable

QUERY_FLAGS: Final[tuple[str, ...]] = (
    "quote",
    "angle",
    "traversal",
    "template",
    "null_byte",
    "sql",
    "shell",
    "long",
    "encoded_twice",
)
QUOTE, ANGLE, TRAVERSAL, TEMPLATE, NULL_BYTE, SQL, SHELL, LONG, ENCODED_TWICE = (
    1 << place for place in range(len(QUERY_FLAGS))
)

MAX_VALUE_BYTES: Final = 1024  # a longer value is flagged as long

# Values of these alone look like nothing.
INERT: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~=,:@!?"
# What one byte shows by itself, and what it takes for the signs and patterns below to be worth a look.
_SHOWN_BY: Final = {QUOTE: b"'\"", ANGLE: b"<>", NULL_BYTE: b"\x00"}
_NEEDED_BY: Final = {
    TRAVERSAL: b"/\\\xc0",
    TEMPLATE: b"{%",
    SQL: b" \t\r\n\v\f'\"(*|&",
    SHELL: b";|&`\n$/",
}
_SHOWS: Final = tuple(sum(flag for flag, signs in _SHOWN_BY.items() if byte in signs) for byte in range(256))
_NEEDS: Final = tuple(sum(flag for flag, signs in _NEEDED_BY.items() if byte in signs) for byte in range(256))

# Fixed words with a bounded number of bytes between them: the time is linear in the value's length.
_TRAVERSAL: Final = re.compile(rb"\.\.[/\\]|\xc0\xae|file://")  # \xc0\xae is "." in overlong UTF-8
_TEMPLATE: Final = re.compile(rb"[{$#]\{|[{<]%")
_SQL_WORD: Final = re.compile(
    rb"select|insert|delete|drop|update|sleep|benchmark|extractvalue|load_file|cmdshell|waitfor|order"
    rb"|information_schema|['\")\s0-9](?:or|and|\|\||&&)|'"
)
_GAP: Final = rb"(?:\s|/\*[^*]{0,16}\*/|[+(]){1,8}"
_SQL: Final = re.compile(
    rb"\bunion" + _GAP + rb"(?:all" + _GAP + rb")?select\b"
    rb"|\bselect\b[^;]{1,128}?\bfrom\b"
    rb"|\b(?:insert" + _GAP + rb"into|delete" + _GAP + rb"from|drop" + _GAP + rb"(?:table|database|schema))\b"
    rb"|\bupdate\b[^;]{1,64}?\bset\s{1,4}\w{1,32}\s{0,4}="
    rb"|['\")\s0-9](?:or|and|\|\||&&)[\s(+'\"]{1,8}\w{0,32}[\s'\")]{0,8}[=<>]"
    rb"|\b(?:sleep|benchmark|pg_sleep|extractvalue|updatexml|load_file|xp_cmdshell)\s{0,4}\("
    rb"|\bwaitfor\s{1,8}delay\b|\binformation_schema\b|\border\s{1,8}by\s{1,8}[0-9]|'\s{0,8}(?:--|#|;)"
)
_SHELL: Final = re.compile(
    rb"[;|&`\n]\s{0,8}(?:cat|ls|id|wget|curl|nc|ncat|bash|sh|zsh|ping|sleep|whoami|uname|rm|chmod|echo|python3?"
    rb"|perl|php|powershell|cmd|nslookup|env|printenv)(?:\b|\$)"
    rb"|\$\(|\$\{?ifs|`[^`]{1,128}`|/bin/(?:ba|z|da)?sh\b|/etc/(?:passwd|shadow)\b|\bcmd\.exe\b|/dev/tcp/"
)


def flags_of(raw: bytes) -> int:
    """Return the flag bits of one value of a query, as it came.

    It is decoded once, `+` to a space with it; what can then be decoded again is flagged `encoded_twice`
    and judged in that form, too.

    Args:
        raw: percent-encoded bytes between two ``&``. The time is linear in their number.
    """
    flags = LONG if len(raw) > MAX_VALUE_BYTES else 0
    once = unquote_to_bytes(raw.replace(b"+", b" "))
    flags |= _looks(once)
    if b"%" in once:
        twice = unquote_to_bytes(once)
        if twice != once:
            flags |= ENCODED_TWICE | _looks(twice)
    return flags


def flag_names(bits: int) -> tuple[str, ...]:
    """Return the names of the flags that are set, in the order of `QUERY_FLAGS`."""
    return tuple(name for place, name in enumerate(QUERY_FLAGS) if bits >> place & 1)


def flag_bits(names: Iterable[str]) -> int:
    """Return the bits of the named flags.

    Raises:
        BadSearch: a name is not in `QUERY_FLAGS`.
    """
    bits = 0
    for name in names:
        if name not in QUERY_FLAGS:
            raise BadSearch("flag", f"is none of {', '.join(QUERY_FLAGS)}")
        bits |= 1 << QUERY_FLAGS.index(name)
    return bits


def _looks(text: bytes) -> int:
    rest = text.translate(None, INERT)
    if not rest:
        return 0
    flags = needs = 0
    for byte in set(rest):
        flags |= _SHOWS[byte]
        needs |= _NEEDS[byte]
    lower = text.lower()
    if needs & TRAVERSAL and _TRAVERSAL.search(lower) is not None:
        flags |= TRAVERSAL
    if needs & TEMPLATE and _TEMPLATE.search(lower) is not None:
        flags |= TEMPLATE
    if needs & SQL and _SQL_WORD.search(lower) is not None and _SQL.search(lower) is not None:
        flags |= SQL
    if needs & SHELL and _SHELL.search(lower) is not None:
        flags |= SHELL
    return flags
