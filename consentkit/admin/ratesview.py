"""The rates of consent as a page shows them: added up, drawn, and as a file.

Owns the sums and the charts. What is counted, and what the words mean, is said in ``docs/consent-rates.md``.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import charts, wording
from consentkit.admin.stretch import step_length, step_of, steps
from consentkit.archive.consentrates import RateRow, rates
from consentkit.archive.export.spreadsheet import cells
from consentkit.consent.declared import OPTIONAL
from consentkit.consent.inventory import KEPT_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consentkit.admin.stretch import Step, Stretch
    from consentkit.admin.writing import Writing
    from consentkit.archive.consentrates import By, Span
    from consentkit.consent.inventory import Sighting
    from consentkit.control import Control
    from consentkit.web.texts import Catalogue

_COUNTS: Final = (
    "shown",
    "shown_shared",
    "accepted",
    "partly",
    "refused",
    "changed",
    "withdrawn",
    "unscripted",
)
_SIGNALS_KEPT: Final = timedelta(days=KEPT_DAYS + 1)
# Accepted, in part, refused; the first and the last as in the bars of shares.
_ANSWER_CLASSES: Final = ("ck-c1", "ck-c3", "ck-c2")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table of rates, with the words that name it."""

    label: str
    row: RateRow


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown of a stretch.

    Attributes:
        total: all answers as a whole.
        categories, languages: likewise by category and by language.
        scripts: with a script, and by a plain form.
        steps: by day, week or month, newest first.
        step_name: what a step is called.
        answers: a chart of them.
        shares: how often each category was accepted; None where nobody answered.
    """

    total: RateRow
    categories: tuple[Line, ...]
    languages: tuple[Line, ...]
    scripts: tuple[Line, ...]
    steps: tuple[Line, ...]
    step_name: str
    answers: charts.Bars
    shares: charts.Shares | None


def find(control: Control, stretch: Stretch, counted: Span, say: Catalogue, write: Writing) -> Rates | None:
    """Return the rates of a stretch; None where nothing was counted in it.

    Raises:
        StorageError: the control database refuses.
    """
    since, until = stretch.since, stretch.until
    days = rates(control, since, until, ("day",))
    if not days:
        return None
    # What was never counted is no step: the first bar is the first day of which anything is known.
    since = max(since, date.fromisoformat(counted.first))
    step = step_length(since, until)
    lines = _by_step(days, steps(since, until, step), step)
    categories = _categories(rates(control, since, until, ("category",)), say)
    return Rates(
        total=added(days),
        categories=categories,
        languages=tuple(
            Line(label=row.language or "–", row=row) for row in rates(control, since, until, ("language",))
        ),
        scripts=tuple(
            Line(label=say.gettext("With a script") if row.script else say.gettext("By a plain form"), row=row)
            for row in reversed(rates(control, since, until, ("script",)))
        ),
        steps=lines[::-1],
        step_name=step_name(say, step),
        answers=_answers(lines, step, say, write),
        shares=_shares(categories, say, write),
    )


def step_name(say: Catalogue, step: Step) -> str:
    """Return what a step is called."""
    names = {"day": say.gettext("Day"), "week": say.gettext("Week from"), "month": say.gettext("Month")}
    return names[step]


def signals(met: Mapping[str, Sighting], stretch: Stretch, say: Catalogue, write: Writing) -> charts.Bars | None:
    """Return a chart of the pages shown to browsers that sent a privacy signal; None where there were none.

    Args:
        met: by day, as the inventory has them; another name is left out.
        stretch: what was asked for.
    """
    known = {day: sighting.count for name, sighting in met.items() if (day := _day(name)) is not None}
    since = max(stretch.since, stretch.until - _SIGNALS_KEPT)
    wanted = {day: count for day, count in known.items() if since <= day < stretch.until}
    if not wanted:
        return None
    step = step_length(min(wanted), stretch.until)
    counts = dict.fromkeys(steps(min(wanted), stretch.until, step), 0)
    for day, count in wanted.items():
        counts[step_of(day, step)] += count
    return charts.bars(
        say.gettext("Pages to browsers that sent a privacy signal"),
        step_name(say, step),
        [say.gettext("Pages")],
        [(first.isoformat(), (count,)) for first, count in counts.items()],
        write.number,
    )


def file_rows(control: Control, stretch: Stretch) -> list[dict[str, str | int | float | None]]:
    """Return the rates of a stretch by day and language: answers as a whole, then by category."""
    found = []
    groupings: tuple[tuple[By, ...], ...] = (("day", "language"), ("day", "language", "category"))
    for by in groupings:
        for row in rates(control, stretch.since, stretch.until, by):
            counts: dict[str, str | int | float | None] = {name: getattr(row, name) for name in _COUNTS}
            shares = {"accepted_share": row.accepted_share, "answered_share": row.answered_share}
            named = {"day": row.day, "language": row.language, "category": row.category}
            found.append({**named, **counts, **shares})
    return found


def csv(rows: Sequence[Mapping[str, str | int | float | None]]) -> bytes:
    """Return rows as CSV, in which nothing is a formula; what is none is an empty cell."""
    names = ("day", "language", "category", *_COUNTS, "accepted_share", "answered_share")
    lines = [cells(names)]
    lines += [cells([_cell(row[name]) for name in names]) for row in rows]
    return b"".join(lines)


def added(rows: Iterable[RateRow]) -> RateRow:
    """Return the sum of rows."""
    rows = tuple(rows)
    return RateRow(**{name: sum(getattr(row, name) for row in rows) for name in _COUNTS})


def _by_step(days: Sequence[RateRow], firsts: Sequence[date], step: Step) -> tuple[Line, ...]:
    by_step: dict[date, list[RateRow]] = {first: [] for first in firsts}
    for row in days:
        by_step.setdefault(step_of(date.fromisoformat(row.day or ""), step), []).append(row)
    return tuple(
        Line(label=f"{first:%Y-%m}" if step == "month" else first.isoformat(), row=added(by_step[first]))
        for first in sorted(by_step)
    )


def _categories(rows: Sequence[RateRow], say: Catalogue) -> tuple[Line, ...]:
    order = {name: index for index, name in enumerate(OPTIONAL)}
    ordered = sorted(rows, key=lambda row: order.get(row.category or "", len(order)))
    return tuple(Line(label=wording.category_name(say, row.category or ""), row=row) for row in ordered)


def _answers(lines: Sequence[Line], step: Step, say: Catalogue, write: Writing) -> charts.Bars:
    return charts.bars(
        say.gettext("First answers, {first} to {last}", first=lines[0].label, last=lines[-1].label),
        step_name(say, step),
        [say.gettext("Accepted"), say.gettext("In part"), say.gettext("Refused")],
        [(line.label, (line.row.accepted, line.row.partly, line.row.refused)) for line in lines],
        write.number,
        classes=_ANSWER_CLASSES,
    )


def _shares(lines: Sequence[Line], say: Catalogue, write: Writing) -> charts.Shares | None:
    answered = [line for line in lines if line.row.answered]
    if not answered:
        return None
    return charts.shares(
        say.gettext("How often each category was accepted"),
        say.gettext("Category"),
        say.gettext("Accepted"),
        [(line.label, (line.row.accepted, line.row.refused)) for line in answered],
        write.number,
        write_share=write.share,
    )


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def _cell(value: str | float | None) -> str | int:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else value
