"""Search: requests by any of their values, newest first, addresses masked until they are shown for a case.

Owns the page, showing the addresses, and what of both the audit says. What was asked for is read by `searching`,
found by `looking` and shown by `rowview`.

A page costs at most two seconds of searching, and the rows of one page in memory. Above the rows, where nothing
but a time is asked for, stands a chart that costs a look into the statistics or a bounded count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import looking, overtime, rowview
from consentkit.admin.answer import Entry, Page, Refused
from consentkit.admin.masking import Mask
from consentkit.admin.searching import Asked, Hidden, asked
from consentkit.admin.visit import Route, Visit
from consentkit.admin.writing import Writing
from consentkit.archive.exposure import page_detail
from consentkit.archive.search.typed import DEVICE_TYPES, Typed, parse_cursor
from consentkit.errors import BadSearch
from consentkit.requestlog.record import OUTCOMES
from consentkit.requestlog.redact import QUERY_FLAGS

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue

PRESETS: Final = ("1h", "24h", "7d", "30d", "")

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Preset(msgspec.Struct, frozen=True):
    """A stretch of time that is one click away."""

    label: str
    query: str
    is_current: bool


class FormView(msgspec.Struct, frozen=True, kw_only=True):
    """The form of all filters, as it was filled in.

    Attributes:
        typed: the values.
        addresses: those that were typed.
        hidden: those that came with a link.
        faults: what is wrong, by field.
        presets: stretches of time.
        methods: to choose from, or to type another.
        outcomes, device_types: values and names.
        flags: to choose from.
        more: something is asked for, or wrong, among what is folded away.
    """

    typed: Typed
    addresses: str
    hidden: tuple[Hidden, ...]
    faults: dict[str, str]
    presets: tuple[Preset, ...]
    methods: tuple[str, ...]
    outcomes: tuple[tuple[str, str], ...]
    device_types: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]
    more: bool


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found.

    Attributes:
        rows: newest first.
        newer, older: query strings of the pages beside this one; None = there is none.
        reached_us: how far a search came that its time limit ended; None where it was not.
        upwards: it went on to later rows.
        seconds: how long it was given.
        patient: query string of a longer search, where nothing was reached.
        missing: what was not kept in this time, and how many more such stretches there are.
        more_missing: as said.
        unreadable_workers, damaged_places: what of the spool can't be read.
        restricted: how many rows match and may only be stored, as far as was searched.
        first, last: places of the first and last row, for showing the same rows again.
    """

    rows: tuple[rowview.Row, ...]
    newer: str | None
    older: str | None
    reached_us: int | None
    upwards: bool
    seconds: int
    patient: str
    missing: tuple[rowview.Missing, ...]
    more_missing: int
    unreadable_workers: int
    damaged_places: int
    restricted: int
    first: str
    last: str


class SearchView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``search.html`` is given.

    Attributes:
        form: the filters.
        results: what was found; None where a filter can't be read.
        chart: requests over the time asked for; None where it is not known without a look at rows.
        query: the filters, for other pages about the same requests.
        here: this very page's, for showing its addresses.
        is_revealed: addresses are shown.
        case: for which they are, or can be; empty = none was said.
        may_reveal, may_export, may_open: what the entrant may do.
    """

    form: FormView
    results: Results | None
    chart: overtime.Chart | None
    query: str
    here: str
    is_revealed: bool
    case: str
    may_reveal: bool
    may_export: bool
    may_open: bool


async def get_search(visit: Visit) -> Page:
    """Show a page of what was asked for."""
    wanted = asked(visit)
    if wanted.faults:
        return _faulty(visit, wanted)
    found = await visit.work(looking.look_up, visit.archive, wanted)
    chart = await visit.work(overtime.light, visit, wanted)
    return _page(visit, wanted, found, chart=chart, action="log.search")


async def post_reveal(visit: Visit) -> Page:
    """Show the rows of a page again, with their addresses."""
    wanted = asked(visit)
    if visit.look is None or not visit.look.case:
        raise Refused(409, visit.say.gettext("Addresses are shown for a case. Say first which one."))
    if wanted.faults:
        return _faulty(visit, wanted)
    try:
        first, last = (parse_cursor(name, visit.form.get(name, "")) for name in ("first", "last"))
    except BadSearch:
        raise Refused(400, visit.say.gettext("This address is damaged. Begin the search anew.")) from None
    found = await visit.work(looking.same_rows, visit.archive, wanted, first, last)
    return _page(visit, wanted, found, chart=None, action="log.reveal")


def form_view(say: Catalogue, wanted: Asked) -> FormView:
    """Return the form of all filters, as it was filled in."""
    typed = wanted.typed
    folded = ("host", "method", "outcome", "flag", "device_type", "browser", "country")
    is_open = any(getattr(typed, name) or name in wanted.faults for name in folded)
    return FormView(
        typed=typed,
        addresses=wanted.plain_addresses,
        hidden=wanted.hidden,
        faults=dict(wanted.faults),
        presets=tuple(
            Preset(_preset_name(say, since), wanted.within(since), typed.since == since and not typed.until)
            for since in PRESETS
        ),
        methods=_METHODS,
        outcomes=tuple((one, rowview.outcome_name(say, one)) for one in OUTCOMES),
        device_types=tuple((one, rowview.device_name(say, one)) for one in DEVICE_TYPES),
        flags=QUERY_FLAGS,
        more=is_open or typed.bot is not None,
    )


def _page(visit: Visit, wanted: Asked, found: looking.Look, *, chart: overtime.Chart | None, action: str) -> Page:
    look, is_revealed = visit.look, action == "log.reveal"
    detail = {"filters": wanted.given(), **page_detail(wanted.filters, found.rows)}
    view = SearchView(
        form=form_view(visit.say, wanted),
        results=_results(visit, wanted, found, is_revealed=is_revealed),
        chart=chart,
        query=wanted.query(),
        here=wanted.at(before=wanted.before, after=wanted.after),
        is_revealed=is_revealed,
        case=look.case if look else "",
        may_reveal=visit.entrant.may("search.reveal"),
        may_export=visit.entrant.may("search.export"),
        may_open=visit.entrant.may("incident.open"),
    )
    entry = Entry(action=action, detail=detail, rows=len(found.rows), look=look)
    return Page(template="search.html", view=view, entry=entry)


def _faulty(visit: Visit, wanted: Asked) -> Page:
    """Return the form with what is wrong at its fields; nothing is searched."""
    view = SearchView(
        form=form_view(visit.say, wanted),
        results=None,
        chart=None,
        query=wanted.query(),
        here="",
        is_revealed=False,
        case="",
        may_reveal=False,
        may_export=False,
        may_open=False,
    )
    detail = {"faults": sorted(wanted.faults)}
    return Page(template="search.html", view=view, entry=Entry(action="log.search", detail=detail), status=400)


def _results(visit: Visit, wanted: Asked, found: looking.Look, *, is_revealed: bool) -> Results:
    say, write = visit.say, Writing(visit.say)
    mask = Mask(visit.office.keyring, visit.entrant)
    gaps, more = rowview.missing(say, write, found.gaps)
    newer = None if found.newer is None else wanted.at(after=found.newer)
    return Results(
        rows=rowview.rows(found.rows, wanted, say=say, write=write, mask=mask, is_revealed=is_revealed),
        newer=wanted.query() if found.has_newest else newer,
        older=None if found.older is None else wanted.at(before=found.older),
        reached_us=None if found.reached is None else found.reached.time_us,
        upwards=wanted.after is not None,
        seconds=int(looking.PATIENT_SECONDS if wanted.is_patient else looking.SECONDS),
        patient=wanted.at(before=wanted.before, after=wanted.after, long="1") if found.is_stuck else "",
        missing=gaps,
        more_missing=more,
        unreadable_workers=found.losses.unreadable_workers,
        damaged_places=found.losses.damaged_places,
        restricted=found.restricted,
        first=str(found.rows[0][0]) if found.rows else "",
        last=str(found.rows[-1][0]) if found.rows else "",
    )


def _preset_name(say: Catalogue, since: str) -> str:
    names = {
        "1h": say.gettext("Last hour"),
        "24h": say.gettext("24 hours"),
        "7d": say.gettext("7 days"),
        "30d": say.gettext("30 days"),
    }
    return names.get(since, say.gettext("All there is"))


ROUTES: Final = (
    Route(path="/search", action="search.run", handler=get_search, needs_look=True),
    Route(path="/search/reveal", action="search.reveal", handler=post_reveal, method="POST", needs_look=True),
)
