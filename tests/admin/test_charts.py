"""Drawings: what is drawn is what was counted, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.admin import charts
from consentkit.admin.writing import Writing
from consentkit.web.texts import Texts

SAY = Texts(("en",), domain="admin")["en"]
WRITE = Writing(SAY)


@pytest.mark.parametrize(
    ("highest", "top"),
    [
        (0, 1),
        (1, 1),
        (2, 2),
        (3, 4),
        (5, 6),
        (7, 8),
        (9, 10),
        (11, 20),
        (61, 80),
        (99, 100),
        (101, 200),
        (850, 1000),
    ],
)
def test_a_scale_ends_with_a_round_number(highest: int, top: int) -> None:
    assert charts.nice_top(highest) == top


@given(st.integers(0, 10**12))
def test_a_scale_reaches_the_highest_bar_and_not_far_beyond(highest: int) -> None:
    assert highest <= charts.nice_top(highest) <= max(2 * highest, 1)


def test_bars_are_stacked_from_the_ground_up() -> None:
    chart = charts.bars("Answers", "Day", ["good", "bad"], [("Monday", (60, 40))], WRITE.number)
    good, bad = chart.columns[0].rects
    assert (good.y, good.height) == (40, 60)
    assert (bad.y, bad.height) == (0, 40)
    assert good.x == bad.x
    assert good.css_class != bad.css_class


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=40))
def test_no_bar_leaves_its_drawing_and_each_step_is_in_the_table(values: list[tuple[int, int]]) -> None:
    steps = [(f"day {index}", pair) for index, pair in enumerate(values)]
    chart = charts.bars("Answers", "Day", ["good", "bad"], steps, WRITE.number)
    assert [column.label for column in chart.columns] == [label for label, _ in steps]
    for column, (_, pair) in zip(chart.columns, steps, strict=True):
        assert column.cells == tuple(WRITE.number(value) for value in pair)
        for rect in column.rects:
            assert -0.02 <= rect.y <= rect.y + rect.height <= charts.HEIGHT + 0.02
            assert 0 <= rect.x <= rect.x + rect.width <= chart.width


def test_more_bars_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(charts.TooManyBars):
        charts.bars("x", "Day", ["x"], [("d", (1,))] * (charts.MAX_BARS + 1), WRITE.number)


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b"], ["a", "b", "c", "d"]], ids=len)
def test_the_ends_and_the_middle_are_labelled(labels: list[str]) -> None:
    chart = charts.bars("x", "Day", ["x"], [(label, (1,)) for label in labels], WRITE.number)
    assert chart.ticks == (("a", "c", "d") if len(labels) == 4 else tuple(labels))


def test_a_share_without_anything_is_drawn_empty() -> None:
    chart = charts.shares(
        "x", "Category", "Accepted", [("none", (0, 0)), ("all", (3, 1))], WRITE.number, write_share=WRITE.share
    )
    empty, full = chart.rows
    assert (empty.rects, empty.share) == ((), "")
    assert (full.value, full.share) == ("3", "75.0%")
    assert sum(rect.width for rect in full.rects) == 100


def test_a_time_line_is_cut_off_at_its_ends() -> None:
    spans = [
        charts.Span(since_us=-50, until_us=50, height=1, css_class="ck-c1", title="begins before"),
        charts.Span(since_us=200, until_us=300, height=1, css_class="ck-c1", title="lies beyond"),
    ]
    line = charts.time_line("x", spans, since_us=0, until_us=100, marks_us=[50, 999])
    assert [rect.title for rect in line.rects] == ["begins before"]
    assert line.rects[0].x == 0
    assert line.rects[0].x + line.rects[0].width <= line.width / 2
    assert line.marks == (500,)


def test_a_spark_line_has_a_point_for_each_value() -> None:
    assert charts.spark("x", [0, 5, 10]).points == "0.0,20.0 50.0,10.5 100.0,1.0"
    assert charts.spark("x", []).points == ""
