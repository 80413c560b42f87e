"""Counts of a search: over time, and by one of its values, most frequent first.

Owns the page and what of it the audit says. Counting is the archive's job: the newest requests that match, as far
as a bounded look reaches. Addresses are masked; each line leads to the requests behind it.

A page costs at most two seconds of counting values and one of counting over time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import charts, overtime, rowview
from consentkit.admin.answer import Entry, Page
from consentkit.admin.masking import Mask, masked
from consentkit.admin.pages.search import FormView, form_view
from consentkit.admin.searching import Asked, asked
from consentkit.admin.shapes import Share
from consentkit.admin.visit import Route, Visit
from consentkit.admin.writing import Writing
from consentkit.archive.search.top import BY, By, Top, top

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue

SECONDS: Final = 2.0
LINES: Final = 30

_DEFAULT: Final[By] = "address"
# By which filter the requests behind a line are found.
_FILTERS: Final[dict[By, str]] = {
    "path": "path",
    "agent": "text",
    "status": "status",
    "host": "host",
    "referrer": "text",
    "country": "country",
    "browser": "browser",
    "device-type": "device_type",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One value and how often it is there.

    Attributes:
        label: the value, an address masked; empty where there is none.
        mark: the same for the same address.
        query: the requests behind it; empty = they can't be asked for.
        share: how many, which part of all, and the bar.
    """

    label: str
    mark: str
    query: str
    share: Share


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted.

    Attributes:
        lines: most frequent first.
        rows: requests that were counted.
        more: values that are not shown.
        back_to_us: the time from which on all that match were counted; None where all were.
        is_of_time: the time limit, and not the row limit, kept older ones out.
        missing, more_missing, unreadable_workers, damaged_places, restricted: as in a search.
    """

    lines: tuple[Line, ...]
    rows: int
    more: int
    back_to_us: int | None
    is_of_time: bool
    missing: tuple[rowview.Missing, ...]
    more_missing: int
    unreadable_workers: int
    damaged_places: int
    restricted: int


class TopView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``search_top.html`` is given.

    Attributes:
        form: the filters.
        by: what is counted by.
        kinds: what can be counted by: name, query string, and whether it is the present one.
        counted: None where a filter can't be read.
        chart: requests over time; None where there are none.
        query: the filters, for the rows themselves.
    """

    form: FormView
    by: By
    kinds: tuple[tuple[str, str, bool], ...]
    counted: Counted | None
    chart: overtime.Chart | None
    query: str


async def get_top(visit: Visit) -> Page:
    """Show the counts."""
    wanted = asked(visit)
    by = next((one for one in BY if one == visit.query.get("by")), _DEFAULT)
    if wanted.faults:
        view = _view(visit, wanted, by, None, None)
        entry = Entry(action="log.top", detail={"faults": sorted(wanted.faults)})
        return Page(template="search_top.html", view=view, entry=entry, status=400)
    found = await visit.work(top, visit.archive, wanted.filters, by, time_limit_seconds=SECONDS)
    chart = await visit.work(overtime.whole, visit, wanted)
    counted = _counted(visit, wanted, by, found)
    detail = {"filters": wanted.given(), "by": by, "counted": found.rows, "back_to_us": found.back_to_us}
    entry = Entry(action="log.top", detail=detail, rows=len(counted.lines), look=visit.look)
    return Page(template="search_top.html", view=_view(visit, wanted, by, counted, chart), entry=entry)


def _view(visit: Visit, wanted: Asked, by: By, counted: Counted | None, chart: overtime.Chart | None) -> TopView:
    return TopView(
        form=form_view(visit.say, wanted),
        by=by,
        kinds=tuple((_name(visit.say, one), wanted.query(by=one), one == by) for one in BY),
        counted=counted,
        chart=chart,
        query=wanted.query(),
    )


def _counted(visit: Visit, wanted: Asked, by: By, found: Top) -> Counted:
    say, write = visit.say, Writing(visit.say)
    mask = Mask(visit.office.keyring, visit.entrant)
    shown = found.counts[:LINES]
    drawn = charts.shares(
        "",
        "",
        "",
        [("", (number,)) for _, number in shown],
        write.number,
        write_share=write.share,
        whole=found.rows,
    )
    gaps, more = rowview.missing(say, write, found.gaps)
    return Counted(
        lines=tuple(
            _line(say, wanted, by, value, mask=mask, share=share)
            for (value, _), share in zip(shown, drawn.rows, strict=True)
        ),
        rows=found.rows,
        more=len(found.counts) - len(shown),
        # Where nothing was counted in time, that is the end asked for, which may lie as far ahead as can be.
        back_to_us=min(found.back_to_us, int(wanted.now.timestamp() * 1_000_000)) if found.ended_by else None,
        is_of_time=found.ended_by == "time",
        missing=gaps,
        more_missing=more,
        unreadable_workers=found.losses.unreadable_workers,
        damaged_places=found.losses.damaged_places,
        restricted=found.restricted,
    )


def _line(say: Catalogue, wanted: Asked, by: By, value: str, *, mask: Mask, share: Share) -> Line:
    if by == "address":
        query = wanted.narrowed("address", mask.seal(value)) if value else ""
        return Line(label=masked(value), mark=mask.mark(value), query=query, share=share)
    label = rowview.device_name(say, value) if by == "device-type" else value
    is_none = not value or (by == "status" and value == "0")
    return Line(
        label="" if is_none else label,
        mark="",
        query="" if is_none else wanted.narrowed(_FILTERS[by], value),
        share=share,
    )


def _name(say: Catalogue, by: By) -> str:
    names: dict[By, str] = {
        "address": say.gettext("Address"),
        "path": say.gettext("Path"),
        "agent": say.gettext("Agent"),
        "status": say.gettext("Status"),
        "host": say.gettext("Host"),
        "referrer": say.gettext("Referrer"),
        "country": say.gettext("Country"),
        "browser": say.gettext("Browser"),
        "device-type": say.gettext("Device"),
    }
    return names[by]


ROUTES: Final = (Route(path="/search/top", action="search.run", handler=get_top, needs_look=True),)
