"""What a newcomer does first: open the page, refuse, accept, change one's mind; what the browser then holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.serving import REPOSITORY, Server

pytestmark = pytest.mark.browser

OPTIONAL = {"theme", "lang", "visits", "lumo_seen"}
BANNER = "#consentkit .ck-first"
PATHS = ("/", "/plans", "/help", "/sign-in", "/no-such-page")

# What a script on the page does as soon as it can, without the visitor having touched anything.
GRABBING = """
const timer = setInterval(() => {
  if (!window.consentkit?.accept) return;  // before the module has run it is the banner, by its id
  clearInterval(timer);
  window.consentkit.accept().then(
    () => { window.grabbed = "granted" },
    (error) => { window.grabbed = error.message },
  );
}, 10);
"""

LANGUAGES = {
    "lv": ("Noraidīt visas", "Pieņemt visas"),
    "ru": ("Отклонить все", "Принять все"),
    "en": ("Reject all", "Accept all"),
    "et": ("Keeldu kõigist", "Nõustu kõigiga"),
    "lt": ("Atmesti visus", "Priimti visus"),
}


@pytest.fixture
def visit(browser: Browser, example: Server) -> Iterator[Callable[..., Page]]:
    """Open the site as a visitor who was never here."""
    contexts: list[BrowserContext] = []

    def open_page(*, locale: str = "en-GB", script: bool = True, opening: str = "") -> Page:
        context = browser.new_context(
            locale=locale,
            java_script_enabled=script,
            base_url=example.url,
            viewport={"width": 1280, "height": 900},
        )
        contexts.append(context)
        page = context.new_page()
        if opening:
            page.add_init_script(opening)
        page.goto("/")
        return page

    yield open_page
    for context in contexts:
        context.close()


def optional_cookies(page: Page) -> set[str]:
    return {cookie.get("name", "") for cookie in page.context.cookies()} & OPTIONAL


def walk(page: Page) -> set[str]:
    """Visit every kind of page and return the optional cookies that the browser holds after each."""
    held: set[str] = set()
    for path in PATHS:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        held |= optional_cookies(page)
    return held


def wait_for_cookie(page: Page, name: str, seconds: float = 10) -> None:
    """Wait for a cookie; by asking the browser, since the site's policy forbids a script made of text."""
    deadline = time.monotonic() + seconds
    while name not in optional_cookies(page) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert name in optional_cookies(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_banner_speaks_the_browsers_language_and_nothing_optional_is_set(
    visit: Callable[..., Page], language: str
) -> None:
    page = visit(locale=language)
    reject, accept = LANGUAGES[language]
    expect(page.locator(BANNER).get_by_role("button", name=reject)).to_be_visible()
    expect(page.locator(BANNER).get_by_role("button", name=accept)).to_be_visible()
    assert page.locator("#consentkit").get_attribute("lang") == language
    assert walk(page) == set()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_after_a_refusal_no_page_sets_anything_optional(visit: Callable[..., Page], *, script: bool) -> None:
    page = visit(script=script)
    page.locator(BANNER).get_by_role("button", name="Reject all").click()
    expect(page.locator(BANNER)).to_be_hidden()
    assert walk(page) == set()
    page.goto("/")
    expect(page.locator(BANNER)).to_be_hidden()
    assert "consentkit_id" not in {cookie.get("name") for cookie in page.context.cookies()}


def test_after_consent_they_appear_and_what_waited_runs(visit: Callable[..., Page]) -> None:
    page = visit()
    page.locator(BANNER).get_by_role("button", name="Accept all").click()
    expect(page.locator(BANNER)).to_be_hidden()
    wait_for_cookie(page, "lumo_seen")
    page.reload()
    assert {"visits", "lumo_seen"} <= optional_cookies(page)
    expect(page.locator("iframe")).to_have_count(1)


def test_without_script_consent_takes_effect_on_the_next_page(visit: Callable[..., Page]) -> None:
    page = visit(script=False)
    page.locator(BANNER).get_by_role("button", name="Accept all").click()
    page.goto("/plans")
    assert "visits" in optional_cookies(page)
    assert page.locator(BANNER).is_hidden()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_one_category_can_be_taken_back_alone(visit: Callable[..., Page], *, script: bool) -> None:
    page = visit(script=script)
    page.locator(BANNER).get_by_role("button", name="Accept all").click()
    expect(page.locator(BANNER)).to_be_hidden()
    page.goto("/")
    page.goto("/plans")
    page.get_by_role("button", name="dark", exact=False).first.click()
    page.wait_for_load_state("networkidle")
    assert {"theme", "visits"} <= optional_cookies(page)
    page.goto("/consentkit/settings?next=/plans")
    page.locator("input[name=statistics]").uncheck()
    page.locator("main").get_by_role("button", name="Save my choice").click()
    page.wait_for_url("**/plans")
    assert walk(page) == {"theme"} | (optional_cookies(page) & {"lang"})
    assert "visits" not in optional_cookies(page)


def test_withdrawing_everything_removes_what_was_set_httponly_ones_too(visit: Callable[..., Page]) -> None:
    page = visit()
    page.locator(BANNER).get_by_role("button", name="Accept all").click()
    wait_for_cookie(page, "lumo_seen")
    page.goto("/plans")
    assert {"visits", "lumo_seen"} <= optional_cookies(page)
    page.goto("/consentkit/settings")
    page.locator("main").get_by_role("button", name="Reject all").click()
    page.wait_for_load_state("networkidle")
    assert optional_cookies(page) == set()
    assert walk(page) == set()


def test_the_settings_open_in_a_dialog_and_escape_changes_nothing(visit: Callable[..., Page]) -> None:
    page = visit()
    page.locator(BANNER).get_by_role("link", name="Settings").click()
    dialog = page.locator("dialog.ck-dialog")
    expect(dialog).to_be_visible()
    assert dialog.locator("input[type=checkbox]:checked").count() == 0
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(BANNER)).to_be_visible()
    assert walk(page) == set()


def test_enter_in_the_settings_saves_what_is_ticked_and_nothing_more(visit: Callable[..., Page]) -> None:
    page = visit()
    page.locator(BANNER).get_by_role("link", name="Settings").click()
    box = page.locator("dialog.ck-dialog input[name=preferences]")
    box.check()
    box.press("Enter")
    expect(page.locator(BANNER)).to_be_hidden()
    assert page.evaluate("window.consentkit.get().categories.preferences")
    assert not page.evaluate("window.consentkit.get().categories.statistics")


def test_a_script_cannot_consent_in_the_visitors_place(visit: Callable[..., Page]) -> None:
    page = visit(opening=GRABBING)
    page.wait_for_timeout(1500)
    assert "visitor's own action" in page.evaluate("window.grabbed")
    assert walk(page) == set()


def test_the_visit_is_found_in_the_log(visit: Callable[..., Page], example: Server) -> None:
    visit().goto("/plans?page=2&token=abc")
    environment = {**os.environ, "CONSENTKIT_STORAGE_DIRECTORY": str(example.log.parent / "data")}
    command = [
        str(Path(sys.executable).with_name("consentkit")),
        "log",
        "search",
        "--json",
        "--purpose",
        "operation",
    ]
    options = ["--config", "example_app/consentkit.toml", "--path", "/plans", "--browser", "HeadlessChrome"]
    deadline = time.monotonic() + 10
    urls: list[str] = []
    while "/plans?page=2&token=REDACTED" not in urls and time.monotonic() < deadline:
        done = subprocess.run(
            [*command, *options], env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        urls = [json.loads(line)["url"] for line in done.stdout.splitlines()]
    assert "/plans?page=2&token=REDACTED" in urls
