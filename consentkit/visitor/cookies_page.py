"""The cookie policy: every declared cookie, with its purpose, who sets it and how long it is kept.

Generated from the settings in force, so that it says what is enforced. Choosing is the settings page's.
Source: CJEU C-673/17 §81.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.visitor import notice_wording, views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.visitor.shell import Shell


class CookiesView(msgspec.Struct, frozen=True):
    """Give ``cookies.html`` its own part.

    Attributes:
        title: what the page is called, as the links to it say.
        sentences: who asks, and what for.
        categories: the necessary one first, each with its cookies.
        undescribed: names of cookies that are in use and that nobody has described.
    """

    title: str
    sentences: tuple[str, ...]
    categories: tuple[views.CategoryView, ...]
    undescribed: tuple[str, ...]


class CookiesPage:
    """Render the cookie policy.

    Args:
        shell: the frame, with the catalogues.
        registry: what is declared.
        settings: name the operator, and whether anybody is asked.
    """

    def __init__(self, shell: Shell, registry: Registry, settings: Settings) -> None:
        self._shell = shell
        self._registry = registry
        self._settings = settings

    def render_cookies(
        self, language: str, *, undescribed: Sequence[str] = (), next_url: str = "/", root_path: str = ""
    ) -> str:
        """Return the page.

        Args:
            language: one of the site's; another gets the default.
            undescribed: names of cookies that nobody has described, fit to be read.
            next_url: where the visitor came from; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``, without the mount.
        """
        say = self._shell.texts[language]
        view = CookiesView(
            title=notice_wording.cookie_page_name(say),
            sentences=views.first_words(self._registry, say, self._settings),
            categories=views.category_views(
                self._registry,
                say,
                default_language=self._shell.texts.default,
                deny_only=self._settings.consent.deny_only,
            ),
            undescribed=tuple(undescribed),
        )
        return self._shell.render(
            "cookies.html", language, page="/cookies", next_url=next_url, root_path=root_path, view=view
        )
