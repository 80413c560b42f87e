"""What is declared: who wins, what is found, who provides, what a policy says."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec
import pytest

from consentkit.consent.catalogue import read_service
from consentkit.consent.declared import DeclaredCookie, text_for
from consentkit.consent.registry import Registry, additions
from consentkit.errors import SettingsError
from consentkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

Table: TypeAlias = dict[str, object]

THEME: Table = {"name": "theme", "category": "preferences", "purpose": "Light or dark", "lifetime_days": 365}
CHAT: Table = {
    "id": "chat",
    "name": "Chat",
    "provider": "Chat OÜ",
    "category": "preferences",
    "purpose": "Lets you write to us",
    "country": "EE",
    "hosts": ["chat.example.com"],
    "storage_keys": ["chat-*"],
}


def build(consent: Mapping[str, object] | None = None, **site: object) -> Registry:
    data = {"site": {"operator": "SIA Piemērs", **site}, "consent": {"presets": [], **(consent or {})}}
    return Registry.build(Settings.from_mapping(data))


def find(registry: Registry, name: bytes) -> DeclaredCookie:
    cookie = registry.find(name)
    assert cookie is not None
    return cookie


def test_settings_without_anything_optional_have_no_category_to_ask_about() -> None:
    registry = Registry.build(Settings())

    assert registry.categories == ()
    assert find(registry, b"session").category == "necessary"
    assert msgspec.json.decode(registry.policy()) == {"format": 1, "categories": {}}


def test_choice_cookie_is_known_with_and_without_its_prefix() -> None:
    registry = build({"lifetime_days": 100, "cookie": "wish"}, mount="/c")

    for name, path in ((b"__Host-wish", "/"), (b"wish", "/"), (b"wish_id", "/c")):
        cookie = find(registry, name)
        assert (cookie.category, cookie.path, cookie.lifetime_days) == ("necessary", path, 100)
        assert cookie.provider == "SIA Piemērs"
        assert set(cookie.purpose) == {"lv", "ru", "en", "et", "lt"}
    assert registry.find(b"consentkit") is None


def test_choice_cookie_for_a_whole_domain_has_no_prefix() -> None:
    registry = build({"cookie_domain": "example.com"})

    assert registry.find(b"__Host-consentkit") is None
    assert find(registry, b"consentkit").domain == "example.com"
    assert find(registry, b"consentkit_id").domain == ""


@pytest.mark.parametrize("name", ["consentkit", "__Host-consentkit", "consentkit_id"])
def test_own_cookie_cannot_be_declared_otherwise(name: str) -> None:
    with pytest.raises(SettingsError, match="consentkit's own cookie") as raised:
        build({"cookies": [{**THEME, "name": name, "category": "marketing"}]})

    assert raised.value.key == "consent.cookies[0]"


def test_own_cookie_is_found_before_a_glob_that_covers_it() -> None:
    registry = build({"cookies": [{**THEME, "name": "c*", "category": "marketing"}]})

    assert find(registry, b"consentkit_id").category == "necessary"
    assert find(registry, b"cart").category == "marketing"


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        pytest.param(b"_ga", "_ga", id="whole name"),
        pytest.param(b"_ga_ABC123", "_ga_*", id="glob"),
        pytest.param(b"_GA", None, id="case"),
        pytest.param(b"x_ga_ABC", None, id="anchored at the beginning"),
        pytest.param(b"_gax", None, id="anchored at the end"),
        pytest.param(b"_ga_*", "_ga_*", id="the glob's own name"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"_ga_\xff\x00\n", "_ga_*", id="any bytes"),
        pytest.param(b"_ga_" + b"x" * 252, "_ga_*", id="as long as allowed"),
        pytest.param(b"_ga_" + b"x" * 253, None, id="over 256 bytes"),
    ],
)
def test_find(name: bytes, declared: str | None) -> None:
    cookie = build({"services": [{"use": "google-analytics"}]}).find(name)

    assert (cookie.name if cookie else None) == declared


def test_whole_name_counts_before_a_glob_and_the_sites_glob_before_a_services() -> None:
    registry = build(
        {
            "cookies": [
                {**THEME, "name": "_ga_KEPT*"},
                {**THEME, "name": "_ga_KEPT1", "category": "necessary"},
            ],
            "services": [{"use": "google-analytics"}],
        }
    )

    assert find(registry, b"_ga_KEPT1").category == "necessary"
    assert find(registry, b"_ga_KEPT2").category == "preferences"
    assert find(registry, b"_ga_OTHER").category == "statistics"


def test_third_partys_cookie_is_listed_but_no_cookie_of_this_site() -> None:
    registry = build({"services": [{"use": "vimeo"}]})

    assert "player" in {cookie.name for cookie in registry.cookies}
    assert registry.find(b"player") is None
    assert "statistics" not in registry.names_by_category
    assert registry.categories == ("statistics",)


def test_sites_own_declaration_wins_and_keeps_whose_cookie_it_is() -> None:
    shorter = {"name": "_ga", "category": "statistics", "purpose": "Counts", "lifetime_days": 90}
    registry = build({"cookies": [shorter], "services": [{"use": "google-analytics"}]})

    cookie = find(registry, b"_ga")

    assert (cookie.lifetime_days, cookie.purpose) == (90, {"lv": "Counts"})
    assert (cookie.provider, cookie.service) == ("Google Ireland Limited", "google-analytics")
    assert [each.name for each in registry.cookies].count("_ga") == 1
    service = registry.service("google-analytics")
    assert service is not None
    assert [each.lifetime_days for each in service.cookies] == [90, 730]


def test_sites_own_declaration_may_move_a_cookie_to_another_category() -> None:
    registry = build({"presets": ["flask-login"], "cookies": [{**THEME, "name": "remember_token"}]})

    assert find(registry, b"remember_token").purpose == {"lv": "Light or dark"}


def test_presets_that_share_a_cookie_keep_the_longer_lifetime() -> None:
    registry = build({"presets": ["csrf", "starlette", "quart", "django"]})

    assert find(registry, b"session").lifetime_days == 31
    assert find(registry, b"csrftoken").lifetime_days == 364


def test_two_services_that_disagree_on_a_category_are_an_error_that_names_both() -> None:
    cookie = {"name": "_x", "lifetime_days": 1}
    services = [
        {**CHAT, "cookies": [cookie]},
        {**CHAT, "id": "ads", "category": "marketing", "cookies": [cookie]},
    ]

    with pytest.raises(SettingsError) as raised:
        build({"services": services})

    assert raised.value.key == "consent.services[1]"
    assert "consent.services[0] as preferences" in raised.value.fault
    assert '"_x" as marketing' in raised.value.fault
    settled = build({"services": services, "cookies": [{**THEME, "name": "_x", "category": "marketing"}]})
    assert find(settled, b"_x").category == "marketing"


def test_service_and_preset_that_disagree_are_an_error() -> None:
    chat = {**CHAT, "cookies": [{"name": "csrftoken", "lifetime_days": 1}]}

    with pytest.raises(SettingsError, match="preferences") as raised:
        build({"services": [chat], "presets": ["django"]})

    assert raised.value.key == "consent.presets[0]"


@pytest.mark.parametrize(
    ("consent", "key"),
    [
        pytest.param({"presets": ["starlette", "djngo"]}, "consent.presets[1]", id="preset"),
        pytest.param({"services": [{"use": "matomoo"}]}, "consent.services[0].use", id="service"),
    ],
)
def test_unknown_name_is_refused_with_its_key(consent: Table, key: str) -> None:
    with pytest.raises(SettingsError, match="did you mean") as raised:
        build(consent)

    assert raised.value.key == key


def test_service_of_the_catalogue_takes_what_the_settings_write() -> None:
    registry = build(
        {
            "services": [
                {
                    "use": "google-tag-manager",
                    "id": "tags",
                    "category": "statistics",
                    "hosts": ["tags.example.com"],
                    "purpose": {"lv": "Tagi", "en": "Tags"},
                }
            ]
        }
    )

    service = registry.service("tags")

    assert service is not None
    assert registry.categories == ("statistics",)
    assert (service.hosts, service.name) == (("tags.example.com",), "Google Tag Manager")
    assert service.purpose == {"lv": "Tagi", "en": "Tags"}
    assert registry.service("google-tag-manager") is None


def test_list_of_cookies_written_for_a_service_replaces_the_catalogues() -> None:
    cookies = [{"name": "_clck", "lifetime_days": 30}, {"name": "CLID", "lifetime_days": 365}]
    registry = build({"services": [{"use": "microsoft-clarity", "cookies": cookies}]})

    service = registry.service("microsoft-clarity")

    assert service is not None
    assert {cookie.name: cookie.third_party for cookie in service.cookies} == {"_clck": False, "CLID": True}
    assert registry.categories == ("statistics",)  # without MUID nothing serves advertising
    cookie = find(registry, b"_clck")
    assert (cookie.provider, cookie.service) == ("Microsoft Ireland Operations Limited", "microsoft-clarity")
    assert cookie.purpose == service.purpose


def test_self_hosted_service_is_the_operators() -> None:
    registry = build({"services": [{"use": "matomo", "hosts": ["stats.example.com"]}]}, storage_region="LT")

    service = registry.service("matomo")

    assert service is not None
    assert (service.provider, service.country) == ("SIA Piemērs", "LT")
    assert service.hosts == ("stats.example.com",)
    assert registry.providers("statistics") == ()


def test_categories_in_use_stand_in_the_order_in_which_visitors_are_asked() -> None:
    registry = build(
        {
            "cookies": [{**THEME, "name": "ad", "category": "marketing"}, THEME],
            "services": [{"use": "matomo"}],
        }
    )

    assert registry.categories == ("preferences", "statistics", "marketing")


def test_service_without_cookies_brings_its_category() -> None:
    assert build({"services": [{"use": "google-tag-manager"}]}).categories == ("marketing",)


def test_names_and_storage_keys_by_category() -> None:
    registry = build({"cookies": [THEME], "services": [CHAT]})

    assert registry.names_by_category == {
        "necessary": (
            "__Host-consentkit",
            "consentkit",
            "consentkit_id",
            "__Secure-consentkit_admin",
            "consentkit_admin",
        ),
        "preferences": ("theme",),
    }
    assert registry.storage_keys_by_category == {"preferences": ("chat-*",)}


def test_providers_are_the_others_each_once() -> None:
    cookies = [
        THEME,
        {**THEME, "name": "a", "provider": "AS Otra"},
        {**THEME, "name": "b", "provider": "AS Otra"},
    ]
    registry = build({"cookies": cookies, "services": [CHAT]})

    assert registry.providers("preferences") == ("AS Otra", "Chat OÜ")
    assert registry.providers("necessary") == ()


def test_provider_of_a_cookie_in_another_category_stands_in_both() -> None:
    registry = build({"services": [{"use": "microsoft-clarity"}]})

    assert registry.categories == ("statistics", "marketing")
    assert registry.providers("statistics") == registry.providers("marketing")


@pytest.mark.parametrize(
    ("language", "default", "text"),
    [
        pytest.param("ru", "lv", "по-русски", id="the language"),
        pytest.param("ru-LV", "lv", "по-русски", id="its first subtag"),
        pytest.param("et", "lv", "latviski", id="the site's first"),
        pytest.param("et", "lt", "in English", id="English"),
    ],
)
def test_purpose_falls_back(language: str, default: str, text: str) -> None:
    texts = {"ru": "по-русски", "lv": "latviski", "en": "in English"}
    cookie = DeclaredCookie(name="a", category="preferences", purpose=texts, provider="")

    assert cookie.purpose_for(language, default) == text


@pytest.mark.parametrize(("texts", "text"), [({"fi": "suomeksi"}, "suomeksi"), ({}, "")])
def test_purpose_falls_back_to_any(texts: dict[str, str], text: str) -> None:
    assert text_for(texts, "lv", "en") == text


def test_single_text_is_in_the_sites_first_language() -> None:
    registry = build({"cookies": [THEME], "services": [CHAT]}, languages=["et", "en"])

    assert find(registry, b"theme").purpose == {"et": "Light or dark"}
    service = registry.service("chat")
    assert service is not None
    assert service.purpose_for("lv", "et") == "Lets you write to us"


# What is asked again: a change of the settings, and the categories to which it adds something.
BEFORE: Table = {"cookies": [THEME], "services": [CHAT, {"use": "matomo"}]}
ASKED = [
    pytest.param({}, [], id="nothing changed"),
    pytest.param({"cookies": [{**THEME, "purpose": "Dark or light"}]}, [], id="wording"),
    pytest.param({"cookies": [{**THEME, "purpose": {"lv": "Light or dark", "ru": "…"}}]}, [], id="translation"),
    pytest.param({"cookies": []}, [], id="cookie removed"),
    pytest.param({"cookies": [], "services": []}, [], id="categories removed"),
    pytest.param({"cookies": [{**THEME, "lifetime_days": 30}]}, [], id="shorter lifetime"),
    pytest.param({"cookies": [{**THEME, "path": "/app", "on_refusal": "session"}]}, [], id="enforcement"),
    pytest.param({"presets": ["django"]}, [], id="necessary cookies"),
    pytest.param({"cookies": [THEME, {**THEME, "name": "n", "category": "necessary"}]}, [], id="necessary"),
    pytest.param({"services": [{**CHAT, "hosts": ["b.example.com"]}, {"use": "matomo"}]}, [], id="host"),
    pytest.param({"services": [{**CHAT, "name": "Talk"}, {"use": "matomo"}]}, [], id="service renamed"),
    pytest.param({"services": [{"use": "matomo"}, CHAT]}, [], id="order"),
    pytest.param({"cookies": [THEME, {**THEME, "name": "size"}]}, ["preferences"], id="cookie"),
    pytest.param({"cookies": [{**THEME, "lifetime_days": 366}]}, ["preferences"], id="longer lifetime"),
    pytest.param({"cookies": [{**THEME, "provider": "AS Otra"}]}, ["preferences"], id="provider"),
    pytest.param(
        {"services": [{**CHAT, "storage_keys": ["chat-*", "talk"]}, {"use": "matomo"}]},
        ["preferences"],
        id="storage key",
    ),
    pytest.param({"services": [{**CHAT, "country": "US"}, {"use": "matomo"}]}, ["preferences"], id="country"),
    pytest.param(
        {"services": [CHAT, {"use": "matomo"}, {"use": "vimeo"}]},
        ["statistics"],
        id="service of the catalogue",
    ),
    pytest.param(
        {"services": [CHAT, {"use": "matomo", "provider": "Stats SIA", "country": "LV"}]},
        ["statistics"],
        id="somebody else hosts it",
    ),
    pytest.param({"cookies": [{**THEME, "category": "marketing"}]}, ["marketing"], id="moved to a new category"),
    pytest.param(
        {"services": [CHAT, {"use": "microsoft-clarity"}]}, ["marketing", "statistics"], id="two categories"
    ),
]


@pytest.mark.parametrize(("change", "asked"), ASKED)
def test_additions(change: Table, asked: list[str]) -> None:
    old, new = build(BEFORE).policy(), build({**BEFORE, **change}).policy()

    assert additions(old, new) == set(asked)


@pytest.mark.parametrize("site", [{"operator": "SIA Cits"}, {"storage_region": "DE"}, {"languages": ["en"]}])
def test_operators_own_name_region_and_languages_add_nothing(site: Table) -> None:
    assert additions(build(BEFORE).policy(), build(BEFORE, **site).policy()) == set()


def test_session_cookie_that_becomes_lasting_is_longer() -> None:
    session = {key: value for key, value in THEME.items() if key != "lifetime_days"}
    lasting, short = build({"cookies": [THEME]}).policy(), build({"cookies": [session]}).policy()

    assert additions(short, lasting) == {"preferences"}
    assert additions(lasting, short) == set()


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b"{}", id="another object"),
        pytest.param(b'{"format":2,"categories":{}}', id="another format"),
    ],
)
def test_old_policy_that_cannot_be_read_asks_for_everything_again(old: bytes) -> None:
    assert additions(old, build(BEFORE).policy()) == {"preferences", "statistics"}


def test_policy_is_canonical_whatever_the_order_of_the_settings() -> None:
    cookies = [THEME, {**THEME, "name": "size"}]
    first = build({"cookies": cookies, "services": [CHAT, {"use": "matomo"}]})
    second = build({"cookies": cookies[::-1], "services": [{"use": "matomo"}, CHAT]})

    assert first.policy() == second.policy()


def test_policy_holds_no_text_of_a_purpose() -> None:
    policy = build(BEFORE).policy().decode()

    assert "Light or dark" not in policy
    assert read_service("matomo", key="test").purpose["lv"] not in policy
