"""What the audit's actions are called.

Owns the names alone; an action that has none is shown as it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue


def action_name(say: Catalogue, action: str) -> str:
    """Return what an action is called; empty where it has no name."""
    return action_names(say).get(action, "")


def action_names(say: Catalogue) -> dict[str, str]:
    """Return the names of all actions that have one."""
    return {**_of_looks(say), **_of_cases(say), **_of_upkeep(say)}


def _of_looks(say: Catalogue) -> dict[str, str]:
    """Return the names of looks at the log and the audit, and of copies."""
    return {
        "log.search": say.pgettext("action", "Requests searched"),
        "log.tail": say.pgettext("action", "Requests followed"),
        "log.top": say.pgettext("action", "Requests counted"),
        "log.reveal": say.pgettext("action", "Addresses shown"),
        "log.export": say.pgettext("action", "Export begun"),
        "log.export.page": say.pgettext("action", "Page exported"),
        "log.verified": say.pgettext("action", "Log verified"),
        "audit.list": say.pgettext("action", "Audit listed"),
        "audit.entry": say.pgettext("action", "Entry of the audit read"),
        "audit.exposed": say.pgettext("action", "Rows of a look listed again"),
        "audit.export": say.pgettext("action", "Audit exported"),
        "audit.verified": say.pgettext("action", "Audit verified"),
        "audit.reviewed": say.pgettext("action", "Audit reviewed"),
        "audit.pruned": say.pgettext("action", "Old entries let go"),
        "audit.put_back": say.pgettext("action", "Database put back"),
        "audit.put_back_accepted": say.pgettext("action", "Restore accepted"),
        "copy.made": say.pgettext("action", "Copy made"),
        "copy.destroyed": say.pgettext("action", "Copy destroyed"),
        "balancing-test.approved": say.pgettext("action", "Balancing test approved"),
    }


def _of_cases(say: Catalogue) -> dict[str, str]:
    """Return the names of incidents and of people's requests."""
    return {
        "incident.open": say.pgettext("action", "Incident being opened"),
        "incident.opened": say.pgettext("action", "Incident opened"),
        "incident.show": say.pgettext("action", "Incident shown"),
        "incident.export": say.pgettext("action", "Incident exported"),
        "incident.reviewed": say.pgettext("action", "Incident reviewed"),
        "incident.closed": say.pgettext("action", "Incident closed"),
        "subject.export": say.pgettext("action", "Person's data exported"),
        "subject.planned": say.pgettext("action", "Erasure planned"),
        "subject.erased": say.pgettext("action", "Person's data erased"),
        "subject.request.entered": say.pgettext("action", "Request entered"),
        "subject.request.closed": say.pgettext("action", "Request closed"),
    }


def _of_upkeep(say: Catalogue) -> dict[str, str]:
    """Return the names of custody, of settings and keys, and of staff."""
    return {
        "period.sealed": say.pgettext("action", "Period sealed"),
        "period.destroying": say.pgettext("action", "Destruction begun"),
        "period.destroyed": say.pgettext("action", "Period destroyed"),
        "period.truncated": say.pgettext("action", "Addresses cut"),
        "period.erased": say.pgettext("action", "Rows erased"),
        "retention.run": say.pgettext("action", "Retention run"),
        "retention.plan": say.pgettext("action", "Destruction planned"),
        "settings.in_force": say.pgettext("action", "Settings in force"),
        "keys.rotated": say.pgettext("action", "Keys rotated"),
        "staff.add": say.pgettext("action", "Person let in"),
        "staff.roles": say.pgettext("action", "Roles changed"),
        "staff.password": say.pgettext("action", "Password changed"),
        "staff.codes": say.pgettext("action", "One-time codes changed"),
        "staff.remove": say.pgettext("action", "Person removed"),
        "admin.sign-in": say.pgettext("action", "Signed in"),
        "admin.sign-out": say.pgettext("action", "Signed out"),
        "admin.sign-in-failed": say.pgettext("action", "Sign-in failed"),
        "admin.refused": say.pgettext("action", "Refused by role"),
        "service.export": say.pgettext("action", "Everything handed over"),
        "service.destroyed": say.pgettext("action", "Everything destroyed"),
    }
