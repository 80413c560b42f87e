"""What axe finds in all that a visitor sees of ours, and how text stands out: nothing, and well enough."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.looks import DESKTOP, LANGUAGES, NARROW, STATES, ZOOMED
from tests.browser.measures import CONTRASTS
from tests.opening import OpenPage

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """([within, tags]) => axe.run(within, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]})
  .then(({violations}) => violations.flatMap(({id, nodes}) => nodes.map(
    ({html, failureSummary}) => `${id}: ${html} ${failureSummary}`)))"""

LEAST_CONTRAST = 4.5


def find_faults(page: Page, within: str | None = None) -> list[str]:
    """What axe finds in the page, or in the elements that a selector names; axe must be in the page."""
    found: list[str] = page.evaluate(RUN, [{"include": [within]} if within else {"include": ["html"]}, TAGS])
    return found


def put_axe_into(page: Page) -> None:
    page.evaluate(AXE_SCRIPT)
    page.evaluate("document.fonts.ready")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(look: OpenPage, state: str, language: str) -> None:
    page = STATES[state].show(look, language)
    put_axe_into(page)
    faults: dict[str, list[str]] = {}
    for each in (*NARROW, *ZOOMED, DESKTOP[0]):
        each.put_on(page)
        if found := find_faults(page):
            faults[str(each)] = found
    assert faults == {}


@pytest.mark.parametrize("state", STATES)
def test_text_stands_out_from_what_is_behind_it(look: OpenPage, state: str) -> None:
    page = STATES[state].show(look, "en")
    for each in (*NARROW, *DESKTOP):
        each.put_on(page)
        contrasts = page.evaluate(CONTRASTS)
        assert contrasts
        assert [found for found in contrasts if found[0] < LEAST_CONTRAST] == [], str(each)


@pytest.mark.parametrize("action", ["", "settings"], ids=["banner", "dialog"])
def test_axe_finds_nothing_in_ours_on_a_loud_site(look: OpenPage, action: str) -> None:
    page = look("/loud?lang=ru", width=320)
    if action:
        page.click(f"[data-action={action}]")
    put_axe_into(page)
    for each in NARROW:
        each.put_on(page)
        assert find_faults(page, within="#consentkit") == []


PALE = "document.querySelector('.ck-text').style.setProperty('color', '#aaa', 'important')"


def test_a_fault_would_be_found(look: OpenPage) -> None:
    """Else a run that looked at nothing would pass."""
    page = look("/?lang=en", width=320)
    put_axe_into(page)
    page.evaluate(PALE)
    [fault] = find_faults(page)
    assert fault.startswith("color-contrast")
    assert [ratio for ratio, _ in page.evaluate(CONTRASTS) if ratio < LEAST_CONTRAST] == [2.32]
