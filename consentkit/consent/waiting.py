"""Markup in a page that waits for consent, put in its place where consent is given.

Owns ``<template data-consent="statistics">`` on the server: the tags of a granted one are left out, so that its
content stands in the page when it is sent, in order, with the nonces it was written with. All else stays byte
for byte. The script does the same in the browser for what is not resolved here: other pages, later bytes, later
choices.

Where a browser could read the bytes in another way than we do, the rest of the page is left as it is: nothing
may be cut that to the browser is an attribute's value.

Source: WHATWG HTML §13.2.6.4.4 (templates), §13.2.6.5 (foreign content).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.consent.htmlscan import Kind, Token, Tokenizer, attribute
from consentkit.consent.htmlsyntax import RAW_END
from consentkit.consent.places import SEARCH_LIMIT_BYTES

if TYPE_CHECKING:
    from consentkit.consent.choice import Consent
    from consentkit.consent.htmlscan import PageBytes

_SIGN: Final = b"data-consent"
_CDATA: Final = b"<![CDATA["  # ends at another place in a drawing than outside of one
# In these a browser takes no raw text, or drops its tag: `<style>` in a drawing is read as other markup is.
_PECULIAR: Final = frozenset((b"svg", b"math", b"select", b"col", b"frameset"))
_MAX_DEPTH: Final = 64  # templates within templates; a page with more is left as it is


def granted_tags(page: PageBytes, consent: Consent) -> list[tuple[int, int]]:
    """Return where the tags stand that are left out, since a visitor's choice allows what is between them.

    A template counts when all of it lies in the first 64 KiB, and in no template that stays.

    Args:
        page: all of it, or its beginning.
        consent: the visitor's.

    Returns:
        Begin and end of each tag, in order.
    """
    if not (consent.granted or consent.services) or page.find(_SIGN) < 0 or page.find(_CDATA) >= 0:
        return []
    return sorted(_granted_pairs(page, consent))


def _granted_pairs(page: PageBytes, consent: Consent) -> list[tuple[int, int]]:
    reader = Tokenizer()
    cuts: list[tuple[int, int]] = []
    opened: list[tuple[int, int] | None] = []  # templates around this place; None = one that stays
    stop = min(len(page), SEARCH_LIMIT_BYTES)
    has_peculiar = False
    reader.pass_usual_content(page, stop)
    for token in reader.read(page, stop, ended=False):
        if token.name in _PECULIAR:
            has_peculiar = True
        elif token.name == b"plaintext" or (has_peculiar and _is_ambiguous(page, token)):
            break
        elif token.name == b"template" and token.kind is Kind.END_TAG:
            if opened and (start := opened.pop()) is not None:
                cuts += [start, (token.at, token.end)]
        elif token.name == b"template":
            if len(opened) == _MAX_DEPTH:
                return []
            is_inert = bool(opened) and opened[-1] is None
            is_allowed = not is_inert and _allows(page, token, consent)
            opened.append((token.at, token.end) if is_allowed else None)
        reader.pass_usual_content(page, stop)
    return cuts


def _allows(page: PageBytes, tag: Token, consent: Consent) -> bool:
    category = attribute(page, tag, b"data-consent")
    if not category:
        return False
    service = attribute(page, tag, b"data-service") or b""
    return consent.allows(category.decode("latin-1")) or consent.allows_service(service.decode("latin-1"))


def _is_ambiguous(page: PageBytes, tag: Token) -> bool:
    """Say that it matters whether a browser reads what follows as raw text: there is markup in it."""
    if tag.kind is not Kind.START_TAG or not (tag.name in RAW_END or tag.name == b"script"):
        return False
    end = b"</" + tag.name
    at = page.find(b"<", tag.end)
    return at >= 0 and bytes(page[at : at + len(end)]).lower() != end
