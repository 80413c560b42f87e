"""Where one can go in the admin area, and what is said once something was done.

Owns both tables, a line for each address and each notice. How they are shown is `frame`'s matter, who may see an
address `roles`'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from consentkit.admin.roles import Action
from consentkit.web.texts import Catalogue

Saying = Callable[[Catalogue], str]

# What a page says once after something was done; `SeeOther.notice` names it.
NOTICES: Final[dict[str, Saying]] = {
    "saved": lambda say: say.gettext("Saved."),
    "signed-out": lambda say: say.gettext("Signed out."),
    "password-changed": lambda say: say.gettext("The password was changed."),
    "session-ended": lambda say: say.gettext("The session was ended."),
    "sessions-ended": lambda say: say.gettext("All other sessions were ended."),
    "codes-removed": lambda say: say.gettext("One-time codes are no longer asked for."),
    "person-removed": lambda say: say.gettext("The person can't sign in any more."),
    "reviewed": lambda say: say.gettext("The audit is marked as reviewed."),
    "copy-destroyed": lambda say: say.gettext("The copy is marked as destroyed."),
    "test-approved": lambda say: say.gettext("The balancing test is approved."),
    "nothing-changed": lambda say: say.gettext("Nothing was changed."),
    "incident-opened": lambda say: say.gettext("The incident is open, and its requests are kept."),
    "incident-reviewed": lambda say: say.gettext("The review was moved."),
    "incident-closed": lambda say: say.gettext("The incident is closed, and its requests are destroyed."),
    "request-entered": lambda say: say.gettext("The request was entered. Find out who asks next."),
    "request-closed": lambda say: say.gettext("The request was closed."),
    "erased": lambda say: say.gettext("Erased. The certificate can be downloaded below."),
    "restricted": lambda say: say.gettext("These requests are restricted from now on."),
    "lifted": lambda say: say.gettext("The restriction was lifted."),
    "export-removed": lambda say: say.gettext("The file was removed from the server."),
}


class Tab(msgspec.Struct, frozen=True):
    """One address of a section.

    Attributes:
        path: under the admin area; what begins with it belongs to it.
        label: says its name.
        action: who may do that sees it.
    """

    path: str
    label: Saying
    action: Action


class Section(msgspec.Struct, frozen=True):
    """One entry of the navigation.

    Attributes:
        icon: name of a macro of ``_icons.html``.
        label: says its name.
        tabs: its addresses; the section leads to the first that the entrant may see.
    """

    icon: str
    label: Saying
    tabs: tuple[Tab, ...]


SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        "overview",
        lambda say: say.pgettext("navigation", "Overview"),
        (
            Tab("/", lambda say: say.pgettext("navigation", "Retention"), "overview.view"),
            Tab("/health", lambda say: say.pgettext("navigation", "Health"), "health.view"),
        ),
    ),
    Section(
        "search",
        lambda say: say.pgettext("navigation", "Search"),
        (
            Tab("/search", lambda say: say.pgettext("navigation", "Requests"), "search.run"),
            Tab("/incidents", lambda say: say.pgettext("navigation", "Incidents"), "incident.view"),
            Tab("/search/export", lambda say: say.pgettext("navigation", "Export"), "search.export"),
        ),
    ),
    Section(
        "consent",
        lambda say: say.pgettext("navigation", "Consent"),
        (
            Tab("/consent", lambda say: say.pgettext("navigation", "Rates"), "consent.view"),
            Tab("/consent/cookies", lambda say: say.pgettext("navigation", "Cookies"), "consent.view"),
            Tab("/consent/policies", lambda say: say.pgettext("navigation", "Policies"), "consent.view"),
            Tab("/consent/receipts", lambda say: say.pgettext("navigation", "Receipts"), "consent.receipt"),
            Tab("/consent/verify", lambda say: say.pgettext("navigation", "Check a receipt"), "consent.receipt"),
        ),
    ),
    Section(
        "people",
        lambda say: say.pgettext("navigation", "People"),
        (Tab("/people", lambda say: say.pgettext("navigation", "People"), "people.view"),),
    ),
    Section(
        "records",
        lambda say: say.pgettext("navigation", "Records"),
        (
            Tab("/records", lambda say: say.pgettext("navigation", "Documents"), "records.view"),
            Tab("/audit", lambda say: say.pgettext("navigation", "Audit"), "audit.view"),
            Tab("/records/copies", lambda say: say.pgettext("navigation", "Copies"), "audit.view"),
            Tab("/records/history", lambda say: say.pgettext("navigation", "History"), "settings.view"),
            Tab("/staff", lambda say: say.pgettext("navigation", "Staff"), "staff.view"),
        ),
    ),
)
