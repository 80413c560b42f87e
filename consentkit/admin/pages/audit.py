"""The audit: its entries, what was looked at since the last review, and whether the chain holds.

Owns the list, one entry, the review and the check. Which rows a look has shown is `audit_rows`' page, a file of
the entries too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.admin import wording
from consentkit.admin.answer import NOT_FOUND, Answer, Entry, Page, Refused, SeeOther
from consentkit.admin.auditlist import MAX_NUMBER, Asked, asked, find
from consentkit.admin.chaincheck import Check, check_chain, newest_anchor
from consentkit.admin.entryview import EntryView, entry_view
from consentkit.admin.reads import REVIEWED, Reads, since_review
from consentkit.admin.visit import Route, Visit
from consentkit.audit import PURPOSES, AuditEntry, BadAnchor
from consentkit.control import audit as entries

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.audit import Anchor

MAX_NOTE_CHARACTERS: Final = 500


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``audit.html`` is given.

    Attributes:
        entries: newest first.
        typed, faults: the filters, and what is wrong with them, by field.
        looks_only: nothing but looks since the last review.
        is_filtered: something was asked for.
        newer, older: query strings of the pages beside it; empty = there is none.
        query: the filters, for an export.
        purposes: values and names.
        reads: the looks since the last review.
        newest: the newest entry there is, up to which a review goes.
        may_review, may_export, may_see_rows: what the entrant may do.
    """

    entries: tuple[EntryView, ...]
    typed: Mapping[str, str]
    faults: Mapping[str, str]
    looks_only: bool
    is_filtered: bool
    newer: str
    older: str
    purposes: tuple[tuple[str, str], ...]
    reads: Reads
    newest: int
    may_review: bool
    may_export: bool
    may_see_rows: bool


class EntryPageView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``audit_entry.html`` is given."""

    entry: EntryView
    may_see_rows: bool


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``audit_verify.html`` is given.

    Attributes:
        anchor: the end of the chain as a line, to be written down elsewhere.
        check: what the check came to; None before it was made.
        anchors: as they were given.
        error: what is wrong with them, in English; empty = nothing.
    """

    anchor: str
    check: Check | None = None
    anchors: str = ""
    error: str = ""


async def get_audit(visit: Visit) -> Answer:
    """Show a page of the audit."""
    wanted = asked(visit.query, visit.say)
    view = await visit.work(_view, visit, wanted)
    return Page(
        template="audit.html",
        view=view,
        entry=Entry(action="audit.list", detail={"asked": wanted.given()}),
        status=400 if wanted.faults else 200,
    )


async def get_entry(visit: Visit) -> Answer:
    """Show one entry."""
    number = visit.request.path_params["number"]
    found = await visit.work(entry_of, visit.office, number)
    if found is None:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no entry of this number."))
    view = EntryPageView(
        entry=entry_view(visit.say, found),
        may_see_rows=bool(found.rows) and visit.entrant.may("audit.exposed"),
    )
    return Page(
        template="audit_entry.html", view=view, entry=Entry(action="audit.entry", detail={"entry": number})
    )


async def post_review(visit: Visit) -> Answer:
    """Mark the looks up to the entry that the page showed as reviewed."""
    text, note = visit.form.get("until", ""), visit.form.get("note", "").strip()
    newest = await visit.work(_newest, visit.office)
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and 0 < int(text) <= newest):
        raise Refused(400, visit.say.gettext("The address or the form is not complete."))
    if len(note) > MAX_NOTE_CHARACTERS:
        raise Refused(400, visit.say.gettext("At most {most} characters.", most=MAX_NOTE_CHARACTERS))
    reads = await visit.work(since_review, visit.office.control, newest=0)
    if int(text) <= reads.until:
        return SeeOther(
            path="/audit", notice="nothing-changed", entry=Entry(action="audit.list", detail={"review": int(text)})
        )
    detail = {"until": int(text), **({"note": note} if note else {})}
    return SeeOther(path="/audit", notice="reviewed", entry=Entry(action=REVIEWED, detail=detail))


async def get_verify(visit: Visit) -> Answer:
    """Show the end of the chain, and offer to check it."""
    anchor = await visit.work(_anchor, visit.office)
    return Page(template="audit_verify.html", view=CheckView(anchor=anchor), entry=Entry(action="audit.anchor"))


async def post_verify(visit: Visit) -> Answer:
    """Check the chain, held against anchors where some were given."""
    given = visit.form.get("anchors", "")
    anchor = await visit.work(_anchor, visit.office)
    try:
        check = await visit.work(check_chain, visit.office.control, given)
    except BadAnchor as exc:
        view = CheckView(anchor=anchor, anchors=given, error=str(exc))
        return Page(template="audit_verify.html", view=view, status=400, entry=Entry(action="audit.anchor"))
    report = check.report
    detail = {
        "result": check.result,
        "until": report.end.number,
        "bad": [one.reason for one in report.faults][:20],
        "of": "chain",
    }
    return Page(
        template="audit_verify.html",
        view=CheckView(anchor=anchor, check=check, anchors=given),
        entry=Entry(action="audit.verified", detail=detail),
    )


def entry_of(office: Office, number: int) -> AuditEntry | None:
    """Return one entry as it stands in the audit; None where there is none of this number."""
    if not 0 < number < MAX_NUMBER:
        return None
    with office.control.transaction() as connection:
        row = connection.execute(entries.select().where(entries.c.number == number)).one_or_none()
    return AuditEntry(**row._asdict()) if row else None


def _view(visit: Visit, wanted: Asked) -> AuditView:
    control, say, entrant = visit.office.control, visit.say, visit.entrant
    reads, found = since_review(control, newest=0), find(control, wanted)
    return AuditView(
        entries=tuple(entry_view(say, one) for one in found.entries),
        typed=wanted.typed,
        faults=wanted.faults,
        looks_only=wanted.looks_only,
        is_filtered=bool(wanted.query()),
        newer=found.newer,
        older=found.older,
        purposes=tuple((each, wording.purpose_name(say, each)) for each in PURPOSES),
        reads=reads,
        newest=_newest(visit.office),
        may_review=entrant.may("audit.review"),
        may_export=entrant.may("audit.export"),
        may_see_rows=entrant.may("audit.exposed"),
    )


def _newest(office: Office) -> int:
    with office.control.transaction() as connection:
        return audit.last_number(connection)


def _anchor(office: Office) -> str:
    anchor: Anchor = newest_anchor(office.control, office.settings.site.operator)
    return msgspec.json.encode(anchor).decode()


ROUTES: Final = (
    Route(path="/audit", action="audit.view", handler=get_audit),
    Route(path="/audit/{number:int}", action="audit.view", handler=get_entry),
    Route(path="/audit/review", action="audit.review", method="POST", handler=post_review),
    Route(path="/audit/verify", action="audit.view", handler=get_verify),
    Route(path="/audit/verify", action="audit.view", method="POST", handler=post_verify),
)
