"""Every state in every language and look: axe finds nothing in it, and all of it fits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.looks import DESKTOP, LANGUAGES, NARROW, STATES, ZOOMED
from tests.browser.measures import SPACE_TEXT
from tests.browser.test_accessibility import find_faults_by_look, put_axe_into
from tests.browser.test_reflow import find_misfits
from tests.opening import opening

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=LANGUAGES)
def shown(request: pytest.FixtureRequest, browser: Browser, look_site: str, state: str) -> Iterator[Page]:
    """The state in a language, opened once for all that is asked of it."""
    with opening(browser, look_site) as open_page:
        yield STATES[state].show(open_page, request.param)


def test_axe_finds_nothing(shown: Page) -> None:
    put_axe_into(shown)
    assert find_faults_by_look(shown, NARROW, ZOOMED, DESKTOP[:1]) == {}


def test_everything_fits(shown: Page) -> None:
    """WCAG 2.2, 1.4.10 and 1.4.12."""
    NARROW[0].put_on(shown)
    assert find_misfits(shown) == []
    ZOOMED[0].put_on(shown)
    assert find_misfits(shown) == []
    shown.evaluate(SPACE_TEXT)
    assert shown.evaluate("getComputedStyle(document.querySelector('.ck a')).letterSpacing") != "normal"
    assert find_misfits(shown) == []
    shown.evaluate("document.adoptedStyleSheets = []")
