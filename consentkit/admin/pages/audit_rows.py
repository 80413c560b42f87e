"""Which rows a look has shown, and the audit as a file.

Owns both pages that show what the audit is about: each needs a purpose, and is an entry of its own before anything
leaves. Addresses stay masked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.answer import NOT_FOUND, Answer, Download, Entry, Page, Refused, Written
from consentkit.admin.auditexport import FORMS, export
from consentkit.admin.auditlist import asked
from consentkit.admin.entryview import EntryView, entry_view
from consentkit.admin.masking import Mask, masked
from consentkit.admin.pages.audit import entry_of
from consentkit.admin.visit import Route, Visit
from consentkit.archive.exposure import Exposure, exposure, page_detail
from consentkit.archive.store import Filters

if TYPE_CHECKING:
    from consentkit.archive.search import Found

ROWS: Final = 50
_SECONDS: Final = 20.0
_MAX_RECIPIENT_CHARACTERS: Final = 200


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was shown; its address is masked, with a mark that is the same for the same address."""

    time_us: int
    address: str
    mark: str
    method: str
    url: str
    status: int
    request_id: str


class RowsView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``audit_rows.html`` is given.

    Attributes:
        entry: the look.
        shown: how many requests it showed; None where it showed something else.
        kept: how many of them are still there.
        gone: how many went with their periods, or with what was erased.
        is_whole: all were looked for in time.
        rows: one page of those that are there, newest first.
        first: number of the first of them, from 1.
        next: from where the following page goes on; 0 = there is none.
    """

    entry: EntryView
    shown: int | None
    kept: int
    gone: int
    is_whole: bool
    rows: tuple[RowView, ...]
    first: int
    next: int


async def get_rows(visit: Visit) -> Answer:
    """List again the rows that a look has shown."""
    number, text = visit.request.path_params["number"], visit.query.get("from", "0")
    start = int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 0
    entry = await visit.work(entry_of, visit.office, number)
    if entry is None or not entry.rows:
        raise Refused(NOT_FOUND, visit.say.gettext("This entry showed no rows."))
    found = await visit.work(exposure, visit.office.archive, entry, time_limit_seconds=_SECONDS)
    page = found.kept[start : start + ROWS]
    return Page(
        template="audit_rows.html",
        view=_view(visit, found, page, start),
        entry=Entry(
            action="audit.exposed",
            detail={"entry": number, **page_detail(Filters(), page)},
            rows=len(page),
            look=visit.look,
        ),
    )


async def post_export(visit: Visit) -> Answer:
    """Hand out the entries that were asked for as a file, registered as a copy."""
    wanted = asked(visit.form, visit.say)
    form, recipient = visit.form.get("format", ""), visit.form.get("recipient", "").strip()
    if wanted.faults or form not in FORMS or len(recipient) > _MAX_RECIPIENT_CHARACTERS or visit.look is None:
        raise Refused(400, visit.say.gettext("The address or the form is not complete."))
    made = await visit.work(
        export, visit.office, visit.entrant.actor, visit.look, wanted, form=form, recipient=recipient
    )
    return Download(
        file_name=made.file_name, content_type=made.content_type, content=made.path, entry=Written(made.copy)
    )


def _view(visit: Visit, found: Exposure, page: tuple[Found, ...], start: int) -> RowsView:
    mask = Mask(visit.office.keyring, visit.entrant)
    more = start + ROWS
    return RowsView(
        entry=entry_view(visit.say, found.entry),
        shown=found.shown,
        kept=len(found.kept),
        gone=found.gone,
        is_whole=found.is_whole,
        rows=tuple(_row(one, mask) for one in page),
        first=start + 1,
        next=more if more < len(found.kept) else 0,
    )


def _row(found: Found, mask: Mask) -> RowView:
    cursor, row = found
    return RowView(
        time_us=cursor.time_us,
        address=masked(row.client_address),
        mark=mask.mark(row.client_address),
        method=row.method or row.scheme.upper(),
        url=f"{row.host}{row.url}",
        status=row.status,
        request_id=row.request_id,
    )


ROUTES: Final = (
    Route(path="/audit/{number:int}/rows", action="audit.exposed", handler=get_rows, needs_look=True),
    Route(path="/audit/export", action="audit.export", method="POST", handler=post_export, needs_look=True),
)
