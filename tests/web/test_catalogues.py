from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from babel.plural import to_python

LOCALE = Path(__file__).resolve().parent.parent.parent / "consentkit" / "locale"
LANGUAGES = ("lv", "ru", "en", "et", "lt")
# Each catalogue's name, what says where its words are, and the folders to look into.
DOMAINS = {
    "consentkit": (
        "babel.cfg",
        ("consentkit/visitor", "consentkit/consent", "consentkit/archive/subject", "templates/consentkit"),
    ),
    "admin": ("babel-admin.cfg", ("consentkit/admin", "templates/consentkit/admin")),
}
pytestmark = pytest.mark.parametrize("domain", DOMAINS)
PLURAL_FORMS = {"lv": 3, "ru": 3, "en": 2, "et": 2, "lt": 3}

# CLDR 47, supplemental/plurals.xml: what each of a language's forms, in the catalogue's order, is for.
CLDR_ORDER = {
    "lv": ("zero", "one", "other"),
    "ru": ("one", "few", "many"),
    "en": ("one", "other"),
    "et": ("one", "other"),
    "lt": ("one", "few", "other"),
}


def catalogue(domain: str, language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / f"{domain}.po").open("rb") as stream:
        return read_po(stream, locale=language, abort_invalid=True)


def template(domain: str) -> Catalog:
    with (LOCALE / f"{domain}.pot").open("rb") as stream:
        return read_po(stream, abort_invalid=True)


def keys(messages: Catalog) -> set[tuple[str | None, str]]:
    return {(message.context, singular(message)) for message in messages if message.id}


def singular(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def translations(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def test_the_template_holds_what_code_and_templates_say(domain: str) -> None:
    config, folders = DOMAINS[domain]
    with (LOCALE / config).open(encoding="utf-8") as stream:
        methods, options = parse_mapping_cfg(stream)  # type: ignore[no-untyped-call]
    root = LOCALE.parent.parent
    said = set()
    for folder in folders:
        for _, _, message, _, context in extract_from_dir(
            root / folder,
            [
                (str(Path(pattern).relative_to(folder)), method)
                for pattern, method in methods
                if pattern.startswith(folder)
            ],
            {
                str(Path(pattern).relative_to(folder)): o
                for pattern, o in options.items()
                if pattern.startswith(folder)
            },
            DEFAULT_KEYWORDS,
        ):
            said.add((context, message if isinstance(message, str) else message[0]))
    assert keys(template(domain)) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_every_message_and_no_other(domain: str, language: str) -> None:
    assert keys(catalogue(domain, language)) == keys(template(domain))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_fuzzy_or_untranslated(domain: str, language: str) -> None:
    unfinished = [m.id for m in catalogue(domain, language) if m.id and (m.fuzzy or not all(translations(m)))]
    assert unfinished == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_message(domain: str, language: str) -> None:
    for message in catalogue(domain, language):
        wanted = re.findall(r"{(\w*)}", singular(message))
        for text in translations(message):
            assert set(re.findall(r"{(\w*)}", text)) == set(wanted), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_has_all_forms_of_its_language(domain: str, language: str) -> None:
    plurals = [message for message in catalogue(domain, language) if message.pluralizable]
    assert plurals
    assert {len(translations(message)) for message in plurals} == {PLURAL_FORMS[language]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_chosen_as_cldr_says(domain: str, language: str) -> None:
    babel = pytest.importorskip("babel").Locale(language)
    name_of = to_python(babel.plural_form)
    index_of = gettext.c2py(str(catalogue(domain, language).plural_expr))
    for n in range(1_200):
        assert CLDR_ORDER[language][index_of(n)] == name_of(n), n


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_says_what_its_source_says(domain: str, language: str) -> None:
    with (LOCALE / language / "LC_MESSAGES" / f"{domain}.mo").open("rb") as stream:
        compiled = gettext.GNUTranslations(stream)
    entries = dict(compiled._catalog)  # type: ignore[attr-defined]
    del entries[""]
    expected: dict[object, str] = {}
    for message in catalogue(domain, language):
        if not message.id:
            continue
        key = f"{message.context}\x04{singular(message)}" if message.context else singular(message)
        if message.pluralizable:
            expected |= {(key, index): text for index, text in enumerate(translations(message))}
        else:
            expected[key] = translations(message)[0]
    assert entries == expected


@pytest.mark.parametrize("language", ["lv", "ru", "et", "lt"])
def test_visitors_are_addressed_in_small_letters(domain: str, language: str) -> None:
    pronouns = {
        "lv": r"Jū(s|su|sus|ms)",
        "ru": r"В(ы|ам|ас|аш\w*)",
        "et": r"Te(ie|il|id)?",
        "lt": r"Jū(s|sų|ms|mis)",
    }
    inside = re.compile(rf"(?<=[\w,;:)] )\b{pronouns[language]}\b")
    assert [t for m in catalogue(domain, language) if m.id for t in translations(m) if inside.search(t)] == []


def test_no_russian_button_says_only_accept(domain: str) -> None:
    labels = [
        text.strip(" .") for message in catalogue(domain, "ru") if message.id for text in translations(message)
    ]
    assert "Принять" not in labels
