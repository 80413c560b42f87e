"""The page a visitor sees when an answer or an address can't be taken.

Owns its words by HTTP status; nothing of the request is repeated in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.visitor import notice_wording, wording

if TYPE_CHECKING:
    from consentkit.visitor.shell import Shell
    from consentkit.web.texts import Catalogue


class ErrorView(msgspec.Struct, frozen=True):
    """Give ``error.html`` its words.

    Attributes:
        title: what happened.
        text: what that means for the visitor, and the way on.
        offers_settings: whether the settings are that way.
    """

    title: str
    text: str
    offers_settings: bool


class ErrorPage:
    """Render the error page in the visitor's frame."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def render_unavailable(self, language: str, *, next_url: str = "/", root_path: str = "") -> str:
        """Return the page that says that what is kept of a visitor can't be looked up at the moment.

        Args:
            language, next_url, root_path: as in `render_error`.
        """
        say = self._shell.texts[language]
        view = ErrorView(
            title=say.gettext("This can't be shown now"),
            text=say.gettext("The site can't reach its records at the moment. Please try again in a few minutes."),
            offers_settings=False,
        )
        return self._shell.render(
            "error.html", language, page="", next_url=next_url, root_path=root_path, view=view
        )

    def render_error(self, language: str, *, status: int, next_url: str = "/", root_path: str = "") -> str:
        """Return the page for an HTTP status; one without words of its own gets the most general ones.

        Args:
            language: one of the site's; another gets the default.
            status: the response's.
            next_url: where the visitor goes back to; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``.
        """
        title, text = _words(self._shell.texts[language], status)
        view = ErrorView(title=title, text=text, offers_settings=status != 404)
        return self._shell.render(
            "error.html", language, page="", next_url=next_url, root_path=root_path, view=view
        )

    def render_consent_needed(
        self, language: str, category: str, *, deny_only: bool = False, next_url: str = "/", root_path: str = ""
    ) -> str:
        """Return the page for a part of the site that waits for consent to a category.

        Args:
            language: one of the site's; another gets the default.
            category: what the part needs.
            deny_only: nobody can grant it.
            next_url, root_path: as in `render_error`.
        """
        say = self._shell.texts[language]
        view = ErrorView(
            title=wording.category_name(say, category),
            text=notice_wording.deny_only_text(say)
            if deny_only
            else say.gettext(
                "Without them some content waits for your permission. You can change your choice at any time."
            ),
            offers_settings=not deny_only,
        )
        return self._shell.render(
            "error.html", language, page="", next_url=next_url, root_path=root_path, view=view
        )


def _words(say: Catalogue, status: int) -> tuple[str, str]:
    if status == 404:
        return say.gettext("Page not found"), say.gettext("There is nothing at this address.")
    if status == 403:
        return (
            say.gettext("Your choice was not taken"),
            say.gettext("The request did not come from this site. Please choose in the settings."),
        )
    if status == 429:
        return (
            say.gettext("Too many requests"),
            say.gettext("Please wait a minute and try again. Nothing was changed."),
        )
    if status == 503:
        return (
            say.gettext("Your choice could not be saved"),
            say.gettext("Optional cookies were not switched on. Please try again later."),
        )
    return (
        say.gettext("Your choice was not taken"),
        say.gettext("The form could not be read. Please choose in the settings."),
    )
