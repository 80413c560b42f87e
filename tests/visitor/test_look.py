"""How the banner, the dialog and the pages look and can be used, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

LANGUAGES = ("lv", "ru", "en", "et", "lt")
WIDTHS = (320, 480, 1280)
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

OpenPage = Callable[..., Page]

BOXES = """selector => [...document.querySelectorAll(selector)].map(element => {
  const {width, height} = element.getBoundingClientRect();
  const {fontSize, fontWeight, color, backgroundColor, borderTopColor} = getComputedStyle(element);
  return {width: Math.round(width * 10) / 10, height: Math.round(height * 10) / 10,
    look: [fontSize, fontWeight, color, backgroundColor, borderTopColor].join(),
    cut: element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight};
})"""


def reject(page: Page) -> None:
    page.click("[data-action=reject]")
    expect(page.locator("#consentkit")).to_be_hidden()


def assert_equal_buttons(page: Page, selector: str, count: int = 3) -> None:
    boxes = page.evaluate(BOXES, selector)
    assert len(boxes) == count
    assert len({(box["width"], box["height"], box["look"]) for box in boxes}) == 1, boxes
    assert boxes[0]["height"] >= 44
    assert not any(box["cut"] for box in boxes)


def assert_nothing_overflows(page: Page) -> None:
    too_wide = page.evaluate(
        """() => [...document.querySelectorAll(".ck, .ck *")]
          .filter(element => element.getClientRects().length && !element.closest(".ck-unseen, .ck-back, thead"))
          .filter(element => element.getBoundingClientRect().right > innerWidth + 0.5
            || element.getBoundingClientRect().left < -0.5)
          .map(element => element.outerHTML.slice(0, 80))"""
    )
    assert too_wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("path", "language", "width"), list(product(("/", "/loud"), LANGUAGES, WIDTHS)))
def test_the_banners_answers_are_equal_and_fit(open_page: OpenPage, path: str, language: str, width: int) -> None:
    page = open_page(f"{path}?lang={language}", width=width)
    assert_equal_buttons(page, ".ck-banner .ck-button")
    assert_nothing_overflows(page)


@pytest.mark.parametrize(("path", "language", "width"), list(product(("/", "/loud"), LANGUAGES, WIDTHS)))
def test_the_dialogs_answers_are_equal_and_fit(open_page: OpenPage, path: str, language: str, width: int) -> None:
    page = open_page(f"{path}?lang={language}", width=width)
    page.click("[data-action=settings]")
    assert_equal_buttons(page, "dialog[open] .ck-button")
    assert_nothing_overflows(page)
    assert page.evaluate("(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))")


@pytest.mark.parametrize(("language", "width"), list(product(LANGUAGES, WIDTHS)))
def test_the_settings_pages_answers_are_equal_and_fit(open_page: OpenPage, language: str, width: int) -> None:
    page = open_page(f"/consentkit/settings?lang={language}", width=width)
    for details in page.query_selector_all("summary"):
        details.click()
    assert_equal_buttons(page, "main > .ck-actions .ck-button")
    assert_nothing_overflows(page)


def test_text_keeps_fitting_with_the_visitors_own_spacing(open_page: OpenPage) -> None:
    """WCAG 2.2, 1.4.12."""
    for language in LANGUAGES:
        page = open_page(f"/?lang={language}", width=320)
        page.evaluate(
            """() => {
              const sheet = new CSSStyleSheet();
              sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
                word-spacing: .16em !important } p { margin-block-end: 2em !important }`);
              document.adoptedStyleSheets = [sheet];
            }"""
        )
        assert page.evaluate("getComputedStyle(document.querySelector('.ck-text')).letterSpacing") != "normal"
        assert_equal_buttons(page, ".ck-banner .ck-button")
        assert_nothing_overflows(page)


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


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (640, 480), (320, 640)])
def test_focus_is_never_hidden_under_the_banner(open_page: OpenPage, width: int, height: int) -> None:
    page = open_page("/?lang=ru", width=width, height=height)
    for _ in range(46):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """() => {
              const focused = document.activeElement;
              const {left, right, top, bottom} = focused.getBoundingClientRect();
              const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
              return focused === document.body || focused.contains(at) || (at !== null && at.contains(focused));
            }"""
        )
        assert seen, page.evaluate("document.activeElement.outerHTML")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_the_end_of_the_page_can_be_scrolled_clear_of_the_banner(open_page: OpenPage, javascript: bool) -> None:
    page = open_page("/?lang=ru", java_script_enabled=javascript)
    page.mouse.wheel(0, 100_000)
    page.wait_for_timeout(200)
    last = page.locator("main p").last.bounding_box()
    banner = page.locator(".ck-banner").bounding_box()
    assert last is not None
    assert banner is not None
    assert last["y"] + last["height"] <= banner["y"]


def violations(page: Page) -> list[str]:
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": AXE_TAGS}})
    return [
        f"{found['id']}: {node['html']} {node['failureSummary']}"
        for found in results.response["violations"]
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    ("path", "click"),
    [
        ("/?lang=lv", ""),
        ("/?lang=ru", "[data-action=settings]"),
        ("/?lang=en", "[data-action=reject]"),
        ("/loud?lang=en", "[data-action=settings]"),
        ("/embed?lang=lt", ""),
        ("/consentkit/settings?lang=et", "summary"),
        ("/?lang=lv", "bad form"),
    ],
    ids=["banner", "dialog", "saved", "dialog-on-a-loud-site", "embed", "settings", "error"],
)
def test_axe_finds_nothing(open_page: OpenPage, path: str, click: str, width: int, scheme: str) -> None:
    page = open_page(path, width=width, color_scheme=scheme)
    if click == "bad form":
        page.evaluate("document.querySelector('[name=via]').form.action += '?'")
        page.evaluate(
            "(button => { button.value = 'perhaps'; button.form.requestSubmit(button); })"
            "(document.querySelector('[data-action=accept]'))"
        )
        page.get_by_role("heading", level=1).filter(has_not_text="Example").wait_for()
    elif click:
        page.locator(click).first.click()
        page.wait_for_timeout(200)
    page.evaluate("document.fonts.ready")
    found = violations(page)
    if "loud" in path:  # the site's own pale text is not ours
        found = [each for each in found if "ck-" in each]
    assert found == []


@pytest.mark.parametrize("path", ["/?lang=lv", "/loud?lang=lv"], ids=["plain", "loud"])
def test_targets_are_large_enough(open_page: OpenPage, path: str) -> None:
    page = open_page(path, width=320)
    reject(page)
    page.goto(path)
    box = page.locator(".ck-back").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    page.click(".ck-back")
    heights = page.evaluate(
        """() => [...document.querySelectorAll("dialog li label")]
          .map(label => parseFloat(getComputedStyle(label, "::after").height))"""
    )
    assert len(heights) == 3
    assert min(heights) >= 44


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
    assert not page.locator(".ck-banner").is_visible()
    assert page.locator("main").is_visible()


def test_forced_colours_keep_the_answers_edges(open_page: OpenPage) -> None:
    page = open_page("/", forced_colors="active")
    assert_equal_buttons(page, ".ck-banner .ck-button")
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
    assert not page.locator(".ck-banner").is_visible()
    page.click(".ck-back")
    assert page.get_by_label("Statistikas sīkdatnes").is_checked()
    page.click("[data-action=accept]")
    page.wait_for_url("**/?lang=lv&a=b")
    (cookie,) = [each for each in context.cookies() if each["name"] == "consentkit"]
    assert cookie["value"].startswith("v1.p1s1m1.")
    context.close()
