"""What a measurement says, and how repeated ones become one number.

Owns the shape of a figure and its bar. What is measured is the business of the modules that measure.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Judged = Literal["value", "ratio"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the measurement, in `unit`.
        unit: of value and baseline.
        baseline: what stands in its place without us, measured in the same run; None where there is none.
        against: what the baseline is.
        ratio: value / baseline.
        judged: which of the two the bar is for.
        bar: the figure to reach; None where none is set and the figure is only told.
        bar_is: the bar is the most, or the least, that passes.
        passed: whether it is reached; True where there is none.
    """

    name: str
    value: float
    unit: str
    baseline: float | None
    against: str
    ratio: float | None
    judged: Judged
    bar: float | None
    bar_is: Literal["most", "least"]
    passed: bool


def by_ratio(
    name: str, value: float, unit: str, *, baseline: float, against: str, at_most: float | None
) -> Figure:
    """Judge a value by what it is of a baseline; a baseline that could not be told from zero fails."""
    ratio = value / baseline if baseline > 0 else None
    return Figure(
        name=name,
        value=value,
        unit=unit,
        baseline=baseline,
        against=against,
        ratio=ratio,
        judged="ratio",
        bar=at_most,
        bar_is="most",
        passed=at_most is None or (ratio is not None and ratio <= at_most),
    )


def by_value(
    name: str,
    value: float,
    unit: str,
    *,
    bar: float,
    bar_is: Literal["most", "least"] = "most",
    baseline: float | None = None,
    against: str = "",
) -> Figure:
    """Judge a value by itself; a baseline is shown beside it."""
    return Figure(
        name=name,
        value=value,
        unit=unit,
        baseline=baseline,
        against=against,
        ratio=value / baseline if baseline else None,
        judged="value",
        bar=bar,
        bar_is=bar_is,
        passed=value <= bar if bar_is == "most" else value >= bar,
    )


def interleaved(measures: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, float]:
    """Run each measure once a round, in turn, and return each one's median.

    What else the machine does changes over seconds; in turn, it meets all of them alike.
    """
    results: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        # Every other round runs backwards: whoever always came second would always find warm caches.
        for name in list(measures)[:: -1 if number % 2 else 1]:
            results[name].append(measures[name]())
    return {name: statistics.median(values) for name, values in results.items()}
