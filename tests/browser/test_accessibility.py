"""What axe finds in all that a visitor sees of ours, and how text stands out: nothing, and well enough."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.looks import DESKTOP, NARROW, STATES, Look
from tests.browser.measures import CONTRASTS, SHOWN
from tests.opening import OpenPage

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What asks how an element is drawn: its colours, its place, whether it scrolls. The others ask for markup alone.
RULES_OF_DRAWING = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]
RUN = """([within, runOnly]) => axe.run(within, {runOnly, resultTypes: ["violations"]})
  .then(({violations}) => violations.flatMap(({id, nodes}) => nodes.map(
    ({html, failureSummary}) => `${id}: ${html} ${failureSummary}`)))"""

LEAST_CONTRAST = 4.5


def find_faults(page: Page, within: str = "html", *, rules: list[str] | None = None) -> list[str]:
    """What axe finds in the page, or in the elements that a selector names; axe must be in the page.

    Args:
        page: that is open.
        within: the selector.
        rules: that are asked; None = all.
    """
    asked = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    found: list[str] = page.evaluate(RUN, [{"include": [within]}, asked])
    return found


def find_faults_by_look(page: Page, *sizes: Sequence[Look]) -> dict[str, list[str]]:
    """What axe finds in the page, by look; axe must be in the page.

    Of each size, all rules are asked in its first colours. In the others only those are that can find something
    else: `RULES_OF_DRAWING`, where the markup and what of it is visible are the same, and otherwise all.

    Args:
        page: that is open.
        sizes: looks of one size each, which differ by colours alone.
    """
    found: dict[str, list[str]] = {}
    for first, *others in sizes:
        first.put_on(page)
        found[str(first)] = find_faults(page)
        shown = page.evaluate(SHOWN)
        for each in others:
            each.put_on(page)
            rules = RULES_OF_DRAWING if page.evaluate(SHOWN) == shown else None
            found[str(each)] = find_faults(page, rules=rules)
    return {name: faults for name, faults in found.items() if faults}


def put_axe_into(page: Page) -> None:
    page.evaluate(AXE_SCRIPT)
    page.evaluate("document.fonts.ready")


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
