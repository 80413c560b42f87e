"""How often visitors agree: by category, day, language, with and without script; as page and as file.

Owns what is asked for. The counts hold no one, so no purpose is asked for; they are `consentrates`', how they are
added up and drawn `ratesview`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from consentkit.admin import charts, met, ratesview
from consentkit.admin.answer import Answer, Download, Entry, Page, Refused
from consentkit.admin.stretch import PRESETS, Stretch, asked
from consentkit.admin.visit import Route, Visit
from consentkit.admin.writing import Writing
from consentkit.archive.consentrates import Span, span
from consentkit.archive.showings import add_showings
from consentkit.consent.inventory import KEPT_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consentkit.web.texts import Catalogue

# Steps that are shown at once; the rest of them is older, and one click away.
_STEPS: Final = 50


class Preset(msgspec.Struct, frozen=True):
    """A stretch that is one click away."""

    label: str
    query: str
    is_current: bool


class RatesView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``consent.html`` is given.

    Attributes:
        presets, typed, faults: what can be and was asked for.
        rates: of the stretch; None where there are none.
        steps: of `rates`, a page of them.
        older: query of the steps before these; empty = there are none.
        is_continued: newer steps than these stand on another page.
        counted: the first and the last day of all counts; None = nothing was counted yet.
        begins_late: counts begin within the stretch.
        reason: why nothing is counted at all; empty where it is.
        signals: a chart of privacy signals; None where there were none.
        kept_days: how long a day of them is kept.
        query: the stretch, for the files.
    """

    presets: tuple[Preset, ...]
    typed: tuple[str, str]
    faults: dict[str, str]
    rates: ratesview.Rates | None
    steps: tuple[ratesview.Line, ...]
    older: str
    is_continued: bool
    counted: Span | None
    begins_late: bool
    reason: str
    signals: charts.Bars | None
    kept_days: int
    query: str


async def get_rates(visit: Visit) -> Answer:
    """Show the rates of a stretch."""
    stretch = asked(visit.say, visit.query)
    view = await visit.work(_view, visit, stretch)
    return Page(
        template="consent.html",
        view=view,
        entry=Entry(action="consent.stats", detail=_detail(stretch)),
        status=400 if stretch.faults else 200,
    )


async def get_csv(visit: Visit) -> Answer:
    """Hand out the rates as CSV."""
    rows, stretch = await _file_rows(visit)
    return Download(
        file_name=_file_name(stretch, "csv"),
        content_type="text/csv; charset=utf-8",
        content=ratesview.csv(rows),
        entry=Entry(action="consent.stats", detail={**_detail(stretch), "format": "csv"}),
    )


async def get_json(visit: Visit) -> Answer:
    """Hand out the rates as JSON."""
    rows, stretch = await _file_rows(visit)
    return Download(
        file_name=_file_name(stretch, "json"),
        content_type="application/json",
        content=msgspec.json.encode(rows) + b"\n",
        entry=Entry(action="consent.stats", detail={**_detail(stretch), "format": "json"}),
    )


async def _file_rows(visit: Visit) -> tuple[list[dict[str, str | int | float | None]], Stretch]:
    stretch = asked(visit.say, visit.query)
    for message in stretch.faults.values():
        raise Refused(400, message)

    def find() -> list[dict[str, str | int | float | None]]:
        add_showings(visit.office.control, visit.office.settings.storage.directory)
        return ratesview.file_rows(visit.office.control, stretch)

    return await visit.work(find), stretch


def _view(visit: Visit, stretch: Stretch) -> RatesView:
    office, say = visit.office, visit.say
    write = Writing(say)
    # What the ingester would do within a minute: nobody waits for the pages of this minute.
    add_showings(office.control, office.settings.storage.directory)
    counted = span(office.control)
    rates = ratesview.find(office.control, stretch, counted, say, write) if counted else None
    shown, older = _page_of_steps(rates, visit.query, stretch)
    return RatesView(
        presets=tuple(
            Preset(label, urlencode({"days": days}), days == stretch.preset)
            for days, label in zip(PRESETS, _preset_labels(say), strict=True)
        ),
        typed=stretch.typed,
        faults=stretch.faults,
        rates=rates,
        steps=shown,
        older=older,
        is_continued="before" in visit.query,
        counted=counted,
        begins_late=counted is not None and counted.first > stretch.since.isoformat(),
        reason=_reason(visit) if counted is None else "",
        signals=ratesview.signals(met.inventory(office).of("signals"), stretch, say, write),
        kept_days=KEPT_DAYS,
        query=urlencode(stretch.fields),
    )


def _page_of_steps(
    rates: ratesview.Rates | None, query: Mapping[str, str], stretch: Stretch
) -> tuple[tuple[ratesview.Line, ...], str]:
    """Return a page of steps, newest first, and the query of the next."""
    before = query.get("before", "")[:32]
    steps = [line for line in rates.steps if not before or line.label < before] if rates else []
    shown = tuple(steps[:_STEPS])
    older = urlencode({**stretch.fields, "before": shown[-1].label}) if len(steps) > _STEPS else ""
    return shown, older


def _preset_labels(say: Catalogue) -> tuple[str, ...]:
    return (
        say.gettext("7 days"),
        say.gettext("30 days"),
        say.gettext("90 days"),
        say.gettext("A year"),
        say.gettext("All there is"),
    )


def _reason(visit: Visit) -> str:
    say = visit.say
    if visit.office.settings.consent.deny_only:
        return say.gettext("[consent] deny_only is on: visitors are asked nothing.")
    if not visit.office.registry.categories:
        return say.gettext("All declared cookies are necessary: visitors are asked nothing.")
    return say.gettext("Counts begin with the first page on which a visitor is asked, about a second after it.")


def _detail(stretch: Stretch) -> dict[str, object]:
    return dict(stretch.fields)


def _file_name(stretch: Stretch, kind: str) -> str:
    return f"consent-rates-{stretch.preset or 'period'}.{kind}"


ROUTES: Final = (
    Route(path="/consent", action="consent.view", handler=get_rates),
    Route(path="/consent/rates.csv", action="consent.view", handler=get_csv),
    Route(path="/consent/rates.json", action="consent.view", handler=get_json),
)
