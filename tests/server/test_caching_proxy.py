"""A real cache before the site: what visitors share, and what none gets of another's."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import SITE
from tests.server.caching import caching
from tests.serving import serving

pytestmark = pytest.mark.server

SHARED = ("/public", "/expires")
CONFIRMED = ("/tagged", "/dated")
OWN = ("/private", "/silent", "/no-lang")
STALE_SECONDS = 2.1  # nginx counts in whole seconds, and what is confirmed may be kept for one
STATES = {"undecided": "ask", "accepted": "answered", "refused": "answered", "signalling": "answered"}
LANGUAGES = {"undecided": "lv", "accepted": "en", "refused": "ru", "signalling": "et"}
DOCUMENT = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
SITE_APP = "tests.server.cached_site:app"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cached-site")
    config = folder / "consentkit.toml"
    config.write_text(SITE.format(proxies='["127.0.0.1/32"]'), "utf-8")
    with serving(SITE_APP, folder, config=config) as running:
        yield running.url


@pytest.fixture(params=["", "proxy_cache_valid any 10m;"], ids=["as documented", "keeping all that says nothing"])
def proxy(site: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with caching(site, tmp_path / "nginx", more=request.param) as url:
        yield url


@pytest.fixture
def cached(site: str, tmp_path: Path) -> Iterator[str]:
    with caching(site, tmp_path / "nginx") as url:
        yield url


@pytest.fixture(scope="module")
def choices(site: str) -> dict[str, httpx.Cookies]:
    """What each visitor's browser holds; made once, for an address may grant but so often a minute."""
    held = {name: httpx.Cookies() for name in STATES}
    for name, decision in (("accepted", "accept"), ("refused", "reject")):
        answer = httpx.post(
            f"{site}/consentkit/choice", data={"decision": decision}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status_code == 303
        held[name] = answer.cookies
    return held


@pytest.fixture
def visitors(proxy: str, choices: dict[str, httpx.Cookies]) -> Iterator[dict[str, httpx.Client]]:
    """Return one who has not answered, one who accepted, one who refused and one whose browser refuses."""
    with ExitStack() as clients:
        yield {
            name: clients.enter_context(
                httpx.Client(
                    base_url=proxy,
                    cookies=held,
                    headers={**DOCUMENT, **fields_of(name)},
                )
            )
            for name, held in choices.items()
        }


def fields_of(name: str) -> dict[str, str]:
    signal = {"Sec-GPC": "1"} if name == "signalling" else {}
    return {"Accept-Language": LANGUAGES[name], "User-Agent": name, **signal}


def open_page(url: str, path: str, **headers: str) -> httpx.Response:
    return httpx.get(url + path, headers={**DOCUMENT, **headers})


def state(response: httpx.Response) -> str:
    return attribute(response, "data-state")


def attribute(response: httpx.Response, name: str) -> str:
    found = re.search(rf'<div [^>]*id="consentkit"[^>]*\s{name}="(\w+)"', response.text)
    assert found, "the page has no banner"
    return found[1]


def sets(response: httpx.Response) -> dict[str, str]:
    pairs = (field.partition(";")[0].partition("=") for field in response.headers.get_list("set-cookie"))
    return {name: value for name, _, value in pairs}


def by_turns(visitors: dict[str, httpx.Client], path: str) -> Iterator[tuple[str, httpx.Response]]:
    """Let every visitor be once before and once behind every other."""
    for order in (tuple(visitors), *itertools.permutations(visitors, 2)):
        for name in order:
            yield name, visitors[name].get(path)


@pytest.mark.parametrize("path", OWN)
def test_a_page_that_is_not_for_all_is_each_visitors_own(visitors: dict[str, httpx.Client], path: str) -> None:
    for name, answer in by_turns(visitors, path):
        assert answer.headers["x-cache"] == "MISS"
        assert state(answer) == STATES[name]
        assert f"statistics: {name == 'accepted'}" in answer.text
        assert attribute(answer, "lang") == (LANGUAGES[name] if path == "/no-lang" else "en")
        assert "private" in answer.headers["cache-control"]
        assert {"Cookie", "Sec-GPC"} <= set(answer.headers["vary"].split(", "))
        assert ("Accept-Language" in answer.headers["vary"]) is (path == "/no-lang")


@pytest.mark.parametrize("path", SHARED)
def test_a_page_for_all_is_asked_of_the_app_once(visitors: dict[str, httpx.Client], path: str) -> None:
    answers = [answer for _, answer in by_turns(visitors, path)]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS"] + ["HIT"] * (len(answers) - 1)
    assert {state(answer) for answer in answers} == {"shared"}
    assert len({answer.content for answer in answers}) == 1
    assert {name for answer in answers for name in sets(answer)} == set()
    assert {answer.headers["cache-control"] for answer in answers if "cache-control" in answer.headers} <= {
        "public, max-age=600"
    }


@pytest.mark.parametrize("path", ["/counter", "/silent"])
def test_no_visitor_gets_anothers_cookie(visitors: dict[str, httpx.Client], path: str) -> None:
    for name, answer in by_turns(visitors, path):
        own = {"session": f"of-{name}"}
        assert sets(answer) == ({**own, "visits": "1"} if name == "accepted" else own)


@pytest.mark.parametrize("path", ["/settings", "/choice", "/cookies"])
def test_our_own_pages_are_never_kept(visitors: dict[str, httpx.Client], path: str) -> None:
    for _, answer in by_turns(visitors, f"/consentkit{path}"):
        assert answer.headers["x-cache"] == "MISS"


def test_a_choice_is_never_anothers(visitors: dict[str, httpx.Client]) -> None:
    for name, answer in by_turns(visitors, "/consentkit/choice"):
        assert answer.json()["decided"] is (STATES[name] == "answered")
        assert answer.json()["categories"]["statistics"] is (name == "accepted")


@pytest.mark.parametrize("path", CONFIRMED)
def test_the_cache_confirms_a_page_with_the_app_as_long_as_the_markup_is_the_same(cached: str, path: str) -> None:
    first = open_page(cached, path)
    time.sleep(STALE_SECONDS)
    again = open_page(cached, path)
    assert (first.headers["x-cache"], again.headers["x-cache"]) == ("MISS", "REVALIDATED")
    assert again.content == first.content
    assert state(again) == "shared"
    assert again.headers["etag"] == first.headers["etag"]
    browser = open_page(cached, path, **{"If-None-Match": first.headers["etag"]})
    assert (browser.status_code, browser.content) == (304, b"")


@pytest.mark.parametrize("path", CONFIRMED)
def test_no_304_keeps_a_banner_whose_texts_have_changed(tmp_path: Path, path: str) -> None:
    config, key = tmp_path / "consentkit.toml", "proxy_cache_key $request_uri;"
    answers = []
    for operator in ("SIA Piemērs", "SIA Cits"):
        config.write_text(SITE.format(proxies="[]").replace("SIA Piemērs", operator), "utf-8")
        with (
            serving(SITE_APP, tmp_path, config=config) as site,
            caching(site.url, tmp_path / "nginx", more=key) as url,
        ):
            answers.append(open_page(url, path))
            held = {"If-None-Match": answers[0].headers["etag"]}
            assert open_page(site.url, path, **held).status_code == (304 if len(answers) == 1 else 200)
        time.sleep(STALE_SECONDS)
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "EXPIRED"]
    assert ["SIA Cits" in answer.text for answer in answers] == [False, True]
    assert answers[0].headers["etag"] != answers[1].headers["etag"]


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"Sec-Fetch-Dest": "empty"}, id="script"),
        pytest.param({"Sec-Fetch-Dest": "iframe"}, id="frame"),
        pytest.param({"HX-Request": "true"}, id="htmx"),
        pytest.param({"X-Requested-With": "XMLHttpRequest"}, id="XMLHttpRequest"),
        pytest.param({"Accept": "application/json"}, id="program"),
        pytest.param({"Turbo-Frame": "x"}, id="Turbo frame"),
    ],
)
@pytest.mark.parametrize("path", ["/public", "/no-lang"])
def test_what_was_fetched_for_no_page_is_not_handed_on_as_one(
    proxy: str, path: str, forged: dict[str, str]
) -> None:
    """Whoever comes first, by script or by forged fields, must not take the banner from those who follow."""
    open_page(proxy, path, **forged)
    assert state(open_page(proxy, path)) == ("shared" if path == "/public" else "ask")


def test_a_compressed_page_is_kept_beside_the_plain_one(cached: str) -> None:
    answers = [open_page(cached, "/public", **{"Accept-Encoding": coding}) for coding in ("gzip", "identity") * 2]
    assert [answer.headers.get("content-encoding") for answer in answers] == ["gzip", None] * 2
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS", "HIT", "HIT"]
    assert len({answer.content for answer in answers}) == 1


def test_head_of_a_page_for_all_fills_no_cache_with_an_empty_page(cached: str) -> None:
    head = httpx.head(f"{cached}/public", headers=DOCUMENT)
    page = open_page(cached, "/public")
    assert (head.headers["x-cache"], page.headers["x-cache"]) == ("MISS", "HIT")
    assert state(page) == "shared"


def is_moved_by(page: Page) -> float:
    """Return how much the layout has shifted since the page was opened; 0 for not at all."""
    shift: float = page.evaluate(
        """() => new Promise((resolve) => {
            let sum = 0;
            new PerformanceObserver((list) => list.getEntries().forEach((entry) => { sum += entry.value; }))
                .observe({ type: "layout-shift", buffered: true });
            setTimeout(() => resolve(sum), 300);
        })"""
    )
    return shift


@pytest.mark.browser
def test_a_page_for_all_shows_its_banner_to_those_alone_who_have_not_answered(
    cached: str, browser: Browser
) -> None:
    banner = "#consentkit .ck-first"
    with browser.new_context(base_url=cached, locale="en-GB") as context:
        page = context.new_page()
        page.goto("/public")
        expect(page.locator(banner)).to_be_visible()
        assert is_moved_by(page) == 0
        page.get_by_role("button", name="Reject all").click()
        expect(page.locator(banner)).to_be_hidden()
        page.goto("/expires")
        page.goto("/public")
        expect(page.locator(banner)).to_be_hidden()
        assert is_moved_by(page) == 0
    with browser.new_context(base_url=cached, locale="en-GB") as context:
        page = context.new_page()
        kept = page.goto("/public")
        assert kept is not None
        assert kept.headers["x-cache"] == "HIT"
        expect(page.locator(banner)).to_be_visible()
