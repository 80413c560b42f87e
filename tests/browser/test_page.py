"""Consent in the page, in a real Chromium: what waits, what is refused, who is told, what leaves the browser."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.page_site import SETTINGS
from tests.conftest import CHROMIUM_OPTIONS
from tests.serving import Server, serving

pytestmark = pytest.mark.browser

ROOT = "#consentkit"
REJECT, ACCEPT = ".ck-first [data-action=reject]", ".ck-first [data-action=accept]"

# Writes a cookie and a key in every way there is; returns what threw.
WRITE = """async ([cookie, key]) => {
  const faults = [];
  const attempt = async (write) => { try { await write(); } catch (error) { faults.push(String(error)); } };
  await attempt(() => { document.cookie = `${cookie}=1; Max-Age=1000; Path=/`; });
  await attempt(() => cookieStore.set(cookie, "2"));
  await attempt(() => cookieStore.set({name: cookie, value: "3", path: "/"}));
  for (const storage of [localStorage, sessionStorage]) {
    await attempt(() => storage.setItem(key, "1"));
    await attempt(() => { storage[key] = "2"; });
    const value = {value: "3", configurable: true, enumerable: true, writable: true};
    await attempt(() => Object.defineProperty(storage, key, value));
    await attempt(() => Storage.prototype.setItem.call(storage, key, "4"));
  }
  return faults;
}"""
HELD = """async ([cookie, key]) => [
  document.cookie.split("; ").some((pair) => pair.startsWith(`${cookie}=`)),
  localStorage.getItem(key), sessionStorage[key] ?? null]"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "consentkit.toml").write_text(SETTINGS, "utf-8")
    with serving("tests.browser.page_site:app", folder, config=folder / "consentkit.toml") as server:
        yield server.url


_numbers = itertools.count(1)


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """Open a path in a fresh profile; fails the test on any error in the console."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_one(path: str = "/", **options: Any) -> Page:
        headers = {"X-Forwarded-For": f"2001:db8:3::{next(_numbers):x}"}
        context = browser.new_context(base_url=site, extra_http_headers=headers, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not faults


def until(page: Page, expression: str, seconds: float = 10) -> None:
    """Wait until an expression holds; by asking, since the page's policy forbids a script made of text."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression) and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert page.evaluate(expression)


def answer(page: Page, selector: str) -> None:
    page.click(selector)
    expect(page.locator(ROOT)).to_be_hidden()


def marks(page: Page) -> str:
    value = next(
        (each.get("value", "") for each in page.context.cookies() if each.get("name") == "consentkit"), ""
    )
    return [*value.split("."), "", ""][1]


def told(page: Page) -> list[Any]:
    """What Google's tags were told, in order: the name of the command, or of the event."""
    entries = page.evaluate("dataLayer.map((entry) => entry.event ? ['event'] : [...entry])")
    return [entry if entry == ["event"] else [entry[1], *entry[2:]] for entry in entries]


@pytest.mark.parametrize("path", ["/", "/shared"])
def test_under_a_strict_policy_nothing_is_violated_from_banner_to_answer(
    open_page: Callable[..., Page], path: str
) -> None:
    page = open_page(path)
    expect(page.locator(".ck-first")).to_be_visible()
    page.click(".ck-first [data-action=settings]")
    expect(page.locator("dialog")).to_be_visible()
    page.get_by_label("Statistics").check()
    page.click("[data-action=save]")
    expect(page.locator("body")).to_have_attribute("data-ran", "first")
    assert marks(page) == "p0s1m0"
    assert page.evaluate("violations") == []
    page.goto("/consentkit/settings")
    expect(page.locator("h1")).to_be_visible()


@pytest.mark.parametrize("is_refused", [False, True], ids=["undecided", "refused"])
@pytest.mark.parametrize("name", ["video_quality", "son_x_id"])
def test_what_is_not_granted_cannot_be_written_and_nothing_throws(
    open_page: Callable[..., Page], name: str, *, is_refused: bool
) -> None:
    page = open_page()
    if is_refused:
        answer(page, REJECT)
    assert page.evaluate(WRITE, [name, "video-position"]) == []
    assert page.evaluate(HELD, [name, "video-position"]) == [False, None, None]


@pytest.mark.parametrize("name", ["shown_once", "unknown", "son_x_idx", "Video_quality"])
def test_what_is_necessary_or_undeclared_is_written_as_ever(open_page: Callable[..., Page], name: str) -> None:
    page = open_page()
    assert page.evaluate(WRITE, [name, "cart"]) == []
    assert page.evaluate(HELD, [name, "cart"]) == [True, "4", "4"]


def test_a_grant_opens_at_once_and_a_withdrawal_closes(open_page: Callable[..., Page]) -> None:
    page = open_page()
    answer(page, ACCEPT)
    page.evaluate(WRITE, ["video_quality", "video-position"])
    assert page.evaluate(HELD, ["video_quality", "video-position"]) == [True, "4", "4"]
    with page.expect_navigation():
        page.evaluate("consentkit.reject()")
    page.evaluate("localStorage.removeItem('video-position')")
    page.evaluate(WRITE, ["video_quality", "video-position"])
    assert page.evaluate(HELD, ["video_quality", "video-position"])[:2] == [False, None]


def test_on_a_warm_page_what_was_granted_is_written_before_any_module_ran(open_page: Callable[..., Page]) -> None:
    page = open_page()
    answer(page, ACCEPT)
    nothing = {"body": "", "content_type": "text/javascript"}
    page.route("**/static/consentkit.*.js", lambda route: route.fulfill(**nothing))
    page.context.clear_cookies(name="video_quality")
    page.goto("/other", wait_until="commit")
    until(page, "!!window.answers")
    assert page.evaluate("'accept' in consentkit") is False
    page.evaluate("document.cookie = 'video_quality=1; Path=/'")
    assert page.evaluate(HELD, ["video_quality", "video-x"])[0] is True


def test_reading_and_deleting_pass_the_guard(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.context.add_cookies([{"name": "son_x_id", "value": "1", "url": page.url}])
    assert "son_x_id=1" in page.evaluate("document.cookie")
    page.evaluate("document.cookie = 'son_x_id=; Max-Age=0; Path=/'")
    assert "son_x_id" not in page.evaluate("document.cookie")
    page.context.add_cookies([{"name": "son_x_id", "value": "1", "url": page.url}])
    page.evaluate("cookieStore.delete('son_x_id')")
    assert "son_x_id" not in page.evaluate("document.cookie")
    shape = page.evaluate(
        "() => { const store = localStorage; store.a = '1'; return [store.length, Object.keys(store),"
        " store.key(0), store instanceof Storage, 'a' in store, delete store.a, store.length]; }"
    )
    assert shape == [1, ["a"], "a", True, True, True, 0]


def test_a_preference_that_may_last_the_session_is_written_without_a_lifetime(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    answer(page, REJECT)
    page.evaluate("document.cookie = 'theme=dark; Max-Age=1000; Path=/'")
    kept = next(each for each in page.context.cookies() if each.get("name") == "theme")
    assert kept.get("expires") == -1


def test_a_hostile_name_is_matched_in_no_time(open_page: Callable[..., Page]) -> None:
    page = open_page()
    took_ms = page.evaluate(
        "() => { const start = performance.now(); for (let n = 0; n < 200; n++)"
        " document.cookie = 's' + 'n_'.repeat(100_000) + '=1'; return performance.now() - start; }"
    )
    assert took_ms < 2_000


DENIED = {"analytics_storage": "denied", "ad_storage": "denied", "ad_user_data": "denied"}


def test_google_hears_a_denial_before_any_tag_and_each_decision_once(open_page: Callable[..., Page]) -> None:
    page = open_page()
    [default, event] = told(page)
    assert default[0] == "default"
    assert default[1].items() >= {**DENIED, "ad_personalization": "denied", "wait_for_update": 500}.items()
    assert event == ["event"]
    answer(page, REJECT)
    [refused] = told(page)[2:]
    assert refused[0] == "update"
    assert refused[1].items() >= DENIED.items()
    page.click(".ck-back")
    page.get_by_label("Statistics").check()
    page.click("[data-action=save]")
    expect(page.locator("dialog")).to_be_hidden()
    [granted] = told(page)[3:]
    assert granted[1]["analytics_storage"] == "granted"
    assert granted[1]["ad_storage"] == granted[1]["ad_user_data"] == granted[1]["ad_personalization"] == "denied"


@pytest.mark.parametrize("path", ["/", "/shared"])
def test_with_a_known_choice_google_hears_it_once_before_any_tag(
    open_page: Callable[..., Page], path: str
) -> None:
    page = open_page(path)
    answer(page, ACCEPT)
    page.goto(f"{path}?warm")
    until(page, "'accept' in consentkit")
    [default, update, event] = told(page)
    assert (default[0], update[0], event[0]) == ("default", "update", "event")
    assert default[1]["ad_storage"] == "denied"
    assert set(update[1].values()) == {"granted"}


def test_matomo_needs_consent_before_it_tracks_and_hears_of_each_change(open_page: Callable[..., Page]) -> None:
    page = open_page()
    assert page.evaluate("_paq") == [["requireCookieConsent"], ["trackPageView"]]
    answer(page, ACCEPT)
    assert page.evaluate("_paq")[2:] == [["setCookieConsentGiven"]]
    page.goto("/other")
    until(page, "'accept' in consentkit")
    warm = [["requireCookieConsent"], ["setCookieConsentGiven"], ["trackPageView"]]
    assert page.evaluate("_paq") == warm
    page.get_by_label("Your name").fill("Anna")  # so that the page stays, and can be asked
    page.evaluate("consentkit.reject()")
    assert page.evaluate("_paq") == [*warm, ["forgetCookieConsentGiven"]]


def test_consent_in_one_tab_shows_in_the_other(open_page: Callable[..., Page]) -> None:
    page = open_page()
    other = page.context.new_page()
    other.goto("/other")
    answer(page, ACCEPT)
    expect(other.locator(ROOT)).to_be_hidden()
    expect(other.locator(".counted")).to_be_visible()
    assert len(other.evaluate("answers")) == 1
    assert len(page.evaluate("answers")) == 1
    with other.expect_navigation():
        page.evaluate("consentkit.reject()")
    expect(other.locator(".counted")).to_have_count(0)


def test_a_page_from_the_back_forward_cache_takes_over_what_was_chosen(browser: Browser, site: str) -> None:
    keeping = browser.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=CHROMIUM_OPTIONS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    page = keeping.new_page()
    page.goto(site)
    page.evaluate("addEventListener('pageshow', (event) => { window.wasKept = event.persisted; })")
    page.goto(f"{site}/other")
    answer(page, ACCEPT)
    page.go_back(wait_until="commit")  # "load" is not sent a second time
    expect(page.locator(ROOT)).to_be_hidden()
    expect(page.locator(".counted")).to_be_visible()
    assert page.evaluate("window.wasKept")
    keeping.close()


def test_a_script_grants_in_the_visitors_own_action_and_never_without(open_page: Callable[..., Page]) -> None:
    page = open_page("/?grab")
    until(page, "window.grabbed")
    assert "visitor's own action" in page.evaluate("grabbed")
    assert marks(page) == ""
    page.evaluate("addEventListener('mousedown', () => consentkit.set({statistics: true}), {once: true})")
    page.locator("h1").click()
    expect(page.locator(".counted")).to_be_visible()
    assert marks(page) == "s1"
    assert page.evaluate("consentkit.get()") == {
        "decided": False,
        "categories": {"preferences": False, "statistics": True, "marketing": False},
        "services": [],
    }


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_allowing_a_provider_allows_it_alone_until_it_is_removed(
    open_page: Callable[..., Page], *, script: bool
) -> None:
    page = open_page(java_script_enabled=script)
    page.get_by_role("button", name="Always allow Example Video Limited").click()
    expect(page.locator("#film")).to_be_visible()
    assert marks(page) == "+video"
    assert page.locator(".ck-first").is_visible()  # nothing else was answered
    page.goto("/")
    expect(page.locator("#film")).to_be_visible()
    expect(page.locator(".advertised")).to_have_count(0)
    page.goto("/consentkit/settings?lang=en&next=/other")
    page.get_by_role("button", name="Remove Example Video").click()
    expect(page.get_by_role("button", name="Remove Example Video")).to_have_count(0)
    page.goto("/")
    expect(page.locator("#film")).to_be_hidden()


def test_an_allowed_provider_may_write_its_own_names_and_no_others(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Always allow Example Video Limited").click()
    expect(page.locator("#film")).to_be_visible()
    page.evaluate(WRITE, ["video_quality", "video-position"])
    assert page.evaluate(HELD, ["video_quality", "video-position"]) == [True, "4", "4"]
    page.evaluate(WRITE, ["son_x_id", "other"])
    assert page.evaluate(HELD, ["son_x_id", "none"])[0] is False


def test_loading_once_moves_the_focus_on_and_keeps_nothing(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.get_by_role("button", name="Load once").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#film")).to_be_focused()
    assert marks(page) == ""
    page.reload()
    expect(page.locator("#film")).to_have_count(0)


def test_the_server_has_put_granted_markup_in_place_and_left_the_rest(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.evaluate("addEventListener('mousedown', () => consentkit.set({statistics: true}), {once: true})")
    page.locator("h1").click()
    expect(page.locator(".counted")).to_be_visible()
    private = page.request.get("/", headers={"accept": "text/html"}).text()
    assert '<p class="counted">' in private
    assert '<template data-consent="statistics"' not in private
    assert '<template data-consent="marketing"><p class="advertised">' in private
    shared = page.request.get("/shared", headers={"accept": "text/html"}).text()
    assert '<template data-consent="statistics"' in shared


def requested_hosts(page: Page) -> list[str]:
    """Return a list that grows with the host of each request that the browser's network makes."""
    hosts: list[str] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.requestWillBeSent", lambda event: hosts.append(urlsplit(event["request"]["url"]).netloc))
    network.send("Network.enable")
    return hosts


@pytest.mark.parametrize("refuses", [False, True], ids=["before an answer", "after a refusal"])
def test_the_example_asks_no_other_host_before_consent(
    browser: Browser, example: Server, *, refuses: bool
) -> None:
    own = urlsplit(example.url).netloc
    partner = own.replace("127.0.0.1", "localhost")
    context = browser.new_context(base_url=example.url, locale="en-GB")
    page = context.new_page()
    hosts = requested_hosts(page)
    page.goto("/")
    if refuses:
        page.click(REJECT)
        expect(page.locator(".ck-first")).to_be_hidden()
    for path in ("/plans", "/help", "/sign-in", "/"):
        page.goto(path)
        page.mouse.wheel(0, 4000)
        page.wait_for_load_state("networkidle")
    assert len(hosts) > 20
    assert [host for host in hosts if host != own] == []
    page.get_by_role("button", name="Always allow SIA Kartes Piemērs").click()
    expect(page.frame_locator(".map iframe").locator("svg")).to_be_visible()
    assert partner in {urlsplit(frame.url).netloc for frame in page.frames}
    assert "lumo_seen" not in json.dumps(context.cookies())  # the statistics script still waits
    context.close()
