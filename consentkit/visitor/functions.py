"""What a site's own templates may call: the banner where the site wants it, embeds that wait, a settings link.

Owns the names ``consent``, ``consent_banner()``, ``consent_head()``, ``consent_settings_link()`` and
``consent_embed()``, and what they leave in the request's state. Markup is rendered elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from markupsafe import Markup

from consentkit.consent.gate import VISIT, Visit
from consentkit.consent.page import EMBEDDED
from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from starlette.requests import Request

    from consentkit.consent.fragments import Insertion

# Keys of the request's state: by the first, injection sees that the page has its banner already, by the last
# that what stands in it depends on the visitor's choice.
_PLACED = "consentkit_placed"
_HEAD_PLACED = "consentkit_head_placed"
_PERSONAL = "consentkit_personal"


class Markups(Protocol):
    """Whatever renders the markup for one request."""

    def own_markup(self, request: Request, language: str | None) -> Insertion:
        """Return this visitor's markup."""

    def settings_url(self, request: Request) -> str:
        """Return the address of the settings, which comes back to this page."""

    def is_declared(self, service: str) -> bool:
        """Tell whether a service is declared."""

    def placeholder(
        self,
        request: Request,
        language: str | None,
        service: str,
        content: str,
        *,
        width: int,
        height: int,
        url: str,
    ) -> Markup | None:
        """Return the placeholder of an embed, None where its service is not declared."""


class TemplateFunctions:
    """Make the template functions of a request.

    Args:
        markups: renders them.
    """

    def __init__(self, markups: Markups) -> None:
        self._markups = markups

    def context(self, request: Request) -> dict[str, object]:
        """Return what a template gets; for ``Jinja2Templates(context_processors=[…])``."""
        visit: Visit | None = request.scope.get(VISIT)
        if visit is None:  # the app runs without us, as in its own tests
            return {"consent": None, **dict.fromkeys(_FUNCTIONS, _nothing)}
        functions = _Functions(self._markups, request, visit)
        return {"consent": visit.consent, **{name: getattr(functions, name) for name in _FUNCTIONS}}


class _Functions:
    """The template functions of one request."""

    def __init__(self, markups: Markups, request: Request, visit: Visit) -> None:
        self._markups = markups
        self._request = request
        self._visit = visit

    def consent_head(self, language: str | None = None) -> Markup:
        """Return the tags for the page's head."""
        self._request.scope["state"][_HEAD_PLACED] = True
        return _markup(self._markups.own_markup(self._request, language).head)

    def consent_banner(self, language: str | None = None) -> Markup:
        """Return the banner; nothing is then put into the page by itself."""
        state = self._request.scope["state"]
        state[_PLACED] = True
        insertion = self._markups.own_markup(self._request, language)
        return _markup(insertion.body if state.get(_HEAD_PLACED) else insertion.head + insertion.body)

    def consent_settings_link(self, text: str) -> Markup:
        """Return a link to the settings in the site's own words."""
        link = Markup('<a href="{}" data-consentkit-settings>{}</a>')
        return link.format(self._markups.settings_url(self._request), text)

    def consent_embed(
        self,
        service: str,
        content: str,
        *,
        width: int = 560,
        height: int = 315,
        url: str = "",
        language: str | None = None,
    ) -> Markup:
        """Return an embed's own markup where its service is allowed, else a placeholder of its size.

        The page is then this visitor's, and no cache may give it to another.

        Args:
            service: id of a declared service.
            content: the embed's markup, written by the site; it is not escaped.
            width, height: CSS pixels.
            url: where the content can be opened without consent.
            language: of the page; None = as the browser asks.

        Raises:
            SettingsError: the service is declared nowhere, so nobody could say who receives what.
        """
        if not self._markups.is_declared(service):
            raise SettingsError(
                "consent.services", f"no service {service!r} is declared", "declare it, or take another"
            )
        state = self._request.scope["state"]
        state[_PERSONAL] = True
        state[EMBEDDED] = {*state.get(EMBEDDED, ()), service}
        if self._visit.consent.allows_service(service):
            return Markup(content)  # noqa: S704 - the site's own markup
        placeholder = self._markups.placeholder(
            self._request, language, service, content, width=width, height=height, url=url
        )
        return placeholder or Markup()


_FUNCTIONS = ("consent_banner", "consent_head", "consent_settings_link", "consent_embed")


def _markup(rendered: bytes) -> Markup:
    return Markup(rendered.decode("ascii"))  # noqa: S704 - rendered with autoescape


def _nothing(*_: object, **__: object) -> Markup:
    return Markup()
