"""The history of settings and of who may do what, from the audit.

Owns the page; reading the entries is `archive.register.history`'s.
"""

from __future__ import annotations

from typing import Final

import msgspec

from consentkit.admin import wording
from consentkit.admin.actionnames import action_name
from consentkit.admin.answer import Answer, Entry, Page, Refused
from consentkit.admin.auditlist import MAX_NUMBER
from consentkit.admin.roles import ROLES
from consentkit.admin.visit import Route, Visit
from consentkit.archive.register.history import Step, history

ROWS: Final = 50
_KINDS: Final = ("", "settings", "staff")


class StepView(msgspec.Struct, frozen=True):
    """One step, and what its action is called."""

    step: Step
    name: str


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``history.html`` is given.

    Attributes:
        steps: newest first.
        kind: ``settings``, ``staff`` or empty for both.
        roles: names by value.
        older: entry to go on before; 0 = no more.
        is_first: the newest page.
        may_audit: the entrant may see the entries themselves.
    """

    steps: tuple[StepView, ...]
    kind: str
    roles: dict[str, str]
    older: int
    is_first: bool
    may_audit: bool


async def get_history(visit: Visit) -> Answer:
    """Show what changed."""
    text, kind = visit.query.get("before", ""), visit.query.get("kind", "")
    is_number = text.isascii() and text.isdecimal() and len(text) <= 16 and 0 < int(text) < MAX_NUMBER
    if (text and not is_number) or kind not in _KINDS:
        raise Refused(400, visit.say.gettext("The address of this page is not complete. Begin with the newest."))
    steps, older = await visit.work(
        history,
        visit.office.control,
        before=int(text) if text else None,
        limit=ROWS,
        settings=kind != "staff",
        staff=kind != "settings",
    )
    view = HistoryView(
        steps=tuple(StepView(step, action_name(visit.say, step.action) or step.action) for step in steps),
        kind=kind,
        roles={role: wording.role_name(visit.say, role) for role in ROLES},
        older=older,
        is_first=not text,
        may_audit=visit.entrant.may("audit.view"),
    )
    return Page(template="history.html", view=view, entry=Entry(action="admin.history"))


ROUTES: Final = (Route(path="/records/history", action="settings.view", handler=get_history),)
