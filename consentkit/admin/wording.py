"""The words for what the admin area names again and again: roles, purposes, categories, states.

Owns no decision: a name that is not known is shown as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue


def role_name(say: Catalogue, role: str) -> str:
    """Return what a role is called."""
    names = {
        "viewer": say.pgettext("role", "Viewer"),
        "investigator": say.pgettext("role", "Investigator"),
        "officer": say.pgettext("role", "Data protection officer"),
        "admin": say.pgettext("role", "Administrator"),
    }
    return names.get(role, role)


def purpose_name(say: Catalogue, purpose: str) -> str:
    """Return what a purpose of looking at personal data is called."""
    names = {
        "operation": say.pgettext("purpose", "keeping the site running"),
        "security": say.pgettext("purpose", "security"),
        "incident": say.pgettext("purpose", "an incident"),
        "fraud": say.pgettext("purpose", "fraud"),
        "person": say.pgettext("purpose", "a person's request"),
        "audit": say.pgettext("purpose", "an audit"),
    }
    return names.get(purpose, purpose)


def category_name(say: Catalogue, category: str) -> str:
    """Return what a category of cookies is called."""
    names = {
        "necessary": say.pgettext("category", "Necessary"),
        "preferences": say.pgettext("category", "Preferences"),
        "statistics": say.pgettext("category", "Statistics"),
        "marketing": say.pgettext("category", "Marketing"),
    }
    return names.get(category, category)


def state_name(say: Catalogue, state: str) -> str:
    """Return what the state of a period is called."""
    names = {
        "open": say.pgettext("period", "Being written"),
        "sealed": say.pgettext("period", "Sealed"),
        "destroying": say.pgettext("period", "Being destroyed"),
        "destroyed": say.pgettext("period", "Destroyed"),
    }
    return names.get(state, state)
