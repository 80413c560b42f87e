"""What a visitor is told who is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from consentkit import ConsentKit, Settings
from consentkit.consent.news import Addition
from consentkit.consent.registry import Registry
from consentkit.visitor.news_wording import news_views
from consentkit.web.texts import Texts
from tests.test_kit import page
from tests.visitor.markup import Markup

URL = "http://www.example.lv"
OURS = {"sec-fetch-site": "same-origin"}
LINE = "What has changed since your last choice:"


def declared(name: str, category: str) -> dict[str, str]:
    return {"name": name, "category": category, "purpose": "p"}


OLD = [declared("visits", "statistics"), declared("theme", "preferences"), declared("ad", "marketing")]
NEW = [*OLD, declared("pages", "statistics"), declared("ad2", "marketing")]


def settings(folder: Path, cookies: list[dict[str, str]]) -> Settings:
    table = {
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"cookies": cookies},
    }
    return Settings.from_mapping(table, base=folder)


def visiting(
    settings: Settings, cookies: httpx.Cookies, story: Callable[[httpx.AsyncClient], Awaitable[Any]]
) -> Any:
    async def run() -> Any:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(page), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=URL, cookies=cookies) as client:
            try:
                return await story(client)
            finally:
                cookies.update(client.cookies)
                await kit.stop()

    return asyncio.run(run())


def after_a_change(folder: Path, first_answer: dict[str, str], path: str, **headers: str) -> httpx.Response:
    """Answer under the old policy, and return what is shown under the new one."""
    cookies = httpx.Cookies()

    async def answer(client: httpx.AsyncClient) -> None:
        await client.post("/consentkit/choice", data=first_answer, headers=OURS)

    async def look(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(path, headers={"accept": "text/html", "accept-language": "en", **headers})

    visiting(settings(folder, OLD), cookies, answer)
    response: httpx.Response = visiting(settings(folder, NEW), cookies, look)
    return response


SOME = {"decision": "save", "statistics": "on", "preferences": "on"}


@pytest.mark.parametrize("path", ["/", "/consentkit/settings?lang=en"], ids=["banner", "settings"])
def test_who_is_asked_again_is_told_what_was_added(tmp_path: Path, path: str) -> None:
    shown = Markup(after_a_change(tmp_path, SOME, path).text)
    assert f"{LINE} Statistics – New cookies: pages." in shown.text
    assert "ad2" not in shown.text.partition(LINE)[2].partition("New cookies")[0]
    assert "Marketing – New" not in shown.text  # it was refused, and a refusal covers what comes later


def test_an_addition_is_off_and_the_rest_of_the_earlier_choice_stands(tmp_path: Path) -> None:
    shown = Markup(after_a_change(tmp_path, SOME, "/consentkit/settings?lang=en").text)
    ticked = [box["name"] for box in shown.find("input", type="checkbox") if "checked" in box]
    assert ticked == ["preferences"]


@pytest.mark.parametrize("path", ["/", "/consentkit/settings?lang=en"], ids=["banner", "settings"])
def test_who_refused_is_neither_asked_nor_told(tmp_path: Path, path: str) -> None:
    shown = Markup(after_a_change(tmp_path, {"decision": "reject"}, path).text)
    assert LINE not in shown.text
    if path == "/":
        assert "hidden" in shown.find(id="consentkit")[0]


def test_a_script_is_told_in_the_pages_language(tmp_path: Path) -> None:
    told = after_a_change(tmp_path, SOME, "/consentkit/choice?lang=lv", accept="application/json").json()
    assert told["news"] == ["Statistikas sīkdatnes – Jaunas sīkdatnes: pages."]
    assert told["categories"] == {"preferences": True, "statistics": False, "marketing": False}


def test_a_privacy_signal_asks_nothing_and_so_tells_nothing(tmp_path: Path) -> None:
    shown = Markup(after_a_change(tmp_path, SOME, "/consentkit/settings?lang=en", **{"sec-gpc": "1"}).text)
    assert LINE not in shown.text


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry.build(settings(tmp_path_factory.mktemp("news"), OLD))


@pytest.mark.parametrize(
    ("addition", "text"),
    [
        (Addition("statistics", "category"), "Statistics – This category is new."),
        (Addition("statistics", "service", "matomo"), "Statistics – New services: matomo."),
        (Addition("statistics", "provider", "Example"), "Statistics – New companies: Example."),
        (Addition("statistics", "country", "US"), "Statistics – Data now also goes to: United States."),
        (Addition("statistics", "cookie", "a"), "Statistics – New cookies: a."),
        (Addition("statistics", "storage", "k"), "Statistics – Newly stored in your browser: k."),
        (Addition("statistics", "longer", "a", 90), "Statistics – Kept longer: a (90 days)."),
        (Addition("+gone", "cookie", "a"), "gone – New cookies: a."),
    ],
    ids=lambda value: value.kind if isinstance(value, Addition) else "",
)
def test_each_kind_of_addition_has_its_words(registry: Registry, addition: Addition, text: str) -> None:
    (view,) = news_views([addition], registry, Texts(["en"])["en"])
    assert view.text == text


def test_of_many_names_the_first_are_told_and_the_rest_counted(registry: Registry) -> None:
    many = [Addition("statistics", "cookie", f"n{number}") for number in range(20)]
    (view,) = news_views(many, registry, Texts(["en"])["en"])
    assert view.lines == ("New cookies: n0, n1, n2, n3, n4, n5, n6, n7 and 12 more.",)
