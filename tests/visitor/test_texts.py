from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from hypothesis import given
from hypothesis import strategies as st

from consentkit.errors import SettingsError
from consentkit.visitor import wording
from consentkit.web.texts import Texts, parse_accept_language

LANGUAGES = ("lv", "ru", "en", "et", "lt")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("items", [[], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]], ids=len)
def test_lists_are_joined_as_cldr_says(texts: Texts, language: str, items: list[str]) -> None:
    assert texts[language].join(items) == format_list(items, locale=language)


@pytest.mark.parametrize(
    ("language", "pattern"),
    [("lv", "dd.MM.y"), ("ru", "dd.MM.y"), ("et", "dd.MM.y"), ("lt", "y-MM-dd"), ("en", "long")],
)
@pytest.mark.parametrize("day", [date(2026, 1, 5), date(2026, 11, 23), date(2031, 12, 31)], ids=str)
def test_dates_are_written_as_cldr_says(texts: Texts, language: str, pattern: str, day: date) -> None:
    assert texts[language].date(day) == format_date(day, pattern, locale=language)


@pytest.mark.parametrize(
    ("language", "days", "words"),
    [
        ("lv", 90, "90 dienu"),
        ("lv", 1, "1 diena"),
        ("lv", 184, "184 dienas"),
        ("lv", 11, "11 dienu"),
        ("ru", 21, "21 день"),
        ("ru", 184, "184 дня"),
        ("ru", 365, "365 дней"),
        ("en", 1, "1 day"),
        ("en", 365, "365 days"),
        ("et", 2, "2 päeva"),
        ("lt", 90, "90 dienų"),
        ("lt", 365, "365 dienos"),
        ("lt", None, "iki naršyklės uždarymo"),
    ],
)
def test_lifetimes_stand_in_the_right_plural(texts: Texts, language: str, days: int | None, words: str) -> None:
    assert wording.lifetime(texts[language], days) == words


@pytest.mark.parametrize(
    ("page", "query", "accept", "chosen"),
    [
        ("ru", "en", "et", "ru"),
        ("de", "en", "et", "en"),
        (None, "en", "et", "en"),
        (None, "xx", "et", "et"),
        (None, None, "de, lt;q=0.5", "lt"),
        (None, None, "en;q=0.5, lt;q=0.9", "lt"),
        (None, None, "en-GB-oxendict", "en"),
        (None, None, "en;q=0, lt;q=0.1", "lt"),
        (None, None, "de, *;q=0.5", "lv"),
        (None, None, "", "lv"),
        (None, None, "en;q=2, et", "et"),
        (None, None, "en;q=0.1234, et;q=0.1", "et"),
        ("EN-us", None, "", "en"),
        ("et_EE", None, "", "et"),
        ("lv", "ru", "", "lv"),
        (None, "x" * 10_000, "", "lv"),
    ],
)
def test_the_language_is_the_pages_then_the_querys_then_the_browsers(
    texts: Texts, page: str | None, query: str | None, accept: str, chosen: str
) -> None:
    assert texts.choose(page=page, query=query, accept_language=accept) == chosen


def test_a_site_with_a_regional_language_serves_its_neighbours() -> None:
    texts = Texts(["lv", "en-GB"])
    assert texts.choose(accept_language="en-US, lv;q=0.5") == "en-GB"
    assert texts["en-GB"].gettext("Accept all") == "Accept all"


def test_equal_weights_keep_the_order_given() -> None:
    assert parse_accept_language("lt;q=0.5, en, et;q=0.5, ru") == ["en", "ru", "lt", "et"]


def test_only_the_first_twenty_ranges_are_read() -> None:
    assert len(parse_accept_language(",".join(["en"] * 500))) == 20


@given(st.text(max_size=3_000))
def test_any_header_text_gives_a_language_of_the_site(texts: Texts, field: str) -> None:
    assert texts.choose(page=field, query=field, accept_language=field) in LANGUAGES


@given(st.text(alphabet=" ,;=q.01*-aZ\t", max_size=1_200))
def test_ranges_read_from_near_misses_are_well_formed(field: str) -> None:
    for tag in parse_accept_language(field):
        assert tag == "*" or tag.replace("-", "").isalnum()


def test_a_language_without_a_catalogue_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match="'pl' has no catalogue"):
        Texts(["lv", "pl"])


def write_catalogue(folder: Path, language: str, messages: dict[str, str]) -> None:
    catalogue = Catalog(locale=language)
    for message, translation in messages.items():
        catalogue.add(message, translation)
    path = folder / language / "LC_MESSAGES" / "consentkit.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        write_mo(stream, catalogue)


def test_a_site_adds_a_language_by_dropping_in_its_catalogue(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "pl", {"Accept all": "Zaakceptuj wszystkie"})
    say = Texts(["lv", "pl"], folders=[tmp_path])["pl"]
    assert say.gettext("Accept all") == "Zaakceptuj wszystkie"
    assert say.gettext("Reject all") == "Reject all"
    assert say.ngettext("{n} day", "{n} days", 2) == "2 days"
    assert say.join(["a", "b"]) == "a, b"
    assert say.date(date(2026, 11, 23)) == "2026-11-23"


def test_a_site_replaces_single_messages_and_keeps_ours(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "lv", {"Settings": "Izvēlēties"})
    say = Texts(["lv"], folders=[tmp_path])["lv"]
    assert say.gettext("Settings") == "Izvēlēties"
    assert say.gettext("Accept all") == "Pieņemt visas"
    assert say.ngettext("{n} day", "{n} days", 90) == "90 dienu"


def test_a_language_the_site_lacks_speaks_the_default(texts: Texts) -> None:
    assert texts["fi"].language == "lv"


def test_the_request_names_third_parties_or_says_there_are_none(texts: Texts) -> None:
    def ask(providers: tuple[str, ...]) -> str:
        return " ".join(
            wording.request_text(
                texts["en"], operator="SIA P", categories=["statistics"], providers=providers, embeds=False
            )
        )

    assert "Other companies set them too: A and B." in ask(("A", "B"))
    assert "No other company" not in ask(("A", "B"))
    assert "No other company is involved." in ask(())
    assert ask(()).startswith("If you agree, SIA P uses cookies on your device to understand how")


def test_values_are_filled_in_and_never_read_as_patterns(texts: Texts) -> None:
    operator = "{providers} {0} {operator.__class__}"
    text = wording.request_text(
        texts["en"], operator=operator, categories=["marketing"], providers=(), embeds=True
    )
    assert operator in text[0]


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ({"statistics": False}, "Saved: optional cookies are off."),
        ({"statistics": True}, "Saved: optional cookies are on."),
        ({"statistics": True, "marketing": False}, "Your choice is saved."),
    ],
    ids=["off", "on", "mixed"],
)
def test_the_line_after_an_answer_says_what_holds(texts: Texts, categories: dict[str, bool], message: str) -> None:
    assert wording.saved_message(texts["en"], categories) == message
