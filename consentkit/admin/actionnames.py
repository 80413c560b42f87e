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
    kinds = (
        _of_looks,
        _of_cases,
        _of_upkeep,
        _of_pages,
        _of_doors,
        _of_consent,
        _of_incidents,
        _of_people,
        _of_custody,
    )
    return {action: name for kind in kinds for action, name in kind(say).items()}


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
        "service.destroying": say.pgettext("action", "Destruction of everything begun"),
        "service.destroyed": say.pgettext("action", "Everything destroyed"),
    }


def _of_pages(say: Catalogue) -> dict[str, str]:
    """Return the names of pages of the admin area that were opened, which show nobody's requests."""
    return {
        "admin.overview": say.pgettext("action", "Overview viewed"),
        "admin.health": say.pgettext("action", "Health viewed"),
        "admin.certificates": say.pgettext("action", "Certificates viewed"),
        "admin.certificate": say.pgettext("action", "Certificate viewed"),
        "admin.search.export": say.pgettext("action", "Search export viewed"),
        "admin.incidents": say.pgettext("action", "Incidents viewed"),
        "admin.incident": say.pgettext("action", "Incident's page viewed"),
        "admin.people": say.pgettext("action", "Requests of people viewed"),
        "admin.people.new": say.pgettext("action", "New request begun"),
        "admin.people.request": say.pgettext("action", "Request's page viewed"),
        "admin.cookies": say.pgettext("action", "Cookies viewed"),
        "admin.policies": say.pgettext("action", "Policies viewed"),
        "admin.texts": say.pgettext("action", "Texts viewed"),
        "admin.receipts": say.pgettext("action", "Receipts viewed"),
        "admin.records": say.pgettext("action", "Records viewed"),
        "admin.document": say.pgettext("action", "Document viewed"),
        "admin.history": say.pgettext("action", "History viewed"),
        "admin.copies": say.pgettext("action", "Copies viewed"),
        "admin.copy": say.pgettext("action", "Copy viewed"),
        "admin.staff": say.pgettext("action", "Staff viewed"),
        "admin.account": say.pgettext("action", "Own account viewed"),
    }


def _of_doors(say: Catalogue) -> dict[str, str]:
    """Return the names of signing in, and of what was asked again."""
    return {
        "admin.confirm": say.pgettext("action", "Password confirmed"),
        "admin.confirm-failed": say.pgettext("action", "Password not confirmed"),
        "admin.password-failed": say.pgettext("action", "Change of password failed"),
    }


def _of_consent(say: Catalogue) -> dict[str, str]:
    """Return the names of looks at consent, and of its ledger."""
    return {
        "consent.stats": say.pgettext("action", "Rates of consent viewed"),
        "consent.show": say.pgettext("action", "Decisions shown"),
        "consent.verify": say.pgettext("action", "Receipt verified"),
        "consent.pruned": say.pgettext("action", "Old decisions let go"),
        "consent.head": say.pgettext("action", "Head of the ledger noted"),
    }


def _of_incidents(say: Catalogue) -> dict[str, str]:
    """Return the names of an incident's steps."""
    return {
        "incident.opening": say.pgettext("action", "Copying for an incident begun"),
        "incident.opening.page": say.pgettext("action", "Page copied for an incident"),
        "incident.opening_failed": say.pgettext("action", "Copying for an incident broke off"),
        "incident.count": say.pgettext("action", "Requests of an incident counted"),
        "incident.reveal": say.pgettext("action", "Addresses of an incident shown"),
        "incident.note": say.pgettext("action", "Note written"),
        "incident.export.page": say.pgettext("action", "Page of an incident exported"),
        "incident.export.download": say.pgettext("action", "Incident's bundle downloaded"),
        "incident.closing": say.pgettext("action", "Closing of an incident begun"),
        "incident.erased": say.pgettext("action", "Person erased from an incident"),
        "incident.taken_back": say.pgettext("action", "Incident taken back from a backup"),
        "incident.generation_destroyed": say.pgettext("action", "Incident's file before destroyed"),
        "incident.rewritten": say.pgettext("action", "Incident moved to another store"),
    }


def _of_people(say: Catalogue) -> dict[str, str]:
    """Return the names of what is done for people who ask."""
    return {
        "subject.requests": say.pgettext("action", "Requests of people listed"),
        "subject.requests.pruned": say.pgettext("action", "Old requests of people let go"),
        "subject.link.made": say.pgettext("action", "Link for a person made"),
        "subject.request.identified": say.pgettext("action", "Person identified"),
        "subject.request.extended": say.pgettext("action", "Time to answer extended"),
        "subject.request.served": say.pgettext("action", "Request served"),
        "subject.recipients": say.pgettext("action", "Recipients looked up"),
        "subject.export.page": say.pgettext("action", "Page of a person's data exported"),
        "subject.erasing": say.pgettext("action", "Erasure begun"),
        "subject.restricted": say.pgettext("action", "Processing restricted"),
        "subject.restriction.lifted": say.pgettext("action", "Restriction lifted"),
        "subject.certified": say.pgettext("action", "Certificate of erasure handed out"),
    }


def _of_custody(say: Catalogue) -> dict[str, str]:
    """Return the names of periods, exports, keys and the end of the service."""
    return {
        "log.export.order": say.pgettext("action", "Export ordered"),
        "log.export.download": say.pgettext("action", "Export downloaded"),
        "log.export.removed": say.pgettext("action", "Export removed"),
        "audit.anchor": say.pgettext("action", "Anchor taken"),
        "period.head": say.pgettext("action", "Head of a period noted"),
        "period.ahead": say.pgettext("action", "Period ahead of the clock"),
        "period.reopened": say.pgettext("action", "Period opened again"),
        "period.waiting": say.pgettext("action", "Destruction waits"),
        "period.taken_back": say.pgettext("action", "Period taken back from a backup"),
        "period.generation_destroyed": say.pgettext("action", "Period's file before destroyed"),
        "period.rewritten": say.pgettext("action", "Period moved to another store"),
        "store.moved": say.pgettext("action", "Everything moved to another store"),
        "hosts.leads": say.pgettext("action", "A host begins to lead"),
        "keys.rotating": say.pgettext("action", "Rotation of keys begun"),
        "service.wound_down": say.pgettext("action", "End of the service begun"),
    }
