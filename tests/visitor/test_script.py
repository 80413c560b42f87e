"""What consentkit.js does in a real browser, with the real server behind it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from tests.conftest import CHROMIUM_OPTIONS

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def choice_cookie(page: Page) -> str:
    return next((each["value"] for each in page.context.cookies() if each["name"] == "consentkit"), "")


def marks(page: Page) -> str:
    return [*choice_cookie(page).split("."), "", ""][1]


@pytest.mark.parametrize(
    ("action", "kept", "line"),
    [
        ("accept", "p1s1m1", "Saved: optional cookies are on."),
        ("reject", "p0s0m0", "Saved: optional cookies are off."),
    ],
)
def test_an_answer_is_kept_said_and_can_be_changed(open_page: OpenPage, action: str, kept: str, line: str) -> None:
    page = open_page("/")
    page.click(f"[data-action={action}]")
    expect(page.get_by_role("status")).to_contain_text(line)
    assert marks(page) == kept
    assert page.locator("#consentkit").is_hidden()
    page.get_by_role("link", name="Change").click()
    assert page.locator("dialog").is_visible()


def test_the_page_is_not_left_by_an_answer(open_page: OpenPage) -> None:
    page = open_page("/")
    page.evaluate("document.body.dataset.same = 'yes'")
    page.click("[data-action=accept]")
    expect(page.locator("#consentkit")).to_be_hidden()
    assert page.evaluate("document.body.dataset.same") == "yes"


def test_saving_keeps_what_is_ticked(open_page: OpenPage) -> None:
    page = open_page("/")
    page.click("[data-action=settings]")
    assert page.locator("dialog input:checked").count() == 0
    page.get_by_label("Statistics").check()
    page.click("[data-action=save]")
    expect(page.get_by_role("status")).to_contain_text("Your choice is saved.")
    assert marks(page) == "p0s1m0"


def test_enter_in_the_dialog_saves_what_is_ticked_and_never_accepts(open_page: OpenPage) -> None:
    page = open_page("/")
    page.click("[data-action=settings]")
    page.get_by_label("Preferences").press("Enter")
    expect(page.locator("dialog")).to_be_hidden()
    assert marks(page) == "p0s0m0"


@pytest.mark.parametrize("close", ["Escape", "button"])
def test_closing_the_dialog_changes_nothing_and_gives_the_focus_back(open_page: OpenPage, close: str) -> None:
    page = open_page("/")
    page.locator("[data-action=settings]").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Statistics").check()
    if close == "Escape":
        page.keyboard.press("Escape")
    else:
        page.click("[data-action=close]")
    expect(page.locator("dialog")).to_be_hidden()
    assert choice_cookie(page) == ""
    assert page.locator(".ck-first").is_visible()
    assert page.evaluate("document.activeElement.dataset.action") == "settings"
    page.keyboard.press("Enter")
    assert page.locator("dialog input:checked").count() == 0


def test_the_dialog_shows_the_choice_made_before(open_page: OpenPage) -> None:
    page = open_page("/")
    page.click("[data-action=accept]")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.goto("/")
    page.click(".ck-back")
    assert page.locator("dialog input:checked").count() == 3
    page.keyboard.press("Escape")
    expect(page.locator("#consentkit")).to_be_hidden()
    assert page.evaluate("document.activeElement.className") == "ck-back"


def test_the_focus_stays_in_the_dialog(open_page: OpenPage) -> None:
    page = open_page("/")
    page.click("[data-action=settings]")
    for _ in range(20):
        page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert page.evaluate(inside)


def test_no_focus_is_taken_and_no_scrolling_stopped(open_page: OpenPage) -> None:
    page = open_page("/")
    assert page.evaluate("document.activeElement === document.body")
    page.mouse.wheel(0, 400)
    page.wait_for_function("scrollY > 0")


def test_what_was_agreed_to_wakes_in_order_and_is_announced(open_page: OpenPage) -> None:
    page = open_page("/scripts")
    assert page.locator("#woken").count() == 0
    page.click("[data-action=accept]")
    expect(page.locator("body")).to_have_attribute("data-ran", "first second ")
    assert page.locator("#woken").is_visible()
    change = json.loads(page.evaluate("document.body.dataset.change"))
    assert change == {"preferences": True, "statistics": True, "marketing": True}


def test_what_was_agreed_to_before_wakes_with_the_page(open_page: OpenPage) -> None:
    page = open_page("/")
    page.click("[data-action=accept]")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.goto("/scripts")
    expect(page.locator("body")).to_have_attribute("data-ran", "first second ")


def test_what_was_refused_stays_asleep(open_page: OpenPage) -> None:
    page = open_page("/scripts")
    page.click("[data-action=reject]")
    expect(page.locator("#consentkit")).to_be_hidden()
    assert page.locator("template[data-consent]").count() == 1
    assert page.evaluate("document.body.dataset.ran ?? ''") == ""


def test_a_script_cannot_grant_without_the_visitors_hand(open_page: OpenPage) -> None:
    page = open_page("/scripts")
    expect(page.locator("body")).to_have_attribute("data-greedy", "refused")
    assert choice_cookie(page) == ""


def test_a_script_may_always_refuse_and_may_grant_in_a_visitors_own_click(open_page: OpenPage) -> None:
    page = open_page("/")
    page.evaluate("consentkit.reject()")
    assert marks(page) == "p0s0m0"
    assert page.evaluate("consentkit.get().decided")
    page.evaluate("addEventListener('mousedown', () => consentkit.set({statistics: true}), {once: true})")
    page.locator("h1").click()
    expect(page.get_by_role("status")).to_contain_text("Your choice is saved.")
    assert marks(page) == "p0s1m0"


def granted_page(open_page: OpenPage) -> Page:
    page = open_page("/")
    page.click("[data-action=accept]")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.evaluate("document.body.dataset.same = 'yes'")
    return page


def test_withdrawing_loads_the_page_anew(open_page: OpenPage) -> None:
    page = granted_page(open_page)
    page.get_by_role("link", name="Change").click()
    with page.expect_navigation():
        page.locator("dialog").get_by_role("button", name="Reject all").click()
    assert marks(page) == "p0s0m0"
    assert page.evaluate("document.body.dataset.same ?? ''") == ""


def test_withdrawing_never_loses_what_the_visitor_typed(open_page: OpenPage) -> None:
    page = granted_page(open_page)
    page.get_by_label("Your name").fill("Anna")
    page.get_by_role("link", name="Change").click()
    page.locator("dialog").get_by_role("button", name="Reject all").click()
    expect(page.get_by_role("status")).to_contain_text("Saved: optional cookies are off.")
    assert page.get_by_label("Your name").input_value() == "Anna"
    with page.expect_navigation():
        page.get_by_role("button", name="Reload to finish").click()


def test_where_fetching_fails_the_form_is_sent_as_without_script(open_page: OpenPage) -> None:
    def fail_fetches(route: Route) -> None:
        if route.request.resource_type == "fetch":
            route.abort()
        else:
            route.continue_()

    page = open_page("/?x=1")
    page.route("**/consentkit/choice", fail_fetches)
    with page.expect_navigation():
        page.click("[data-action=accept]")
    assert marks(page) == "p1s1m1"
    assert page.url.endswith("/?x=1")


def test_a_shared_page_shows_the_banner_to_who_has_not_chosen(open_page: OpenPage) -> None:
    page = open_page("/shared")
    assert page.locator(".ck-first").is_visible()
    assert page.locator(".ck-back").is_hidden()
    page.click("[data-action=reject]")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.goto("/shared?again")
    assert page.locator("#consentkit").is_hidden()
    assert page.locator(".ck-back").is_visible()


def test_a_second_click_on_a_shared_page_carries_what_the_first_has_set(open_page: OpenPage) -> None:
    page = open_page("/shared")
    posts: list[Request] = []

    def is_second(request: Request) -> bool:
        posts.extend([request] if request.method == "POST" else [])
        return len(posts) == 2

    with page.expect_request(is_second) as second:
        page.evaluate("for (const _ of [1, 2]) document.querySelector('[data-action=accept]').click()")
    assert "consentkit_id=" in second.value.all_headers()["cookie"]


def test_showing_the_banner_of_a_shared_page_moves_nothing(open_page: OpenPage) -> None:
    page = open_page("/shared", width=360, height=740)
    shift = page.evaluate(
        """() => new Promise(done => {
          new PerformanceObserver(list => done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))
            .observe({type: "layout-shift", buffered: true});
          setTimeout(() => done(0), 500);
        })"""
    )
    assert shift == 0


def test_a_shared_page_without_script_keeps_the_way_to_the_settings(open_page: OpenPage) -> None:
    page = open_page("/shared", java_script_enabled=False)
    page.click(".ck-back")
    assert "/consentkit/settings" in page.url


def test_a_choice_under_an_older_policy_is_the_servers_to_judge(open_page: OpenPage) -> None:
    page = open_page("/")
    page.click("[data-action=accept]")
    expect(page.locator("#consentkit")).to_be_hidden()
    forged = choice_cookie(page).replace("v1.p1s1m1.1.", "v1.p1s1m1.9.")
    address = page.url
    page.goto("about:blank")  # an open page would see its choice go, and load anew
    page.context.clear_cookies(name="consentkit")
    page.context.add_cookies([{"name": "consentkit", "value": forged, "url": address}])
    with page.expect_response("**/consentkit/choice?*"):
        page.goto("/shared?older")
    expect(page.locator(".ck-first")).to_be_visible()
    assert not page.evaluate("consentkit.get().decided")


def test_another_tabs_answer_is_taken_over(open_page: OpenPage) -> None:
    page = open_page("/scripts")
    other = page.context.new_page()
    other.goto("/")
    other.click("[data-action=accept]")
    expect(other.locator("#consentkit")).to_be_hidden()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(page.locator("#consentkit")).to_be_hidden()
    expect(page.locator("#woken")).to_be_visible()


def test_a_browser_that_keeps_no_cookies_is_told_so(browser: Browser, site: str, tmp_path: Path) -> None:
    context = browser_without_cookies(browser, tmp_path)
    page = context.new_page()
    page.goto(f"{site}/scripts")
    page.click("[data-action=accept]")
    expect(page.get_by_role("status")).to_contain_text(BLOCKED)
    assert page.locator("template[data-consent]").count() == 1
    context.close()


def test_an_embed_can_be_loaded_once_without_a_choice(open_page: OpenPage) -> None:
    page = open_page("/embed")
    page.get_by_role("button", name="Load once").click()
    expect(page.locator("#video")).to_be_visible()
    assert page.locator(".ck-embed").count() == 0
    assert choice_cookie(page) == ""


def test_an_embeds_provider_can_be_allowed_for_good(open_page: OpenPage) -> None:
    page = open_page("/embed")
    page.click("[data-action=reject]")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.get_by_role("button", name="Always allow Example Video Limited").click()
    expect(page.locator("#video")).to_be_visible()
    assert marks(page) == "p0s0m0+video"


READ = """async ([address, cookies, names]) =>
  (await import(address)).readChoice(cookies, names, ["preferences", "statistics"])"""


@pytest.mark.parametrize(
    ("cookies", "decided", "granted"),
    [
        ("", False, []),
        ("consentkit=v1.p1s0.3.1763884800.abc-_1", True, ["preferences"]),
        ("a=b; consentkit=v1.p1s1m0.3.1.x; c=d", True, ["preferences", "statistics"]),
        ("consentkit=v1.p1.3.1.x", False, ["preferences"]),
        ("consentkit=v1.p1s1.3.1.x; consentkit=v1.p0s1.3.1.y", True, ["statistics"]),
        ("consentkit=v1.p1s1.3.1.x; __Host-consentkit=v1.p0s0.3.1.y", True, []),
        ("consentkit=v2.p1s1.3.1.x", False, []),
        ("consentkit=v1.p1s1.3.1", False, []),
        ("consentkit=v1.p1s1x1.3.1.x", False, []),
        ("xconsentkit=v1.p1s1.3.1.x", False, []),
        ("consentkit", False, []),
    ],
    ids=[
        *("none", "one", "among-others", "undecided-rest", "two-that-differ", "stricter-name-first"),
        *("other-version", "unsigned", "unknown-category", "other-name", "no-value"),
    ],
)
def test_the_choice_is_read_out_of_the_cookies(
    open_page: OpenPage, cookies: str, decided: bool, granted: list[str]
) -> None:
    page = open_page("/")
    address = page.evaluate("document.querySelector('script[type=module]').src")
    read = page.evaluate(READ, [address, cookies, ["__Host-consentkit", "consentkit"]])
    assert read["decided"] is decided
    assert [category for category, allowed in read["categories"].items() if allowed] == granted


def test_the_dialog_unfolds_to_each_cookie_and_nothing_moves_when_they_come(open_page: OpenPage) -> None:
    page = open_page("/?lang=en")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert page.locator("table").count() == 0
    page.evaluate(
        """() => {
          const {showModal} = HTMLDialogElement.prototype;
          HTMLDialogElement.prototype.showModal = function () {
            showModal.call(this);
            window.before = this.offsetHeight;
          };
        }"""
    )
    page.click("[data-action=settings]")
    expect(page.locator("dialog table")).to_have_count(3)
    assert page.evaluate("document.querySelector('dialog').offsetHeight === window.before")
    statistics = page.locator("dialog [data-category=statistics]")
    statistics.locator("summary").click()
    row = statistics.get_by_role("row").filter(has_text="visits_*")
    expect(row).to_contain_text("Counts visits")
    expect(row).to_contain_text("SIA Piemērs")
    expect(row).to_contain_text("90 days")
    page.keyboard.press("Escape")
    page.click("[data-action=settings]")
    assert page.locator("dialog table").count() == 3
    assert len([url for url in asked if "/consentkit/settings" in url]) == 1


def test_where_the_cookies_cannot_be_fetched_the_dialog_works_and_asks_again(open_page: OpenPage) -> None:
    page = open_page("/?lang=en")
    page.route("**/consentkit/settings?*", lambda route: route.abort())
    page.click("[data-action=settings]")
    expect(page.locator("dialog").get_by_role("link", name="Cookie policy")).to_be_visible()
    page.keyboard.press("Escape")
    page.unroute("**/consentkit/settings?*")
    page.click("[data-action=settings]")
    expect(page.locator("dialog table")).to_have_count(3)


def test_the_dialog_leads_to_the_page_of_what_is_on_the_device(open_page: OpenPage) -> None:
    page = open_page("/")
    page.click("[data-action=settings]")
    page.get_by_role("link", name="Cookies on this device").click()
    expect(page.get_by_role("heading", name="Cookies that your browser sent just now")).to_be_visible()
    page.get_by_role("link", name="Back to the site").click()
    expect(page.locator(".ck-first")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/shared"])
def test_banner_and_dialog_lead_to_policy_and_notice(open_page: OpenPage, path: str) -> None:
    page = open_page(path)
    links = "links => links.map(link => link.getAttribute('href'))"
    pages = ["/consentkit/cookies?lang=en", "/consentkit/privacy?lang=en"]
    assert page.locator(".ck-first .ck-link").evaluate_all(links) == pages
    assert page.locator("dialog a.ck-link").evaluate_all(links)[:2] == pages
    for each in pages:
        assert page.request.get(each).status == 200


def browser_without_cookies(browser: Browser, folder: Path, *, javascript: bool = True) -> BrowserContext:
    preferences = folder / "Default" / "Preferences"
    preferences.parent.mkdir()
    blocked: dict[str, int] = {"cookies": 2} if javascript else {"cookies": 2, "javascript": 2}
    preferences.write_text(json.dumps({"profile": {"default_content_setting_values": blocked}}))
    return browser.browser_type.launch_persistent_context(
        folder, executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS
    )


BLOCKED = "Your browser blocks cookies, so your choice cannot be remembered. Optional cookies stay off."


@pytest.mark.parametrize("action", ["accept", "reject"])
def test_without_script_too_a_browser_that_keeps_no_cookies_is_told_so(
    browser: Browser, site: str, tmp_path: Path, action: str
) -> None:
    context = browser_without_cookies(browser, tmp_path, javascript=False)
    page = context.new_page()
    page.goto(f"{site}/scripts")
    page.click(f"[data-action={action}]")
    expect(page.get_by_role("alert")).to_have_text(BLOCKED)
    page.get_by_role("link", name="Back to the site").click()
    assert page.url == f"{site}/scripts"
    context.close()


def test_without_script_a_browser_that_keeps_cookies_comes_straight_back(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?lang=en&a=b")
    page.click("[data-action=reject]")
    page.wait_for_url("**/?lang=en&a=b")
    assert page.locator(".ck-first").is_hidden()
    context.close()
