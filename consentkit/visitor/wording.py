"""What is said about categories, lifetimes and answers, in the words of a catalogue.

Owns which message fits; the words are the catalogues', where they are shown is the templates'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from consentkit.web.texts import Catalogue


def category_name(say: Catalogue, category: str) -> str:
    """Return a category's heading; the category itself for one that has no wording."""
    return {
        "necessary": say.gettext("Necessary cookies"),
        "preferences": say.gettext("Preferences"),
        "statistics": say.gettext("Statistics"),
        "marketing": say.gettext("Marketing"),
        "": say.gettext("Not yet described"),
    }.get(category, category)


def category_reason(say: Catalogue, category: str) -> str:
    """Return the sentence that says what a category is for."""
    return {
        "necessary": say.gettext("The site cannot provide what you ask for without them; no consent is needed."),
        "preferences": say.pgettext("category", "To remember your choices."),
        "statistics": say.pgettext("category", "To understand how the site is used."),
        "marketing": say.pgettext("category", "To show advertising and measure its effect."),
    }.get(category, "")


def purposes(say: Catalogue, categories: Sequence[str]) -> str:
    """Return the purposes of optional categories as the phrase that follows "uses cookies"."""
    known = {
        "preferences": say.pgettext("purpose", "to remember your choices"),
        "statistics": say.pgettext("purpose", "to understand how the site is used"),
        "marketing": say.pgettext("purpose", "to show advertising and measure its effect"),
    }
    return say.join([known[category] for category in categories if category in known])


def request_text(
    say: Catalogue, *, operator: str, categories: Sequence[str], providers: Sequence[str], embeds: bool
) -> tuple[str, ...]:
    """Return the sentences that ask for consent: who, what for, who else, and that refusing costs nothing.

    Args:
        say: the language.
        operator: who runs the site; empty = "this site".
        categories: optional categories in use.
        providers: companies other than the operator that set optional cookies or receive data.
        embeds: whether content from elsewhere waits for permission.

    Source: EDPB Guidelines 05/2020 §64 (what must be known before consenting).
    """
    wanted = purposes(say, categories)
    if operator:
        request = say.gettext(
            "If you agree, {operator} uses cookies on your device {purposes}.",
            operator=operator,
            purposes=wanted,
        )
    else:
        request = say.gettext("If you agree, this site uses cookies on your device {purposes}.", purposes=wanted)
    if providers:
        others = say.gettext("Other companies set them too: {providers}.", providers=say.join(providers))
    else:
        others = say.gettext("No other company is involved.")
    if embeds:
        end = say.gettext(
            "Without them some content waits for your permission. You can change your choice at any time."
        )
    else:
        end = say.gettext("The site works without them. You can change your choice at any time.")
    return request, others, end


def notice_text(say: Catalogue) -> str:
    """Return the sentence for a site where nothing is asked."""
    return say.gettext("This site uses only cookies that it cannot work without.")


def lifetime(say: Catalogue, days: int | None) -> str:
    """Return how long a cookie is kept; None is a session cookie."""
    if days is None:
        return say.gettext("until you close the browser")
    return say.ngettext("{n} day", "{n} days", days)


def saved_message(say: Catalogue, categories: Mapping[str, bool], services: Collection[str] = ()) -> str:
    """Return the line that follows an answer.

    Args:
        say: the language.
        categories: optional categories in use, and whether each is granted now.
        services: those that are allowed by themselves.
    """
    if not any(categories.values()) and not services:
        return say.gettext("Saved: optional cookies are off.")
    if all(categories.values()):
        return say.gettext("Saved: optional cookies are on.")
    return say.gettext("Your choice is saved.")


def blocked_message(say: Catalogue) -> str:
    """Return the line for a browser that keeps no cookies."""
    return say.gettext(
        "Your browser blocks cookies, so your choice cannot be remembered. Optional cookies stay off."
    )


def signal_message(say: Catalogue) -> str:
    """Return the line for a browser that sends ``Sec-GPC: 1``."""
    return say.gettext(
        "Your browser sends a privacy signal (Global Privacy Control), so optional cookies are off."
    )
