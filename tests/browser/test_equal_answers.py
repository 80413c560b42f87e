"""Accepting and refusing look the same, are as easy to hit and to read.

Source: EDPB Cookie Banner Taskforce 2023, §8, §17–18; WCAG 2.2, 1.4.3 and 2.5.8.
"""

from __future__ import annotations

from itertools import product

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looks import DESKTOP, LANGUAGES, NARROW, PHONE
from tests.browser.measures import CONTRASTS, STYLES
from tests.opening import OpenPage

pytestmark = pytest.mark.browser

LAYERS = {
    "banner": (("/", "/loud"), ".ck-root > :first-child .ck-button"),
    "dialog": (("/", "/loud"), "dialog[open] .ck-button"),
    "settings": (("/consentkit/settings",), "main > .ck-actions .ck-button"),
}
CASES = [(layer, path, language) for layer in LAYERS for path, language in product(LAYERS[layer][0], LANGUAGES)]

# Of a link among buttons: what an eye can tell.
VISIBLE = {
    *("font-family", "font-size", "font-weight", "font-style", "letter-spacing", "line-height", "text-align"),
    *("text-transform", "text-decoration-line", "text-shadow", "color", "background-color", "background-image"),
    *("box-shadow", "opacity", "filter", "transform", "visibility", "cursor", "outline-style"),
    *(f"padding-{side}" for side in ("top", "right", "bottom", "left")),
    *(f"border-{side}-{of}" for side in ("top", "right", "bottom", "left") for of in ("color", "style", "width")),
    *(f"border-{corner}-radius" for corner in ("top-left", "top-right", "bottom-left", "bottom-right")),
}


# Follow from the size, which is compared to a tenth of a pixel; here they would show a 64th.
OF_SIZE = {
    *("width", "height", "inline-size", "block-size", "transform-origin", "perspective-origin"),
    *("grid-template-columns", "grid-template-rows"),
}


def find_difference(one: dict[str, str], other: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return the properties of two styles that differ, with both values."""
    return {name: (one[name], other[name]) for name in one.keys() - OF_SIZE if one[name] != other[name]}


def show(look: OpenPage, layer: str, path: str, language: str) -> Page:
    page = look(f"{path}?lang={language}")
    if layer == "dialog":
        page.click("[data-action=settings]")
    return page


@pytest.mark.parametrize(("layer", "path", "language"), CASES)
def test_the_answers_are_equal(look: OpenPage, layer: str, path: str, language: str) -> None:
    page = show(look, layer, path, language)
    selector = LAYERS[layer][1]
    for each in (*NARROW, *PHONE, *DESKTOP):
        each.put_on(page)
        [accept] = page.evaluate(STYLES, f"{selector}[value=accept]")
        [reject] = page.evaluate(STYLES, f"{selector}[value=reject]")
        assert find_difference(accept["style"], reject["style"]) == {}, str(each)
        answers = page.evaluate(STYLES, selector)
        assert len(answers) == 3
        assert len({(answer["width"], answer["height"]) for answer in answers}) == 1, str(each)
        for answer in answers:
            assert find_difference(answer["style"], accept["style"]).keys() & VISIBLE == set(), str(each)
        assert accept["height"] >= 44


@pytest.mark.parametrize("path", ["/", "/loud"])
def test_the_answers_stay_equal_under_pointer_and_focus(look: OpenPage, path: str) -> None:
    page = look(f"{path}?lang=lv")

    def style_of(action: str) -> dict[str, str]:
        [found] = page.evaluate(STYLES, f"[data-action={action}]")
        style: dict[str, str] = found["style"]
        return style

    page.keyboard.press("Tab")
    focused = style_of("accept")
    page.keyboard.press("Tab")
    assert find_difference(focused, style_of("reject")) == {}
    assert float(focused["outline-width"].removesuffix("px")) > 0
    page.evaluate("document.activeElement.blur()")
    page.hover("[data-action=accept]")
    hovered = style_of("accept")
    page.hover("[data-action=reject]")
    assert find_difference(hovered, style_of("reject")) == {}


@pytest.mark.parametrize(("layer", "path"), [("banner", "/loud"), ("dialog", "/loud")])
def test_a_loud_site_does_not_make_text_pale(look: OpenPage, layer: str, path: str) -> None:
    page = show(look, layer, path, "en")
    for each in (*NARROW, *DESKTOP):
        each.put_on(page)
        assert [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5] == [], str(each)


@pytest.mark.parametrize("path", ["/", "/loud"])
def test_the_way_back_and_the_choices_are_large_enough_for_a_finger(look: OpenPage, path: str) -> None:
    page = look(f"{path}?lang=lv", width=320)
    page.click("[data-action=reject]")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.goto(f"{path}?lang=lv")
    back = page.locator(".ck-back").bounding_box()
    assert back is not None
    assert min(back["width"], back["height"]) >= 44
    page.click(".ck-back")
    heights = page.evaluate(
        """() => [...document.querySelectorAll("dialog li label")]
          .map(label => parseFloat(getComputedStyle(label, "::after").height))"""
    )
    assert len(heights) == 3
    assert min(heights) >= 44
