"""The catalogue's files, each by each, and the look-up by name."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from consentkit.consent import catalogue
from consentkit.consent.catalogue import (
    KnownCookie,
    known_presets,
    known_services,
    read_own_purposes,
    read_preset,
    read_service,
)
from consentkit.consent.declared import NECESSARY, OPTIONAL
from consentkit.consent.globs import is_glob
from consentkit.errors import SettingsError
from consentkit.settings import EEA, Settings, values

LANGUAGES = {"lv", "ru", "en", "et", "lt"}
SERVICES = known_services()
PRESETS = known_presets()
COOKIES = [
    pytest.param(name, cookie, id=f"{name}:{cookie.name}")
    for name, cookies in (
        *((name, read_service(name, key="test").cookies) for name in SERVICES),
        *((name, read_preset(name, key="test").cookies) for name in PRESETS),
    )
    for cookie in cookies
]


def test_services_that_european_sites_use_are_there() -> None:
    assert set(SERVICES) >= {
        "google-ads",
        "google-analytics",
        "google-maps",
        "google-recaptcha",
        "google-tag-manager",
        "hotjar",
        "linkedin-insight",
        "matomo",
        "meta-pixel",
        "microsoft-clarity",
        "vimeo",
        "youtube-nocookie",
    }


def test_presets_of_the_frameworks_are_there() -> None:
    assert set(PRESETS) >= {"csrf", "django", "fastapi", "flask-login", "litestar", "quart", "starlette"}


@pytest.mark.parametrize("name", SERVICES)
def test_service_tells_who_where_why_and_from_which_page_it_is_known(name: str) -> None:
    service = read_service(name, key="test")

    assert service.id == name
    assert service.name
    assert service.category in OPTIONAL
    assert set(service.purpose) == LANGUAGES
    assert all(service.purpose.values())
    _assert_web_page(service.source)
    if service.self_hosted:
        assert (service.provider, service.country, service.hosts) == ("", "", ())
    else:
        assert service.provider
        assert len(service.country) == 2
        assert service.hosts
        _assert_web_page(service.privacy_url)
    assert all(country not in EEA for country in service.transfers)


@pytest.mark.parametrize("name", SERVICES)
def test_service_outside_the_eea_names_the_transfer(name: str) -> None:
    service = read_service(name, key="test")

    assert service.self_hosted or service.country in EEA or service.country in service.transfers


@pytest.mark.parametrize("name", SERVICES)
def test_service_passes_the_checks_of_the_settings(name: str) -> None:
    service = read_service(name, key="test")

    for host in service.hosts:
        values.require_host("hosts", host, wildcard=True)
    for key in (*service.storage_keys, *service.third_party_storage_keys):
        values.require_name_glob("storage_keys", key.replace(":", "-"))
    for country in (service.country, *service.transfers):
        if country:
            values.require_country("country", country)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_names_itself_and_its_source(name: str) -> None:
    preset = read_preset(name, key="test")

    assert preset.id == name
    assert preset.name
    assert preset.cookies
    _assert_web_page(preset.source)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_says_the_category_of_each_cookie_and_knows_no_third_party(name: str) -> None:
    for cookie in read_preset(name, key="test").cookies:
        assert cookie.category in (NECESSARY, "preferences")
        assert not cookie.third_party


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"django-language", "flask-login"}))
def test_preset_of_necessary_cookies_brings_no_category_to_ask_about(name: str) -> None:
    assert {cookie.category for cookie in read_preset(name, key="test").cookies} == {NECESSARY}


def test_sign_in_that_outlives_the_browser_is_a_preference_that_may_last_the_session() -> None:
    (cookie,) = read_preset("flask-login", key="test").cookies

    assert (cookie.name, cookie.category, cookie.on_refusal) == ("remember_token", "preferences", "session")


@pytest.mark.parametrize(("file", "cookie"), COOKIES)
def test_cookie_is_whole(file: str, cookie: KnownCookie) -> None:
    assert set(cookie.purpose) == LANGUAGES, file
    assert all(text and text == text.strip() and not text.endswith(".") for text in cookie.purpose.values())
    assert cookie.lifetime_days is None or 0 < cookie.lifetime_days <= 800
    assert cookie.category in ("", NECESSARY, *OPTIONAL)
    assert cookie.on_refusal == "drop" or cookie.category == "preferences"
    if cookie.source:
        _assert_web_page(cookie.source)


@pytest.mark.parametrize(("file", "cookie"), COOKIES)
def test_cookie_glob_is_anchored_at_a_beginning_that_is_its_own(file: str, cookie: KnownCookie) -> None:
    values.require_name_glob("name", cookie.name)
    if is_glob(cookie.name):
        literal = cookie.name.replace("?", "*").partition("*")[0]
        assert len(literal) >= 4, f"{file}: {cookie.name} would match other people's cookies"


@pytest.mark.parametrize("name", SERVICES)
def test_names_in_a_file_are_distinct(name: str) -> None:
    names = [cookie.name for cookie in read_service(name, key="test").cookies]

    assert len(names) == len(set(names))


def test_own_cookies_have_purposes_in_five_languages() -> None:
    own = read_own_purposes()

    assert set(own.choice) == set(own.id) == LANGUAGES


@pytest.mark.parametrize(
    ("read", "name", "key", "hint"),
    [
        pytest.param(read_preset, "starlete", "consent.presets[0]", 'did you mean "starlette"?', id="preset"),
        pytest.param(read_service, "matamo", "consent.services[2].use", 'did you mean "matomo"?', id="service"),
        pytest.param(read_preset, "zzzzzz", "consent.presets[1]", "known are: csrf, ", id="nothing near"),
        pytest.param(read_preset, "../services/vimeo", "consent.presets[1]", "", id="a path"),
        pytest.param(read_service, "matomo.toml", "consent.services[0].use", "matomo", id="file name"),
        pytest.param(read_service, "", "consent.services[0].use", "known are: ", id="empty"),
    ],
)
def test_unknown_name_is_refused_with_its_key_and_the_nearest_known(
    read: type[object], name: str, key: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        read(name, key=key)  # type: ignore[call-arg]  # one of the two readers

    assert raised.value.key == key
    assert hint in raised.value.allowed


def test_only_the_files_that_are_named_are_read() -> None:
    code = """
        import sys
        opened = []
        sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
        from consentkit.consent.registry import Registry
        from consentkit.settings import Settings
        assert not any("catalogue" in name and name.endswith(".toml") for name in opened), "read at import"
        Registry.build(Settings.from_mapping(
            {"consent": {"presets": ["quart"], "services": [{"use": "matomo"}]}}))
        read = {name.rpartition("catalogue")[2][1:] for name in opened if name.endswith(".toml")}
        files = {name.replace("\\\\", "/") for name in read}
        assert files == {"consentkit.toml", "presets/quart.toml", "services/matomo.toml"}, files
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=60, check=False).returncode == 0


def test_registry_loads_no_template_engine_no_cryptography_and_no_database() -> None:
    code = """
        import sys
        import consentkit.consent.registry
        heavy = {"jinja2", "cryptography", "sqlalchemy", "ua_parser", "maxminddb", "click", "rich"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_can_be_used_by_its_name_alone(name: str) -> None:
    from consentkit.consent.registry import Registry  # noqa: PLC0415 - the reader is tested without it above

    settings = Settings.from_mapping({"consent": {"services": [{"use": name}]}})

    service = Registry.build(settings).service(name)

    assert service is not None
    assert [cookie.name for cookie in service.cookies] == [
        cookie.name
        for third_party in (False, True)
        for cookie in read_service(name, key="test").cookies
        if cookie.third_party is third_party
    ]


def test_catalogue_lists_names_without_the_ending() -> None:
    assert all("." not in name for name in (*catalogue.known_services(), *catalogue.known_presets()))


@pytest.mark.parametrize("name", [*SERVICES, *PRESETS])
def test_documentation_lists_it(name: str) -> None:
    page = Path(__file__).parents[2].joinpath("docs", "catalogue.md").read_text(encoding="utf-8")

    assert f"| `{name}` |" in page


def _assert_web_page(url: str) -> None:
    parts = urlsplit(url)
    assert parts.scheme == "https", url
    assert "." in parts.netloc, url
