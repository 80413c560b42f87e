"""A site's own templates and catalogues, which go before ours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from consentkit import ConsentKit, Settings
from consentkit.errors import SettingsError
from tests.test_kit import page
from tests.visitor.markup import Markup

URL = "http://www.example.pl"
POLISH: dict[str | tuple[str, str], str | tuple[str, str, str]] = {
    "Accept all": "Zaakceptuj wszystkie",
    "Reject all": "Odrzuć wszystkie",
    "Cookies: your choice": "Pliki cookie: twój wybór",
    ("{n} day", "{n} days"): ("{n} dzień", "{n} dni", "{n} dni"),
    ("{n} cookie", "{n} cookies"): ("{n} plik cookie", "{n} pliki cookie", "{n} plików cookie"),
}


def write_catalogue(
    folder: Path, language: str, messages: dict[str | tuple[str, str], str | tuple[str, str, str]]
) -> None:
    catalogue = Catalog(locale=language)
    for message, translation in messages.items():
        catalogue.add(message, translation)
    catalogue.add("English", "Polski", context="this language")
    path = folder / language / "LC_MESSAGES" / "consentkit.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        write_mo(stream, catalogue)


def settings(folder: Path, **site: object) -> Settings:
    cookies = [
        {"name": f"c{days}", "category": "statistics", "purpose": "Liczy", "lifetime_days": days}
        for days in (1, 22, 25)
    ]
    return Settings.from_mapping(
        {"site": site, "requestlog": {"ingest": "external"}, "consent": {"cookies": cookies}}, base=folder
    )


def shown(settings: Settings, *paths: str) -> list[str]:
    async def run() -> list[str]:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(page), client=("192.0.2.7", 4711))
        headers = {"accept": "text/html"}
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
            try:
                return [(await client.get(path)).text for path in paths]
            finally:
                await kit.stop()

    return asyncio.run(run())


def test_a_sixth_language_speaks_in_banner_and_settings(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "words", "pl", POLISH)
    polish = settings(tmp_path, languages=["pl", "en"], catalogues="words")
    banner, own = shown(polish, "/", "/consentkit/settings?lang=pl")
    for markup in (Markup(banner), Markup(own)):
        assert markup.find(lang="pl")
        assert "Pliki cookie: twój wybór" in markup.text
        assert "Zaakceptuj wszystkie" in markup.text
        assert "Odrzuć wszystkie" in markup.text
    text = Markup(own).text
    assert "3 pliki cookie" in text  # few
    assert "1 dzień" in text  # one
    assert "22 dni" in text
    assert "25 dni" in text
    assert "Polski" in text


def test_what_a_language_leaves_out_is_said_in_english(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "words", "pl", POLISH)
    (own,) = shown(settings(tmp_path, languages=["pl"], catalogues="words"), "/consentkit/settings")
    assert "To understand how the site is used." in Markup(own).text


def test_single_words_of_ours_are_replaced(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "words", "lv", {"Accept all": "Atļaut visas"})
    (banner,) = shown(settings(tmp_path, languages=["lv"], catalogues="words"), "/")
    text = Markup(banner).text
    assert "Atļaut visas" in text
    assert "Noraidīt visas" in text


def test_a_template_of_the_sites_own_replaces_ours_and_no_other(tmp_path: Path) -> None:
    own = tmp_path / "looks" / "consentkit" / "_way_back.html"
    own.parent.mkdir(parents=True)
    own.write_text('<nav class="ck ck-way"><a class="ck-back" href="{{ view.mount }}/settings">A house</a></nav>')
    (banner,) = shown(settings(tmp_path, languages=["en"], templates="looks"), "/")
    text = Markup(banner).text
    assert "A house" in text
    assert "Accept all" in text


@pytest.mark.parametrize("key", ["templates", "catalogues"])
@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_folder_that_is_not_there_is_refused_at_start(tmp_path: Path, key: str, kind: str) -> None:
    if kind == "file":
        (tmp_path / "own").write_text("")
    with pytest.raises(SettingsError, match=f"site.{key}: is no folder"):
        ConsentKit(settings(tmp_path, languages=["en"], **{key: "own"}))


@pytest.mark.parametrize(
    "content", [b"", b"msgid", b"\xde\x12\x04\x95" + b"\xff" * 24], ids=["empty", "text", "cut"]
)
def test_a_catalogue_that_is_broken_is_refused_at_start(tmp_path: Path, content: bytes) -> None:
    write_catalogue(tmp_path / "words", "pl", POLISH)
    (tmp_path / "words/pl/LC_MESSAGES/consentkit.mo").write_bytes(content)
    with pytest.raises(SettingsError, match=r"site.catalogues: the catalogue of 'pl' is broken"):
        ConsentKit(settings(tmp_path, languages=["pl"], catalogues="words"))


def test_a_language_without_a_catalogue_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"site.languages: 'pl' has no catalogue"):
        ConsentKit(settings(tmp_path, languages=["en", "pl"]))
