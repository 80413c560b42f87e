"""What the templates see of categories, cookies and addresses: small frozen views, already worded.

Built from the registry; holds no markup and decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.visitor import notice_wording, wording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consentkit.consent.declared import DeclaredCookie
    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.web.texts import Catalogue


class CookieView(msgspec.Struct, frozen=True):
    """Describe one declared cookie: its name or glob, and the words for purpose, setter and lifetime."""

    name: str
    purpose: str
    provider: str
    lifetime: str


class CategoryView(msgspec.Struct, frozen=True):
    """Describe one category.

    Attributes:
        id: ``necessary``, ``preferences``, ``statistics`` or ``marketing``.
        providers: who else sets its cookies or receives data, as one phrase; empty = the operator alone.
        checked: granted; False for refused and for undecided, since nothing is pre-ticked.
    """

    id: str
    name: str
    reason: str
    providers: str
    cookies: tuple[CookieView, ...]
    checked: bool = False


def category_views(
    registry: Registry,
    say: Catalogue,
    *,
    default_language: str,
    granted: Mapping[str, bool | None] | None = None,
    deny_only: bool = False,
) -> tuple[CategoryView, ...]:
    """Return the necessary category and then the optional ones in use, with their cookies.

    Args:
        registry: what is declared.
        say: the language.
        default_language: the site's first, for purposes that are not written in this language.
        granted: the choice per category; None = none was made.
        deny_only: optional ones are off for everybody, so they are left out.
    """
    return tuple(
        CategoryView(
            id=category,
            name=wording.category_name(say, category),
            reason=wording.category_reason(say, category),
            providers=say.join(registry.providers(category)),
            cookies=tuple(
                _cookie_view(cookie, say, default_language)
                for cookie in registry.cookies
                if cookie.category == category
            ),
            checked=(granted or {}).get(category) is True,
        )
        for category in ("necessary", *(() if deny_only else registry.categories))
    )


def first_words(
    registry: Registry, say: Catalogue, settings: Settings, *, embeds: bool = False
) -> tuple[str, ...]:
    """Return the sentences that banner and pages begin with: the request, or why nothing is asked.

    Args:
        registry: what is declared.
        say: the language.
        settings: name the operator, and whether anybody is asked.
        embeds: content from elsewhere waits for permission.
    """
    if not registry.categories:
        return (wording.notice_text(say),)
    if settings.consent.deny_only:
        return (notice_wording.deny_only_text(say),)
    return wording.request_text(
        say,
        operator=settings.site.operator,
        categories=registry.categories,
        providers=other_providers(registry),
        embeds=embeds,
    )


def other_providers(registry: Registry) -> tuple[str, ...]:
    """Return who, apart from the operator, sets optional cookies or receives data with consent."""
    named = [provider for category in registry.categories for provider in registry.providers(category)]
    return tuple(dict.fromkeys(named))


def _cookie_view(cookie: DeclaredCookie, say: Catalogue, default_language: str) -> CookieView:
    return CookieView(
        name=cookie.name,
        purpose=cookie.purpose_for(say.language, default_language),
        provider=cookie.provider,
        lifetime=wording.lifetime(say, cookie.lifetime_days),
    )
