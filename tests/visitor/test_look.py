"""How the banner and the way back stand on a page, in a real browser.

That answers are equal, all fits, is reached by keyboard and found without fault by axe: `tests/browser`.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.opening import OpenPage

pytestmark = pytest.mark.browser


def reject(page: Page) -> None:
    page.click("[data-action=reject]")
    expect(page.locator("#consentkit")).to_be_hidden()


@pytest.mark.parametrize(
    ("width", "height", "position"),
    [(1280, 800, "fixed"), (640, 480, "fixed"), (639, 900, "static"), (1280, 479, "static"), (320, 640, "static")],
)
def test_the_banner_is_fixed_only_where_there_is_room(
    open_page: OpenPage, width: int, height: int, position: str
) -> None:
    page = open_page("/", width=width, height=height)
    assert page.evaluate("getComputedStyle(document.getElementById('consentkit')).position") == position
    assert page.locator("#consentkit").is_visible()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_the_end_of_the_page_can_be_scrolled_clear_of_the_banner(open_page: OpenPage, javascript: bool) -> None:
    page = open_page("/?lang=ru", java_script_enabled=javascript)
    page.mouse.wheel(0, 100_000)
    page.wait_for_timeout(200)
    last = page.locator("main p").last.bounding_box()
    banner = page.locator(".ck-first").bounding_box()
    assert last is not None
    assert banner is not None
    assert last["y"] + last["height"] <= banner["y"]


def test_a_root_of_ten_pixels_does_not_shrink_the_text(open_page: OpenPage) -> None:
    page = open_page("/")
    page.evaluate("document.documentElement.style.fontSize = '62.5%'")
    assert page.evaluate("getComputedStyle(document.querySelector('.ck-button')).fontSize") == "16px"


def test_larger_text_of_the_visitor_makes_the_banners_larger(open_page: OpenPage) -> None:
    page = open_page("/")
    page.evaluate("document.documentElement.style.fontSize = '24px'")
    assert page.evaluate("getComputedStyle(document.querySelector('.ck-button')).fontSize") == "24px"


def test_nothing_of_it_is_printed(open_page: OpenPage) -> None:
    page = open_page("/")
    page.emulate_media(media="print")
    assert not page.locator(".ck-first").is_visible()
    assert page.locator("main").is_visible()


def test_forced_colours_keep_the_answers_edges(open_page: OpenPage) -> None:
    page = open_page("/", forced_colors="active")
    assert page.evaluate("getComputedStyle(document.querySelector('.ck-button')).borderTopStyle") == "solid"


@pytest.mark.parametrize("path", ["/linked", "/marked"])
def test_a_page_with_its_own_way_to_the_settings_gets_no_second_one(open_page: OpenPage, path: str) -> None:
    page = open_page(path)
    reject(page)
    page.goto(path)
    assert not page.locator(".ck-back").is_visible()
    page.locator("main a, main button").click()
    assert page.locator("dialog").is_visible()


def test_a_page_without_one_gets_the_way_back(open_page: OpenPage) -> None:
    page = open_page("/?lang=ru")
    reject(page)
    page.goto("/?lang=ru")
    link = page.get_by_role("link", name="Настройки файлов cookie")
    assert link.is_visible()


def test_without_script_the_page_looks_and_works_the_same(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?lang=lv&a=b")
    page.click("[data-action=settings]")
    assert page.url.startswith(f"{site}/consentkit/settings?lang=lv&next=")
    page.get_by_label("Statistikas sīkdatnes").check()
    page.get_by_label("Statistikas sīkdatnes").press("Enter")
    page.wait_for_url("**/?lang=lv&a=b")
    (cookie,) = [each for each in context.cookies() if each["name"] == "consentkit"]
    assert cookie["value"].startswith("v1.p0s1m0.")
    assert not page.locator(".ck-first").is_visible()
    page.click(".ck-back")
    assert page.get_by_label("Statistikas sīkdatnes").is_checked()
    page.click("[data-action=accept]")
    page.wait_for_url("**/?lang=lv&a=b")
    (cookie,) = [each for each in context.cookies() if each["name"] == "consentkit"]
    assert cookie["value"].startswith("v1.p1s1m1.")
    context.close()
