"""What a visitor was shown when he decided: its shape and its hash.

Owns what counts as "the text": the words of the request in one language, each category with its cookies, and
each service that can be allowed by itself, as the catalogue and the settings word them. Banner, settings page
and placeholder show parts of it, so that one text a language and wording is kept. Markup, colours and what a
site's own templates write do not stand in it. Filling it in is the visitor room's job.
"""

from __future__ import annotations

import hashlib

import msgspec


class ShownCookie(msgspec.Struct, frozen=True, kw_only=True):
    """One cookie, as it is listed: its name or glob, and the words for purpose, setter and lifetime."""

    name: str
    purpose: str
    provider: str
    lifetime: str


class ShownCategory(msgspec.Struct, frozen=True, kw_only=True):
    """One category: its heading, what it is for, who else sets its cookies, and these."""

    id: str
    name: str
    reason: str
    providers: str
    cookies: tuple[ShownCookie, ...]


class ShownService(msgspec.Struct, frozen=True, kw_only=True):
    """One service: what it is for, and the sentence of its placeholder."""

    id: str
    name: str
    provider: str
    purpose: str
    placeholder: str


class ShownText(msgspec.Struct, frozen=True, kw_only=True, tag_field="format", tag="consentkit-text/1"):
    """All of it. The order of the members is part of the format.

    Attributes:
        locale: BCP 47 tag.
        title: heading of banner and settings.
        request: the sentences that ask.
        buttons: their words.
        categories: the necessary one first.
        services: in the order of the settings.
    """

    locale: str
    title: str
    request: tuple[str, ...]
    buttons: tuple[str, ...]
    categories: tuple[ShownCategory, ...]
    services: tuple[ShownService, ...]

    def canonical(self) -> bytes:
        """Return what is hashed: compact JSON in UTF-8."""
        return msgspec.json.encode(self)


def text_hash(canonical: bytes) -> str:
    """Return the name of a text: SHA-256 of its canonical form."""
    return hashlib.sha256(canonical).hexdigest()
