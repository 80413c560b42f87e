"""The words of error pages.

Owns what is said where something can't be shown: what is wrong, and the way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.admin import wording
from consentkit.admin.frame import ErrorView
from consentkit.admin.roles import ALLOWED, ROLES, Action

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue


def fault(say: Catalogue, status: int, message: str = "") -> ErrorView:
    """Return what a page says of a status.

    Args:
        say: speaks the reader's language.
        status: HTTP status.
        message: what is wrong, where that is known better; empty = what the status says by itself.
    """
    titles = {
        400: (say.gettext("This can't be read"), say.gettext("The address or the form is not complete.")),
        403: (
            say.gettext("This is not allowed"),
            say.gettext(
                "The form did not come from a page of this admin area, or its page was open for too long."
            ),
        ),
        404: (say.gettext("Nothing is here"), say.gettext("There is no page at this address.")),
        405: (say.gettext("This can't be read"), say.gettext("This address takes no such request.")),
        409: (say.gettext("This no longer fits"), say.gettext("It has changed meanwhile. Look at it again.")),
        413: (say.gettext("This is too long"), say.gettext("The form holds more than is taken.")),
        415: (say.gettext("This can't be read"), say.gettext("The form is of a kind that is not taken.")),
        429: (
            say.gettext("Too many at a time"),
            say.gettext("Too many passwords are being checked. Try again in a moment."),
        ),
        503: (
            say.gettext("Nothing can be shown now"),
            say.gettext("Nothing is shown that can't be recorded first, and recording it failed."),
        ),
    }
    title, text = titles.get(status, titles[400])
    way_out = say.gettext("The command consentkit doctor tells what is wrong.") if status == 503 else ""
    return ErrorView(status, title, message or text, way_out)


def unavailable(say: Catalogue) -> ErrorView:
    """Return what is said while the database server is away, or refuses."""
    return ErrorView(
        503,
        say.gettext("The database does not answer"),
        say.gettext("Nothing is shown here that can't be recorded first. Try again in a few minutes."),
        say.gettext(
            "The command consentkit doctor tells what is wrong. Meanwhile the site goes on: requests wait in the"
            " spool of each host, and refusals hold; new consents are not taken."
        ),
    )


def not_started(say: Catalogue) -> ErrorView:
    """Return what is said where consentkit could not start."""
    return ErrorView(
        503,
        say.gettext("Nothing can be shown now"),
        say.gettext("consentkit has not started. The server's log says why."),
        say.gettext("The command consentkit doctor tells what is wrong."),
    )


def wrong_role(say: Catalogue, action: Action) -> ErrorView:
    """Return what is said to somebody whose roles do not allow an action: which ones do."""
    needed = say.join([wording.role_name(say, role) for role in ROLES if role in ALLOWED[action]])
    return ErrorView(
        403,
        say.gettext("This is not allowed"),
        say.gettext("One of these roles is needed: {roles}.", roles=needed),
        say.gettext("An administrator gives roles under Staff."),
    )
