"""``consentkit admin``, run as an operator runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentkit import audit
from consentkit.admin import passwords
from consentkit.admin.people import People
from consentkit.cli.main import group
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings
from tests.admin.area import cheap_hashes

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "a quiet harbour in fog"


@pytest.fixture(autouse=True)
def cheap_passwords() -> Iterator[None]:
    with cheap_hashes():
        yield


@pytest.fixture
def control(config: Path) -> Control:
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    return Control(storage.directory, Keyring.open(storage.keys, ()))


@pytest.fixture
def call(config: Path, control: Control) -> Callable[..., tuple[int, str]]:
    """Call the command in this process: exit code and all that was written."""

    def run(*arguments: str, given: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(group, ["admin", *arguments, "--config", str(config)], input=given)
        return done.exit_code, done.output

    return run


Call = Callable[..., tuple[int, str]]


def add(call: Call, name: str, *roles: str, password: str = PASSWORD) -> tuple[int, str]:
    options = [each for role in roles for each in ("--role", role)]
    return call("add", name, *options, "--password-stdin", given=f"{password}\n")


def test_the_first_person_is_added_with_a_password_that_is_not_seen(call: Call, control: Control) -> None:
    code, output = add(call, "Līga", "admin", "officer")
    assert (code, output) == (0, "Līga may sign in as officer and admin.\n")
    known = People(control).secret_of("līga")
    assert known is not None
    assert passwords.is_right(PASSWORD, known[1])
    with control.transaction() as connection:
        entries = list(audit.entries(connection))
    assert [entry.action for entry in entries] == ["staff.add"]
    assert PASSWORD not in entries[0].detail


@pytest.mark.parametrize(
    ("name", "roles", "password", "says"),
    [
        ("liga", ["admin"], "short", "at least 12"),
        ("liga", ["admin"], "password1234", "tried first"),
        ("liga", ["root"], PASSWORD, "root"),
        ("liga", [], PASSWORD, "--role"),
        ("<b>", ["admin"], PASSWORD, "letters"),
    ],
    ids=["short", "common", "unknown role", "no role", "no name"],
)
def test_what_can_not_be_taken_is_told(
    name: str, roles: list[str], password: str, says: str, call: Call, control: Control
) -> None:
    code, output = add(call, name, *roles, password=password)
    assert code != 0
    assert PASSWORD not in output
    assert not People(control).exist()
    assert says in output or code == 1


def test_people_are_listed_for_eyes_and_for_programs(call: Call) -> None:
    assert "Nobody may sign in" in call("list")[1]
    add(call, "liga", "admin")
    assert call("list")[1].startswith("liga, admin, since 20")
    listed = json.loads(call("list", "--json")[1])
    assert (listed["name"], listed["roles"], listed["removed"]) == ("liga", ["admin"], None)
    assert "password" not in listed


def test_roles_and_password_are_changed(call: Call, control: Control) -> None:
    add(call, "liga", "admin")
    add(call, "anna", "viewer")
    assert call("role", "anna", "--role", "officer")[0] == 0
    assert call("password", "anna", "--password-stdin", given="another quiet harbour\n")[0] == 0
    known = People(control).secret_of("anna")
    assert known is not None
    assert known[0].roles == {"officer"}
    assert passwords.is_right("another quiet harbour", known[1])
    assert call("role", "nobody", "--role", "officer")[0] != 0


def test_the_last_administrator_goes_only_when_it_is_meant(call: Call, control: Control) -> None:
    add(call, "liga", "admin")
    for command in (("remove", "liga"), ("role", "liga", "--role", "viewer")):
        code, output = call(*command)
        assert code == 2
        assert "the last with the role admin" in output
    code, output = call("remove", "liga", "--yes")
    assert code == 0
    assert "Nobody has the role admin any more" in output
    assert not People(control).exist()


def test_nobody_is_removed_by_a_script_that_does_not_say_yes(call: Call, control: Control) -> None:
    add(call, "liga", "admin")
    add(call, "anna", "viewer")
    assert call("remove", "anna")[0] == 2
    assert People(control).find("anna") is not None
    assert call("remove", "anna", "--yes")[0] == 0


def test_one_time_codes_are_taken_away_by_saying_so(call: Call, control: Control) -> None:
    add(call, "liga", "admin")
    assert call("totp", "liga")[0] == 2
    assert call("totp", "liga", "--remove") == (0, "liga signs in without one-time codes.\n")
    with control.transaction() as connection:
        assert [entry.action for entry in audit.entries(connection)] == ["staff.add", "staff.codes"]


@pytest.mark.server
def test_a_password_is_never_an_argument(config: Path, control: Control) -> None:
    command = [str(Path(sys.executable).with_name("consentkit")), "admin", "add", "liga", "--role", "admin"]
    environment = {**os.environ, "CONSENTKIT_CONFIG": str(config)}
    refused = subprocess.run(
        [*command, PASSWORD], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 2
    unasked = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    assert unasked.returncode == 2
    assert "--password-stdin" in unasked.stderr
