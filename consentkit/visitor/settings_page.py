"""The settings page: choose, see what is declared, see what this browser sent, remove it.

Works without script. Owns the page's view; taking the forms is ``settings_endpoint``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from consentkit.consent.news import Addition
from consentkit.visitor import views, wording
from consentkit.visitor.news_wording import NewsView, news_views
from consentkit.visitor.once import new_once
from consentkit.web.spelling import spelled_bytes

if TYPE_CHECKING:
    from consentkit.consent.declared import Service
    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.visitor.shell import Shell
    from consentkit.web.texts import Catalogue

_MAX_SENT: Final = 200  # Chromium keeps 180 cookies a site; more is no browser


class SentCookie(msgspec.Struct, frozen=True):
    """Describe a cookie this browser sent with this very request.

    Attributes:
        name: fit to be read: cut, and with invisible characters spelled out.
        field: the exact name, percent-encoded, for the form.
        category: words for its category.
        purpose: empty where nobody declared it.
    """

    name: str
    field: str
    category: str
    purpose: str


class AllowedService(msgspec.Struct, frozen=True):
    """Describe a service that the visitor allowed by itself.

    Attributes:
        id: for the form.
        name: of the service.
        about: its provider, where that is another name, and what it is for.
    """

    id: str
    name: str
    about: str


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Say who asks for the page.

    Attributes:
        consent_state: each optional category: granted, denied, or None where there is no answer.
        services: ids of those that are allowed by themselves.
        sent_cookies: raw names from the request's Cookie fields; hostile; 200 are shown.
        has_receipt: something is kept under the visitor's consent id.
        news: what is new since the visitor's last choice.
        gpc: the browser sends ``Sec-GPC: 1``.
    """

    consent_state: Mapping[str, bool | None]
    services: Collection[str] = ()
    sent_cookies: Sequence[bytes] = ()
    has_receipt: bool = False
    news: Sequence[Addition] = ()
    gpc: bool = False


class SettingsView(msgspec.Struct, frozen=True):
    """Give ``settings.html`` its own part.

    Attributes:
        title: of the page; it speaks of a choice where there is one.
        message: the line that follows an answer; empty = none.
        errors: what went wrong, in words.
        signal: the line for a browser that sends ``Sec-GPC: 1``; empty = it doesn't.
        sentences: who asks, and what for.
        news: what has changed since the visitor's last choice.
        is_asked: there is a choice to make; False where only necessary cookies are in use, or ever set.
        categories: the necessary one first.
        allowed: services that the visitor allowed by themselves.
        sent: cookies this browser sent.
        has_receipt: something is kept of the visitor's choices.
        once: by which a form that is sent twice is known as one.
    """

    title: str
    message: str
    errors: tuple[str, ...]
    signal: str
    sentences: tuple[str, ...]
    news: tuple[NewsView, ...]
    is_asked: bool
    categories: tuple[views.CategoryView, ...]
    allowed: tuple[AllowedService, ...]
    sent: tuple[SentCookie, ...]
    has_receipt: bool
    once: str


class SettingsPage:
    """Render the settings page.

    Args:
        shell: the frame, with the catalogues.
        registry: what is declared.
        settings: name the operator, and whether anybody is asked.
        embeds: as for ``Banner``.
    """

    def __init__(self, shell: Shell, registry: Registry, settings: Settings, *, embeds: bool = False) -> None:
        self._shell = shell
        self._registry = registry
        self._settings = settings
        self._embeds = embeds

    def render_settings(
        self,
        language: str,
        asker: Asker,
        *,
        next_url: str = "/",
        root_path: str = "",
        saved: bool = False,
        errors: Sequence[str] = (),
    ) -> str:
        """Return the page.

        Args:
            language: one of the site's; another gets the default.
            asker: whose page it is.
            next_url: where the visitor came from; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``.
            saved: an answer was just taken.
            errors: what went wrong, in the visitor's words.
        """
        view = self._view(self._shell.texts[language], asker, saved=saved, errors=errors)
        return self._shell.render(
            "settings.html", language, page="/settings", next_url=next_url, root_path=root_path, view=view
        )

    def _view(self, say: Catalogue, asker: Asker, *, saved: bool, errors: Sequence[str]) -> SettingsView:
        registry = self._registry
        deny_only = self._settings.consent.deny_only
        is_asked = bool(registry.categories) and not deny_only
        granted = {category: asker.consent_state.get(category) is True for category in registry.categories}
        return SettingsView(
            title=say.gettext("Cookies: your choice") if is_asked else say.gettext("Cookies"),
            message=wording.saved_message(say, granted, asker.services) if saved and is_asked else "",
            errors=tuple(errors),
            signal=wording.signal_message(say) if asker.gpc else "",
            sentences=views.first_words(registry, say, self._settings, embeds=self._embeds),
            news=news_views(asker.news, registry, say),
            is_asked=is_asked,
            categories=views.category_views(
                registry,
                say,
                default_language=self._shell.texts.default,
                granted=asker.consent_state,
                deny_only=deny_only,
            ),
            allowed=tuple(self._allowed(each, say) for each in registry.services if each.id in asker.services),
            sent=tuple(self._sent(name, say) for name in list(dict.fromkeys(asker.sent_cookies))[:_MAX_SENT]),
            has_receipt=asker.has_receipt,
            once=new_once(),
        )

    def _allowed(self, service: Service, say: Catalogue) -> AllowedService:
        provider = "" if service.provider == service.name else f"{service.provider}. "
        return AllowedService(
            id=service.id,
            name=service.name,
            about=provider + service.purpose_for(say.language, self._shell.texts.default),
        )

    def _sent(self, name: bytes, say: Catalogue) -> SentCookie:
        declared = self._registry.find(name)
        return SentCookie(
            name=spelled_bytes(name),
            field=quote(name, safe=""),
            category=wording.category_name(say, declared.category if declared else ""),
            purpose=declared.purpose_for(say.language, self._shell.texts.default) if declared else "",
        )
