"""The receipt over HTTP: who sees what, as a page and as a file, and what no cache may keep."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from consentkit import ConsentKit, Settings, signing
from consentkit.consent.receipt import verify_receipt
from consentkit.consent.shown import ShownText
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.visitor.shown_texts import ShownTexts
from consentkit.web.texts import Texts
from tests.test_kit import page

OURS = {"sec-fetch-site": "same-origin"}
Story = Callable[[httpx.AsyncClient], Awaitable[Any]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    table = {
        "site": {"operator": "SIA Piemērs", "languages": ["en", "lv"]},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {
            "cookies": [
                {"name": "theme", "category": "preferences", "purpose": "Light or dark <b>"},
                {"name": "visits", "category": "statistics", "purpose": "Counts"},
            ],
            "services": [
                {
                    "id": "video",
                    "name": "Example Video",
                    "provider": "Example Video Limited",
                    "category": "marketing",
                    "purpose": "Plays videos",
                    "hosts": ["video.example.net"],
                    "country": "IE",
                }
            ],
        },
    }
    return Settings.from_mapping(table, base=tmp_path)


def visiting(settings: Settings, story: Story, *, base_url: str = "http://www.example.lv") -> Any:
    async def run() -> Any:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(page), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            try:
                return await story(client)
            finally:
                await kit.stop()

    return asyncio.run(run())


async def choose(client: httpx.AsyncClient, **form: str) -> None:
    answer = await client.post("/consentkit/choice", data={"lang": "en", **form}, headers=OURS)
    assert answer.status_code == 303


def trusted(settings: Settings) -> signing.KeySet:
    keyring = Keyring.open(settings.storage.keys, ())
    with Control(settings.storage.directory, keyring).transaction() as connection:
        return signing.key_set(connection, keyring, settings.site.operator)


def test_the_page_tells_every_choice_in_words(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        await choose(client, decision="save", preferences="on", via="settings")
        await choose(client, decision="accept", via="banner")
        return await client.get("/consentkit/receipt")

    response = visiting(settings, story)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "Cookie" in response.headers["vary"]
    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert "Preferences, Statistics, and Marketing" in response.text
    assert "in the settings" in response.text
    assert "Light or dark &lt;b&gt;" in response.text
    assert "<script" not in response.text
    newest, oldest = response.text.index("in the banner"), response.text.index("in the settings")
    assert newest < oldest


def test_the_file_is_signed_and_holds(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        await choose(client, decision="accept")
        json = {"accept": "application/json"}
        return [
            await client.get("/consentkit/receipt.json"),
            await client.get("/consentkit/receipt", headers=json),
        ]

    for response in visiting(settings, story):
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-disposition"].startswith('attachment; filename="consentkit-receipt-20')
        record = verify_receipt(response.content, trusted(settings)).receipt
        assert (record.site.operator, record.site.host) == ("SIA Piemērs", "www.example.lv")
        (text,) = record.texts.values()
        assert "If you agree, SIA Piemērs uses cookies" in str(text)


def test_who_refused_is_told_kindly_that_nothing_is_kept(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        await choose(client, decision="reject")
        return [await client.get("/consentkit/receipt"), await client.get("/consentkit/receipt.json")]

    told, file = visiting(settings, story)
    assert told.status_code == 200
    assert "There is nothing to show: this browser has no number." in told.text
    assert "receipt.json" not in told.text
    assert file.status_code == 404


@pytest.mark.parametrize(
    "consent_id", ["x", "A" * 23, "A" * 21 + "é", "A" * 22], ids=["short", "long", "é", "unknown"]
)
def test_an_id_that_was_never_given_shows_nothing(settings: Settings, consent_id: str) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        header = f"consentkit_id={consent_id}".encode()
        return await client.get("/consentkit/receipt", headers=[(b"cookie", header)])

    response = visiting(settings, story)
    assert response.status_code == 200
    assert "There is nothing to show: this browser has no number." in response.text


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("www.example.lv:8443", "www.example.lv:8443"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ('a"b<c', ""),
        ("x" * 300, ""),
    ],
    ids=["port", "address", "markup", "long"],
)
def test_the_host_is_named_only_where_it_is_one(settings: Settings, host: str, named: str) -> None:
    async def story(client: httpx.AsyncClient) -> httpx.Response:
        await choose(client, decision="accept")
        return await client.get("/consentkit/receipt.json", headers={"host": host})

    record = verify_receipt(visiting(settings, story).content, trusted(settings)).receipt
    assert record.site.host == named


def test_the_settings_lead_to_it_where_there_is_something(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[str]:
        before = await client.get("/consentkit/settings")
        await choose(client, decision="accept")
        return [before.text, (await client.get("/consentkit/settings")).text]

    before, after = visiting(settings, story)
    assert after.count('href="/consentkit/receipt?') == before.count('href="/consentkit/receipt?') + 1


def test_a_ledger_that_is_away_is_told_and_not_shown_as_nothing(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        await choose(client, decision="accept")
        (settings.storage.directory / "control.db").write_bytes(b"damaged" * 1000)
        return [await client.get("/consentkit/receipt"), await client.get("/consentkit/receipt.json")]

    for response in visiting(settings, story):
        assert response.status_code == 503
        assert response.headers["retry-after"] == "60"


def test_a_crowd_of_askers_keeps_nobodys_choice_waiting(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> list[int]:
        await choose(client, decision="accept")
        found: list[int] = []

        async def ask() -> None:
            found.append((await client.get("/consentkit/receipt")).status_code)

        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(ask)
            begun = time.monotonic()
            await choose(client, decision="reject")
            assert time.monotonic() - begun < 10
        return found

    found = visiting(settings, story)
    assert {200, 503} == set(found)
    assert found.count(200) >= 16


def test_a_withdrawal_is_kept_as_a_row_where_the_ledger_comes_back(settings: Settings) -> None:
    async def story(client: httpx.AsyncClient) -> bytes:
        await choose(client, decision="accept")
        consent_id = client.cookies["consentkit_id"]
        database, aside = settings.storage.directory / "control.db", settings.storage.directory / "aside"
        shutil.copy(database, aside)
        database.write_bytes(b"damaged" * 1000)
        await choose(client, decision="reject")
        assert "consentkit_id" not in client.cookies
        aside.replace(database)
        client.cookies.set("consentkit_id", consent_id, domain="www.example.lv", path="/consentkit")
        return (await client.get("/consentkit/receipt.json")).content

    record = verify_receipt(visiting(settings, story), trusted(settings)).receipt
    assert [each.statement.granted for each in record.decisions] == [
        ("preferences", "statistics", "marketing"),
        (),
    ]
    assert record.decisions[1].statement.method == "withdrawal"


@pytest.mark.parametrize("language", ["en", "lv"])
def test_the_text_that_is_kept_has_the_words_that_are_shown(settings: Settings, language: str) -> None:
    kit = ConsentKit(settings)
    import msgspec  # noqa: PLC0415 - this test alone reads a text

    texts = ShownTexts(kit.registry, Texts(settings.site.languages), settings)
    text = msgspec.json.decode(texts.of(language), type=ShownText)
    shown = visiting(settings, lambda client: client.get(f"/consentkit/settings?lang={language}")).text
    assert text.locale == language
    assert all(sentence in shown for sentence in text.request)
    assert all(category.name in shown and category.reason in shown for category in text.categories)
    assert text.buttons[0] in shown
    assert text.title in shown
    assert texts.of("xx") == texts.of("en")
