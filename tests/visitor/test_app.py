"""The visitor's endpoints: what is taken from whom, what is recorded, what the browser is told to keep."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from consentkit import ConsentKit, Settings
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import decisions_of
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.visitor.desk import GRANTS_A_MINUTE
from tests.test_kit import page

URL = "http://www.example.lv"
OURS = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    cookies = [
        {"name": "theme", "category": "preferences", "purpose": "Light or dark"},
        {"name": "visits", "category": "statistics", "purpose": "Counts"},
    ]
    table = {
        "site": {"operator": "SIA Piemērs"},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"cookies": cookies},
    }
    return Settings.from_mapping(table, base=tmp_path)


def visiting(settings: Settings, story: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """Run a visitor's story against a wrapped site, and return what it returns."""

    async def run() -> Any:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(page), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            try:
                return await story(client)
            finally:
                await kit.stop()

    return asyncio.run(run())


def cookies_of(response: httpx.Response) -> dict[str, str]:
    pairs = (field.partition(";")[0].partition("=") for field in response.headers.get_list("set-cookie"))
    return {name: value for name, _, value in pairs}


def ledger(settings: Settings, consent_id: str) -> list[Decision]:
    keyring = Keyring.open(settings.storage.keys, ())
    return decisions_of(Control(settings.storage.directory, keyring), consent_id)


@pytest.mark.parametrize(
    ("decision", "headers", "status"),
    [
        ("accept", {"sec-fetch-site": "same-origin"}, 303),
        ("accept", {"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, 303),
        ("accept", {"origin": URL}, 303),
        ("accept", {"sec-fetch-site": "cross-site"}, 403),
        ("accept", {"sec-fetch-site": "same-site"}, 403),
        ("accept", {"sec-fetch-site": "none"}, 403),
        ("accept", {"origin": "https://evil.example"}, 403),
        ("accept", {"origin": "null"}, 403),
        ("accept", {"origin": f"{URL}.evil.example"}, 403),
        ("accept", {}, 403),
        ("save", {}, 403),
        ("reject", {}, 303),
        ("reject", {"origin": "null"}, 303),
        ("reject", {"sec-fetch-site": "cross-site"}, 403),
        ("reject", {"origin": "https://evil.example"}, 403),
        ("maybe", {"sec-fetch-site": "same-origin"}, 400),
        ("", {"sec-fetch-site": "same-origin"}, 400),
    ],
)
def test_a_grant_needs_proof_that_it_comes_from_this_site(
    settings: Settings, decision: str, headers: dict[str, str], status: int
) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/consentkit/choice", data={"decision": decision}, headers=headers)

    response = visiting(settings, story)
    assert response.status_code == status
    assert ("consentkit" in cookies_of(response)) == (status == 303)


@pytest.mark.parametrize(
    ("next_url", "referrer", "location"),
    [
        ("/plans?page=2", "", "/plans?page=2"),
        ("", f"{URL}/help?x=1", "/help?x=1"),
        ("", "", "/"),
        ("https://evil.example/", "", "/"),
        ("//evil.example/", "", "/"),
        ("/\\evil.example/", "", "/"),
        ("javascript:alert(1)", "", "/"),
        ("/a\r\nSet-Cookie: x=y", "", "/"),
        ("/" + "a" * 5000, "", "/"),
        ("", "https://evil.example/x", "/"),
        ("", "http://[bad", "/"),
    ],
)
def test_the_visitor_goes_on_to_a_page_of_this_site_alone(
    settings: Settings, next_url: str, referrer: str, location: str
) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        form = {"decision": "reject", "next": next_url}
        headers = {**OURS, "referer": referrer, "cookie": "any=1"}
        return await client.post("/consentkit/choice", data=form, headers=headers)

    response = visiting(settings, story)
    assert (response.status_code, response.headers["location"]) == (303, location)


def test_where_no_cookie_came_with_an_answer_the_settings_see_whether_it_is_kept(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[str, httpx.Response, httpx.Response]:
        form = {"decision": "reject", "next": "/plans?page=2", "lang": "en"}
        answer = await client.post("/consentkit/choice", data=form, headers=OURS)
        kept = await client.get(answer.headers["location"])
        client.cookies.clear()
        return answer.headers["location"], kept, await client.get(answer.headers["location"])

    location, kept, lost = visiting(settings, story)
    assert location == "/consentkit/settings?answered=1&next=%2Fplans%3Fpage%3D2&lang=en"
    assert (kept.status_code, kept.headers["location"]) == (303, "/plans?page=2")
    assert lost.status_code == 200
    assert "Your browser blocks cookies, so your choice cannot be remembered." in lost.text


def test_the_way_on_after_an_answer_leads_to_no_other_site(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        path = "/consentkit/settings?answered=1&next=https://evil.example/"
        return await client.get(path, headers={"cookie": "any=1"})

    assert visiting(settings, story).headers["location"] == "/"


def test_a_refusal_has_no_id_and_a_grant_has_one_until_it_is_withdrawn(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[dict[str, str]]:
        answers = []
        for form in (
            {"decision": "reject"},
            {"decision": "save", "statistics": "on"},
            {"decision": "accept", "via": "settings"},
            {"decision": "reject", "via": "settings"},
        ):
            answers.append(cookies_of(await client.post("/consentkit/choice", data=form, headers=OURS)))
        return answers

    refused, saved, accepted, withdrawn = visiting(settings, story)
    assert "consentkit_id" not in refused
    consent_id = saved["consentkit_id"]
    assert len(consent_id) == 22
    assert accepted["consentkit_id"] == consent_id
    assert withdrawn["consentkit_id"] == ""
    assert ".p0s1." in saved["consentkit"]
    assert [(row.granted, row.denied, row.method) for row in ledger(settings, consent_id)] == [
        ("statistics", "preferences", "api"),
        ("preferences,statistics", "", "settings"),
        ("", "preferences,statistics", "withdrawal"),
    ]
    assert [row.granted for row in ledger(settings, "")] == [""]


def test_an_answer_that_changes_nothing_makes_no_row(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> str:
        first = await client.post("/consentkit/choice", data={"decision": "accept"}, headers=OURS)
        again = await client.post("/consentkit/choice", data={"decision": "accept"}, headers=OURS)
        assert cookies_of(again) == {}
        return cookies_of(first)["consentkit_id"]

    assert len(ledger(settings, visiting(settings, story))) == 1


def test_a_script_gets_json(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[Any]:
        json = {"accept": "application/json"}
        before = (await client.get("/consentkit/choice", headers=json)).json()
        form = {"decision": "accept", "lang": "en"}
        accepted = (await client.post("/consentkit/choice", data=form, headers={**OURS, **json})).json()
        refused = (
            await client.post("/consentkit/choice", data={"decision": "reject"}, headers={**OURS, **json})
        ).json()
        return [before, accepted, refused]

    before, accepted, refused = visiting(settings, story)
    categories = {"preferences": False, "statistics": False}
    assert before == {"decided": False, "categories": categories, "services": [], "revision": 1, "news": []}
    assert accepted["categories"] == {"preferences": True, "statistics": True}
    assert accepted["message"] == "Saved: optional cookies are on."
    assert (accepted["reload"], refused["reload"]) == (False, True)


def test_one_address_may_grant_so_often_a_minute_and_refuse_always(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[int]:
        statuses = []
        for decision in ["accept", "reject"] * (GRANTS_A_MINUTE + 1):
            response = await client.post("/consentkit/choice", data={"decision": decision}, headers=OURS)
            statuses.append(response.status_code)
        return statuses

    statuses = visiting(settings, story)
    assert statuses[:-2] == [303] * (2 * GRANTS_A_MINUTE)
    assert statuses[-2:] == [429, 303]


def test_where_a_row_cannot_be_kept_a_refusal_holds_and_a_grant_is_not_given(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        await client.get("/")
        database = settings.storage.directory / "control.db"
        shutil.move(database, database.with_suffix(".away"))
        database.mkdir()
        grant = await client.post("/consentkit/choice", data={"decision": "accept"}, headers=OURS)
        refusal = await client.post("/consentkit/choice", data={"decision": "reject"}, headers=OURS)
        return grant, refusal

    grant, refusal = visiting(settings, story)
    assert grant.status_code == 503
    assert cookies_of(grant) == {}
    assert refusal.status_code == 303
    assert ".p0s0." in cookies_of(refusal)["consentkit"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"decision=accept", "text/plain", 415),
        (b"decision=accept", "multipart/form-data; boundary=x", 415),
        (b"decision=accept&x=" + b"a" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"decision=accept&" + b"a=b&" * 200, "application/x-www-form-urlencoded", 400),
        (b"decision=\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400),
    ],
    ids=["text", "multipart", "too large", "too many fields", "not UTF-8", "empty"],
)
def test_a_form_that_cannot_be_taken_is_refused(
    settings: Settings, content: bytes, kind: str, status: int
) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        headers = {**OURS, "content-type": kind, "accept-language": "en"}
        return await client.post("/consentkit/choice", content=content, headers=headers)

    response = visiting(settings, story)
    assert response.status_code == status
    assert "<h1" in response.text
    assert cookies_of(response) == {}


def test_on_https_the_cookies_are_secure_and_the_choice_has_the_host_prefix(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[str]:
        url = "https://www.example.lv/consentkit/choice"
        response = await client.post(url, data={"decision": "accept"}, headers=OURS)
        return response.headers.get_list("set-cookie")

    choice, consent_id = visiting(settings, story)
    assert choice.startswith("__Host-consentkit=v1.p1s1.1.")
    assert choice.endswith("; Path=/; Max-Age=15897600; SameSite=Lax; Secure")
    assert "; Path=/consentkit; " in consent_id
    assert consent_id.endswith("; HttpOnly; SameSite=Lax; Secure")


def test_the_settings_show_what_this_browser_sent_and_remove_it(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[str, httpx.Response, httpx.Response]:
        sent = {"cookie": "visits=3; mystery=<b>"}
        shown = await client.get("/consentkit/settings?lang=en&next=/plans", headers=sent)
        removed = await client.post("/consentkit/remove", data={"name": "mystery"}, headers={**OURS, **sent})
        other = await client.post("/consentkit/remove", data={"name": "unsent"}, headers={**OURS, **sent})
        return shown.text, removed, other

    shown, removed, other = visiting(settings, story)
    assert "visits" in shown
    assert "mystery" in shown
    assert "<b>" not in shown
    assert removed.status_code == 303
    assert any("Max-Age=0" in field for field in removed.headers.get_list("set-cookie"))
    assert cookies_of(other) == {}


@pytest.mark.parametrize("language", ["lv", "ru", "en", "et", "lt"])
def test_the_cookie_policy_describes_every_declared_cookie(settings: Settings, language: str) -> None:
    async def story(client: httpx.AsyncClient) -> str:
        return (await client.get(f"/consentkit/cookies?lang={language}")).text

    html = visiting(settings, story)
    assert f'<html lang="{language}">' in html
    names = ("theme", "visits", "consentkit", "consentkit_id", "session")
    assert [name for name in names if f"<code>{name}</code>" not in html] == []


def test_a_path_that_is_not_ours_is_not_found_in_the_visitors_words(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/consentkit/nothing", headers={"accept-language": "en"})

    response = visiting(settings, story)
    assert response.status_code == 404
    assert "There is nothing at this address." in response.text


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("consentkit.0123456789ab.js", 200),
        ("consentkit.0123456789ab.css", 200),
        ("page.0123456789ab.js", 404),
        ("consentkit.0123456789a.js", 404),
        ("consentkit.js", 404),
        ("../kit.0123456789ab.py", 404),
    ],
)
def test_a_file_of_an_earlier_release_is_answered_with_the_present_one_and_not_kept(
    settings: Settings, name: str, status: int
) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/consentkit/static/{name}")

    response = visiting(settings, story)
    assert response.status_code == status
    if status == 200:
        assert response.headers["cache-control"] == "no-store"
        assert b"ck-" in response.content


def test_a_static_file_is_immutable_and_an_unknown_one_is_not_found(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        html = (await client.get("/", headers={"accept": "text/html"})).text
        path = html.partition('rel="stylesheet" href="')[2].partition('"')[0]
        plain = await client.get(path, headers={"accept-encoding": "identity"})
        zipped = await client.get(path, headers={"accept-encoding": "gzip"})
        return plain, zipped, await client.get("/consentkit/static/../kit.py")

    plain, zipped, unknown = visiting(settings, story)
    assert plain.content == zipped.content
    assert zipped.headers["content-encoding"] == "gzip"
    assert "immutable" in plain.headers["cache-control"]
    assert unknown.status_code == 404


def test_pages_and_answers_are_kept_by_no_cache(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.get("/consentkit/settings"),
            await client.get("/consentkit/choice"),
            await client.post("/consentkit/choice", data={"decision": "reject"}, headers=OURS),
        ]

    for response in visiting(settings, story):
        assert response.headers["cache-control"] == "no-store"


def test_the_id_cookie_of_another_form_is_not_taken_over(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> str:
        headers = {**OURS, "cookie": urlencode({"consentkit_id": "x" * 500})}
        response = await client.post("/consentkit/choice", data={"decision": "accept"}, headers=headers)
        return cookies_of(response)["consentkit_id"]

    assert len(visiting(settings, story)) == 22
