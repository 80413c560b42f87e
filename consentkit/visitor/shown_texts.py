"""What visitors are shown when they decide, as the proof of their choice keeps it.

Owns filling in `consent.shown.ShownText` with the very words that banner, settings and placeholders render.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.consent.declared import OPTIONAL
from consentkit.consent.shown import ShownCategory, ShownCookie, ShownService, ShownText
from consentkit.visitor import views, wording

if TYPE_CHECKING:
    from consentkit.consent.declared import Service
    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.web.texts import Catalogue, Texts


class ShownTexts:
    """Give the text that belongs to a decision.

    Args:
        registry: what is declared.
        texts: catalogues of the site's languages.
        settings: name the operator, and whether anybody is asked.
    """

    def __init__(self, registry: Registry, texts: Texts, settings: Settings) -> None:
        self._registry = registry
        self._texts = texts
        self._settings = settings
        self._made: dict[str, bytes] = {}  # one a language of the site's own

    def of(self, language: str) -> bytes:
        """Return the canonical text in a language; another than the site's gets the default."""
        if language not in self._texts.languages:
            language = self._texts.default
        made = self._made.get(language)
        if made is None:
            made = self._made[language] = self._text(self._texts[language]).canonical()
        return made

    def _text(self, say: Catalogue) -> ShownText:
        registry = self._registry
        return ShownText(
            locale=say.language,
            title=say.gettext("Cookies: your choice"),
            request=views.first_words(registry, say, self._settings),
            buttons=(
                say.gettext("Accept all"),
                say.gettext("Reject all"),
                say.gettext("Settings"),
                say.gettext("Save my choice"),
            ),
            categories=tuple(
                _category(view)
                for view in views.category_views(registry, say, default_language=self._texts.default)
            ),
            services=tuple(self._service(each, say) for each in registry.services if each.category in OPTIONAL),
        )

    def _service(self, service: Service, say: Catalogue) -> ShownService:
        named = [name for name in OPTIONAL if name in service.categories]
        return ShownService(
            id=service.id,
            name=service.name,
            provider=service.provider,
            purpose=service.purpose_for(say.language, self._texts.default),
            placeholder=say.gettext(
                "This content comes from {provider}. If you load it, {provider} receives your IP address and may"
                " set cookies (category “{category}”).",
                provider=service.provider,
                category=say.join([wording.category_name(say, name) for name in named]),
            ),
        )


def _category(view: views.CategoryView) -> ShownCategory:
    return ShownCategory(
        id=view.id,
        name=view.name,
        reason=view.reason,
        providers=view.providers,
        cookies=tuple(
            ShownCookie(name=each.name, purpose=each.purpose, provider=each.provider, lifetime=each.lifetime)
            for each in view.cookies
        ),
    )
