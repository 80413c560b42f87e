"""The settings page: choose, see what is declared, see what this browser sent, remove it.

Works without script. Owns the page's view; taking the forms is ``visitor.app``'s.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from consentkit.visitor import views, wording

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from consentkit.consent.declared import Service
    from consentkit.consent.registry import Registry
    from consentkit.visitor.shell import Shell
    from consentkit.web.texts import Catalogue

_MAX_SENT: Final = 200  # Chromium keeps 180 cookies a site; more is no browser
_MAX_SHOWN_LENGTH: Final = 64


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


class SettingsView(msgspec.Struct, frozen=True):
    """Give ``settings.html`` its own part.

    Attributes:
        message: the line that follows an answer; empty = none.
        errors: what went wrong, in words.
        signal: the line for a browser that sends ``Sec-GPC: 1``; empty = it doesn't.
        sentences: who asks, and what for.
        is_notice: only necessary cookies are in use.
        categories: the necessary one first.
        allowed: services that the visitor allowed by themselves.
        sent: cookies this browser sent.
    """

    message: str
    errors: tuple[str, ...]
    signal: str
    sentences: tuple[str, ...]
    is_notice: bool
    categories: tuple[views.CategoryView, ...]
    allowed: tuple[AllowedService, ...]
    sent: tuple[SentCookie, ...]


class SettingsPage:
    """Render the settings page.

    Args:
        shell: the frame, with the catalogues.
        registry: what is declared.
        operator: who runs the site.
        embeds: as for ``Banner``.
    """

    def __init__(self, shell: Shell, registry: Registry, *, operator: str, embeds: bool = False) -> None:
        self._shell = shell
        self._registry = registry
        self._operator = operator
        self._embeds = embeds

    def render_settings(
        self,
        language: str,
        *,
        consent_state: Mapping[str, bool | None],
        services: Collection[str] = (),
        sent_cookies: Sequence[bytes] = (),
        next_url: str = "/",
        root_path: str = "",
        saved: bool = False,
        gpc: bool = False,
        errors: Sequence[str] = (),
    ) -> str:
        """Return the page.

        Args:
            language: one of the site's; another gets the default.
            consent_state: each optional category: granted, denied, or None where there is no answer.
            services: ids of those that are allowed by themselves.
            sent_cookies: raw names from the request's Cookie fields; hostile; 200 are shown.
            next_url: where the visitor came from; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``.
            saved: an answer was just taken.
            gpc: the browser sends ``Sec-GPC: 1``.
            errors: what went wrong, in the visitor's words.
        """
        say = self._shell.texts[language]
        registry = self._registry
        is_notice = not registry.categories
        granted = {category: consent_state.get(category) is True for category in registry.categories}
        view = SettingsView(
            message=wording.saved_message(say, granted, services) if saved and not is_notice else "",
            errors=tuple(errors),
            signal=wording.signal_message(say) if gpc else "",
            sentences=(wording.notice_text(say),) if is_notice else self._request(say),
            is_notice=is_notice,
            categories=views.category_views(
                registry, say, default_language=self._shell.texts.default, granted=consent_state
            ),
            allowed=tuple(self._allowed(each, say) for each in registry.services if each.id in services),
            sent=tuple(self._sent(name, say) for name in list(dict.fromkeys(sent_cookies))[:_MAX_SENT]),
        )
        return self._shell.render(
            "settings.html", language, page="/settings", next_url=next_url, root_path=root_path, view=view
        )

    def _request(self, say: Catalogue) -> tuple[str, ...]:
        return wording.request_text(
            say,
            operator=self._operator,
            categories=self._registry.categories,
            providers=views.other_providers(self._registry),
            embeds=self._embeds,
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
            name=_readable(name),
            field=quote(name, safe=""),
            category=wording.category_name(say, declared.category if declared else ""),
            purpose=declared.purpose_for(say.language, self._shell.texts.default) if declared else "",
        )


def _readable(name: bytes) -> str:
    """Return a name as text that can't hide or turn round what stands beside it."""
    text = name[: 4 * _MAX_SHOWN_LENGTH].decode("utf-8", "backslashreplace")
    shown = "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char)[0] in "CZ" and char != " " else char for char in text
    )
    return shown if len(shown) <= _MAX_SHOWN_LENGTH else f"{shown[:_MAX_SHOWN_LENGTH]}…"
