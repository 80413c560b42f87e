from __future__ import annotations

import datetime
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from consentkit.errors import SettingsError
from consentkit.settings import Authority, CookieSetting, Settings, Storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OWN_SERVICE = """
[[consent.services]]
id = "chat"
name = "Chat"
provider = "SIA Piemērs"
category = "preferences"
purpose = "Answers questions"
"""


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = folder / "consentkit.toml"
    file.write_text(text, encoding="utf-8")
    return Settings.load(file, environ or {})


def refusal(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, environ)
    return caught.value


def cookie(**changes: object) -> str:
    fields: dict[str, object] = {"name": "theme", "category": "preferences", "purpose": "Light or dark"}
    return table("[[consent.cookies]]", fields | changes)


def recipient(**changes: object) -> str:
    return table("[[recipients]]", {"name": "SIA Mitinātājs", "country": "LV"} | changes)


def table(head: str, fields: Mapping[str, object]) -> str:
    lines = (f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in fields.items())
    return "\n".join((head, *lines))


# --- defaults and good values


def test_without_file_and_environment_the_defaults_hold() -> None:
    settings = Settings.load(None, {})
    assert settings.site.languages == ("lv", "ru", "en", "et", "lt")
    assert settings.site.mount == "/consentkit"
    assert settings.site.storage_region == ""
    assert settings.site.wind_down_days == 90
    assert settings.requestlog.rotate == "day"
    assert settings.requestlog.retention_days == 90
    assert settings.requestlog.truncate_ip_after_days is None
    assert settings.requestlog.keep_query_keys == ("page",)
    assert settings.requestlog.spool_max_mb == 512
    assert settings.consent.lifetime_days == 184
    assert settings.consent.presets == ("starlette",)
    assert (settings.keep.audit, settings.keep.proof, settings.keep.incident_review) == (730, 1095, 90)


def test_the_defaults_of_an_empty_file_are_those_of_no_file(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.storage.directory == tmp_path / "var/consentkit"
    assert settings.consent == Settings().consent
    assert settings.requestlog == Settings().requestlog


def test_storage_without_a_file_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.load(None, {}).storage.directory == tmp_path / "var/consentkit"
    assert Settings().storage.keys == tmp_path / "var/consentkit-keys"


@pytest.mark.parametrize(
    ("text", "directory", "keys"),
    [
        pytest.param('directory = "data"', "data", "data-keys", id="keys beside the directory"),
        pytest.param('directory = "a/../data"\nkeys = ""', "data", "data-keys", id="dots and empty keys"),
        pytest.param('keys = "elsewhere/keys"', "var/consentkit", "elsewhere/keys", id="keys elsewhere"),
        pytest.param('directory = "data"\nkeys = "data-2"', "data", "data-2", id="a name that begins alike"),
    ],
)
def test_storage_paths_are_absolute_from_the_files_folder(
    tmp_path: Path, text: str, directory: str, keys: str
) -> None:
    storage = load(tmp_path, f"[storage]\n{text}").storage
    assert storage.directory == tmp_path / directory
    assert storage.keys == tmp_path / keys


def test_a_relative_file_name_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    load(tmp_path / "etc", '[requestlog]\ngeo_database = "geo.mmdb"')
    monkeypatch.chdir(tmp_path)
    settings = Settings.load("etc/consentkit.toml", {})
    assert settings.storage.directory == tmp_path / "etc/var/consentkit"
    assert settings.requestlog.geo_database == tmp_path / "etc/geo.mmdb"


def test_consentkit_config_names_the_file_when_no_path_is_given(tmp_path: Path) -> None:
    load(tmp_path, '[site]\noperator = "SIA Piemērs"')
    environ = {"CONSENTKIT_CONFIG": str(tmp_path / "consentkit.toml")}
    assert Settings.load(None, environ).site.operator == "SIA Piemērs"


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [site]
        authority = { name = "Inspekcija", url = "https://authority.example.lv" }
        service_ended = 2026-11-23
        storage_region = "CH"
        storage_transfer = "adequacy decision"
        [requestlog]
        basis = "public_task"
        basis_law = "Likums, 5. pants"
        retention_days = 400
        retention_reason = "An authority ordered it"
        truncate_ip_after_days = 0
        trusted_proxies = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1", "unix"]
        [consent]
        cookie_domain = "example.lv"
        [[consent.services]]
        use = "matomo"
        hosts = ["stats.example.lv", "*.example.org"]
        [[consent.cookies]]
        name = "_ga_*"
        category = "statistics"
        purpose = { lv = "Skaita", en = "Counts" }
        [[recipients]]
        name = "Example Inc."
        country = "US"
        transfer = "standard contractual clauses"
        since = "2026-01-01"
        """,
    )
    assert settings.site.authority == Authority(name="Inspekcija", url="https://authority.example.lv")
    assert settings.site.service_ended == datetime.date(2026, 11, 23)
    assert settings.requestlog.truncate_ip_after_days == 0
    assert settings.requestlog.trusted_proxies[-1] == "unix"
    assert settings.consent.services[0].hosts == ("stats.example.lv", "*.example.org")
    assert settings.consent.cookies[0].purpose == {"lv": "Skaita", "en": "Counts"}
    assert settings.consent.cookies[0].lifetime_days is None
    assert settings.recipients[0].since == datetime.date(2026, 1, 1)


def test_a_service_of_ones_own_needs_no_catalogue(tmp_path: Path) -> None:
    text = OWN_SERVICE + 'hosts = ["chat.example.lv"]\n[[consent.services.cookies]]\nname = "chat_open"'
    assert load(tmp_path, text).consent.services[0].cookies[0] == CookieSetting(name="chat_open")


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(tmp_path, "[[consent.cookies]]\nname='t'\ncategory='preferences'\npurpose={en='Theme'}")
    with pytest.raises(AttributeError):
        settings.site.operator = "someone else"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.consent.cookies[0].purpose["en"] = "else"  # type: ignore[index]


# --- refused values: the key, the fault in words, what is allowed


def bad(text: str, key: str, fault: str, allowed: str = "", *, id: str = "") -> object:  # noqa: A002
    return pytest.param(text, key, fault, allowed, id=id or f"{key}: {fault}")


BAD_SITE = [
    bad("[site]\noperator = 3", "site.operator", "is a number", "a text in quotes"),
    bad('[site]\noperator = "a\\nb"', "site.operator", "line break", "one line"),
    bad("[site]\noperator = { lv = 'SIA' }", "site.operator", "is a table", "single value"),
    bad("site = 3", "site", "is a number", "[site]"),
    bad('[site]\nmount = "consentkit"', "site.mount", "does not begin with a slash", '"/consentkit"'),
    bad('[site]\nmount = "/consentkit/"', "site.mount", "ends with a slash", '"/consentkit"'),
    bad('[site]\nmount = "/"', "site.mount", "whole site"),
    bad('[site]\nmount = "/a//b"', "site.mount", "not a plain path"),
    bad('[site]\nmount = "/a/../b"', "site.mount", "not a plain path", id="mount with dots"),
    bad('[site]\nmount = "/a?b"', "site.mount", "no path may"),
    bad('[site]\nmount = ""', "site.mount", "does not begin", id="mount empty"),
    bad("[site]\nlanguages = []", "site.languages", "is empty", '["lv", "en"]'),
    bad('[site]\nlanguages = "lv"', "site.languages", "is a text", "a list"),
    bad('[site]\nlanguages = ["lv", 5]', "site.languages[1]", "is a number", "a text"),
    bad('[site]\nlanguages = ["lv", "LV"]', "site.languages[1]", '"LV" is no language tag', "BCP 47"),
    bad('[site]\nlanguages = ["latvian"]', "site.languages[0]", "no language tag", '"lv"'),
    bad('[site]\nlanguages = ["lv", "en", "lv"]', "site.languages[2]", '"lv" stands twice'),
    bad('[site]\nstorage_region = "US"', "site.storage_region", "outside the EU", "storage_transfer"),
    bad('[site]\nstorage_region = "Latvia"', "site.storage_region", "no country code", "ISO 3166"),
    bad('[site]\nservice_ended = "soon"', "site.service_ended", '"soon" is no date', "2026-11-23"),
    bad('[site]\nservice_ended = "2026-02-30"', "site.service_ended", "is no date", id="a day that never was"),
    bad("[site]\nservice_ended = 2026-11-23T10:00:00", "site.service_ended", "is a date or time", "a date"),
    bad("[site]\nwind_down_days = 93", "site.wind_down_days", "more than 92 days", "0 to 92"),
    bad('[site]\nauthority = "XX"', "site.authority", '"XX" is not known', '"LV", "EE", "LT"'),
    bad('[site]\nauthority = { name = "A" }', "site.authority.url", "is missing"),
    bad(
        '[site]\nauthority = { name = "A", url = "ftp://a" }',
        "site.authority.url",
        "no web address",
        "https://",
    ),
    bad('[storage]\ndirectory = "/"', "storage.directory", "root of the file system"),
    bad('[storage]\ndirectory = "d"\nkeys = "d"', "storage.keys", "backup of the data would hold", "beside it"),
    bad(
        '[storage]\ndirectory = "d"\nkeys = "d/x/../keys"',
        "storage.keys",
        "backup of the data",
        id="keys inside",
    ),
    bad('[storage]\nurl = "mysql://h/d"', "storage.url", "does not begin with postgresql://"),
    bad(
        '[storage]\nrequests_url = "postgresql://h"',
        "storage.requests_url",
        "does not begin with clickhouse://",
    ),
    bad('[storage]\nurl = "postgresql://h/a b"', "storage.url", "space or a control character"),
    bad("[keep]\naudit = 0", "keep.audit", "less than 1 days"),
    bad("[keep]\nproof = 99999999999999999999", "keep.proof", "", id="keep.proof: beyond 64 bits"),
]
BAD_REQUESTLOG = [
    bad('[requestlog]\nrotate = "week"', "requestlog.rotate", '"week" is not known', '"hour" or "day"'),
    bad("[requestlog]\nrotate = []", "requestlog.rotate", "is a list", '"hour" or "day"'),
    bad("[requestlog]\nretention_days = 0", "requestlog.retention_days", "less than 1", "1 to"),
    bad('[requestlog]\nretention_days = "90"', "requestlog.retention_days", "is a text", "a whole number"),
    bad("[requestlog]\nretention_days = 1.5", "requestlog.retention_days", "fraction", "a whole number"),
    bad("[requestlog]\nretention_days = true", "requestlog.retention_days", "true or false", "a whole number"),
    bad("[requestlog]\nretention_days = 366", "requestlog.retention_days", "more than 365", "retention_reason"),
    bad('[requestlog]\nbasis = "consent"', "requestlog.basis", "not known", '"legal_obligation"'),
    bad('[requestlog]\nbasis = "legal_obligation"', "requestlog.basis", "not named", "basis_law"),
    bad(
        "[requestlog]\ntruncate_ip_after_days = 91",
        "requestlog.truncate_ip_after_days",
        "past retention_days",
    ),
    bad("[requestlog]\ntruncate_ip_after_days = -1", "requestlog.truncate_ip_after_days", "less than 0"),
    bad(
        '[requestlog]\ntrusted_proxies = ["*"]',
        "requestlog.trusted_proxies[0]",
        "believe every client",
        "name",
    ),
    bad('[requestlog]\ntrusted_proxies = ["::/0"]', "requestlog.trusted_proxies[0]", '"::/0" would believe'),
    bad('[requestlog]\ntrusted_proxies = ["proxy"]', "requestlog.trusted_proxies[0]", "no address", '"unix"'),
    bad(
        '[requestlog]\ntrusted_proxies = ["10.1.2.3/8"]',
        "requestlog.trusted_proxies[0]",
        "bits",
        '"10.0.0.0/8"',
    ),
    bad('[requestlog]\ntrusted_proxies = ["fe80::1%eth0"]', "requestlog.trusted_proxies[0]", "an interface"),
    bad('[requestlog]\ntrusted_proxies = ["::ffff:192.0.2.1"]', "requestlog.trusted_proxies[0]", "IPv4"),
    bad('[requestlog]\nkeep_query_keys = [""]', "requestlog.keep_query_keys[0]", "is empty"),
    bad('[requestlog]\nexclude_paths = ["health"]', "requestlog.exclude_paths[0]", "slash", '"/health"'),
    bad("[requestlog]\nredact_paths = 1", "requestlog.redact_paths", "is a number", "true or false"),
    bad("[requestlog]\ngeo_database = 1", "requestlog.geo_database", "is a number", "a text"),
    bad(
        '[requestlog]\ngeo_precision = "street"',
        "requestlog.geo_precision",
        "not known",
        '"country" or "city"',
    ),
    bad("[requestlog]\nspool_max_mb = 7", "requestlog.spool_max_mb", "less than 8 MB"),
]
BAD_CONSENT = [
    bad("[consent]\nlifetime_days = 0", "consent.lifetime_days", "less than 1"),
    bad('[consent]\nundeclared = "drop"', "consent.undeclared", "not known", '"report" or "block"'),
    bad('[consent]\ncookie = "__Host-choice"', "consent.cookie", "begins with a prefix", "put before it"),
    bad('[consent]\ncookie = "__host-choice"', "consent.cookie", "a prefix", id="prefix in small letters"),
    bad('[consent]\ncookie = "my choice"', "consent.cookie", "is no cookie name"),
    bad('[consent]\ncookie = ""', "consent.cookie", "is no cookie name", id="empty cookie name"),
    bad('[consent]\ncookie_domain = ".example.lv"', "consent.cookie_domain", "a dot", '"example.lv"'),
    bad('[consent]\ncookie_domain = "localhost"', "consent.cookie_domain", "no domain of a site"),
    bad('[consent]\ncookie_domain = "192.0.2.1"', "consent.cookie_domain", "no domain", id="an address"),
    bad('[consent]\ncookie_domain = "example.lv; path=/"', "consent.cookie_domain", "no plain host"),
    bad('[consent]\ncsp_hosts = ["https://cdn.example.lv"]', "consent.csp_hosts[0]", "plain host", "scheme"),
    bad('[consent]\ncsp_hosts = ["a;script-src *"]', "consent.csp_hosts[0]", "no plain host"),
    bad('[consent]\ncsp_hosts = ["*"]', "consent.csp_hosts[0]", '"*" is no plain host'),
    bad('[consent]\ncsp_hosts = ["CDN.example.lv"]', "consent.csp_hosts[0]", "capitals", '"cdn.example.lv"'),
    bad('[consent]\ncsp_hosts = ["piemērs.lv"]', "consent.csp_hosts[0]", "not ASCII", "xn--"),
    bad('[consent]\npresets = ["Star lette"]', "consent.presets[0]", "is no name"),
    bad("[consent.cookies]\nname = 't'", "consent.cookies", "is a table", "[[consent.cookies]]"),
    bad(cookie(category="necesary"), "consent.cookies[0].category", '"necesary" is not', '"necessary"'),
    bad(cookie(category=""), "consent.cookies[0].category", "missing", '"necessary"'),
    bad(cookie(purpose=""), "consent.cookies[0].purpose", "missing or empty"),
    bad(cookie(purpose=5), "consent.cookies[0].purpose", "is a number", "a text"),
    bad(cookie() + "\nproviders = 'x'", "consent.cookies[0].providers", "is no setting", '"provider"'),
    bad(cookie(name="a b"), "consent.cookies[0].name", '"a b" is no name'),
    bad(cookie(name="[a-z]"), "consent.cookies[0].name", "is no name", id="no character sets"),
    bad(cookie(name="*" * 5), "consent.cookies[0].name", 'more than 4 "*"'),
    bad(cookie(lifetime_days=-1), "consent.cookies[0].lifetime_days", "less than 0"),
    bad(cookie(category="statistics", on_refusal="session"), "consent.cookies[0].on_refusal", '"preferences"'),
    bad(cookie(path="app"), "consent.cookies[0].path", "slash"),
    bad(cookie(domain=".example.lv"), "consent.cookies[0].domain", "a dot"),
    bad(cookie() + "\n" + cookie(), "consent.cookies[1]", '"theme" is declared twice', "cookies[0]"),
    bad("[[consent.cookies]]\ncategory = 'necessary'", "consent.cookies[0].name", "is missing"),
    bad(
        "[[consent.cookies]]\nname='t'\ncategory='necessary'\npurpose={ english = 'T' }",
        "consent.cookies[0].purpose.english",
        "no language tag",
    ),
    bad(
        "[[consent.cookies]]\nname='t'\ncategory='necessary'\npurpose={ en = ' ' }",
        "consent.cookies[0].purpose.en",
        "is empty",
    ),
    bad("[[consent.services]]\nhosts = ['a.example']", "consent.services[0].id", "missing", "use ="),
    bad(OWN_SERVICE, "consent.services[0].hosts", "is missing", "one of the three"),
    bad("[[consent.services]]\nuse = 'matomo'\n" * 2, "consent.services[1]", "declared twice"),
    bad("[[consent.services]]\nuse='matomo'\ncountry='usa'", "consent.services[0].country", "country code"),
    bad("[[consent.services]]\nuse='m'\nprivacy_url='x'", "consent.services[0].privacy_url", "secure"),
    bad("[[consent.services]]\nuse='m'\nhosts=['a/b']", "consent.services[0].hosts[0]", "plain host"),
    bad(
        "[[consent.services]]\nuse='m'\nstorage_keys=['a b']",
        "consent.services[0].storage_keys[0]",
        "no name",
    ),
    bad(recipient(name=""), "recipients[0].name", "missing or empty"),
    bad(recipient(country="US"), "recipients[0].country", "outside the EU", "transfer"),
    bad(recipient(since="2026-02-01", until="2026-01-01"), "recipients[0].until", "before since"),
    bad(recipient(url="javascript:alert(1)"), "recipients[0].url", "no web address"),
    bad(
        recipient(url="https://user:word@example.lv"),
        "recipients[0].url",
        "no web address",
        id="user in a URL",
    ),
]


@pytest.mark.parametrize(("text", "key", "fault", "allowed"), [*BAD_SITE, *BAD_REQUESTLOG, *BAD_CONSENT])
def test_a_bad_value_is_refused_with_key_fault_and_way_out(
    tmp_path: Path, text: str, key: str, fault: str, allowed: str
) -> None:
    error = refusal(tmp_path, text)
    assert error.key == key
    assert fault in error.fault
    assert allowed in error.allowed
    assert error.source == str(tmp_path / "consentkit.toml")
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("[requestlog]\nretention_day = 9", "requestlog.retention_day", '"retention_days"'),
        ("[requestslog]\nrotate = 'day'", "requestslog", '"requestlog"'),
        ("[consent]\ncookies_domain = 'a.lv'", "consent.cookies_domain", '"cookie_domain"'),
        ('[site]\n"oper\\u001bator" = "x"', 'site."oper\\u001bator"', '"operator"'),
        ("[keep]\nzzzz = 1", "keep.zzzz", "audit, proof, incident_review"),
    ],
    ids=["a key", "a table", "a key of consent", "a key with a control character", "nothing near"],
)
def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path, text: str, key: str, nearest: str) -> None:
    error = refusal(tmp_path, text)
    assert error.key == key
    assert nearest in error.allowed


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[site]\noperator = \ncontact = 1", "line 2"),
        (b"[site]\noperator = 'a'\noperator = 'b'", "is not TOML"),
        (b"[site]\noperator = '\xff'", "is not UTF-8 (byte 20)"),
    ],
    ids=["syntax", "key twice", "not UTF-8"],
)
def test_a_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path, content: bytes, fault: str) -> None:
    file = tmp_path / "consentkit.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        Settings.load(file, {})
    assert caught.value.key == str(file)
    assert fault in caught.value.fault


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        Settings.load(tmp_path / "absent.toml", {})
    with pytest.raises(SettingsError, match="can't be read"):
        Settings.load(tmp_path, {})
    with pytest.raises(SettingsError, match="no such file"):
        Settings.load(None, {"CONSENTKIT_CONFIG": str(tmp_path / "absent.toml")})


def test_a_struct_made_in_code_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="backup"):
        Storage(directory=tmp_path, keys=tmp_path / "keys")


# `import consentkit` brings the kit with it; what the settings bring is seen with that part left out.
IMPORT_ALONE = """
import importlib.util, sys, types
package = types.ModuleType("consentkit")
package.__path__ = importlib.util.find_spec("consentkit").submodule_search_locations
sys.modules["consentkit"] = package
import consentkit.settings
print(*sys.modules)
"""


def test_importing_the_settings_loads_nothing_heavy() -> None:
    modules = subprocess.run(
        [sys.executable, "-c", IMPORT_ALONE], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "msgspec" in modules
    heavy = {"click", "sqlalchemy", "jinja2", "cryptography", "asyncio", "tomllib", "difflib"}
    assert not heavy & set(modules)
