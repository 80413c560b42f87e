"""The page of a one-time link: what the person asked for, and what this browser can show of who asks.

Owns its view. What is noted, and that a link works once, is `archive.subject.links`' matter.
Source: GDPR art. 11(2), 12(6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import date

    from consentkit.visitor.shell import Shell
    from consentkit.web.texts import Catalogue


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """Give ``person.html`` its own part.

    Attributes:
        action: where the form goes; empty = there is nothing to fill in any more.
        asked: what was asked for, in a sentence.
        address: of this connection.
        has_choices: the browser's cookie has the number of a choice.
        since, until: days that the form begins with, ISO.
        error: what is wrong with the form; empty = nothing.
    """

    action: str = ""
    asked: str = ""
    address: str = ""
    has_choices: bool = False
    since: str = ""
    until: str = ""
    error: str = ""


class PersonPage:
    """Render the page.

    Args:
        shell: the frame, with the catalogues.
        mount: path of our pages, without the root path.
    """

    def __init__(self, shell: Shell, *, mount: str) -> None:
        self._shell = shell
        self._mount = mount

    def render_form(
        self,
        language: str,
        *,
        kind: str,
        path: str,
        mount_path: str,
        address: str,
        has_choices: bool,
        days: tuple[date, date],
        is_faulty: bool = False,
    ) -> str:
        """Return the page with its form.

        Args:
            language: one of the site's; another gets the default.
            kind: of the request.
            path: of this page below the mount.
            mount_path: path of our pages, root path included.
            address: of the client.
            has_choices: the browser has the number of a choice.
            days: from, and to, that the form begins with.
            is_faulty: a form came that could not be taken.
        """
        say = self._shell.texts[language]
        view = PersonView(
            action=mount_path + path,
            asked=_asked(say, kind),
            address=address,
            has_choices=has_choices,
            since=days[0].isoformat(),
            until=days[1].isoformat(),
            error=say.gettext("Tick at least one, and give two days of which the first is not later.")
            if is_faulty
            else "",
        )
        return self._render(language, path, mount_path, view)

    def render_noted(self, language: str, *, mount_path: str) -> str:
        """Return the page that says that it was noted; arguments as `render_form` has them."""
        return self._render(language, "", mount_path, PersonView())

    def _render(self, language: str, path: str, mount_path: str, view: PersonView) -> str:
        root_path = mount_path.removesuffix(self._mount)
        return self._shell.render("person.html", language, page=path, next_url="/", root_path=root_path, view=view)


def _asked(say: Catalogue, kind: str) -> str:
    return {
        "export": say.gettext("You asked for a copy of what this website keeps of you."),
        "erase": say.gettext("You asked this website to erase what it keeps of you."),
        "restrict": say.gettext("You asked this website to keep your data and not to use it."),
        "object": say.gettext("You objected to what this website does with your data."),
    }.get(kind, say.gettext("You asked this website about your data."))
