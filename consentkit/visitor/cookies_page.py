"""The cookie policy: every declared cookie, with its purpose, who sets it and how long it is kept.

Generated from the settings in force, so that it says what is enforced. Choosing is the settings page's.
Source: CJEU C-673/17 §81.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.visitor import notice_wording, views, wording

if TYPE_CHECKING:
    from consentkit.consent.registry import Registry
    from consentkit.visitor.shell import Shell


class CookiesView(msgspec.Struct, frozen=True):
    """Give ``cookies.html`` its own part.

    Attributes:
        title: what the page is called, as the links to it say.
        sentences: who asks, and what for.
        categories: the necessary one first, each with its cookies.
    """

    title: str
    sentences: tuple[str, ...]
    categories: tuple[views.CategoryView, ...]


class CookiesPage:
    """Render the cookie policy.

    Args:
        shell: the frame, with the catalogues.
        registry: what is declared.
        operator: who runs the site.
    """

    def __init__(self, shell: Shell, registry: Registry, *, operator: str) -> None:
        self._shell = shell
        self._registry = registry
        self._operator = operator

    def render_cookies(self, language: str, *, next_url: str = "/", root_path: str = "") -> str:
        """Return the page.

        Args:
            language: one of the site's; another gets the default.
            next_url: where the visitor came from; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``, without the mount.
        """
        say = self._shell.texts[language]
        registry = self._registry
        sentences: tuple[str, ...] = (wording.notice_text(say),)
        if registry.categories:
            sentences = wording.request_text(
                say,
                operator=self._operator,
                categories=registry.categories,
                providers=views.other_providers(registry),
                embeds=False,
            )
        view = CookiesView(
            title=notice_wording.cookie_page_name(say),
            sentences=sentences,
            categories=views.category_views(registry, say, default_language=self._shell.texts.default),
        )
        return self._shell.render(
            "cookies.html", language, page="/cookies", next_url=next_url, root_path=root_path, view=view
        )
