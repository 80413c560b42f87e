"""People's requests in words: what is asked for, how it stands, what does not fit.

Owns names for the pages of people alone. What a request is, is `archive.subject.requests`' matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.subject.requests import SubjectRequest, UnfitRequest

if TYPE_CHECKING:
    from datetime import date

    from consentkit.web.texts import Catalogue


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the pages show it.

    Attributes:
        request: as it is kept.
        kind, state: named.
        tone: of the state's badge.
        deadline: in words; empty where it is closed.
        is_overdue: its last day is over.
    """

    request: SubjectRequest
    kind: str
    state: str
    tone: str
    deadline: str
    is_overdue: bool


def standing(say: Catalogue, request: SubjectRequest, today: date) -> Standing:
    """Return a request in words."""
    is_overdue = request.is_overdue(today)
    return Standing(
        request=request,
        kind=kind_name(say, request.kind),
        state=state_name(say, request.state),
        tone="bad" if is_overdue else {"open": "info", "done": "good"}.get(request.state, ""),
        deadline=_deadline(say, request.days_left(today)) if request.state == "open" else "",
        is_overdue=is_overdue,
    )


def kind_name(say: Catalogue, kind: str) -> str:
    """Return what is asked for."""
    return {
        "export": say.pgettext("a person's request", "Copy of the data"),
        "erase": say.pgettext("a person's request", "Erasure"),
        "restrict": say.pgettext("a person's request", "Restriction"),
        "object": say.pgettext("a person's request", "Objection"),
        "recipients": say.pgettext("a person's request", "Recipients"),
    }.get(kind, kind)


def kind_hint(say: Catalogue, kind: str) -> str:
    """Return what is asked for in other words, with its article."""
    return {
        "export": say.gettext("What is kept of me? (GDPR art. 15, 20)"),
        "erase": say.gettext("Delete what is kept of me. (art. 17)"),
        "restrict": say.gettext("Keep it, but don’t use it. (art. 18)"),
        "object": say.gettext("I object to it, for these reasons. (art. 21)"),
        "recipients": say.gettext("Who got my data? (art. 15(1)(c))"),
    }.get(kind, "")


def state_name(say: Catalogue, state: str) -> str:
    """Return how a request stands."""
    return {
        "open": say.pgettext("a person's request", "Open"),
        "done": say.pgettext("a person's request", "Fulfilled"),
        "refused": say.pgettext("a person's request", "Refused"),
        "withdrawn": say.pgettext("a person's request", "Withdrawn"),
    }.get(state, state)


def fault_words(say: Catalogue, fault: UnfitRequest) -> str:
    """Return what does not fit, for beside the field."""
    return {
        "missing": say.gettext("Fill this in."),
        "long": say.gettext("This is too long."),
        "future": say.gettext("That day has not come yet."),
        "early": say.gettext("That is too long ago."),
        "late": say.gettext("The first month is over; more time can’t be taken any more."),
        "closed": say.gettext("This request is closed."),
        "unknown": say.gettext("There is no such request."),
        "twice": say.gettext("More time was taken already."),
    }[fault.fault]


def _deadline(say: Catalogue, days: int) -> str:
    if days < 0:
        return say.ngettext("{n} day overdue", "{n} days overdue", -days)
    if days == 0:
        return say.gettext("today is the last day")
    return say.ngettext("{n} day left", "{n} days left", days)
