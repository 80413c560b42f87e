from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from consentkit.cli.main import COMMANDS, LazyGroup, group
from consentkit.settings import Settings

if TYPE_CHECKING:
    from click.testing import Result

COMMAND = str(Path(sys.executable).with_name("consentkit"))
SECRET = "k3Yp-0Qd7w_Lm2Zs9Rt4Vx6Bn1Hc8Jf5Ga"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("CONSENTKIT_"):
            monkeypatch.delenv(name)


def run(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, list(arguments), env=environ or {})


def real(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def objects(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- the command itself


def test_the_command_tells_its_version_and_its_commands() -> None:
    assert real("--version").stdout.startswith("consentkit, version ")
    shown = real("--help")
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in COMMANDS)


def test_help_loads_no_file_of_a_command() -> None:
    code = (
        "import sys\nfrom consentkit.cli import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    print(*(m for m in sys.modules if m.startswith('consentkit.cli.')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1].split() == ["consentkit.cli.main"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_takes_config(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "--config" in result.stdout or "Commands:" in result.stdout
    assert isinstance(group, LazyGroup)


def test_an_unknown_command_is_wrong_use() -> None:
    assert real("no-such-command").returncode == 2


# --- init


def test_init_writes_a_file_that_holds_the_answers(tmp_path: Path) -> None:
    done = real("init", "--operator", 'SIA "Piemērs" \\', "--contact", "privacy@example.lv", "--language", "en")
    assert done.returncode == 0, done.stderr
    settings = Settings.load(tmp_path / "consentkit.toml", {})
    assert settings.site.operator == 'SIA "Piemērs" \\'
    assert settings.site.contact == "privacy@example.lv"
    assert settings.site.languages == ("en",)
    assert settings.requestlog.truncate_ip_after_days == 30
    for step in ("CONSENTKIT_SECRET", ".wrap(app)", "consentkit check"):
        assert step in done.stdout


def test_init_without_answers_and_terminal_asks_nothing(tmp_path: Path) -> None:
    assert real("init").returncode == 0
    assert Settings.load(tmp_path / "consentkit.toml", {}).site == Settings().site


def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen([COMMAND, "init"], stdin=follower, stdout=subprocess.PIPE, text=True) as process:
        os.write(leader, "SIA Piemērs\nprivacy@example.lv\nlv, en\n".encode())
        shown, _ = process.communicate(timeout=30)
    os.close(leader)
    os.close(follower)
    assert "Who runs the site" in shown
    site = Settings.load(tmp_path / "consentkit.toml", {}).site
    assert (site.operator, site.contact) == ("SIA Piemērs", "privacy@example.lv")
    assert site.languages == ("lv", "en")


def test_init_refuses_to_overwrite_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "consentkit.toml"
    file.write_text("# mine")
    refused = run("init")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert file.read_text() == "# mine"
    assert run("init", "--force", "--operator", "SIA Piemērs").exit_code == 0
    assert Settings.load(file, {}).site.operator == "SIA Piemērs"
    assert [path.name for path in tmp_path.iterdir()] == ["consentkit.toml"]


def test_init_refuses_answers_that_are_no_settings(tmp_path: Path) -> None:
    refused = run("init", "--language", "latvian")
    assert refused.exit_code == 2
    assert refused.stderr.startswith('Error: your answers: site.languages[0]: "latvian" is no language tag')
    assert not list(tmp_path.iterdir())


def test_init_into_a_folder_that_is_not_there_is_refused() -> None:
    refused = run("init", "--config", "absent/consentkit.toml")
    assert refused.exit_code == 2
    assert "can't be written" in refused.stderr


def test_init_answers_in_json() -> None:
    written = objects(run("init", "--json", "--config", "other.toml"))
    assert written[0]["written"] == "other.toml"


# --- check


def test_check_without_a_file_says_that_the_defaults_hold() -> None:
    done = real("check")
    assert done.returncode == 0, done.stderr
    assert "built-in defaults" in done.stdout
    assert "kept for 90 days, then each day's key is destroyed" in done.stdout


@pytest.mark.parametrize("environ", [{}, {"CONSENTKIT_CONFIG": "absent.toml"}], ids=["option", "variable"])
def test_check_refuses_a_named_file_that_is_not_there(environ: dict[str, str]) -> None:
    refused = run("check", *([] if environ else ["--config", "absent.toml"]), environ=environ)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: absent.toml: no such file")


def test_check_refuses_a_bad_file_in_one_line_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "consentkit.toml").write_text("[requestlog]\nrotate = 'week'\n")
    refused = real("check")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == ('Error: consentkit.toml: requestlog.rotate: "week" is not known; "hour" or "day"\n')


def test_a_file_name_with_control_characters_makes_no_second_line() -> None:
    refused = run("check", "--config", "a\nb\x1b[31m.toml")
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "\x1b" not in refused.stderr


def test_check_refuses_a_bad_secret_and_does_not_show_it() -> None:
    refused = run("check", environ={"CONSENTKIT_SECRET": "QXZKWJVQ"})
    assert refused.exit_code == 2
    assert "secret 1 of 1" in refused.stderr
    assert "QXZK" not in refused.stderr


def test_check_refuses_a_service_that_the_catalogue_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "consentkit.toml").write_text("[[consent.services]]\nuse = 'matomoo'\n")
    refused = run("check")
    assert refused.exit_code == 2
    assert "consent.services[0].use" in refused.stderr


def test_check_lists_what_is_declared_and_warns(tmp_path: Path) -> None:
    (tmp_path / "consentkit.toml").write_text(
        "[[consent.cookies]]\nname='theme'\ncategory='preferences'\npurpose={en='Theme'}\nlifetime_days=800\n"
    )
    lines = objects(run("check", "--json"))
    assert lines[0] == {"kind": "settings", "file": "consentkit.toml"}
    assert {"kind": "fact", "name": "asks for", "value": "preferences"} in lines
    theme = {"kind": "cookie", "name": "theme", "category": "preferences", "lifetime": "800 days"}
    assert theme in lines
    warned = {str(line["key"]): str(line["text"]) for line in lines if line["kind"] == "warning"}
    assert {
        "CONSENTKIT_SECRET",
        "site.operator",
        "site.contact",
        "site.authority",
        "site.storage_region",
        "requestlog.trusted_proxies",
    } <= warned.keys()
    assert any(line.get("key") == "theme" and "13 months" in str(line["text"]) for line in lines)


def test_check_of_careful_settings_warns_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "consentkit.toml").write_text(
        "[site]\noperator='SIA Piemērs'\ncontact='privacy@example.lv'\nauthority='LV'\nstorage_region='LV'\n"
        "[storage]\nkeys='/srv/keys'\n"
        "[requestlog]\ntrusted_proxies=['unix']\ntruncate_ip_after_days=30\n"
    )
    result = run("check", environ={"CONSENTKIT_SECRET": SECRET})
    assert result.exit_code == 0, result.stderr
    assert "warning" not in result.stdout
    assert "cut to /24 and /48 after 30 days" in result.stdout


def test_check_writes_nothing(tmp_path: Path) -> None:
    assert run("check").exit_code == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "embedded: all of it in encrypted files of the data directory"),
        (
            {"CONSENTKIT_STORAGE_URL": "postgresql://u:hush@db.example.net/x"},
            "PostgreSQL, for all hosts; the data directory holds this host's spool",
        ),
        (
            {"CONSENTKIT_STORAGE_REQUESTS_URL": "clickhouse://u:hush@ch.example.net/x"},
            "requests in ClickHouse; all else in an encrypted file",
        ),
        (
            {
                "CONSENTKIT_STORAGE_URL": "postgresql://u:hush@db.example.net/x",
                "CONSENTKIT_STORAGE_REQUESTS_URL": "clickhouse://u:hush@ch.example.net/x",
            },
            "requests in ClickHouse; all else in PostgreSQL, for all hosts",
        ),
    ],
    ids=["embedded", "postgresql", "requests alone", "both"],
)
def test_check_says_which_store_is_in_force_and_no_url(environ: dict[str, str], said: str) -> None:
    shown = run("check", "--json", environ=environ)

    facts = {one["name"]: one["value"] for one in objects(shown) if one["kind"] == "fact"}
    assert facts["store"] == said
    assert "hush" not in shown.stdout
    assert "example.net" not in shown.stdout


def test_check_warns_of_a_partition_an_hour_in_clickhouse(tmp_path: Path) -> None:
    settings = tmp_path / "consentkit.toml"
    settings.write_text('[requestlog]\nrotate = "hour"\n', "utf-8")

    with_server = {"CONSENTKIT_STORAGE_REQUESTS_URL": "clickhouse://ch.example.net/x"}
    warned = [
        one["key"] for one in objects(run("check", "--json", environ=with_server)) if one["kind"] == "warning"
    ]
    embedded = [one["key"] for one in objects(run("check", "--json")) if one["kind"] == "warning"]

    assert "requestlog.rotate" in warned
    assert "requestlog.rotate" not in embedded
