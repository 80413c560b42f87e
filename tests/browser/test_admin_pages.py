"""The admin area's pages in a real browser: reached by links, in each role, wide and narrow, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from consentkit.admin.roles import ALLOWED, ROLES
from tests.admin.area import ROOT
from tests.admin.forms import ROUTES
from tests.browser.adminsite import REASON, Site, admin_site, sign_in
from tests.browser.looks import DESKTOP, LANGUAGES, NARROW, PHONE
from tests.browser.measures import CONTRASTS, FOCUS, MISFITS
from tests.browser.test_accessibility import LEAST_CONTRAST, find_faults, find_faults_by_look, put_axe_into

pytestmark = pytest.mark.browser

# Reached by a form alone, or nothing that is read in a window.
_NO_LINK_LEADS_TO = frozenset({"/account/codes"})

# The pages are looked at in so many tests, which can run side by side.
_SHARES = 4


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with admin_site(tmp_path_factory.mktemp("admin")) as running:
        yield running


@pytest.fixture
def page(site: Site, browser: Browser) -> Iterator[Page]:
    """A window of somebody with all roles; a script error or a breach of the policy fails the test."""
    faults: list[str] = []
    context = site.context(browser)
    window = context.new_page()
    window.on("pageerror", lambda error: faults.append(str(error)))
    window.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield window
    context.close()
    assert faults == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_by_links_all_that_it_may_see_and_nothing_else(site: Site, role: str) -> None:
    reached = set(site.pages(role))
    may_open = {route.path for route in ROUTES if route.method == "GET" and role in ALLOWED[route.action]}
    assert reached <= may_open
    assert {path for path in may_open - reached if "{" not in path} <= _NO_LINK_LEADS_TO


@pytest.mark.parametrize("role", ROLES)
def test_the_navigation_leads_to_pages_that_open(site: Site, browser: Browser, role: str) -> None:
    context = site.context(browser, role)
    window = context.new_page()
    window.goto(f"{ROOT}/")
    sections = window.locator("nav a").evaluate_all("links => links.map(({href}) => href)")
    assert len(sections) >= 4
    for address in dict.fromkeys(sections):
        answer = window.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        expect(window.locator("h1")).to_have_count(1)
        expect(window.locator("nav [aria-current]").first).to_be_attached()
    context.close()


def test_a_link_to_a_page_leads_there_past_sign_in_and_purpose(site: Site, browser: Browser) -> None:
    context = site.context(browser, "")
    window = context.new_page()
    wanted = f"{ROOT}/search?since=7d&path=%2Fplain&status=2xx"
    window.goto(wanted)
    sign_in(window, "investigator")
    window.check("[name=look-purpose][value=security]")
    window.fill("[name=look-reason]", REASON)
    window.click("main button")
    assert window.url.removeprefix(site.url) == wanted
    expect(window.locator("[name=path]")).to_have_value("/plain")
    context.close()


@pytest.mark.parametrize("share", range(_SHARES))
def test_every_page_is_sound(site: Site, page: Page, share: int) -> None:
    """By keyboard, by axe, by its contrasts, and at 320 px."""
    addresses = _read_in_a_window(site)[share::_SHARES]
    faults: dict[str, list[object]] = {}
    for address in addresses:
        page.goto(ROOT + address)
        if found := [*_lost_by_keyboard(page), *_named_by_axe(page), *_pale(page), *_cut_when_narrow(page)]:
            faults[address] = found
        DESKTOP[0].put_on(page)
    assert len(addresses) >= 5
    assert faults == {}


def _lost_by_keyboard(page: Page) -> list[object]:
    """Skip links that don't come first, and stops whose focus can't be seen."""
    stops = []
    for _ in range(14):
        page.keyboard.press("Tab")
        page.evaluate("document.getAnimations().forEach((each) => each.finish())")  # the skip link slides in
        if focus := page.evaluate(FOCUS):
            stops.append(focus)
    if not stops or 'href="#' not in stops[0]["markup"]:
        return ["the first stop is no skip link"]
    return [stop for stop in stops if stop["outline"] < 2 or not stop["isSeen"]]


def _named_by_axe(page: Page) -> list[object]:
    put_axe_into(page)
    return list(find_faults_by_look(page, DESKTOP[:2], PHONE[:2]).items())


def _pale(page: Page) -> list[object]:
    """Text that does not stand out from what is behind it."""
    found: list[object] = []
    for each in DESKTOP[:3]:
        each.put_on(page)
        found += [pale for pale in page.evaluate(CONTRASTS) if pale[0] < LEAST_CONTRAST]
    return found


def _cut_when_narrow(page: Page) -> list[object]:
    """What is cut at 320 px (WCAG 2.2, 1.4.10)."""
    NARROW[0].put_on(page)
    is_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [*page.evaluate(MISFITS), *(["the page is wider than its window"] if is_wide else [])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_sound_in_each_language(site: Site, page: Page, language: str) -> None:
    for path in ("/", "/search?since=7d"):
        page.goto(f"{ROOT}{path}{'&' if '?' in path else '?'}lang={language}")
        assert page.get_attribute("html", "lang") == language
        put_axe_into(page)
        assert find_faults(page) == []
        NARROW[0].put_on(page)
        assert page.evaluate(MISFITS) == []


def test_the_skip_link_leads_past_the_navigation(site: Site, page: Page) -> None:
    page.goto(f"{ROOT}/search?since=7d")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def _read_in_a_window(site: Site) -> list[str]:
    files = ("/file", ".csv", ".json")
    return [address for route, address in site.pages().items() if not route.endswith(files)]
