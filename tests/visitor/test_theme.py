"""The site's own look, by the variables that docs/look.md lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

REPOSITORY = Path(__file__).resolve().parent.parent.parent
STYLE = (REPOSITORY / "static/consentkit.css").read_text("utf-8")
DOCUMENT = (REPOSITORY / "docs/look.md").read_text("utf-8")

OpenPage = Callable[..., Page]

RED = "rgb(200, 10, 20)"
# Variable, value, what is looked at, its property, what it must come to.
VARIABLES = [
    ("--ck-surface", RED, ".ck-first", "backgroundColor", RED),
    ("--ck-surface", RED, ".ck-dialog", "backgroundColor", RED),
    ("--ck-text", RED, ".ck-title", "color", RED),
    ("--ck-text", RED, ".ck-link", "color", RED),
    ("--ck-quiet", RED, ".ck-text", "color", RED),
    ("--ck-quiet", RED, ".ck-button", "borderTopColor", RED),
    ("--ck-line", RED, ".ck-first", "borderTopColor", RED),
    ("--ck-button", RED, ".ck-button", "backgroundColor", RED),
    ("--ck-focus", RED, ".ck-box", "accentColor", RED),
    ("--ck-radius", "3px", ".ck-button", "borderTopLeftRadius", "3px"),
    ("--ck-radius", "3px", ".ck-first", "borderTopLeftRadius", "3px"),
    ("--ck-font", "monospace", ".ck-button", "fontFamily", "monospace"),
    ("--ck-shadow", RED, ".ck-first", "boxShadow", f"{RED} 0px 8px 40px 0px"),
    ("--ck-veil", RED, ".ck-dialog::backdrop", "backgroundColor", RED),
]


def put_style(page: Page, rules: str) -> None:
    """Add a style sheet as the site's own, which no policy of the page keeps out."""
    page.evaluate(
        """rules => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(rules);
          document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
        }""",
        rules,
    )


def look(page: Page, selector: str, name: str) -> str:
    element, _, pseudo = selector.partition("::")
    found: str = page.evaluate(
        "([element, pseudo, name]) => getComputedStyle(document.querySelector(element), pseudo || null)[name]",
        [element, f"::{pseudo}" if pseudo else "", name],
    )
    return found


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_variable_changes_what_it_says(open_page: OpenPage, scheme: str) -> None:
    page = open_page("/?lang=en", color_scheme=scheme)
    page.click("[data-action=settings]")
    for variable, value, selector, name, expected in VARIABLES:
        before = look(page, selector, name)
        put_style(page, f".ck {{ {variable}: {value} }}")
        assert look(page, selector, name) == expected, (variable, selector)
        assert before != expected
        page.evaluate("document.adoptedStyleSheets = []")


@pytest.mark.browser
def test_the_focus_ring_takes_its_colour(open_page: OpenPage) -> None:
    page = open_page("/")
    put_style(page, f".ck {{ --ck-focus: {RED} }}")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineColor") == RED


@pytest.mark.browser
@pytest.mark.parametrize(
    "rules",
    [
        "[data-action=accept] { --ck-button: #0a0; --ck-text: #fff; --ck-quiet: #000; --ck-radius: 0 }",
        "[data-action=accept] { --ck-button: #0a0 !important; --ck-text: #fff !important }",
        "[data-action=accept] { background: #0a0; color: #fff; font-size: 2em; font-weight: 900; padding: 2em }",
        "button { background: #0a0 !important; font-size: 40px !important; border-radius: 0 !important }",
        ".ck { --ck-button: #0a0; --ck-text: #fff }",
    ],
    ids=["variables", "important-variables", "properties", "important-properties", "the-whole"],
)
def test_no_style_makes_accept_louder_than_reject(open_page: OpenPage, rules: str) -> None:
    page = open_page("/?lang=en")
    put_style(page, rules)
    looks = page.evaluate(
        """() => ["accept", "reject", "settings"].map(action => {
          const element = document.querySelector(`.ck-first [data-action=${action}]`);
          const {width, height} = element.getBoundingClientRect();
          const {fontSize, fontWeight, color, backgroundColor, borderTopColor, borderTopLeftRadius} =
            getComputedStyle(element);
          return [width, height, fontSize, fontWeight, color, backgroundColor, borderTopColor, borderTopLeftRadius]
            .join();
        })"""
    )
    assert len(set(looks)) == 1, looks


def test_every_colour_font_and_radius_goes_through_a_variable() -> None:
    rules = re.sub(r"^ *--ck-.*$", "", STYLE, flags=re.MULTILINE)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", rules) == []
    fonts = re.findall(r"font-family: ([^;]+?)(?: !important)?;", rules)
    assert {font for font in fonts if font != "inherit"} == {"var(--ck-font, system-ui, sans-serif)"}
    radii = re.findall(r"border-radius: ([^;]+?)(?: !important)?;", rules)
    assert all(radius == "0" or radius.startswith("var(--ck-radius") for radius in radii)


def test_the_document_lists_each_variable_and_no_other() -> None:
    used = set(re.findall(r"var\((--ck-[a-z]+)", STYLE)) - {"--ck-room"}  # told by the script
    listed = set(re.findall(r"^\| `(--ck-[a-z]+)`", DOCUMENT, flags=re.MULTILINE))
    assert listed == used
    assert {variable for variable, *_ in VARIABLES} == used


@pytest.mark.browser
def test_nothing_moves_or_fades(open_page: OpenPage) -> None:
    """Nothing is animated, so that ``prefers-reduced-motion`` has nothing to take away."""
    page = open_page("/", reduced_motion="no-preference")
    page.click("[data-action=settings]")
    moving = page.evaluate(
        """() => [...document.querySelectorAll(".ck, .ck *")].filter(element => {
          const {animationName, transitionDuration} = getComputedStyle(element);
          return animationName !== "none" || transitionDuration !== "0s";
        }).length"""
    )
    assert moving == 0
