from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from consentkit import Settings
from consentkit.cli.explain import explain
from consentkit.consent.registry import Registry
from consentkit.errors import SettingsError
from consentkit.web.coverage import left_in_english


def write_polish(folder: Path) -> Path:
    catalogue = Catalog(locale="pl")
    catalogue.add("Accept all", "Zaakceptuj wszystkie")
    catalogue.add(("{n} day", "{n} days"), ("{n} dzień", "{n} dni", "{n} dni"))
    catalogue.add("English", "Polski", context="this language")
    catalogue.add("Nowhere said", "Nigdzie")
    path = folder / "pl" / "LC_MESSAGES" / "consentkit.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        write_mo(stream, catalogue)
    return path


@pytest.mark.parametrize("language", ["lv", "ru", "en", "et", "lt"])
def test_our_own_languages_leave_nothing_out(language: str) -> None:
    left, total = left_in_english(language)
    assert left == 0
    assert total > 50


def test_a_new_language_is_told_what_it_leaves_out(tmp_path: Path) -> None:
    write_polish(tmp_path)
    left, total = left_in_english("pl", folders=[tmp_path])
    assert total - left == 3  # the plural and the one with a context among them


@pytest.mark.parametrize(
    "content", [b"", b"msgid", b"\xde\x12\x04\x95" + b"\xff" * 24], ids=["empty", "text", "cut"]
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, content: bytes) -> None:
    write_polish(tmp_path).write_bytes(content)
    with pytest.raises(SettingsError, match=r"site\.catalogues"):
        left_in_english("pl", folders=[tmp_path])


def test_check_warns_of_a_language_that_is_half_translated(tmp_path: Path) -> None:
    write_polish(tmp_path / "words")
    table = {"site": {"languages": ["pl", "en"], "catalogues": "words"}}
    settings = Settings.from_mapping(table, base=tmp_path)
    report = explain(settings, Registry.build(settings), has_secret=True)
    left, total = left_in_english("pl", folders=[tmp_path / "words"])
    told = [fact.value for fact in report.warnings if fact.name == "site.languages"]
    assert told == [f"{left} of {total} messages stand in English in pl"]
