"""An export of what a search finds: ordered, waited for, taken along.

Owns the three pages. The copy is written by `exporting` and has its place in the register, as one that the command
line makes.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from consentkit.admin.answer import Answer, Download, Entry, Page, Refused, SeeOther, Written
from consentkit.admin.exporting import MAX_ROWS, Occupied, begin, pending
from consentkit.admin.pages.search import FormView, form_view
from consentkit.admin.searching import Asked, asked
from consentkit.admin.visit import Route, Visit
from consentkit.archive.export import FORMATS, Order
from consentkit.archive.export.pending import Progress

MAX_RECIPIENT_CHARACTERS: Final = 200

_ENDINGS: Final = {
    "json": ("jsonl", "application/x-ndjson"),
    "ecs": ("ecs.jsonl", "application/x-ndjson"),
    "combined": ("log", "text/plain; charset=us-ascii"),
    "csv": ("csv", "text/csv; charset=utf-8"),
}


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``search_export.html`` is given.

    Attributes:
        form: the filters, as they were filled in.
        given: the filters in force: name and value, hidden addresses masked.
        query: the same, for this page's form.
        formats: value, name and what it is for.
        format, recipient, destroy_by, limit: as they were filled in.
        most: the largest limit.
        today: the first day on which a copy can be due.
        faults: what is wrong, by field.
        may_search: the entrant may look at the rows themselves.
    """

    form: FormView
    given: tuple[tuple[str, str], ...]
    query: str
    formats: tuple[tuple[str, str, str], ...]
    format: str
    recipient: str
    destroy_by: str
    limit: str
    most: int
    today: str
    faults: dict[str, str]
    may_search: bool


class WaitView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``search_export_wait.html`` is given.

    Attributes:
        name: of the export.
        progress: how far it has come.
        is_running: it goes on.
        has_file: its content can be downloaded.
        is_cut: there are more rows than the limit let through, or exactly as many.
        seconds: since it began.
    """

    name: str
    progress: Progress
    is_running: bool
    has_file: bool
    is_cut: bool
    seconds: int


async def get_order(visit: Visit) -> Page:
    """Ask on what terms."""
    return _order(visit, asked(visit), {})


async def post_order(visit: Visit) -> Answer:
    """Begin to write the copy."""
    wanted, form = asked(visit), visit.form
    faults = _faults(visit)
    if visit.look is None or wanted.faults or faults:
        return _order(visit, wanted, faults)
    limit = int(form["limit"])
    day = form.get("destroy_by", "")
    given = {**wanted.given(), "limit": limit}
    order = Order(
        format=form["format"],
        filters=given,
        output=_file_name(form["format"], time.time_ns() // 1000),
        recipient=form.get("recipient", "").strip(),
        destroy_by=date.fromisoformat(day) if day else None,
    )
    try:
        name, _ = await visit.work(
            begin, visit.office, visit.entrant.actor, visit.look, order, filters=wanted.filters, limit=limit
        )
    except Occupied:
        busy = visit.say.gettext("Another export is being written. Try again when it is done.")
        return _order(visit, wanted, {"": busy}, status=409)
    entry = Entry(action="log.export.order", detail={"format": order.format, "filters": given}, look=visit.look)
    return SeeOther(path=f"/search/export/{name}", entry=entry)


async def get_wait(visit: Visit) -> Page:
    """Tell how far it has come."""
    name, progress = await visit.work(_found, visit)
    has_file = progress.state == "done" and await visit.work(pending(visit.office).has, name)
    view = WaitView(
        name=name,
        progress=progress,
        is_running=progress.state == "running" and not progress.has_died,
        has_file=has_file,
        is_cut=progress.state == "done" and progress.rows == progress.limit,
        seconds=max(progress.told_us - progress.begun_us, 0) // 1_000_000,
    )
    return Page(template="search_export_wait.html", view=view, entry=Written(progress.entry))


async def get_file(visit: Visit) -> Download:
    """Hand the copy out."""
    name, progress = await visit.work(_found, visit)
    waiting = await visit.work(pending(visit.office).hand_out, name) if progress.state == "done" else None
    if waiting is None:
        raise Refused(404, visit.say.gettext("This export is no longer here. Order it anew."))
    return Download(
        file_name=_file_name(progress.format, progress.begun_us),
        content_type=_ENDINGS[progress.format][1],
        content=waiting,
        entry=Entry(action="log.export.download", detail={"copy": progress.copy, "sha256": progress.sha256}),
    )


async def post_remove(visit: Visit) -> SeeOther:
    """Take the file away before its time."""
    name, progress = await visit.work(_found, visit)
    await visit.work(pending(visit.office).remove, name)
    entry = Entry(action="log.export.removed", detail={"copy": progress.copy})
    return SeeOther(path=f"/search/export/{name}", entry=entry, notice="export-removed")


def _found(visit: Visit) -> tuple[str, Progress]:
    name = visit.request.path_params["name"]
    progress = pending(visit.office).find(name, visit.entrant.name)
    if progress is None:
        raise Refused(404, visit.say.gettext("This export is no longer here. Order it anew."))
    return name, progress


def _order(visit: Visit, wanted: Asked, faults: dict[str, str], *, status: int = 200) -> Page:
    say, form = visit.say, visit.form
    view = OrderView(
        form=form_view(say, wanted),
        given=_given(wanted),
        query=wanted.query(),
        formats=(
            ("json", "JSON", say.gettext("Every field under its own name, an object a line.")),
            ("ecs", "Elastic Common Schema", say.gettext("For Elasticsearch and OpenSearch.")),
            ("combined", "Apache combined", say.gettext("For tools that read a web server's log.")),
            ("csv", "CSV", say.gettext("For spreadsheets; nothing in it is run as a formula.")),
        ),
        format=form.get("format", "json"),
        recipient=form.get("recipient", "")[:MAX_RECIPIENT_CHARACTERS],
        destroy_by=form.get("destroy_by", "")[:10],
        limit=form.get("limit", "100000")[:10],
        most=MAX_ROWS,
        today=datetime.now(UTC).date().isoformat(),
        faults=faults,
        may_search=visit.entrant.may("search.run"),
    )
    is_wrong = bool(faults or wanted.faults)
    return Page(
        template="search_export.html",
        view=view,
        entry=Entry(action="admin.search.export"),
        status=status if status != 200 or not is_wrong else 400,
    )


def _given(wanted: Asked) -> tuple[tuple[str, str], ...]:
    """Return the filters in force as they may be shown."""
    hidden = [one.text for one in wanted.hidden]
    shown = {**wanted.given(), "address": [*wanted.plain_addresses.split(), *hidden]}
    return tuple(
        (name, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
        for name, value in shown.items()
        if value not in ("", [], ())
    )


def _faults(visit: Visit) -> dict[str, str]:
    say, form = visit.say, visit.form
    faults = {}
    if form.get("format") not in FORMATS:
        faults["format"] = say.gettext("Choose a format.")
    recipient = form.get("recipient", "")
    if len(recipient) > MAX_RECIPIENT_CHARACTERS or not recipient.isprintable():
        faults["recipient"] = say.gettext("At most {most} characters.", most=MAX_RECIPIENT_CHARACTERS)
    limit = form.get("limit", "")
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 10 and 1 <= int(limit) <= MAX_ROWS):
        faults["limit"] = say.gettext("A number from 1 to {most}.", most=MAX_ROWS)
    if form.get("destroy_by"):
        try:
            is_over = date.fromisoformat(form["destroy_by"]) < datetime.now(UTC).date()
        except ValueError:
            faults["destroy_by"] = say.gettext("This is no day. Write it as 2026-12-31.")
        else:
            if is_over:
                faults["destroy_by"] = say.gettext("This day is over. Name one from today on.")
    return faults


def _file_name(form: str, time_us: int) -> str:
    ending = _ENDINGS[form][0]
    return f"requests-{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y%m%dT%H%M%SZ}.{ending}"


_ONE: Final = "/search/export/{name}"

ROUTES: Final = (
    Route(path="/search/export", action="search.export", handler=get_order, needs_look=True),
    Route(path="/search/export", action="search.export", handler=post_order, method="POST", needs_look=True),
    Route(path=_ONE, action="search.export", handler=get_wait),
    Route(path=f"{_ONE}/file", action="search.export", handler=get_file),
    Route(path=f"{_ONE}/remove", action="search.export", handler=post_remove, method="POST"),
)
