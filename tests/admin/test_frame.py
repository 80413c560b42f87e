"""The frame and the parts of pages: who sees which links, how values are written, how all of it can be used."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from babel.numbers import format_decimal
from playwright.sync_api import Browser, Page

from consentkit.admin.roles import ROLES
from consentkit.admin.writing import Writing
from consentkit.web.texts import Catalogue
from tests.admin.sink import HOSTILE, MONDAY, Sink, entrant
from tests.serving import serving

LANGUAGES = ("en", "lv", "ru", "et", "lt")
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATH = "/consentkit/admin/"


def writing(language: str) -> Writing:
    return Writing(Catalogue(language, gettext.NullTranslations()))


@pytest.fixture(scope="module")
def sink() -> Sink:
    return Sink()


def sections(page: str) -> list[str]:
    navigation = page.partition('<nav class="ck-nav"')[2].partition("</nav>")[0]
    return re.findall(r'href="/consentkit/admin([^"]*)"', navigation)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("viewer", ["/", "/consent", "/records"]),
        ("investigator", ["/", "/search", "/consent", "/records"]),
        ("officer", ["/", "/incidents", "/consent", "/people", "/records"]),
        ("admin", ["/", "/consent", "/records"]),
    ],
)
def test_the_navigation_leads_where_a_role_may_go(sink: Sink, role: str, expected: list[str]) -> None:
    assert sections(sink.page(person=entrant(role))) == expected


def test_every_role_has_a_case_above() -> None:
    assert set(ROLES) == {"viewer", "investigator", "officer", "admin"}


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/", "/"),
        ("/health", "/health"),
        ("/incidents/7/close", "/incidents"),
        ("/searching", ""),
        ("/people", ""),
    ],
)
def test_the_tab_of_a_page_is_marked(sink: Sink, path: str, current: str) -> None:
    page = sink.page(person=entrant(), path=path)
    tabs = page.partition('<nav class="ck-tabs"')[2].partition("</nav>")[0]
    found = re.search(r'href="/consentkit/admin([^"]*)" aria-current="page"', tabs)
    assert (found[1] if found else "") == current


def test_nobody_gets_no_navigation(sink: Sink) -> None:
    page = sink.page(person=None)
    assert sections(page) == []
    assert "/sign-out" not in page


def test_purpose_and_case_in_force_are_shown_with_the_way_to_others(sink: Sink) -> None:
    page = sink.page(person=entrant())
    assert "Looking for: an incident, case 12" in page
    assert 'href="/consentkit/admin/look?next=%2F%3Fa%3Db"' in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("next=%2Fsearch%3Fsince%3D7d&lang=lv", "%2Fsearch%3Fsince%3D7d", id="kept as it is"),
        pytest.param("", "%2F", id="none given"),
        pytest.param("&".join(["a=b"] * 100), "%2F", id="too many fields"),
    ],
)
def test_the_purpose_asked_from_its_own_page_leads_where_it_led_before(
    sink: Sink, query: str, expected: str
) -> None:
    page = sink.page(person=entrant(), path="/look", query=query)
    assert f'href="/consentkit/admin/look?next={expected}"' in page


def test_a_language_link_keeps_the_rest_of_the_address(sink: Sink) -> None:
    assert 'href="/consentkit/admin/?a=b&amp;lang=lv"' in sink.page(person=entrant())


def test_what_came_from_a_request_is_never_markup(sink: Sink) -> None:
    page = sink.page(person=entrant())
    assert "<script>alert" not in page
    assert "<img" not in page
    for text in HOSTILE:
        assert (
            text.replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            .replace('"', "&#34;")
            .replace("'", "&#39;")
            in page
        )


def test_no_page_holds_inline_code_or_style(sink: Sink) -> None:
    page = sink.page(person=entrant())
    assert not re.search(r"<style|\sstyle=|\son\w+=(?!alert)", page)
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == [""]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", [0, 7, 999, 1000, 9999, 10_000, 1_234_567, -4, -56_789])
def test_numbers_are_written_as_cldr_has_it(language: str, number: int) -> None:
    ours = writing(language).number(number).replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")
    theirs = format_decimal(number, locale=language).replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")
    assert ours.replace("\N{MINUS SIGN}", "-") == theirs.replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0%"), (0.4567, "45.6%"), (0.99999, "99.9%"), (1.0, "100%")],
)
def test_a_share_says_all_only_where_it_is_all(share: float, text: str) -> None:
    assert writing("en").share(share) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes_are_written_in_thousands(count: int, text: str) -> None:
    assert writing("en").bytes(count).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (172800, "2 days"),
    ],
)
def test_a_length_of_time_is_written_in_its_largest_unit(seconds: float, text: str) -> None:
    assert writing("en").span(seconds) == text


def test_instants_are_written_in_utc() -> None:
    write = writing("lv")
    assert write.second(MONDAY + 1_000_000) == "2026-03-02 00:00:01"
    assert write.iso(MONDAY - 1) == "2026-03-01T23:59:59Z"
    assert write.day(MONDAY - 1) == "2026-03-01"


@pytest.mark.parametrize(("name", "most_bytes"), [("admin.js", 6 * 1024), ("admin-rows.js", 3 * 512)])
def test_the_scripts_stay_small(sink: Sink, name: str, most_bytes: int) -> None:
    script = sink.assets.find(sink.assets.hashed_name(name))
    assert script is not None
    assert 0 < len(script.content) <= most_bytes


OVERFLOWING = """() => [...document.querySelectorAll("body *")]
  .filter(each => each.getClientRects().length && !each.closest(".ck-unseen, .ck-skip, thead, svg, .ck-who"))
  .filter(each => each.getBoundingClientRect().right > innerWidth + 0.5)
  .map(each => each.outerHTML.slice(0, 80))"""
SMALL = """() => [...document.querySelectorAll(
    "main button, main .ck-button, nav a, summary, input:not([type=hidden]), select, .ck-item")]
  .filter(each => each.getClientRects().length && !each.matches("[type=checkbox], [type=radio]"))
  .filter(each => each.getBoundingClientRect().height < 43.5)
  .map(each => each.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a page with every part in it."""
    with serving("tests.admin.sink:app", tmp_path_factory.mktemp("sink")) as server:
        yield server.url


def opened(browser: Browser, site: str, *, width: int = 1280, **options: object) -> Page:
    context = browser.new_context(base_url=site, viewport={"width": width, "height": 800}, **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(PATH)
    return page


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_part_is_accessible(browser: Browser, site: str, width: int, scheme: str) -> None:
    page = opened(browser, site, width=width, color_scheme=scheme)
    found = Axe().run(page, options={"runOnly": AXE_TAGS})
    assert [each["id"] for each in found.response["violations"]] == []
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 700, 1100, 1920])
def test_nothing_is_wider_than_the_page(browser: Browser, site: str, width: int) -> None:
    page = opened(browser, site, width=width)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.context.close()


@pytest.mark.browser
def test_targets_on_a_phone_are_large_enough(browser: Browser, site: str) -> None:
    page = opened(browser, site, width=390)
    page.click(".ck-account summary")
    assert page.evaluate(SMALL) == []
    page.context.close()


@pytest.mark.browser
def test_times_come_in_the_readers_zone_and_say_utc_when_pointed_at(browser: Browser, site: str) -> None:
    page = opened(browser, site, timezone_id="Europe/Riga")
    time = page.locator(".ck-tile time")
    assert time.inner_text() == "2026-03-02 14:00"
    assert time.get_attribute("title") == "2026-03-02 12:00:00 UTC"
    assert page.locator(".ck-facts time").inner_text() == "2026-03-02"  # a day of UTC stays one
    assert "Europe/Riga" in page.locator("footer").inner_text()
    page.context.close()


@pytest.mark.browser
def test_without_script_times_are_in_utc_and_the_account_can_be_opened(browser: Browser, site: str) -> None:
    page = opened(browser, site, java_script_enabled=False, timezone_id="Europe/Riga")
    assert page.locator(".ck-tile time").inner_text() == "2026-03-02 12:00"
    assert "UTC" in page.locator("footer").inner_text()
    page.click(".ck-account summary")
    assert page.get_by_role("button", name="Sign out").is_visible()
    page.context.close()


@pytest.mark.browser
def test_a_live_part_is_fetched_anew_while_the_page_is_seen(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.clock.install()
    page.goto(PATH)
    page.evaluate("document.querySelector('#live p').textContent = 'old'")
    with page.expect_response(lambda answer: answer.url.endswith(PATH)):
        page.clock.run_for(32_000)
    page.wait_for_function("document.querySelector('#live p').textContent !== 'old'")
    context.close()


@pytest.mark.browser
def test_escape_closes_the_menu_and_gives_the_focus_back(browser: Browser, site: str) -> None:
    page = opened(browser, site)
    page.click(".ck-account summary")
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Account").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.context.close()
