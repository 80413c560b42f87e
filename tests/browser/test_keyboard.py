"""Everything can be reached, seen and left by keyboard alone, and nothing moves that need not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looks import DESKTOP, LANGUAGES, NARROW, SETTINGS, STATES, ZOOMED, Look
from tests.browser.measures import FOCUS
from tests.opening import OpenPage, opening
from tests.serving import serving

pytestmark = pytest.mark.browser

MOST_STOPS = 120


def walk(page: Page, key: str = "Tab", *, stops: int = MOST_STOPS) -> list[dict[str, Any]]:
    """Press a key again and again; return what had the focus each time, until the page has it no more."""
    found: list[dict[str, Any]] = []
    for _ in range(stops):
        page.keyboard.press(key)
        focus = page.evaluate(FOCUS)
        if focus is None:
            return found
        found.append(focus)
    return found


def names(stops: list[dict[str, Any]]) -> list[str]:
    return [stop["name"] for stop in stops]


def test_the_banner_comes_first_and_the_page_after_it(look: OpenPage) -> None:
    page = look("/?lang=en")
    stops = names(walk(page, stops=7))
    assert stops == ["Accept all", "Reject all", "Settings", "Cookies", "Privacy", "Your name", "a link"]


def test_whoever_goes_on_leaves_the_banner_the_page_and_at_last_the_window(look: OpenPage) -> None:
    page = look("/?lang=en")
    stops = walk(page)
    assert 40 < len(stops) < MOST_STOPS
    assert names(stops).count("Accept all") == 1


def test_the_rest_of_the_page_stays_within_reach_while_the_banner_asks(look: OpenPage) -> None:
    page = look("/?lang=en")
    assert page.locator("[inert], main[aria-hidden], body > [aria-hidden=true]").count() == 0
    overflows = "['html', 'body'].map((name) => getComputedStyle(document.querySelector(name)).overflow)"
    assert page.evaluate(overflows) == ["visible", "visible"]
    page.get_by_label("Your name").fill("Anna")


def test_the_dialog_is_walked_from_top_to_bottom_and_round(look: OpenPage) -> None:
    page = look("/?lang=en")
    page.focus("[data-action=settings]")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS)["name"] == page.locator("dialog h2").text_content()
    order = names(walk(page, stops=25))
    boxes = ["Preferences", "Statistics", "Marketing"]
    buttons = ["Save my choice", "Accept all", "Reject all", "Close without saving"]
    assert [name for name in order if name in (*boxes, *buttons)][: len(boxes + buttons)] == [*boxes, *buttons]


@pytest.mark.parametrize("state", STATES)
def test_the_focus_shows_and_is_never_covered(look: OpenPage, state: str) -> None:
    """WCAG 2.2, 2.4.7 and 2.4.11."""
    page = STATES[state].show(look, "en")
    for each in (DESKTOP[0], NARROW[1], ZOOMED[2]):
        each.put_on(page)
        stops = walk(page, stops=25)
        assert stops
        for stop in stops:
            assert stop["outline"] >= 2, (str(each), stop)
            assert stop["isSeen"], (str(each), stop)


@pytest.mark.parametrize("each", [DESKTOP[0], Look(640, 480), NARROW[0]], ids=str)
@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
@pytest.mark.parametrize("position", ["bottom", "top", "flow"])
def test_on_a_long_page_the_focus_is_never_under_the_banner(
    placed: dict[str, str], browser: Browser, position: str, key: str, each: Look
) -> None:
    with opening(browser, placed[position]) as open_page:
        page = open_page("/?lang=ru", width=each.width, height=each.height)
        stops = walk(page, key, stops=48)
        assert len(stops) > 40
        assert [stop for stop in stops if stop["isCovered"] or not stop["isSeen"]] == []


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of the site, by where its banner stands."""
    folders = {position: tmp_path_factory.mktemp(position) for position in ("bottom", "top", "flow")}
    for position, folder in folders.items():
        settings = SETTINGS.replace("[consent]", f'[consent]\nposition = "{position}"')
        (folder / "consentkit.toml").write_text(settings, "utf-8")

    def serve(position: str) -> Any:
        folder = folders[position]
        return serving("tests.visitor.site:app", folder, config=folder / "consentkit.toml")

    with serve("bottom") as bottom, serve("top") as top, serve("flow") as flow:
        yield {"bottom": bottom.url, "top": top.url, "flow": flow.url}


@pytest.mark.parametrize("action", ["accept", "reject"])
def test_after_an_answer_the_focus_goes_on_where_the_banner_was(look: OpenPage, action: str) -> None:
    page = look("/?lang=en")
    page.focus(f"[data-action={action}]")
    page.keyboard.press("Enter")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)["name"] in ("Your name", "Change")


@pytest.mark.parametrize("language", LANGUAGES)
def test_enter_on_the_settings_page_saves_what_is_ticked_and_never_accepts(look: OpenPage, language: str) -> None:
    page = look(f"/consentkit/settings?lang={language}")
    page.locator("main input[name=statistics]").check()
    with page.expect_navigation():
        page.locator("main input[name=statistics]").press("Enter")
    [choice] = [each for each in page.context.cookies() if each.get("name") == "consentkit"]
    assert choice.get("value", "").startswith("v1.p0s1m0.")


@pytest.mark.parametrize("state", STATES)
def test_nothing_moves_for_who_wants_no_motion(look: OpenPage, state: str) -> None:
    """WCAG 2.2, 2.3.3."""
    page = STATES[state].show(look, "en")
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate(
        """() => [...document.querySelectorAll(".ck, .ck *")].filter((element) => {
          const {transitionDuration, animationName, scrollBehavior} = getComputedStyle(element);
          return transitionDuration.split(", ").some((time) => parseFloat(time) > 0.001)
            || animationName !== "none" || scrollBehavior !== "auto";
        }).map((element) => element.outerHTML.slice(0, 100))"""
    )
    assert moving == []
    assert page.evaluate("document.getAnimations().length") == 0
