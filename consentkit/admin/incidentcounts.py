"""What an incident's rows add up to, as its page shows it: chart, lists, gaps, and whether the file holds.

Owns the words and which rows a list leads to; addresses are masked. Adding up is `incidentsums`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from consentkit.admin import charts, rowview
from consentkit.admin.masking import Mask, masked
from consentkit.admin.writing import Writing
from consentkit.archive.incident.chart import Bar, bars
from consentkit.archive.search.typed import parse_cursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.admin.incidentsums import Sums
    from consentkit.admin.visit import Visit
    from consentkit.archive.incident.reading import Count, Hour
    from consentkit.web.texts import Catalogue

# From what went wrong at the foot up, so that it is read against the base line.
_SERIES: Final = (
    ((5,), "5xx", "ck-c-bad"),
    ((4,), "4xx", "ck-c3"),
    ((3,), "3xx", "ck-c5"),
    ((2,), "2xx", "ck-c1"),
    ((1, 0), "", "ck-c2"),
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a list: as it is shown, a mark beside it, how often, and the query string of its rows."""

    text: str
    mark: str = ""
    requests: int
    query: str


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent values of one kind: what they are called, and whether they came from requests."""

    title: str
    head: str
    lines: tuple[Line, ...]
    is_raw: bool = False


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows add up to.

    Attributes:
        verified_us: when; microseconds since 1970 UTC.
        fault: why the file is not what was copied, or can't be read; empty where it is.
        clients: how many addresses; None where the file can't be read.
        first_us, last_us: of the rows, microseconds since 1970 UTC; None where there is none.
        chart: requests over time by class of status; None where there is no row.
        tops: lists.
        missing: what the log lost over that time.
        more_missing: stretches of it that are not shown.
    """

    verified_us: int
    fault: str
    clients: int | None
    first_us: int | None
    last_us: int | None
    chart: charts.Bars | None
    tops: tuple[Top, ...]
    missing: tuple[rowview.Missing, ...]
    more_missing: int


def counted(visit: Visit, sums: Sums) -> Counted:
    """Return what an open incident's rows add up to, in words."""
    if sums.counts is None:
        return _unreadable(sums)
    say, write, counts = visit.say, Writing(visit.say), sums.counts
    mask = Mask(visit.office.keyring, visit.entrant)
    missing, more = rowview.missing(say, write, sums.gaps)
    tops = (
        Top(
            title=say.gettext("Busiest addresses"),
            head=say.gettext("Address"),
            lines=tuple(_address(mask, one) for one in counts.addresses),
        ),
        _top(say.gettext("Most requested paths"), say.gettext("Path"), "path", counts.paths, is_raw=True),
        _top(say.gettext("Most frequent agents"), say.gettext("Agent"), "text", counts.agents, is_raw=True),
        _top(say.gettext("Suspicious queries"), say.gettext("Kind"), "flag", sums.flags),
        _top(say.gettext("Answers"), say.gettext("Status"), "status", counts.statuses),
        _top(say.gettext("Countries"), say.gettext("Country"), "country", counts.countries),
    )
    return Counted(
        verified_us=sums.verified_us,
        fault=sums.fault,
        clients=counts.clients,
        first_us=_instant(counts.first),
        last_us=_instant(counts.last),
        chart=_chart(say, write, sums.hours) if sums.hours else None,
        tops=tuple(top for top in tops if top.lines),
        missing=missing,
        more_missing=more,
    )


def _unreadable(sums: Sums) -> Counted:
    return Counted(
        verified_us=sums.verified_us,
        fault=sums.fault,
        clients=None,
        first_us=None,
        last_us=None,
        chart=None,
        tops=(),
        missing=(),
        more_missing=0,
    )


def _address(mask: Mask, one: Count) -> Line:
    query = urlencode({"address": mask.seal(one.value)}) if one.value else ""
    return Line(text=masked(one.value) or "–", mark=mask.mark(one.value), requests=one.requests, query=query)


def _top(title: str, head: str, name: str, counts: Sequence[Count], *, is_raw: bool = False) -> Top:
    lines = tuple(
        # What was empty, or a status that is none, no filter asks for.
        Line(
            text=one.value or "–",
            requests=one.requests,
            query="" if one.value in ("", "0") else urlencode({name: one.value}, errors="replace"),
        )
        for one in counts
        if one.value or is_raw
    )
    return Top(title=title, head=head, lines=lines, is_raw=is_raw)


def _chart(say: Catalogue, write: Writing, hours: Sequence[Hour]) -> charts.Bars:
    found = bars(hours)
    there = {status_class for hour in hours for status_class in hour.by_class}
    series = [one for one in _SERIES if there & set(one[0])]
    steps = [(write.minute(bar.since_us), [_sum(bar, kinds) for kinds, _, _ in series]) for bar in found]
    return charts.bars(
        say.gettext(
            "Requests from {first} to {last}, UTC", first=steps[0][0], last=write.minute(found[-1].until_us)
        ),
        say.gettext("From, UTC"),
        [name or say.pgettext("status", "other") for _, name, _ in series],
        steps,
        write.number,
        classes=[css_class for _, _, css_class in series],
    )


def _sum(bar: Bar, kinds: tuple[int, ...]) -> int:
    return sum(bar.by_class.get(kind, 0) for kind in kinds)


def _instant(text: str) -> int | None:
    return parse_cursor("time", text).time_us if text else None
