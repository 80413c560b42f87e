from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.errors import SettingsError
from consentkit.settings import Settings, read_secrets

STRONG = "k3Yp-0Qd7w_Lm2Zs9Rt4Vx6Bn1Hc8Jf5Ga"


# --- the environment


def test_variables_lie_over_the_file() -> None:
    environ = {
        "CONSENTKIT_SITE_OPERATOR": "SIA Cits",
        "CONSENTKIT_SITE_LANGUAGES": "en, lv",
        "CONSENTKIT_SITE_SERVICE_ENDED": "2026-11-23",
        "CONSENTKIT_STORAGE_DIRECTORY": "/srv/data",
        "CONSENTKIT_REQUESTLOG_RETENTION_DAYS": "30",
        "CONSENTKIT_REQUESTLOG_REDACT_PATHS": "false",
        "CONSENTKIT_REQUESTLOG_TRUSTED_PROXIES": "",
        "CONSENTKIT_REQUESTLOG_TRUNCATE_IP_AFTER_DAYS": "",
        "CONSENTKIT_KEEP_AUDIT": "400",
    }
    data: dict[str, dict[str, object]] = {
        "site": {"operator": "SIA Piemērs", "contact": "privacy@example.lv"},
        "requestlog": {"trusted_proxies": ["10.0.0.0/8"], "truncate_ip_after_days": 7},
    }
    settings = Settings.from_mapping(data, environ=environ)
    assert settings.site.operator == "SIA Cits"
    assert settings.site.contact == "privacy@example.lv"
    assert settings.site.languages == ("en", "lv")
    assert settings.site.service_ended == datetime.date(2026, 11, 23)
    assert settings.storage.keys == Path("/srv/data-keys")
    assert settings.requestlog.retention_days == 30
    assert settings.requestlog.redact_paths is False
    assert settings.requestlog.trusted_proxies == ()
    assert settings.requestlog.truncate_ip_after_days is None
    assert settings.keep.audit == 400
    assert data["requestlog"]["trusted_proxies"] == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("variable", "text", "key", "words"),
    [
        ("CONSENTKIT_SITE_MOUNT", "x", "CONSENTKIT_SITE_MOUNT", "slash"),
        (
            "CONSENTKIT_REQUESTLOG_RETENTION_DAYS",
            "many",
            "CONSENTKIT_REQUESTLOG_RETENTION_DAYS",
            "whole number",
        ),
        (
            "CONSENTKIT_REQUESTLOG_REDACT_PATHS",
            "maybe",
            "CONSENTKIT_REQUESTLOG_REDACT_PATHS",
            "true or false",
        ),
        (
            "CONSENTKIT_REQUESTLOG_TRUSTED_PROXIES",
            "10.0.0.0/8,*",
            "CONSENTKIT_REQUESTLOG_TRUSTED_PROXIES[1]",
            "every client",
        ),
        (
            "CONSENTKIT_REQUESTLOG_RETENTION_DAY",
            "9",
            "CONSENTKIT_REQUESTLOG_RETENTION_DAY",
            'mean "CONSENTKIT_REQUESTLOG_RETENTION_DAYS"',
        ),
        ("CONSENTKIT_SITE_operator", "x", "CONSENTKIT_SITE_operator", "CONSENTKIT_SITE_OPERATOR"),
        ("CONSENTKIT_CONSENT_COOKIES", "theme", "CONSENTKIT_CONSENT_COOKIES", "is no setting"),
    ],
    ids=["value", "number", "truth", "item of a list", "unknown", "small letters", "a list of tables"],
)
def test_a_bad_variable_is_refused_by_its_own_name(variable: str, text: str, key: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_mapping({}, environ={variable: text}, source="consentkit.toml")
    assert caught.value.key == key
    assert caught.value.source != "consentkit.toml"
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "variable",
    [
        "CONSENTKIT_PORT",
        "CONSENTKIT_SERVICE_HOST",
        "CONSENTKIT_STORAGE_SERVICE_HOST",
        "CONSENTKIT_STORAGE_SERVICE_PORT_HTTP",
        "CONSENTKIT_STORAGE_PORT_5432_TCP_ADDR",
        "CONSENTKIT_RECIPIENTS",
        "CONSENTKIT_SECRET",
        "OTHER_SITE_OPERATOR",
    ],
)
def test_variables_of_others_are_left_alone(variable: str) -> None:
    assert Settings.from_mapping({}, environ={variable: "tcp://192.0.2.1:5432"}) == Settings()


def test_from_mapping_does_not_look_at_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTKIT_SITE_OPERATOR", "SIA Piemērs")
    assert Settings.from_mapping({}).site.operator == ""
    assert Settings.load().site.operator == "SIA Piemērs"


# --- secrets


def test_no_secret_given_is_no_secret() -> None:
    assert read_secrets({}) == ()


def test_several_secrets_keep_their_order_without_white_space() -> None:
    assert read_secrets({"CONSENTKIT_SECRET": f" {STRONG},\n{STRONG[::-1]}\n"}) == (STRONG, STRONG[::-1])


def test_secrets_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(STRONG + "\n")
    assert read_secrets({"CONSENTKIT_SECRET_FILE": str(file)}) == (STRONG,)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"CONSENTKIT_SECRET": STRONG, "CONSENTKIT_SECRET_FILE": "x"}, "both set"),
        ({"CONSENTKIT_SECRET": ""}, "secret 1 of 1 is empty"),
        ({"CONSENTKIT_SECRET": STRONG + ","}, "secret 2 of 2 is empty"),
        ({"CONSENTKIT_SECRET": STRONG + ",short"}, "secret 2 of 2 has less than 32"),
        ({"CONSENTKIT_SECRET": STRONG + "\n" + STRONG}, "secret 1 of 1 holds a line break"),
        ({"CONSENTKIT_SECRET": STRONG + "\udcff"}, "unprintable"),
        ({"CONSENTKIT_SECRET_FILE": "/nowhere/secret"}, "No such file"),
        ({"CONSENTKIT_SECRET_FILE": ""}, "can't be read"),
    ],
    ids=["both", "empty", "comma at the end", "short", "two lines", "not UTF-8", "no file", "no file name"],
)
def test_a_bad_secret_is_refused_by_variable_and_position(environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_secrets(environ)
    assert words in str(caught.value)
    assert caught.value.key.startswith("CONSENTKIT_SECRET")


def test_a_secret_file_that_is_no_text_or_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for content in (b"\xff" * 40, b"x" * 70_000):
        file.write_bytes(content)
        with pytest.raises(SettingsError, match="CONSENTKIT_SECRET_FILE"):
            read_secrets({"CONSENTKIT_SECRET_FILE": str(file)})


# Upper-case words of four letters stand in none of our messages.
SECRET_WORDS = st.lists(st.sampled_from(["QXZK", "WJVQ", "ZZXQ"]), min_size=1, max_size=7).map("".join)


@given(parts=st.lists(SECRET_WORDS | st.just(""), min_size=1, max_size=4), as_file=st.booleans())
def test_no_message_holds_a_part_of_a_secret(parts: list[str], as_file: bool) -> None:
    """Put secrets where they belong, and where they don't: as the name of the file."""
    try:
        read_secrets({"CONSENTKIT_SECRET_FILE" if as_file else "CONSENTKIT_SECRET": ",".join(parts)})
    except SettingsError as error:
        shown = f"{error} {error!r} {error.__cause__!r} {vars(error)}"
        assert not any(word in shown for word in ("QXZK", "WJVQ", "ZZXQ"))


@given(word=SECRET_WORDS, scheme=st.sampled_from(["postgresql", "clickhouse", "postgres", "QXZK"]))
def test_no_message_and_no_repr_holds_a_database_password(word: str, scheme: str) -> None:
    url = f"{scheme}://user:{word}@db.example.lv/site"
    for key in ("url", "requests_url"):
        for given_by in ({"storage": {key: url}}, {"storage": {key: url, "no_such": 1}}):
            try:
                shown = repr(Settings.from_mapping(given_by))
            except SettingsError as error:
                shown = f"{error} {error!r}"
            assert word not in shown
