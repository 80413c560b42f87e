"""The privacy notice: every fact in it comes from the settings in force, and changes with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from consentkit.archive.farewell.countdown import Countdown
from consentkit.archive.lastday import last_day, wound_down_on
from consentkit.archive.period import new_period
from consentkit.archive.schedule import due_us
from consentkit.consent.names import CookieNames
from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.visitor.notice.page import PrivacyPage
from consentkit.visitor.notice.views import address_of
from consentkit.visitor.shell import Shell
from consentkit.web.assets import Assets
from consentkit.web.templates import Templates
from consentkit.web.territories import territory_name
from consentkit.web.texts import Texts
from tests.visitor.markup import Markup

LANGUAGES = ("lv", "ru", "en", "et", "lt")
NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
TEXTS = Texts(LANGUAGES)
ASSETS = Assets.load()
TEMPLATES = Templates()
DAY_US = 86_400_000_000

THEME = {"name": "theme", "category": "preferences", "purpose": "Light or dark", "lifetime_days": 365}
VIDEO = {
    "id": "video",
    "name": "Example Video",
    "provider": "Example Video Limited",
    "category": "marketing",
    "purpose": "Plays videos",
    "hosts": ["video.example.net"],
    "country": "US",
    "privacy_url": "https://video.example.net/privacy",
}
HOSTING = {
    "name": "SIA Mitināšana",
    "country": "LV",
    "role": "processor",
    "data": "all of it",
    "since": date(2026, 1, 1),
}
SITE = {
    "storage_region": "LV",
    "operator": "SIA Piemērs",
    "contact": "privacy@example.com",
    "registration": "40000000000",
    "address": "Piemēra iela 1, Rīga",
    "dpo": "dpo@example.com",
    "authority": "LV",
}
EVERYTHING: dict[str, Any] = {"site": SITE, "consent": {"cookies": [THEME]}}

Tables = Mapping[str, Mapping[str, Any] | list[Any]]


def notice(
    tables: Tables, language: str = "en", *, has_secret: bool = True, now: datetime = NOW, **page: Any
) -> str:
    settings = Settings.from_mapping(dict(tables), base=Path("/nonexistent"))
    shell = Shell(settings, TEXTS, ASSETS, mount=settings.site.mount, templates=TEMPLATES)
    registry = Registry.build(settings)
    names = CookieNames(settings.consent.cookie, has_prefix=not settings.consent.cookie_domain)
    pages = PrivacyPage(shell, settings, registry, names=names, has_secret=has_secret)
    return pages.render_privacy(language, now=now, **page)


def with_setting(table: str, **values: Any) -> dict[str, Any]:
    return {**EVERYTHING, table: {**EVERYTHING.get(table, {}), **values}}


def squeezed(text: str) -> str:
    """Return words without the spaces that a link's edges leave before punctuation."""
    return text.replace(" :", ":").replace(" .", ".")


def words(tables: Tables, language: str = "en", **options: Any) -> str:
    return Markup(notice(tables, language, **options)).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_is_whole_and_its_contents_lead_somewhere(language: str) -> None:
    tables = {**with_setting("consent", services=[VIDEO]), "recipients": [HOSTING]}
    markup = Markup(notice(tables, language))
    assert markup.is_nested
    assert markup.find("html", lang=language)
    ids = [attributes["id"] for _, attributes in markup.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    inner = [link["href"][1:] for link in markup.find("a") if (link["href"] or "").startswith("#")]  # type: ignore[index]
    assert len(set(inner)) == 15
    assert set(inner) <= set(ids)
    assert not markup.find("script")
    assert not markup.find("style")


# Setting, its value, and the words that the page must say with it and must not say without it.
CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("site", {"operator": "OÜ Näidis"}, "OÜ Näidis is responsible"),
    ("site", {"contact": "other@example.org"}, "Write to: other@example.org ."),
    ("site", {"registration": "12345678"}, "12345678"),
    ("site", {"address": "Pikk 1, Tallinn"}, "Pikk 1, Tallinn"),
    ("site", {"dpo": "officer@example.org"}, "officer@example.org"),
    ("site", {"authority": "EE"}, "Andmekaitse Inspektsioon, www.aki.ee"),
    ("site", {"authority": "LT"}, "Valstybinė duomenų apsaugos inspekcija, vdai.lrv.lt"),
    ("site", {"authority": {"name": "IMY", "url": "https://www.imy.example"}}, "IMY, www.imy.example"),
    ("site", {"privacy_url": "https://www.example.com/policy"}, "https://www.example.com/policy"),
    ("site", {"storage_region": "DE"}, "Germany (European Economic Area)"),
    (
        "site",
        {"storage_region": "US", "storage_transfer": "standard clauses"},
        "United States, outside the European Economic Area. Safeguard: standard clauses",
    ),
    ("site", {"service_ended": date(2026, 11, 1)}, "This service ended on November 1, 2026. On January 30, 2027"),
    ("site", {"service_ended": date(2026, 12, 1)}, "This service ends on December 1, 2026."),
    ("site", {"service_ended": date(2026, 11, 1), "wind_down_days": 30}, "On December 1, 2026 everything"),
    ("requestlog", {"retention_days": 30}, "No record gets older than 30 days."),
    ("requestlog", {"retention_days": 1, "truncate_ip_after_days": 1}, "No record gets older than 1 day."),
    ("requestlog", {"retention_days": 400, "retention_reason": "law on x"}, "Why for so long: law on x"),
    ("requestlog", {"rotate": "hour"}, "The records of each hour are encrypted"),
    (
        "requestlog",
        {"basis": "public_task", "basis_law": "Law on Schools §4"},
        "a task in the public interest (GDPR art. 6(1)(e)), by this law: Law on Schools §4",
    ),
    (
        "requestlog",
        {"basis": "legal_obligation", "basis_law": "Law on Banks §9"},
        "a legal obligation (GDPR art. 6(1)(c)), by this law: Law on Banks §9",
    ),
    ("requestlog", {"truncate_ip_after_days": 30}, "After 30 days the last part of IP addresses is cut off."),
    ("requestlog", {"truncate_ip_after_days": 0}, "the network of your IP address"),
    ("requestlog", {"keep_query_keys": ["page", "sort"]}, "those of: page, sort; all others"),
    ("requestlog", {"keep_query_keys": []}, "none of the values after its question mark"),
    ("requestlog", {"redact_paths": False}, "with all of its path"),
    ("requestlog", {"geo_database": "places.mmdb"}, "the country of your IP address"),
    ("requestlog", {"geo_database": "places.mmdb", "geo_precision": "city"}, "the country and the city"),
    ("consent", {"lifetime_days": 100}, "The cookie: 100 days, then you are asked again."),
    ("consent", {"cookie": "choice"}, "in the cookie __Host-choice :"),
    ("consent", {"cookie_domain": "example.com"}, "in the cookie consentkit :"),
    ("consent", {"services": [VIDEO]}, "Example Video, Example Video Limited : United States, outside"),
    ("consent", {"services": [VIDEO | {"country": ""}]}, "has not said in which country"),
    ("consent", {"services": [VIDEO]}, "may make a profile of you"),
    ("consent", {"deny_only": True}, "Optional cookies are off on this site."),
    ("consent", {"cookies": []}, "This site uses only cookies that it cannot work without."),
    ("keep", {"audit": 400}, "400 days"),
    ("keep", {"proof": 1000}, "1000 days after the consent has ended"),
    ("keep", {"incident_review": 45}, "as a rule within 45 days"),
]


@pytest.mark.parametrize(
    ("table", "values", "said"), CHANGES, ids=[f"{c[0]}.{'+'.join(c[1])}-{n}" for n, c in enumerate(CHANGES)]
)
def test_a_setting_that_changes_changes_the_page(table: str, values: dict[str, Any], said: str) -> None:
    said = squeezed(said)
    before, after = (squeezed(words(each)) for each in (EVERYTHING, with_setting(table, **values)))
    assert said in after
    assert said not in before


KEY_FACTS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "requestlog",
        {"retention_days": 21},
        {
            "lv": "Neviens ieraksts nekļūst vecāks par 21 dienu.",
            "ru": "Ни одна запись не хранится дольше 21 дня.",
            "en": "No record gets older than 21 days.",
            "et": "Ükski kirje ei saa vanemaks kui 21 päeva.",
            "lt": "Joks įrašas nesaugomas ilgiau kaip 21 dieną.",
        },
    ),
    (
        "requestlog",
        {"retention_days": 30},
        {
            "lv": "Ieraksts par šo apmeklējumu tiks dzēsts ne vēlāk kā 23.12.2026.",
            "ru": "Запись об этом посещении будет удалена не позднее 23.12.2026.",
            "en": "The record of this visit will be deleted by December 23, 2026.",
            "et": "Selle külastuse kirje kustutatakse hiljemalt 23.12.2026.",
            "lt": "Šio apsilankymo įrašas bus ištrintas ne vėliau kaip 2026-12-23.",
        },
    ),
    (
        "requestlog",
        {"basis": "public_task", "basis_law": "§ 4"},
        {
            "lv": "6. panta 1. punkta e) apakšpunkts), ko nosaka: § 4",
            "ru": "(ст. 6(1)(e) GDPR), установленная законом: § 4",
            "en": "(GDPR art. 6(1)(e)), by this law: § 4",
            "et": "artikli 6 lõike 1 punkt e), mis tuleneb õigusaktist: § 4",
            "lt": "6 straipsnio 1 dalies e punktas), nustatyta teisės akte: § 4",
        },
    ),
    (
        "requestlog",
        {"truncate_ip_after_days": 10},
        {
            "lv": "Pēc 10 dienām IP adrešu pēdējo daļu nogriež.",
            "ru": "Через 10 дней последняя часть IP-адресов отсекается.",
            "en": "After 10 days the last part of IP addresses is cut off.",
            "et": "10 päeva pärast lõigatakse IP-aadresside viimane osa ära.",
            "lt": "Po 10 dienų paskutinė IP adresų dalis pašalinama.",
        },
    ),
    (
        "keep",
        {"proof": 500},
        {
            "lv": "Izvēles ierakstu: 500 dienu pēc piekrišanas beigām.",
            "ru": "Запись о выборе: 500 дней после окончания согласия.",
            "en": "The record of a choice: 500 days after the consent has ended.",
            "et": "Valiku kirjet: 500 päeva pärast nõusoleku lõppemist.",
            "lt": "Pasirinkimo įrašas: 500 dienų pasibaigus sutikimui.",
        },
    ),
    (
        "site",
        {"storage_region": ""},
        {
            "lv": "Nav norādīts, kurā valstī dati tiek glabāti.",
            "ru": "Не указано, в какой стране хранятся данные.",
            "en": "It is not stated in which country the data is kept.",
            "et": "Pole märgitud, millises riigis andmeid hoitakse.",
            "lt": "Nenurodyta, kurioje valstybėje saugomi duomenys.",
        },
    ),
    (
        "site",
        {"storage_region": "FI"},
        {
            "lv": "Somija (Eiropas Ekonomikas zona)",
            "ru": "Финляндия (Европейская экономическая зона)",
            "en": "Finland (European Economic Area)",
            "et": "Soome (Euroopa Majanduspiirkond)",
            "lt": "Suomija (Europos ekonominė erdvė)",
        },
    ),
    (
        "site",
        {"service_ended": date(2026, 11, 1)},
        {
            "lv": "Šis pakalpojums beidzās 01.11.2026. 30.01.2027 tiek iznīcināts viss",
            "ru": "Этот сервис прекратил работу 01.11.2026. 30.01.2027 будет уничтожено всё",
            "en": "This service ended on November 1, 2026.",
            "et": "See teenus lõppes 01.11.2026. 30.01.2027 hävitatakse kõik",
            "lt": "Ši paslauga baigėsi 2026-11-01. 2027-01-30 sunaikinama viskas",
        },
    ),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("table", "values", "said"), KEY_FACTS, ids=[f"{f[0]}.{next(iter(f[1]))}-{n}" for n, f in enumerate(KEY_FACTS)]
)
def test_what_matters_most_follows_the_settings_in_every_language(
    table: str, values: dict[str, Any], said: dict[str, str], language: str
) -> None:
    assert said[language] in words(with_setting(table, **values), language)
    assert said[language] not in words(EVERYTHING, language)


def section(page: str, name: str) -> str:
    """Return the words of one section."""
    _, _, rest = page.partition(f'aria-labelledby="{name}"')
    return Markup("<section>" + rest.partition(">")[2].partition("</section>")[0] + "</section>").text


def test_the_right_to_object_stands_in_a_section_of_its_own() -> None:
    page = notice(EVERYTHING)
    assert "You may object to this at any time" in section(page, "objection")
    assert page.count("You may object to this at any time") == 1
    markup = Markup(page)
    assert markup.find("a", href="mailto:privacy@example.com")


@pytest.mark.parametrize(
    ("basis", "concerned"),
    [("legitimate_interest", True), ("public_task", True), ("legal_obligation", False)],
)
def test_only_what_rests_on_interests_or_a_task_can_be_objected_to(basis: str, *, concerned: bool) -> None:
    page = notice(with_setting("requestlog", basis=basis, basis_law="§ 1"))
    assert ("The request log" in section(page, "objection")) is concerned
    assert "The record of access" in section(page, "objection")


def test_without_a_secret_nothing_is_claimed_against_who_has_the_disk() -> None:
    claim = "Whoever has the disk"
    assert claim in section(notice(EVERYTHING, has_secret=True), "protection")
    assert claim not in notice(EVERYTHING, has_secret=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_operator_has_not_given_is_said_to_be_missing(language: str) -> None:
    missing = TEXTS[language].gettext("not yet given by the operator")
    page = notice({}, language)
    assert section(page, "controller").count(missing) == 2
    assert missing in section(page, "objection")
    assert TEXTS[language].gettext("Which authority supervises this site: not yet given by the operator.") in page
    assert missing not in notice(EVERYTHING, language)


def test_recipients_are_named_with_their_time_and_past_ones_are_marked() -> None:
    gone = {
        "name": "Old Hosting Ltd",
        "country": "US",
        "transfer": {"en": "standard clauses", "lv": "līguma standartklauzulas"},
        "since": date(2024, 1, 1),
        "until": date(2026, 11, 22),
    }
    last = {**gone, "name": "Ends Today", "country": "EE", "until": date(2026, 11, 23)}
    page = notice({**EVERYTHING, "recipients": [gone, HOSTING, last]})
    listed = section(page, "recipients")
    assert listed.index("SIA Mitināšana") < listed.index("Old Hosting Ltd")
    assert "SIA Mitināšana since January 1, 2026 processor" in listed
    assert "from January 1, 2024 to November 22, 2026 no longer" in listed
    assert listed.count("no longer") == 1
    assert "Safeguard: standard clauses" in listed
    assert "Old Hosting" not in section(page, "place")  # nothing goes there any more
    assert "līguma standartklauzulas" in notice({**EVERYTHING, "recipients": [gone]}, "lv")


def test_a_site_without_recipients_says_so() -> None:
    page = notice(EVERYTHING)
    assert "Nobody outside the controller" in section(page, "recipients")
    assert "Nobody else." in section(page, "log")
    assert "Those named under" in section(notice({**EVERYTHING, "recipients": [HOSTING]}), "log")


def test_a_present_recipient_abroad_stands_with_its_safeguard() -> None:
    abroad = {"name": "Cloud Inc.", "country": "US", "transfer": "adequacy decision 2023/1795"}
    assert "Nothing of it is sent" in section(notice(EVERYTHING), "place")
    place = section(notice({**EVERYTHING, "recipients": [abroad]}), "place")
    assert "Cloud Inc.: United States, outside the European Economic Area. Safeguard: adequacy decision" in place
    assert "Nothing of it is sent" not in place


def test_a_site_that_asks_nothing_speaks_of_no_choice() -> None:
    for tables in ({**EVERYTHING, "consent": {}}, with_setting("consent", deny_only=True)):
        page = notice(tables)
        assert 'id="choices"' not in page
        assert "art. 7(3)" not in page
        assert "Theme" not in page


def test_texts_of_the_settings_can_break_no_markup() -> None:
    hostile = '"><script>alert(1)</script>'
    tables: Tables = {
        "site": {**SITE, "operator": hostile, "contact": hostile, "dpo": f"a@b.c{hostile}"},
        "requestlog": {"basis": "public_task", "basis_law": hostile, "keep_query_keys": [hostile]},
        "recipients": [HOSTING | {"name": hostile, "role": hostile}],
    }
    markup = Markup(notice(tables))
    assert markup.is_nested
    assert not markup.find("script")


@pytest.mark.parametrize(
    ("contact", "address"),
    [
        ("privacy@example.com", "mailto:privacy@example.com"),
        ("https://example.com/contact", "https://example.com/contact"),
        ("Piemēra iela 1", ""),
        ("javascript:alert(1)@example.com", ""),
        ("a@example.com?bcc=b@example.com", ""),
        ("a@b", ""),
        ("", ""),
    ],
)
def test_only_mailboxes_and_web_addresses_become_links(contact: str, address: str) -> None:
    assert address_of(contact) == address


def test_the_cookie_has_its_name_without_prefix_where_the_page_came_over_http() -> None:
    assert "__Host-consentkit" in notice(EVERYTHING, is_secure=True)
    assert "__Host-consentkit" not in notice(EVERYTHING, is_secure=False)


@given(
    now=st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - given its zone below
    rotate=st.sampled_from(["hour", "day"]),
    retention_days=st.integers(1, 800),
    ended=st.none() | st.dates(date(2025, 6, 1), date(2101, 1, 1)),
    wind_down_days=st.integers(0, 92),
)
def test_the_day_of_deletion_is_the_schedules_own(
    now: datetime, rotate: Any, retention_days: int, ended: date | None, wind_down_days: int
) -> None:
    now = now.replace(tzinfo=UTC)
    site = {"wind_down_days": wind_down_days, **({"service_ended": ended} if ended else {})}
    log = {"rotate": rotate, "retention_days": retention_days, "retention_reason": "a test"}
    settings = Settings.from_mapping({"site": site, "requestlog": log}, base=Path("/nonexistent"))
    period = new_period(int(now.timestamp() * 1_000_000), rotate)
    goes_us = due_us(period, retention_days)
    over_us = Countdown(ended, wind_down_days, retention_days).over_us
    if over_us is not None:
        goes_us = min(goes_us, max(over_us, period.until_us))
        assert (
            wound_down_on(settings) == (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=over_us)).date()
        )
    assert last_day(settings, now) == (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=goes_us)).date()


def test_states_are_called_as_cldr_says() -> None:
    for language in LANGUAGES:
        known = Locale(language).territories
        for code in ("LV", "EE", "LT", "DE", "CZ", "US", "GB", "IS", "NO", "LI", "CH"):
            assert territory_name(code, language) == known[code]
    assert territory_name("BR", "en") == "BR"
    assert territory_name("LV", "de") == "LV"


POSTGRESQL = {"url": "postgresql://u:hush@db.example.net/x"}
CLICKHOUSE = {"requests_url": "clickhouse://u:hush@ch.example.net/x"}
WHOLE = "What is kept is encrypted before it is written."
PARTLY = "encrypted before they reach the database; times, sizes and status codes are not"
BY_SERVER = "Choices and the record of access are protected by the database server's own means."


@pytest.mark.parametrize(
    ("storage", "said", "unsaid"),
    [
        ({}, [WHOLE, "can read none of it"], [PARTLY, BY_SERVER]),
        (POSTGRESQL, [PARTLY, BY_SERVER, "a copy of what is encrypted"], [WHOLE, "none of it"]),
        (
            CLICKHOUSE,
            [PARTLY, "What else is kept is encrypted before it is written."],
            [WHOLE, BY_SERVER, "none of it"],
        ),
        ({**POSTGRESQL, **CLICKHOUSE}, [PARTLY, BY_SERVER], [WHOLE, "none of it"]),
    ],
    ids=["embedded", "postgresql", "requests alone", "both"],
)
def test_no_more_is_called_encrypted_than_is(storage: dict[str, str], said: list[str], unsaid: list[str]) -> None:
    text = words(with_setting("storage", **storage))

    assert [one for one in said if one not in text] == []
    assert [one for one in unsaid if one in text] == []
    assert "hush" not in text
    assert "example.net" not in text


@pytest.mark.parametrize("rotate", ["hour", "day"])
def test_on_a_server_a_period_s_key_is_said_to_be_of_what_is_encrypted(rotate: str) -> None:
    tables = {**with_setting("storage", **POSTGRESQL), "requestlog": {"rotate": rotate}}

    text = words(tables)

    assert f"What is encrypted in the records of each {rotate} has a key of its own." in text
    assert f"The records of each {rotate} are encrypted" not in text
