"""The pages and files that inform, over HTTP: what they answer, what may be kept, and who may read them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from consentkit import ConsentKit, Settings
from consentkit.archive.published import Deletions, Destroyed
from tests.test_kit import page
from tests.visitor.markup import Markup

PAGES = ("privacy", "deletions", "cookies")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    table = {
        "site": {"operator": "SIA Piemērs", "contact": "privacy@example.com"},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external", "retention_days": 40},
        "consent": {"cookies": [{"name": "theme", "category": "preferences", "purpose": "Light or dark"}]},
    }
    return Settings.from_mapping(table, base=tmp_path)


def ask(settings: Settings, *paths: str, root_path: str = "") -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(page), client=("192.0.2.7", 4711), root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="https://www.example.lv") as client:
            try:
                return [await client.get(f"{root_path}/consentkit/{path}") for path in paths]
            finally:
                await kit.stop()

    return asyncio.run(run())


def publish(settings: Settings, name: str, content: bytes) -> None:
    folder = settings.storage.directory / "published"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def test_each_page_is_private_to_its_visitor_and_strict_about_what_it_loads(settings: Settings) -> None:
    for answer in ask(settings, *PAGES):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["vary"] == "Accept-Language"
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert Markup(answer.text).is_nested


def test_the_page_says_when_the_record_of_this_very_visit_goes(settings: Settings) -> None:
    before = datetime.now(UTC).date()
    (answer,) = ask(settings, "privacy?lang=lt")
    days = {before, datetime.now(UTC).date()}
    assert any(f"ne vėliau kaip {day + timedelta(days=40)}." in answer.text for day in days)


@pytest.mark.parametrize(("secret", "is_claimed"), [("", False), ("s" * 40, True)], ids=["without", "with"])
def test_what_is_claimed_of_the_disk_depends_on_the_secret(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, secret: str, *, is_claimed: bool
) -> None:
    monkeypatch.delenv("CONSENTKIT_SECRET", raising=False)
    monkeypatch.delenv("CONSENTKIT_SECRET_FILE", raising=False)
    if secret:
        monkeypatch.setenv("CONSENTKIT_SECRET", secret)
    (answer,) = ask(settings, "privacy?lang=en")
    assert ("Whoever has the disk" in answer.text) is is_claimed


def test_the_foot_of_each_page_leads_to_all_others(settings: Settings) -> None:
    for name, answer in zip(
        PAGES, ask(settings, *(f"{one}?lang=en" for one in PAGES), root_path="/shop"), strict=True
    ):
        links = {(link["href"] or "").partition("?")[0]: link for link in Markup(answer.text).find("a")}
        for other in ("settings", "cookies", "privacy", "deletions", "receipt"):
            assert f"/shop/consentkit/{other}" in links
        assert links[f"/shop/consentkit/{name}"]["aria-current"] == "page"


def test_deletions_are_those_that_were_published(settings: Settings) -> None:
    at = datetime(2026, 11, 20, 0, 1, tzinfo=UTC)
    gone = (Destroyed(period="2026-08-22", at=at), Destroyed(period="2026-07-31", at=at))
    publish(settings, "deletions.json", msgspec.json.encode(Deletions(destroyed=gone)))
    newest, older = ask(settings, "deletions?lang=en", "deletions?lang=en&month=2026-07")
    assert "August 22, 2026" in newest.text
    assert "July 31, 2026" not in newest.text
    assert "July 31, 2026" in older.text


def test_nothing_published_is_told_as_that(settings: Settings) -> None:
    heads, keys, deletions = ask(settings, "heads.json", "keys.json", "deletions?lang=en")
    assert heads.status_code == 404
    assert keys.json() == {
        "format": "consentkit-keys/1",
        "installation": "",
        "operator": "SIA Piemērs",
        "keys": [],
    }
    assert {heads.headers["cache-control"], keys.headers["cache-control"]} == {"no-store"}
    assert "Nothing was destroyed yet." in deletions.text


@pytest.mark.parametrize("name", ["heads.json", "keys.json"])
def test_what_is_published_may_be_read_by_any_page_and_kept_a_minute(settings: Settings, name: str) -> None:
    publish(settings, name, b'{"a":1}')
    (answer,) = ask(settings, name)
    assert json.loads(answer.content) == {"a": 1}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers


def test_no_other_file_of_the_folder_is_served(settings: Settings) -> None:
    publish(settings, "deletions.json", b"{}")
    for answer in ask(settings, "deletions.json", "published/keys.json", "inventory.json"):
        assert answer.status_code == 404
