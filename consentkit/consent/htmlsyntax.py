"""The patterns that read a page's markup: bytes, compiled, without backtracking.

Owns nothing but them; who reads with them is `htmlscan`, and `places` for pages written in the usual way.

Source: WHATWG HTML §13.2.5 (tokenization).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

_WS = rb"\t\n\x0c\r "
SPACE: Final = re.compile(rb"[%b]*+" % _WS)
MARKUP: Final = re.compile(rb"<[A-Za-z/!?]")
# "<", then a tag's name, or what begins a comment, doctype or processing instruction.
OPENER: Final = re.compile(rb"<(?:(/?)([A-Za-z][^%b/>]{0,15}+)|[!?/])" % _WS)
OPENER_BYTES: Final = 18  # with so many, more can't change what it is: no known name is longer than ten
COMMENT_END: Final = re.compile(rb"--!?>")

# The rest of a tag behind its name, where all of it is there (§13.2.5.32 to §13.2.5.40).
_NAME = rb"[%b/]*+[^%b/>][^%b/>=]*+" % (_WS, _WS, _WS)
_EQUALS = rb"[%b]*+=[%b]*+" % (_WS, _WS)
_BARE = rb"[^%b>\"'][^%b>]*+" % (_WS, _WS)
_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|%b|(?=>))" % _BARE
REST_OF_TAG: Final = re.compile(rb"(?:%b(?:%b%b|(?![%b]*+=)))*+[%b/]*+>" % (_NAME, _EQUALS, _VALUE, _WS, _WS))
ATTRIBUTE: Final = re.compile(
    rb"[%b/]*+([^%b/>][^%b/>=]*+)(?:%b(?:\"([^\"]*+)\"|'([^']*+)'|(%b)))?+" % (_WS, _WS, _WS, _EQUALS, _BARE)
)

# The rest of a tag whose chunk does not finish it, resumable: each state is a run of bytes, then a look at
# the byte behind it. state: (run, {byte: (next state, bytes taken)}, what any other byte does)
_Step: TypeAlias = tuple[str, int]
TAG_STATES: Final[Mapping[str, tuple[re.Pattern[bytes], Mapping[int, _Step], _Step]]] = {
    "gap": (re.compile(rb"[%b/]*+" % _WS), {0x3E: ("end", 1)}, ("name", 1)),
    "name": (re.compile(rb"[^%b/>=]*+" % _WS), {0x3D: ("value", 1)}, ("named", 0)),
    "named": (SPACE, {0x3D: ("value", 1)}, ("gap", 0)),
    "value": (SPACE, {0x22: ("double", 1), 0x27: ("single", 1), 0x3E: ("gap", 0)}, ("bare", 0)),
    "double": (re.compile(rb"[^\"]*+"), {}, ("gap", 1)),
    "single": (re.compile(rb"[^']*+"), {}, ("gap", 1)),
    "bare": (re.compile(rb"[^%b>]*+" % _WS), {}, ("gap", 0)),
}

_RAW_TEXT = (b"iframe", b"noembed", b"noframes", b"noscript", b"style", b"textarea", b"title", b"xmp")
RAW_END: Final = {name: re.compile(rb"</%b[%b/>]" % (name, _WS), re.IGNORECASE) for name in _RAW_TEXT}
RAW_END_BYTES: Final = len(b"</noscript>")
# Script data: plain, behind "<!--", and behind a "<script" inside that (§13.2.5.15 to §13.2.5.31).
PLAIN, ESCAPED, DOUBLE_ESCAPED = 0, 1, 2
SCRIPT_SIGNS: Final = (
    re.compile(rb"<!--|</script[%b/>]" % _WS, re.IGNORECASE),
    re.compile(rb"-->|</?script[%b/>]" % _WS, re.IGNORECASE),
    re.compile(rb"-->|</script[%b/>]" % _WS, re.IGNORECASE),
)

# What nearly every head is made of, whole and written in the usual way: many times as fast as token by token.
# All that is unusual (capitals, a value without a name, "<!--" in a script) is not in it, so both ways agree.
_USUAL_REST = rb"(?=[%b/>])(?:[^>\"'=]++|(?<=\w)=(?:\"[^\"]*+\"|'[^']*+'|[^%b>\"'=][^%b>\"'=]*+(?=[%b>])))*+>" % (
    _WS,
    _WS,
    _WS,
    _WS,
)
_USUAL_ELEMENTS = (
    rb"(?:[%b]++|<(?:(?:meta|link|base)%b|title>[^<]*+</title>|style%b[^<]*+</style>"
    rb"|script%b[^<]*+(?:<(?!!--|/[Ss])[^<]*+)*+</script>|!--(?!-?>)[^-]*+(?:-(?!-)[^-]*+)*+-->))*+"
    % (_WS, _USUAL_REST, _USUAL_REST, _USUAL_REST)
)
USUAL_ELEMENTS: Final = re.compile(_USUAL_ELEMENTS)
# The same for what a body is made of: text, and tags that neither wait nor change how what follows is read.
_UNUSUAL_NAMES = b"|".join((*_RAW_TEXT, b"col|frameset|math|plaintext|script|select|svg|template"))
USUAL_CONTENT: Final = re.compile(
    rb"(?:[^<]++|</?(?!(?:%b)[%b/>])[a-z][a-z0-9-]*+%b)*+" % (_UNUSUAL_NAMES, _WS, _USUAL_REST)
)
USUAL_PAGE: Final = re.compile(
    rb"[%b]*+<!(?:doctype|DOCTYPE)[^>]*+>[%b]*+(?P<html><html%b)[%b]*+(?P<head><head%b)%b</head>[%b]*+(?P<body><body%b)"
    % (_WS, _WS, _USUAL_REST, _WS, _USUAL_REST, _USUAL_ELEMENTS, _WS, _USUAL_REST)
)
