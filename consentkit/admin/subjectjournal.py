"""What was done for a person's request, as its page shows it: the entries of the audit of its case.

Owns the words, and which entries are told: not each look at the page, and not each page of a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.audit import Listing

if TYPE_CHECKING:
    from consentkit.archive.subject.requests import SubjectRequest
    from consentkit.control import Control
    from consentkit.web.texts import Catalogue

MAX_STEPS: Final = 20

# So many entries are read at most: a request that is looked at often has many that tell nothing.
_MAX_READ: Final = 400

_PAGES: Final = ".page"
_VIEW: Final = "admin."


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: its number, when (microseconds since 1970 UTC), who, what in words, of how many requests."""

    number: int
    time_us: int
    actor: str
    what: str
    rows: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The newest steps, the last first, and whether there may be older ones."""

    steps: tuple[Step, ...]
    has_more: bool


def history(say: Catalogue, control: Control, request: SubjectRequest) -> History:
    """Return what was done for a request.

    Raises:
        StorageError: the audit can't be read.
    """
    read = list(audit.listed(control, Listing(case=request.case), limit=_MAX_READ))
    told = [one for one in read if not one.action.startswith(_VIEW) and not one.action.endswith(_PAGES)]
    steps = tuple(
        Step(number=one.number, time_us=one.time_us, actor=one.actor, what=_what(say, one.action), rows=one.rows)
        for one in told[:MAX_STEPS]
    )
    return History(steps=steps, has_more=len(told) > MAX_STEPS or len(read) == _MAX_READ)


def _what(say: Catalogue, action: str) -> str:
    """Return what an action is called in a request's journal; one that is not known keeps its own name."""
    names = {
        "subject.request.entered": say.pgettext("journal", "Entered"),
        "subject.link.made": say.pgettext("journal", "Made a link"),
        "subject.request.identified": say.pgettext("journal", "Noted who asks"),
        "subject.request.extended": say.pgettext("journal", "Took two months more"),
        "subject.planned": say.pgettext("journal", "Looked at what is kept"),
        "subject.export": say.pgettext("journal", "Wrote the answer"),
        "copy.made": say.pgettext("journal", "Made a copy"),
        "copy.destroyed": say.pgettext("journal", "Noted that a copy is destroyed"),
        "subject.erasing": say.pgettext("journal", "Began to erase"),
        "period.erased": say.pgettext("journal", "Erased from a day"),
        "incident.erased": say.pgettext("journal", "Erased from an incident"),
        "subject.erased": say.pgettext("journal", "Erased"),
        "subject.request.served": say.pgettext("journal", "Noted what was done"),
        "subject.restricted": say.pgettext("journal", "Restricted"),
        "subject.restriction.lifted": say.pgettext("journal", "Lifted the restriction"),
        "subject.certified": say.pgettext("journal", "Handed out a certificate"),
        "subject.request.closed": say.pgettext("journal", "Closed"),
        "log.search": say.pgettext("journal", "Searched the log"),
        "log.reveal": say.pgettext("journal", "Showed addresses of the log"),
    }
    return names.get(action, action)
