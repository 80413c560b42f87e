from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TypeVar

import httpx
import pytest
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from consentkit import ConsentKit
from example_app.pages import PASSWORD, build_site
from example_app.session_key import load_session_key
from example_app.texts import LANGUAGES, format_price, load_texts, preferred_language

ORIGIN = "http://127.0.0.1:8000"
PAGES = ("/", "/plans", "/sign-in", "/help")
SETTINGS = Path(__file__).parents[2] / "example_app" / "consentkit.toml"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Granted:
    """Stands where consentkit puts a visitor's choice."""

    categories: frozenset[str]
    decided: bool = True

    def allows(self, category: str) -> bool:
        return category in self.categories


@pytest.fixture(scope="module")
def site() -> Starlette:
    return build_site(session_key="a key for tests alone", template_context=waiting)


def waiting(_: Request) -> dict[str, object]:
    """Hold embeds back, as consentkit does before consent."""

    def consent_embed(service: str, content: str, **_: object) -> Markup:
        return Markup('<template data-consent="statistics" data-service="{}">{}</template>').format(
            service, Markup(content)
        )

    return {"consent_embed": consent_embed}


def with_choice(app: ASGIApp, *granted: str, decided: bool = True) -> ASGIApp:
    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"consent": Granted(frozenset(granted), decided)}}, receive, send)

    return chosen


def visit(app: ASGIApp, steps: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Run steps of one browser, which keeps its cookies and sends forms as browsers do."""

    async def run() -> T:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return await steps(client)

    return asyncio.run(run())


def get(app: ASGIApp, address: str, **headers: str) -> httpx.Response:
    return visit(app, lambda client: client.get(address, headers=headers))


def post(app: ASGIApp, address: str, fields: Mapping[str, str], **headers: str) -> httpx.Response:
    headers = headers or {"Origin": ORIGIN}
    return visit(app, lambda client: client.post(address, data=fields, headers=headers))


def set_cookies(response: httpx.Response) -> dict[str, str]:
    lines = response.headers.get_list("set-cookie")
    return {line.partition("=")[0]: line for line in lines}


def flat(node: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from flat(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from flat(value, f"{path}[{index}]")
    else:
        assert isinstance(node, str), path
        yield path, node


# Texts


def test_all_languages_have_the_same_texts() -> None:
    keys = {language: {path for path, _ in flat(texts)} for language, texts in load_texts().items()}
    assert set(keys) == set(LANGUAGES)
    assert {language for language in LANGUAGES if keys[language] != keys["en"]} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_all_keep_their_placeholders(language: str) -> None:
    texts = load_texts()
    placeholders = {
        path: {field for _, field, _, _ in Formatter().parse(text)} for path, text in flat(texts["en"])
    }
    for path, text in flat(texts[language]):
        assert text.strip() == text != "", path
        assert {field for _, field, _, _ in Formatter().parse(text)} - {None} == placeholders[path] - {None}, path


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        pytest.param("", "lv", id="nothing asked for"),
        pytest.param("lt", "lt", id="plain"),
        pytest.param("ru-LV,ru;q=0.9,en;q=0.8", "ru", id="with region"),
        pytest.param("de,fr;q=0.9,et;q=0.1", "et", id="known one last"),
        pytest.param("en;q=0.2, ET;Q=0.7", "et", id="by weight, not by place"),
        pytest.param("en;q=0", "lv", id="refused"),
        pytest.param("en;q=nan,ru;q=x,lt;q=0.1", "lt", id="weights that are none"),
        pytest.param(",".join(["xx"] * 50_000) + ",en", "lv", id="past the first twenty"),
    ],
)
def test_language_is_the_one_the_browser_likes_best(accepted: str, language: str) -> None:
    assert preferred_language(accepted) == language


def test_prices_are_written_as_each_language_does() -> None:
    assert format_price(1405, "€{euros}.{cents}") == "€14.05"
    assert format_price(990, "{euros},{cents} €") == "9,90 €"


# Pages


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_speaks_every_language(site: Starlette, path: str, language: str) -> None:
    response = get(site, f"{path}?lang={language}")
    assert response.status_code == 200
    assert f'<html lang="{language}"' in response.text
    heading = dict(flat(load_texts()[language]))[f".{path[1:].replace('-', '_') or 'home'}.heading"]
    assert f"<h1>{heading}</h1>" in response.text


def test_address_decides_the_language_before_cookie_and_browser(site: Starlette) -> None:
    asked = {"cookie": "lang=et", "accept-language": "lt"}
    assert '<html lang="ru"' in get(site, "/?lang=ru", **asked).text
    assert '<html lang="et"' in get(site, "/?lang=xx", **asked).text
    assert '<html lang="lt"' in get(site, "/", **{"accept-language": "lt"}).text
    assert '<html lang="lv"' in get(site, "/").text


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/nothing", id="unknown"),
        pytest.param("/plans/", id="with a slash too many"),
        pytest.param("//example.com/..%2f", id="two slashes"),
        pytest.param("/%00%ff%0d%0a<script>", id="control characters"),
        pytest.param("/static/%00", id="null byte in a file name"),
        pytest.param("/static/../main.py", id="out of the folder"),
        pytest.param("/wp-login.php?a=" + "%27" * 3_000, id="a scanner's"),
    ],
)
def test_unknown_address_is_a_page_of_ours_with_404(site: Starlette, path: str) -> None:
    response = get(site, f"{ORIGIN}{path}")
    assert response.status_code == 404
    assert '<html lang="lv"' in response.text
    assert "<script>" not in response.text


def test_wrong_method_is_refused_and_told_what_is_allowed(site: Starlette) -> None:
    response = get(site, "/theme")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_health_is_plain_and_sets_no_cookie(site: Starlette) -> None:
    response = get(site, "/healthz")
    assert (response.status_code, response.text) == (200, "ok")
    assert set_cookies(response) == {}


def test_settings_link_stands_on_some_pages_and_not_on_others(site: Starlette) -> None:
    linked = {path for path in (*PAGES, "/nothing") if "data-consentkit-settings" in get(site, path).text}
    assert linked == {"/", "/sign-in", "/help"}


def test_every_local_link_leads_somewhere(site: Starlette) -> None:
    links = {link for path in PAGES for link in re.findall(r'(?:href|src)="(/[^"#]*)', get(site, path).text)}
    own = {link.replace("&amp;", "&") for link in links if not link.startswith("/consentkit/")}
    assert {link for link in own if get(site, link).status_code not in (200, 303)} == set()
    assert {"/static/site.css", "/static/stats.js", "/plans"} <= own


# Policy and embed


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        pytest.param("127.0.0.1:8000", "http://localhost:8000", id="address"),
        pytest.param("localhost", "http://127.0.0.1", id="name without port"),
        pytest.param("lumo.example", "'self'", id="elsewhere"),
        pytest.param("localhost:80; script-src *", "'self'", id="hostile"),
    ],
)
def test_policy_lets_frames_come_from_the_map_alone(site: Starlette, host: str, origin: str) -> None:
    policy = get(site, "/", host=host).headers["content-security-policy"]
    assert policy.split("; ")[-1] == f"frame-src {origin}"
    assert "default-src 'self'" in policy
    assert "script-src" not in policy


def test_map_and_statistics_wait_for_consent(site: Starlette) -> None:
    page = get(site, "/").text
    waiting = "".join(re.findall(r'<template data-consent="statistics".*?</template>', page, re.DOTALL))
    assert "http://localhost:8000/partner/map" in waiting
    assert "/static/stats.js" in waiting
    active = re.sub(r"<template.*?</template>", "", page, flags=re.DOTALL)
    assert "<iframe" not in active
    assert "<script" not in active


def test_map_may_be_framed_by_the_site(site: Starlette) -> None:
    response = get(site, "/partner/map", host="localhost:8000")
    assert response.headers["content-type"] == "image/svg+xml"
    assert "frame-ancestors" not in response.headers["content-security-policy"]


def test_pages_hold_no_code_or_style_that_their_policy_forbids(site: Starlette) -> None:
    for path in PAGES:
        page = get(site, path).text
        assert not re.search(r'<style|\sstyle="|\son[a-z]+="|<script(?![^>]*\ssrc=)', page), path


# Cookies


def test_every_page_counts_the_visit(site: Starlette) -> None:
    assert set_cookies(get(site, "/"))["visits"].startswith("visits=1; ")
    assert set_cookies(get(site, "/plans", cookie="visits=41"))["visits"].startswith("visits=42; ")
    assert "HttpOnly" in set_cookies(get(site, "/nothing"))["visits"]


@pytest.mark.parametrize("value", [b"", b"-1", b"1e9", b"9" * 5_000, b"\xb2"])
def test_a_forged_count_starts_again(site: Starlette, value: bytes) -> None:
    headers = {b"cookie": b"visits=" + value}
    response = visit(site, lambda client: client.get("/", headers=headers))
    assert set_cookies(response)["visits"].startswith("visits=1; ")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_is_kept_in_a_cookie_and_shown(site: Starlette, theme: str) -> None:
    response = post(site, "/theme", {"theme": theme, "next": "/plans"})
    assert response.status_code == 303
    assert set_cookies(response)["theme"].startswith(f"theme={theme}; ")
    assert f'data-theme="{theme}"' in get(site, "/plans", cookie=f"theme={theme}").text
    assert "data-theme" not in get(site, "/plans", cookie="theme=pink").text


@pytest.mark.parametrize(
    ("next_address", "path"),
    [
        pytest.param("/plans?lang=ru", "/plans?lang=ru", id="page with query"),
        pytest.param("", "/", id="nothing"),
        pytest.param("https://example.com/", "/", id="address elsewhere"),
        pytest.param("//example.com/", "/", id="host without scheme"),
        pytest.param("/\\example.com", "/", id="backslash"),
        pytest.param("/\t/example.com", "/", id="tab that browsers drop"),
        pytest.param("/a\r\nSet-Cookie: x=1", "/", id="line break"),
        pytest.param("/" + "a" * 5_000, "/", id="too long"),
    ],
)
def test_theme_leads_back_to_this_site_only(site: Starlette, next_address: str, path: str) -> None:
    response = post(with_choice(site, "preferences"), "/theme", {"theme": "dark", "next": next_address})
    assert (response.status_code, response.headers["location"]) == (303, path)


def test_unknown_theme_is_refused(site: Starlette) -> None:
    assert post(site, "/theme", {"theme": "pink", "next": "/"}).status_code == 400


def test_refused_preference_goes_on_in_the_address_and_says_so(site: Starlette) -> None:
    refused = with_choice(site)
    location = post(refused, "/theme", {"theme": "dark", "next": "/plans?lang=ru"}).headers["location"]
    assert location == "/plans?lang=ru&theme=dark"
    page = get(refused, location).text
    assert 'data-theme="dark"' in page
    assert 'href="/help?lang=ru&amp;theme=dark"' in page
    assert 'class="remark"' in page
    assert "lang" not in set_cookies(get(refused, location))


def test_granted_preference_is_kept_and_leaves_the_address(site: Starlette) -> None:
    granted = with_choice(site, "preferences")
    response = get(granted, "/plans?lang=ru&theme=dark")
    assert {"lang", "theme"} <= set(set_cookies(response))
    assert 'href="/help"' in response.text
    assert 'class="remark"' not in response.text


def test_nothing_is_said_while_the_banner_still_asks(site: Starlette) -> None:
    page = get(with_choice(site, decided=False), "/?lang=ru").text
    assert 'href="/help?lang=ru"' in page
    assert 'class="remark"' not in page


def test_language_that_the_browser_asks_for_anyway_needs_no_remark(site: Starlette) -> None:
    assert 'class="remark"' not in get(with_choice(site), "/?lang=ru", **{"accept-language": "ru"}).text


def test_visits_are_shown_only_where_statistics_are_allowed(site: Starlette) -> None:
    counted = get(with_choice(site, "statistics"), "/?lang=en", cookie="visits=6").text
    assert "Pages opened on this device: 7" in counted
    assert "Your visits are not counted." in get(with_choice(site), "/?lang=en").text


# Signing in and writing


def test_sign_in_shows_the_account_until_sign_out(site: Starlette) -> None:
    async def steps(client: httpx.AsyncClient) -> None:
        client.headers["sec-fetch-site"] = "same-origin"
        assert (await client.get("/account")).headers["location"] == "/sign-in"
        fields = {"name": "<b>Anna</b>", "password": PASSWORD}
        response = await client.post("/sign-in?lang=en", data=fields)
        assert (response.status_code, response.headers["location"]) == (303, "/account?lang=en")
        assert "samesite=lax" in set_cookies(response)["session"].lower()
        assert "Good to see you, &lt;b&gt;Anna&lt;/b&gt;" in (await client.get("/account?lang=en")).text
        await client.post("/sign-out")
        assert (await client.get("/account")).status_code == 303

    visit(site, steps)


@pytest.mark.parametrize("language", LANGUAGES)
def test_account_speaks_every_language(site: Starlette, language: str) -> None:
    async def steps(client: httpx.AsyncClient) -> httpx.Response:
        await client.post("/sign-in", data={"name": "Anna", "password": PASSWORD})
        return await client.get(f"/account?lang={language}")

    response = visit(site, steps)
    assert response.status_code == 200
    assert f'<html lang="{language}"' in response.text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"name": "Anna", "password": "wrong"}, "This password is wrong", id="wrong password"),
        pytest.param({"name": "Anna"}, "This password is wrong", id="no password"),
        pytest.param({"name": " ", "password": PASSWORD}, "Enter a name", id="no name"),
        pytest.param({"name": "a" * 61, "password": PASSWORD}, "Enter a name", id="name too long"),
    ],
)
def test_wrong_sign_in_says_why_and_opens_no_session(site: Starlette, fields: dict[str, str], text: str) -> None:
    response = post(site, "/sign-in?lang=en", fields)
    assert response.status_code == 422
    assert text in response.text
    assert "session" not in set_cookies(response)


def test_forged_session_is_none(site: Starlette) -> None:
    assert get(site, "/account", cookie="session=eyJuYW1lIjogIkFubmEifQ==.x.y").status_code == 303


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/theme", "/help"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site"}, id="cross-site"),
        pytest.param({"sec-fetch-site": "same-site", "origin": ORIGIN}, id="a neighbour"),
        pytest.param({"origin": "http://example.com"}, id="another origin"),
        pytest.param({"origin": "null"}, id="origin kept back"),
        pytest.param({"origin": "http://[::1"}, id="no origin at all"),
    ],
)
def test_forms_of_other_sites_are_refused(site: Starlette, path: str, headers: dict[str, str]) -> None:
    fields = {"name": "Anna", "password": PASSWORD, "theme": "dark"}
    assert post(site, path, fields, **headers).status_code == 403


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        pytest.param(b"theme=" + b"a" * 20_000, "application/x-www-form-urlencoded", 413, id="too long"),
        pytest.param(b"&".join([b"a=1"] * 100), "application/x-www-form-urlencoded", 400, id="many fields"),
        pytest.param(b'{"theme": "dark"}', "application/json", 415, id="no form"),
        pytest.param(b"theme=%ff\xff", "application/x-www-form-urlencoded", 400, id="no text"),
    ],
)
def test_bad_body_is_refused(site: Starlette, content: bytes, media_type: str, status: int) -> None:
    headers = {"content-type": media_type}
    response = visit(site, lambda client: client.post("/theme", content=content, headers=headers))
    assert response.status_code == status


def test_message_is_thanked_for(site: Starlette) -> None:
    fields = {"name": "Anna", "email": "anna@example.com", "message": "When is fibre here?"}
    response = post(site, "/help?lang=en", fields)
    assert response.headers["location"] == "/help?lang=en&sent=1#contact"
    assert 'role="status">Thank you' in get(site, "/help?lang=en&sent=1").text


def test_faulty_message_comes_back_with_what_was_written(site: Starlette) -> None:
    response = post(site, "/help?lang=en", {"name": "Anna", "email": "anna@", "message": "<hi>"})
    assert response.status_code == 422
    assert set(re.findall(r'id="(\w+)-fault"', response.text)) == {"email", "message"}
    assert 'value="anna@"' in response.text
    assert "&lt;hi&gt;</textarea>" in response.text


# The key of sessions, and the settings


def test_workers_share_the_session_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUMO_SESSION_KEY", raising=False)
    path = tmp_path / "var" / "key"
    key = load_session_key(path)
    assert len(key) >= 43
    assert load_session_key(path) == key
    assert path.stat().st_mode & 0o077 == 0
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_session_key_comes_from_the_environment_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMO_SESSION_KEY", "given")
    assert load_session_key(tmp_path / "key") == "given"
    assert not (tmp_path / "key").exists()


def test_settings_declare_every_cookie_of_the_site() -> None:
    registry = ConsentKit(SETTINGS).registry
    declared = {cookie.name: cookie.category for cookie in registry.cookies}
    assert {name: declared[name] for name in ("session", "theme", "lang", "visits", "lumo_seen")} == {
        "session": "necessary",
        "theme": "preferences",
        "lang": "preferences",
        "visits": "statistics",
        "lumo_seen": "statistics",
    }
    own = [
        cookie for cookie in registry.cookies if cookie.name in ("session", "theme", "lang", "visits", "lumo_seen")
    ]
    assert all(set(cookie.purpose) == set(LANGUAGES) for cookie in own)
