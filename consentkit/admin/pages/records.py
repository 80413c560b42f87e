"""The controller's documents: an overview, each as a page and as a file, and approving the balancing test.

Owns the pages. What a document says is `admin.documents`' matter, its facts `archive.register`'s.
"""

from __future__ import annotations

import functools
import time
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from consentkit.admin.answer import Answer, Download, Entry, Page, Refused, SeeOther, Written
from consentkit.admin.documents.layout import Document
from consentkit.admin.documents.making import BALANCING, KINDS, Made
from consentkit.admin.visit import Route, Visit
from consentkit.admin.writing import Writing
from consentkit.archive.register.balancing import Standing, approve, standing
from consentkit.archive.register.history import last_change
from consentkit.web.templates import Templates

MAX_NOTE_CHARACTERS: Final = 500
# No site had recipients before, and none plans past it.
_FIRST_DAY, _LAST_DAY = date(1990, 1, 1), date(2200, 1, 1)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One document of the overview.

    Attributes:
        name, title: of it.
        changed_us: when a setting that it rests on last changed; None = no start is recorded.
        standing: of the balancing test; None for the others.
    """

    name: str
    title: str
    changed_us: int | None
    standing: Standing | None


class RecordsView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``records.html`` is given; which of the other records the entrant may see."""

    rows: tuple[Row, ...]
    may_audit: bool
    may_history: bool


class DocumentView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``records_document.html`` is given.

    Attributes:
        document: the words.
        made_us: when it was true, microseconds since 1970 UTC.
        day: ISO date as of which it is.
        asks_day: another day can be asked for.
        standing: of the balancing test; None for the others.
        may_approve: the entrant may approve it.
        error: what is wrong with the form; empty = nothing.
    """

    document: Document
    made_us: int
    day: str
    asks_day: bool
    standing: Standing | None
    may_approve: bool
    error: str = ""


async def get_records(visit: Visit) -> Answer:
    """Show which documents there are, and how they stand."""
    view = await visit.work(_overview, visit)
    return Page(template="records.html", view=view, entry=Entry(action="admin.records"))


async def get_document(visit: Visit, *, name: str) -> Answer:
    """Show a document, or hand it out as a file."""
    form, day = visit.query.get("format", ""), _day(visit)
    if form not in ("", "html", "json"):
        raise Refused(400, visit.say.gettext("The address or the form is not complete."))
    made = await visit.work(_made, visit, name, day)
    entry = Entry(action="admin.document", detail={"document": name, **({"format": form} if form else {})})
    if form:
        content = await visit.work(_file, visit, made, form)
        content_type = "application/json" if form == "json" else "text/html; charset=utf-8"
        file_name = f"{name}-{day.isoformat()}.{form}"
        return Download(file_name=file_name, content_type=content_type, content=content, entry=entry)
    return await _page(visit, name, made.document, day, entry)


async def post_approve(visit: Visit) -> Answer:
    """Approve the balancing test as the page showed it."""
    note = visit.form.get("note", "").strip()
    if len(note) > MAX_NOTE_CHARACTERS:
        raise Refused(400, visit.say.gettext("At most {most} characters.", most=MAX_NOTE_CHARACTERS))
    office = visit.office
    stands = await visit.work(standing, office.control, office.settings)
    if visit.form.get("digest", "") != stands.digest:
        raise Refused(409, visit.say.gettext("The settings have changed since this page was made. Read it again."))
    entry = await visit.work(approve, office.control, visit.entrant.actor, office.settings, note)
    return SeeOther(path=f"/records/{BALANCING}", notice="test-approved", entry=Written(entry.number))


async def _page(visit: Visit, name: str, document: Document, day: date, entry: Entry) -> Page:
    office = visit.office
    is_test = name == BALANCING
    view = DocumentView(
        document=document,
        made_us=time.time_ns() // 1000,
        day=day.isoformat(),
        asks_day=name == "recipients",
        standing=await visit.work(standing, office.control, office.settings) if is_test else None,
        may_approve=is_test and visit.entrant.may("records.change"),
    )
    return Page(template="records_document.html", view=view, entry=entry)


def _day(visit: Visit) -> date:
    text = visit.query.get("on", "")
    if not text:
        return datetime.now(UTC).date()
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        raise Refused(400, visit.say.gettext("This is no day. Write 2026-11-23.")) from None
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise Refused(400, visit.say.gettext("This is no day. Write 2026-11-23."))
    return day


def _made(visit: Visit, name: str, day: date) -> Made:
    return KINDS[name].make(visit.office, visit.say, Writing(visit.say), day)


def _file(visit: Visit, made: Made, form: str) -> bytes:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    operator = visit.office.settings.site.operator
    if form == "html":
        page = Templates().render(
            "admin/records_file.html", visit.say, document=made.document, made=now, operator=operator
        )
        return page.encode()
    told = {"document": made.document.name, "made": now, "operator": operator, "facts": made.facts}
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _overview(visit: Visit) -> RecordsView:
    office, basis = visit.office, visit.office.settings.requestlog.basis
    rows = []
    for name, kind in KINDS.items():
        stands = standing(office.control, office.settings) if name == BALANCING else None
        changed_us = last_change(office.control, functools.partial(_is_of, kind.rests_on))
        rows.append(Row(name=name, title=kind.title(visit.say, basis), changed_us=changed_us, standing=stands))
    return RecordsView(
        rows=tuple(rows),
        may_audit=visit.entrant.may("audit.view"),
        may_history=visit.entrant.may("settings.view"),
    )


def _is_of(beginnings: tuple[str, ...], name: str) -> bool:
    return name.startswith(beginnings)


ROUTES: Final = (
    Route(path="/records", action="records.view", handler=get_records),
    *(
        Route(path=f"/records/{name}", action="records.view", handler=functools.partial(get_document, name=name))
        for name in KINDS
    ),
    Route(path=f"/records/{BALANCING}/approve", action="records.change", method="POST", handler=post_approve),
)
