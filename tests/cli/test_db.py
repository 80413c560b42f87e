"""``consentkit db``: what it prints, and what it never does. The tables are the business of tests of `control`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.postgresql import PASSWORD
from tests.serving import free_port

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]

COMMANDS = [("upgrade",), ("upgrade", "--sql"), ("roles",)]
NAMES = ["upgrade", "upgrade --sql", "roles"]


@pytest.mark.parametrize("arguments", COMMANDS, ids=NAMES)
def test_the_embedded_store_needs_none_of_it(arguments: tuple[str, ...], consentkit: Command) -> None:
    done = consentkit("db", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "storage.url" in done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=NAMES)
def test_a_missing_driver_names_its_extra(arguments: tuple[str, ...], consentkit: Command, tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError('no psycopg', name='psycopg')", "utf-8")
    url = f"postgresql://u:{PASSWORD}@db.example.net/x"
    done = consentkit("db", *arguments, CONSENTKIT_STORAGE_URL=url, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'consentkit[postgresql]'" in done.stderr
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("arguments", COMMANDS[:2], ids=NAMES[:2])
@pytest.mark.parametrize("rest", ["", "?nonsense=1"], ids=["away", "unknown option"])
def test_a_server_that_can_not_be_reached_is_told_without_the_password(
    rest: str, arguments: tuple[str, ...], consentkit: Command
) -> None:
    url = f"postgresql://u:{PASSWORD}@127.0.0.1:{free_port()}/x{rest}"
    done = consentkit("db", *arguments, CONSENTKIT_STORAGE_URL=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert PASSWORD not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_password_is_told_and_not_shown(consentkit: Command, postgresql_url: str) -> None:
    wrong = "another-secret-of-tests"
    done = consentkit("db", "upgrade", CONSENTKIT_STORAGE_URL=postgresql_url.replace(PASSWORD, wrong))
    assert (done.returncode, done.stdout) == (2, "")
    assert wrong not in done.stderr


def test_roles_are_named_as_asked_and_quoted(consentkit: Command, postgresql_url: str) -> None:
    names = ("--app", 'the "app"', "--admin", "staff")
    done = consentkit("db", "roles", "--sql", *names, CONSENTKIT_STORAGE_URL=postgresql_url)
    assert done.returncode == 0, done.stderr
    assert 'CREATE ROLE "the ""app""" LOGIN;' in done.stdout
    assert 'GRANT SELECT ON consentkit.request TO "staff";' in done.stdout
    assert 'SELECT ON consentkit.request TO "the ""app"""' not in done.stdout
