"""What the cookie policy and the privacy notice say in so many words: links, rights, and a visit's end.

Owns which message fits. What is true of a site, and which of them a page shows, is the page's to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from consentkit.web.texts import Catalogue


def cookie_page_name(say: Catalogue, *, short: bool = False) -> str:
    """Return what a link to the cookie policy is called."""
    return say.gettext("Cookies") if short else say.gettext("Cookie policy")


def privacy_page_name(say: Catalogue, *, short: bool = False) -> str:
    """Return what a link to the privacy notice is called."""
    return say.gettext("Privacy") if short else say.gettext("Privacy notice")


def deny_only_text(say: Catalogue) -> str:
    """Return the line for a site that asks nobody and sets nothing optional."""
    return say.gettext("Optional cookies are off on this site.")


def visit_deleted_by(say: Catalogue, day: date) -> str:
    """Return the line that says when the record of this request will be gone."""
    return say.gettext("The record of this visit will be deleted by {date}.", date=say.date(day))


def legitimate_interest_text(say: Catalogue) -> str:
    """Return the legal basis of the request log, GDPR art. 6(1)(f)."""
    return say.gettext(
        "Legal basis: our legitimate interest in keeping the site available and secure (GDPR art. 6(1)(f))."
    )


def objection_text(say: Catalogue, contact: str) -> str:
    """Return the right to object, GDPR art. 21(1); it stands apart from all else (art. 21(4))."""
    return say.gettext(
        "You may object to this at any time, on grounds relating to your particular situation: {contact}.",
        contact=contact,
    )


def complaint_text(say: Catalogue, authority: str) -> str:
    """Return the right to complain, GDPR art. 13(2)(d)."""
    return say.gettext("You may complain to the supervisory authority: {authority}.", authority=authority)
