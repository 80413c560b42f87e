"""The register of copies: what left, for whom, and what is still to be destroyed.

Owns the page and the officer's word that a copy is gone. What the register holds is `archive.register.copies`'.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import wording
from consentkit.admin.answer import NOT_FOUND, Answer, Entry, Page, Refused, SeeOther, Written
from consentkit.admin.auditlist import MAX_NUMBER
from consentkit.admin.visit import Route, Visit
from consentkit.archive.register.copies import (
    MAX_HOW_CHARACTERS,
    NoSuchCopy,
    RegisteredCopy,
    mark_destroyed,
    registered_copies,
)
from consentkit.audit import PURPOSES

if TYPE_CHECKING:
    from consentkit.admin.office import Office

ROWS: Final = 50
_MAX_OVERDUE: Final = 200


class CopiesView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``copies.html`` is given.

    Attributes:
        overdue: whose day has passed and of which nobody has said that they are gone, newest first.
        copies: one page of all, newest first.
        today: ISO date, UTC.
        purposes: names by value.
        older: number to go on before; 0 = no more.
        is_first: the newest page.
        may_change: the entrant may mark a copy as destroyed.
    """

    overdue: tuple[RegisteredCopy, ...]
    copies: tuple[RegisteredCopy, ...]
    today: str
    purposes: dict[str, str]
    older: int
    is_first: bool
    may_change: bool


class CopyView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``copies_one.html`` is given: a copy, whether its day has passed, and what is wrong with the form."""

    copy: RegisteredCopy
    is_overdue: bool
    purpose: str
    may_change: bool
    how: str = ""
    error: str = ""


async def get_copies(visit: Visit) -> Answer:
    """List the copies."""
    text = visit.query.get("before", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) <= 16 and 0 < int(text) < MAX_NUMBER):
        raise Refused(400, visit.say.gettext("The address of this page is not complete. Begin with the newest."))
    view = await visit.work(_view, visit, int(text) if text else None)
    return Page(template="copies.html", view=view, entry=Entry(action="admin.copies"))


async def get_copy(visit: Visit) -> Answer:
    """Show one copy."""
    return await _page(visit)


async def post_destroyed(visit: Visit) -> Answer:
    """Write down that a copy is gone."""
    number, how = visit.request.path_params["number"], visit.form.get("how", "").strip()
    if not how:
        return await _page(visit, error=visit.say.gettext("Say how it was destroyed."))
    if len(how) > MAX_HOW_CHARACTERS:
        error = visit.say.gettext("At most {most} characters.", most=MAX_HOW_CHARACTERS)
        return await _page(visit, how=how[:MAX_HOW_CHARACTERS], error=error)
    try:
        entry = await visit.work(mark_destroyed, visit.office.control, visit.entrant.actor, number, how)
    except NoSuchCopy:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no copy of this number.")) from None
    return SeeOther(path="/records/copies", notice="copy-destroyed", entry=Written(entry.number))


async def _page(visit: Visit, *, how: str = "", error: str = "") -> Page:
    number = visit.request.path_params["number"]
    copy = await visit.work(_copy, visit.office, number)
    if copy is None:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no copy of this number."))
    view = CopyView(
        copy=copy,
        is_overdue=copy.is_overdue(datetime.now(UTC).date()),
        purpose=wording.purpose_name(visit.say, copy.purpose),
        may_change=visit.entrant.may("records.change"),
        how=how,
        error=error,
    )
    entry = Entry(action="admin.copy", detail={"copy": number})
    return Page(template="copies_one.html", view=view, entry=entry, status=400 if error else 200)


def _view(visit: Visit, before: int | None) -> CopiesView:
    today = datetime.now(UTC).date()
    with visit.office.control.transaction() as connection:
        overdue = () if before else (one for one in registered_copies(connection) if one.is_overdue(today))
        late = tuple(islice(overdue, _MAX_OVERDUE))
        found = tuple(registered_copies(connection, before=before, limit=ROWS + 1))
    return CopiesView(
        overdue=late,
        copies=found[:ROWS],
        today=today.isoformat(),
        purposes={each: wording.purpose_name(visit.say, each) for each in PURPOSES},
        older=found[ROWS - 1].number if len(found) > ROWS else 0,
        is_first=before is None,
        may_change=visit.entrant.may("records.change"),
    )


def _copy(office: Office, number: int) -> RegisteredCopy | None:
    if not 0 < number < MAX_NUMBER:
        return None
    with office.control.transaction() as connection:
        found = next(registered_copies(connection, before=number + 1, limit=1), None)
    return found if found is not None and found.number == number else None


ROUTES: Final = (
    Route(path="/records/copies", action="audit.view", handler=get_copies),
    Route(path="/records/copies/{number:int}", action="audit.view", handler=get_copy),
    Route(
        path="/records/copies/{number:int}/destroyed",
        action="records.change",
        method="POST",
        handler=post_destroyed,
    ),
)
