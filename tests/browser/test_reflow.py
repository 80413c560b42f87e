"""Nothing is cut or needs scrolling sideways with the visitor's own letters, and on a site that is loud."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.looks import LANGUAGES, STATES
from tests.browser.measures import MISFITS
from tests.opening import OpenPage

pytestmark = pytest.mark.browser


def find_misfits(page: Page) -> list[str]:
    """What does not fit; and whether the page as a whole must be scrolled sideways."""
    misfits: list[str] = page.evaluate(MISFITS)
    is_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [*misfits, *(["the page"] if is_wide else [])]


@pytest.mark.parametrize("state", STATES)
def test_everything_fits_with_letters_twice_as_large(look: OpenPage, state: str) -> None:
    """WCAG 2.2, 1.4.4: 200 % of the text alone."""
    page = STATES[state].show(look, "ru")
    page.set_viewport_size({"width": 640, "height": 800})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("getComputedStyle(document.querySelector('.ck')).fontSize") == "32px"
    assert find_misfits(page) == []


@pytest.mark.parametrize("layer", ["banner", "dialog"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_loud_site_does_not_push_us_out(look: OpenPage, layer: str, language: str) -> None:
    page = look(f"/loud?lang={language}", width=320)
    if layer == "dialog":
        page.click("[data-action=settings]")
    assert page.evaluate(MISFITS) == []


def test_a_misfit_would_be_found(look: OpenPage) -> None:
    page = look("/?lang=en", width=320)
    page.evaluate("document.querySelector('.ck-title').style.whiteSpace = 'nowrap'")
    page.evaluate("document.querySelector('.ck-title').textContent = 'word '.repeat(40)")
    assert find_misfits(page) != []
