"""The shapes of drawings, as ``_chart.html`` draws them.

Owns what they hold, in a drawing's own units. `charts` makes them.
"""

from __future__ import annotations

import msgspec


class Rect(msgspec.Struct, frozen=True, kw_only=True):
    """One rectangle; `title` is shown when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    css_class: str
    title: str = ""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One bar with its parts, and the row of the table that says the same.

    Attributes:
        label: of the step, as ``2026-11-23``.
        cells: its values as they are written.
        rects: its parts, the first at the bottom.
    """

    label: str
    cells: tuple[str, ...]
    rects: tuple[Rect, ...]


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Bars over time.

    Attributes:
        title: says what is counted, and of which time.
        step_name: heading of the table's first column.
        series: names; one needs no legend.
        classes: their colours.
        columns: oldest first.
        width: of the drawing, in its units; its height is `HEIGHT`.
        lines: heights at which a line is drawn, from the top.
        scale: what these heights stand for, as text, from the top.
        ticks: first, middle and last label.
    """

    title: str
    step_name: str
    series: tuple[str, ...]
    classes: tuple[str, ...]
    columns: tuple[Column, ...]
    width: float
    lines: tuple[float, ...]
    scale: tuple[str, ...]
    ticks: tuple[str, ...]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table of shares: what, how many, which part of all, and the bar's parts."""

    label: str
    value: str
    share: str
    rects: tuple[Rect, ...]


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of a whole, as a table with a bar in each row.

    Attributes:
        title, label_name, value_name: caption and headings.
        rows: as given.
    """

    title: str
    label_name: str
    value_name: str
    rows: tuple[Share, ...]


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a word's size: `points` of a polyline in a drawing of 100 by 20, and what it says in words."""

    title: str
    points: str


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch on a time line: from, until (microseconds), how high (0 to 1), its colour and its words."""

    since_us: int
    until_us: int
    height: float
    css_class: str
    title: str


class TimeLine(msgspec.Struct, frozen=True, kw_only=True):
    """Stretches of time side by side, with instants marked.

    Attributes:
        title: says what is shown; its table is the page's own.
        rects: the stretches.
        marks: places of marked instants.
        legend: class and name of each colour in use.
        ticks: first, middle and last day.
        width: of the drawing; its height is `HEIGHT`.
    """

    title: str
    rects: tuple[Rect, ...]
    marks: tuple[float, ...]
    legend: tuple[tuple[str, str], ...]
    ticks: tuple[str, ...]
    width: float = 1000.0
