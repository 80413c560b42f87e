"""Where the banner stands, and that nothing is hidden behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serving import serving
from tests.visitor.conftest import SETTINGS

pytestmark = pytest.mark.browser

POSITIONS = ("bottom", "top", "flow")


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of the same site by the position of its banner."""
    with ExitStack() as stack:
        found = {}
        for position in POSITIONS:
            folder = tmp_path_factory.mktemp(position)
            config = folder / "consentkit.toml"
            config.write_text(f'[consent]\nposition = "{position}"\n{SETTINGS}', "utf-8")
            server = stack.enter_context(serving("tests.visitor.site:app", folder, config=config))
            found[position] = server.url
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def computed(page: Page, name: str) -> str:
    found: str = page.evaluate(f"getComputedStyle(document.getElementById('consentkit')).{name}")
    return found


@pytest.mark.parametrize(
    ("position", "computed_position"), [("bottom", "fixed"), ("top", "sticky"), ("flow", "static")]
)
def test_it_stands_where_the_settings_say(
    page: Page, sites: dict[str, str], position: str, computed_position: str
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(sites[position])
    assert computed(page, "position") == computed_position
    page.mouse.wheel(0, 2_000)
    page.wait_for_function("scrollY > 500")
    box = page.locator(".ck-first").bounding_box()
    assert box is not None
    stays = {"bottom": 360 < box["y"] < 720, "top": box["y"] == 0, "flow": box["y"] + box["height"] < 0}
    assert stays[position]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(("width", "height"), [(320, 640), (1280, 479)], ids=["narrow", "low"])
def test_on_a_small_screen_it_is_part_of_the_page(
    page: Page, sites: dict[str, str], position: str, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(sites[position])
    assert computed(page, "position") == "static"


@pytest.mark.parametrize("position", POSITIONS)
def test_the_page_begins_after_a_banner_at_its_top(page: Page, sites: dict[str, str], position: str) -> None:
    page.goto(sites[position])
    heading = page.locator("h1").bounding_box()
    banner = page.locator(".ck-first").bounding_box()
    assert heading is not None
    assert banner is not None
    assert heading["y"] + heading["height"] <= banner["y"] or heading["y"] >= banner["y"] + banner["height"]


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("keys", ["Tab", "Shift+Tab"])
@pytest.mark.parametrize("position", POSITIONS)
def test_focus_is_never_hidden_behind_it(
    browser: Browser, sites: dict[str, str], position: str, keys: str, javascript: bool
) -> None:
    """WCAG 2.2, 2.4.11, forwards and backwards through a page of three screens."""
    context = browser.new_context(viewport={"width": 1024, "height": 600}, java_script_enabled=javascript)
    page = context.new_page()
    page.goto(f"{sites[position]}/?lang=ru")
    for _ in range(48):
        page.keyboard.press(keys)
        seen = page.evaluate(
            """() => {
              const focused = document.activeElement;
              const {left, right, top, bottom} = focused.getBoundingClientRect();
              const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
              return focused === document.body || focused.contains(at) || (at !== null && at.contains(focused));
            }"""
        )
        assert seen, page.evaluate("document.activeElement.outerHTML")
    context.close()


@pytest.mark.parametrize("position", POSITIONS)
def test_once_answered_no_room_is_kept_for_it(page: Page, sites: dict[str, str], position: str) -> None:
    page.goto(sites[position])
    page.click("[data-action=reject]")
    expect(page.locator("#consentkit")).to_be_hidden()
    room = "(s => [s.paddingBlockEnd, s.scrollPaddingBlockEnd, s.scrollPaddingBlockStart])"
    assert page.evaluate(f"{room}(getComputedStyle(document.documentElement))") == ["0px", "auto", "auto"]


@pytest.mark.parametrize("position", POSITIONS)
def test_in_a_page_from_a_shared_cache_it_stands_there_too(
    page: Page, sites: dict[str, str], position: str
) -> None:
    page.goto(f"{sites[position]}/shared")
    expect(page.locator(".ck-first")).to_be_visible()
    assert computed(page, "position") == {"bottom": "fixed", "top": "sticky", "flow": "static"}[position]


def test_at_the_top_nothing_moves_while_the_page_loads(page: Page, sites: dict[str, str]) -> None:
    page.goto(sites["top"])
    shift = page.evaluate(
        """() => new Promise(done => {
          new PerformanceObserver(list => done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))
            .observe({type: "layout-shift", buffered: true});
          setTimeout(() => done(0), 500);
        })"""
    )
    assert shift == 0


def test_an_unknown_position_is_refused(tmp_path: Path) -> None:
    from consentkit import Settings  # noqa: PLC0415
    from consentkit.errors import SettingsError  # noqa: PLC0415

    with pytest.raises(SettingsError, match=r'consent.position: .*"bottom" or "top" or "flow"'):
        Settings.from_mapping({"consent": {"position": "left"}}, base=tmp_path)
