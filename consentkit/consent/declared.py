"""What a site declares: its cookies and the services that its pages load, as frozen values.

Owns the shape and the choice of language. Where declarations come from is left to ``collect``, what they mean
for a request to the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

NECESSARY = "necessary"
OPTIONAL = ("preferences", "statistics", "marketing")  # in the order in which visitors are asked


class DeclaredCookie(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a cookie, or all cookies whose names a glob matches.

    Attributes:
        name: anchored, case-sensitive glob; ``*`` and ``?`` alone are special.
        category: one of ``necessary``, ``preferences``, ``statistics``, ``marketing``.
        purpose: texts by language tag; never empty.
        provider: who sets and reads it; the operator where the settings name nobody.
        lifetime_days: longest lifetime in whole days, rounded up; None = until the browser closes.
        on_refusal: ``drop``, or ``session`` for a preference that may last until the browser closes.
        path: the cookie's Path.
        domain: the cookie's Domain; empty = host-only or not known.
        service: id of the service it belongs to; empty = none.
        third_party: it lives on the provider's own domain, where no header of this site reaches it.
    """

    name: str
    category: str
    purpose: Mapping[str, str]
    provider: str
    lifetime_days: int | None = None
    on_refusal: Literal["drop", "session"] = "drop"
    path: str = "/"
    domain: str = ""
    service: str = ""
    third_party: bool = False

    def purpose_for(self, language: str, default: str = "en") -> str:
        """Return the purpose in a language, or in the nearest one that has it."""
        return text_for(self.purpose, language, default)


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a service that pages load.

    Attributes:
        id: as in ``data-service`` and in the choice of a single embed.
        hosts: plain hosts, ``*.`` allowed before them, of its scripts, connections, images and frames.
        country: ISO 3166 code of the provider's seat; empty = not told.
        transfers: further countries, outside the EEA, to which the provider sends what it learns.
        cookies: what it sets, on this site's domain or (``third_party``) on its own.
        storage_keys: globs of its localStorage and sessionStorage keys in this site's origin.
        third_party_storage_keys: the same in its own origin.
    """

    id: str
    name: str
    provider: str
    category: str
    purpose: Mapping[str, str]
    hosts: tuple[str, ...] = ()
    country: str = ""
    transfers: tuple[str, ...] = ()
    privacy_url: str = ""
    cookies: tuple[DeclaredCookie, ...] = ()
    storage_keys: tuple[str, ...] = ()
    third_party_storage_keys: tuple[str, ...] = ()

    def purpose_for(self, language: str, default: str = "en") -> str:
        """Return the purpose in a language, or in the nearest one that has it."""
        return text_for(self.purpose, language, default)

    @property
    def categories(self) -> frozenset[str]:
        """Return its own category and those of its cookies."""
        return frozenset({self.category, *(cookie.category for cookie in self.cookies)})


def text_for(texts: Mapping[str, str], language: str, default: str) -> str:
    """Choose a text by language.

    Args:
        texts: texts by language tag.
        language: the tag wanted; its first subtag (``pt`` of ``pt-BR``) is tried as well.
        default: the site's first language, tried next.

    Returns:
        The first there is of: ``language``, its first subtag, ``default``, ``en``, any; empty if none.
    """
    for tag in (language, language.partition("-")[0], default, "en"):
        if tag in texts:
            return texts[tag]
    return next(iter(texts.values()), "")
