"""When a figure reaches its bar, and how rounds are taken."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest

from bench.figures import by_ratio, by_value, interleaved


@pytest.mark.parametrize(
    ("value", "baseline", "ratio", "passed"),
    [
        pytest.param(1.0, 2.0, 0.5, True, id="at-the-bar"),
        pytest.param(1.1, 2.0, 0.55, False, id="past-the-bar"),
        pytest.param(1.0, 0.0, None, False, id="no-baseline-to-be-told-from-zero"),
        pytest.param(1.0, -1.0, None, False, id="baseline-lost-in-the-noise"),
    ],
)
def test_a_ratio_passes_at_its_bar_and_never_without_a_baseline(
    value: float, baseline: float, ratio: float | None, passed: bool
) -> None:
    figure = by_ratio("x", value, "s", baseline=baseline, against="y", at_most=0.5)

    assert figure.ratio == pytest.approx(ratio)
    assert figure.passed is passed


@pytest.mark.parametrize(
    ("value", "bar_is", "passed"),
    [(30, "most", True), (31, "most", False), (30, "least", True), (29, "least", False)],
)
def test_a_value_passes_on_its_side_of_the_bar(
    value: float, bar_is: Literal["most", "least"], passed: bool
) -> None:
    assert by_value("x", value, "MB", bar=30, bar_is=bar_is).passed is passed


def test_rounds_are_run_in_turn_and_back_again_and_give_the_median() -> None:
    order: list[str] = []
    values = itertools.cycle([5.0, 1.0, 100.0])

    def first() -> float:
        order.append("a")
        return next(values)

    def second() -> float:
        order.append("b")
        return 7.0

    medians = interleaved({"a": first, "b": second}, rounds=3)

    assert "".join(order) == "abbaab"
    assert medians == {"a": 5.0, "b": 7.0}
