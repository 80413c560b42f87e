"""The words for decisions, policies and receipts.

Owns no decision: a name that is not known is shown as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.admin import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.consent.news import Addition
    from consentkit.consent.registry import Registry
    from consentkit.web.texts import Catalogue


def place_name(say: Catalogue, registry: Registry, name: str) -> str:
    """Return what a category is called, or a service that is allowed by itself, as ``+vimeo``."""
    if not name.startswith("+"):
        return wording.category_name(say, name)
    service = registry.service(name[1:])
    return service.name if service is not None else name[1:]


def place_names(say: Catalogue, registry: Registry, names: Sequence[str]) -> str:
    """Return several of them as one phrase; empty = none."""
    return say.join([place_name(say, registry, name) for name in names if name])


def method_name(say: Catalogue, method: str) -> str:
    """Return how a decision was given."""
    names = {
        "banner": say.pgettext("how a choice was given", "in the banner"),
        "settings": say.pgettext("how a choice was given", "in the settings"),
        "withdrawal": say.pgettext("how a choice was given", "withdrawn"),
        "embed": say.pgettext("how a choice was given", "at a piece of content"),
        "api": say.pgettext("how a choice was given", "by a script of the site"),
    }
    return names.get(method, method)


def state_words(say: Catalogue, state: str) -> tuple[str, str]:
    """Return what a check of a decision came to, and its tone."""
    words = {
        "good": (say.pgettext("decision", "Holds"), "good"),
        "unproved": (say.pgettext("decision", "Signed, text not known"), "warn"),
        "changed": (say.pgettext("decision", "Was changed"), "bad"),
        "unsigned": (say.pgettext("decision", "Not signed by this site"), "bad"),
        "unlinked": (say.pgettext("decision", "Does not follow in the chain"), "bad"),
        "forged": (say.pgettext("decision", "Policy or text is missing or was changed"), "bad"),
    }
    return words.get(state, (state, "bad"))


def addition(say: Catalogue, change: Addition) -> str:
    """Return what a policy has that the other has not; the place is said elsewhere."""
    name = change.name
    if change.kind == "longer":
        return say.ngettext(
            "Cookie {name}, kept {n} day", "Cookie {name}, kept {n} days", change.days or 0, name=name
        )
    if change.kind == "category":
        return say.gettext("The whole category")
    texts = {
        "service": say.gettext("Service {name}", name=name),
        "provider": say.gettext("Recipient {name}", name=name),
        "country": say.gettext("Country {name}", name=name),
        "cookie": say.gettext("Cookie {name}", name=name),
        "storage": say.gettext("Storage key {name}", name=name),
    }
    return texts.get(change.kind, name)
