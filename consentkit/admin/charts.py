"""Drawings made by the server: bars over time, shares, a spark line, a time line of periods.

Owns the arithmetic; the shapes are `shapes`' and are drawn by ``_chart.html``, colours are CSS classes. A drawing
is stretched to its place and holds no words, which stand beside it and keep their size. Each has its table.
"""

from __future__ import annotations

from itertools import accumulate
from math import floor, log10
from typing import TYPE_CHECKING, Final

from consentkit.admin.shapes import Bars, Column, Rect, Share, Shares, Span, Spark, TimeLine

__all__ = [
    "Bars",
    "Rect",
    "Shares",
    "Span",
    "Spark",
    "TimeLine",
    "bars",
    "nice_top",
    "shares",
    "spark",
    "time_line",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A drawing's own units; what is drawn is stretched from them.
HEIGHT: Final = 100.0
_SLOT: Final = 10.0
_GAP: Final = 1.5

# More bars than these can't be told apart on a phone: whoever has more sums them up first.
MAX_BARS: Final = 400

# Colours that can be told apart, also in dark and by the colour-blind; a fifth series is "other".
SERIES_CLASSES: Final = ("ck-c1", "ck-c2", "ck-c3", "ck-c4", "ck-c5")


class TooManyBars(ValueError):
    """Refuse to draw what nobody could read."""


def bars(
    title: str,
    step_name: str,
    series: Sequence[str],
    steps: Sequence[tuple[str, Sequence[int]]],
    write: Callable[[int], str],
    *,
    classes: Sequence[str] = SERIES_CLASSES,
) -> Bars:
    """Return bars over time, stacked where there are several series.

    Args:
        title, step_name: what is counted, and what a step is called.
        series: names, the lowest part first.
        steps: label and the values of each, oldest first; at most `MAX_BARS`.
        write: how a value is written.
        classes: colours of the series.

    Raises:
        TooManyBars: sum them up by a longer step.
    """
    if len(steps) > MAX_BARS:
        raise TooManyBars(f"{len(steps)} bars of at most {MAX_BARS}")
    top = nice_top(max((sum(values) for _, values in steps), default=0))
    columns = tuple(
        Column(
            label=label,
            cells=tuple(map(write, values)),
            rects=_stack(index * _SLOT, values, top, classes, [f"{label}: {write(value)}" for value in values]),
        )
        for index, (label, values) in enumerate(steps)
    )
    return Bars(
        title=title,
        step_name=step_name,
        series=tuple(series),
        classes=tuple(classes[: len(series)]),
        columns=columns,
        width=max(len(steps), 1) * _SLOT,
        lines=(0.0, HEIGHT / 2, HEIGHT),
        scale=(write(top), write(top // 2), write(0)) if top > 1 else (write(top), "", write(0)),
        ticks=_ends([label for label, _ in steps]),
    )


def shares(
    title: str,
    label_name: str,
    value_name: str,
    rows: Sequence[tuple[str, Sequence[int]]],
    write: Callable[[int], str],
    *,
    write_share: Callable[[float], str],
    whole: int | None = None,
) -> Shares:
    """Return shares of a whole, each a bar that may have parts.

    Args:
        title, label_name, value_name: caption and headings.
        rows: label and the values of the bar's parts; the first is what the share is of.
        write, write_share: how a value, and a share of 0 to 1, are written.
        whole: what the bars are parts of; None = each row is a whole of its own, its parts together.
    """
    found = []
    for label, values in rows:
        of = sum(values) if whole is None else whole
        share = values[0] / of if of else 0.0
        found.append(
            Share(
                label=label,
                value=write(values[0]),
                share=write_share(share) if of else "",
                rects=tuple(_row(values, of)),
            )
        )
    return Shares(title=title, label_name=label_name, value_name=value_name, rows=tuple(found))


def spark(title: str, values: Sequence[int]) -> Spark:
    """Return a spark line; `title` says in words what it shows."""
    top = max(values, default=0) or 1
    last = max(len(values) - 1, 1)
    points = (f"{100 * i / last:.1f},{20 - 19 * value / top:.1f}" for i, value in enumerate(values))
    return Spark(title=title, points=" ".join(points))


def time_line(
    title: str,
    spans: Sequence[Span],
    *,
    since_us: int,
    until_us: int,
    marks_us: Sequence[int] = (),
    legend: Sequence[tuple[str, str]] = (),
    ticks: Sequence[str] = (),
) -> TimeLine:
    """Return a time line.

    Args:
        title: what it shows.
        spans: stretches; what lies beyond its ends is cut off.
        since_us, until_us: its ends.
        marks_us: instants to mark; those beyond its ends are left out.
        legend: class and name of each colour.
        ticks: labels below.
    """
    width = 1000.0
    length_us = max(until_us - since_us, 1)

    def place(time_us: int) -> float:
        return round(min(max((time_us - since_us) / length_us, 0.0), 1.0) * width, 2)

    rects = []
    for span in spans:
        x, end = place(span.since_us), place(span.until_us)
        height = round(HEIGHT * min(max(span.height, 0.03), 1.0), 2)
        gap = min((end - x) * 0.15, _GAP)
        if end > x:
            rects.append(
                Rect(
                    x=x,
                    y=round(HEIGHT - height, 2),
                    width=round(end - x - gap, 2),
                    height=height,
                    css_class=span.css_class,
                    title=span.title,
                )
            )
    marks = tuple(place(mark) for mark in marks_us if since_us <= mark <= until_us)
    return TimeLine(
        title=title, rects=tuple(rects), marks=marks, legend=tuple(legend), ticks=tuple(ticks), width=width
    )


def nice_top(highest: int) -> int:
    """Return the least of 1, 2, 4, 6, 8, 10, 20, 40 … that a scale of whole numbers can end with."""
    if highest <= 1:
        return 1
    power: int = 10 ** floor(log10(highest))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= highest)


def _stack(
    x: float, values: Sequence[int], top: int, classes: Sequence[str], titles: Sequence[str]
) -> tuple[Rect, ...]:
    rects = []
    for value, reached, css_class, title in zip(values, accumulate(values), classes, titles, strict=False):
        height = HEIGHT * value / top
        if value:
            rects.append(
                Rect(
                    x=x + _GAP / 2,
                    y=round(HEIGHT - HEIGHT * reached / top, 2),
                    width=_SLOT - _GAP,
                    height=round(height, 2),
                    css_class=css_class,
                    title=title,
                )
            )
    return tuple(rects)


def _row(values: Sequence[int], whole: int) -> list[Rect]:
    rects, x = [], 0.0
    for value, css_class in zip(values, SERIES_CLASSES, strict=False):
        width = round(100 * value / whole, 2) if whole else 0.0
        if width:
            rects.append(Rect(x=round(x, 2), y=0, width=width, height=10, css_class=css_class))
        x += width
    return rects


def _ends(labels: Sequence[str]) -> tuple[str, ...]:
    if len(labels) < 3:
        return tuple(labels)
    return labels[0], labels[len(labels) // 2], labels[-1]
