"""The frame of the visitor's own pages: the site's name, language switch, and the links between them.

Owns what all of them share. Each page's own part is in its own module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from consentkit.visitor import notice_wording
from consentkit.web.templates import Templates

if TYPE_CHECKING:
    from consentkit.settings import Settings
    from consentkit.web.assets import Assets
    from consentkit.web.texts import Catalogue, Texts


class LanguageLink(msgspec.Struct, frozen=True):
    """Link to the same page in another language, named in that language."""

    tag: str
    name: str
    url: str
    is_current: bool


class PageLink(msgspec.Struct, frozen=True):
    """Link to another of our pages."""

    name: str
    url: str
    is_current: bool


class ShellView(msgspec.Struct, frozen=True):
    """Give ``base.html`` what every page has.

    Attributes:
        operator: who runs the site; may be empty.
        mount: path of our pages, root path included.
        next_url: where the visitor came from and goes back to.
        styles: addresses of the style sheets.
        languages: empty where there is but one.
        pages: all of ours, for the foot.
    """

    operator: str
    mount: str
    next_url: str
    styles: tuple[str, ...]
    languages: tuple[LanguageLink, ...]
    pages: tuple[PageLink, ...]


class Shell:
    """Render the visitor's pages in their common frame.

    Args:
        settings: operator and languages.
        texts: catalogues of the site's languages.
        assets: names of the static files.
        mount: path of our pages, without the root path.
        templates: with the site's own folders; None = ours.
    """

    def __init__(
        self, settings: Settings, texts: Texts, assets: Assets, *, mount: str, templates: Templates | None = None
    ) -> None:
        self.texts = texts
        self._operator = settings.site.operator
        self._assets = assets
        self._mount = mount
        self._templates = templates or Templates()

    def render(
        self, name: str, language: str, *, page: str, next_url: str, root_path: str, view: msgspec.Struct
    ) -> str:
        """Return a whole page.

        Args:
            name: template, as ``settings.html``.
            language: one of the site's; another gets the default.
            page: path under the mount, as ``/settings``, for the language switch; empty = no switch.
            next_url: where the visitor goes back to; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``.
            view: the page's own view.
        """
        say = self.texts[language]
        mount = root_path + self._mount
        shell = ShellView(
            operator=self._operator,
            mount=mount,
            next_url=next_url,
            styles=tuple(
                f"{mount}/static/{self._assets.hashed_name(each)}" for each in ("consentkit.css", "page.css")
            ),
            languages=self._language_links(say.language, mount + page, next_url) if page else (),
            pages=_page_links(say, mount, page, next_url),
        )
        return self._templates.render(name, say, shell=shell, view=view)

    def _language_links(self, current: str, address: str, next_url: str) -> tuple[LanguageLink, ...]:
        if len(self.texts.languages) < 2:
            return ()
        return tuple(
            LanguageLink(
                tag=tag,
                name=_own_name(self.texts[tag]),
                url=f"{address}?{urlencode({'lang': tag, 'next': next_url}, errors='replace')}",
                is_current=tag == current,
            )
            for tag in self.texts.languages
        )


def _page_links(say: Catalogue, mount: str, page: str, next_url: str) -> tuple[PageLink, ...]:
    query = urlencode({"lang": say.language, "next": next_url}, errors="replace")
    pages = (
        (say.pgettext("button", "Cookie choice"), "/settings"),
        (notice_wording.cookie_page_name(say), "/cookies"),
        (notice_wording.privacy_page_name(say), "/privacy"),
        (say.gettext("Deletions"), "/deletions"),
        (say.gettext("Receipt of your choice"), "/receipt"),
    )
    return tuple(PageLink(name, f"{mount}{path}?{query}", path == page) for name, path in pages)


def _own_name(say: Catalogue) -> str:
    """Return what a language calls itself; its tag where its catalogue doesn't say so."""
    name = say.pgettext("this language", "English")
    return name if name != "English" or say.language.partition("-")[0] == "en" else say.language
