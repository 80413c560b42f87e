"""The tables on a PostgreSQL server: made once among many hosts, by roles that may, of one version."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect

from consentkit import audit
from consentkit.audit import SYSTEM
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.control import Control, metadata
from consentkit.control.connecting import connect
from consentkit.control.migrations import CONTROL, Part, Step, bring_up, script
from consentkit.control.roles import ADMIN_MAY, APP_MAY, grants
from consentkit.crypto import Keyring
from consentkit.errors import StorageError
from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.server

LATER = Step(2, "a later change", ("CREATE TABLE IF NOT EXISTS later (n bigint)",))
NEXT_VERSION = Part("control", lambda: (*CONTROL.steps(), LATER), 2)


def opened(tmp_path: Path, url: str) -> Control:
    return Control(tmp_path, Keyring.open(tmp_path / "keys", ()), url)


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("consentkit")), "db", *arguments]
    environment = {**os.environ, "CONSENTKIT_STORAGE_URL": url}
    return subprocess.run(
        command, env=environment, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def role(postgresql: PostgreSQL, postgresql_url: str) -> Iterator[Callable[..., str]]:
    """Make a role with some rights, and return its URL."""

    def make(name: str, may: tuple[str, ...]) -> str:
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE IF EXISTS {name}")
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'of-a-role'")
            for statement in grants(name, may):
                connection.execute(statement.encode())
        made.append(name)
        database = postgresql_url.rpartition("/")[2]
        return postgresql.url(database, user=name, password="of-a-role")

    made: list[str] = []
    yield make
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


def test_hosts_that_start_at_once_make_the_tables_once(postgresql_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bring_up(postgresql_url, CONTROL), range(8)))
    with connect(postgresql_url) as connection:
        rows = connection.execute("SELECT part, step FROM schema_version").fetchall()
    assert rows == [("control", 1)]


def test_what_is_printed_makes_the_same_tables_as_what_is_run(
    tmp_path: Path, postgresql: PostgreSQL, postgresql_url: str
) -> None:
    with connect(postgresql_url) as connection:
        printed = script(connection, (CONTROL,))
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(printed.encode())
    with connect(postgresql_url) as connection:
        assert script(connection, (CONTROL,)) == ""
    control = opened(tmp_path, postgresql_url)
    with control.reading() as reading:
        tables = inspect(reading).get_table_names(schema="consentkit")
    assert set(tables) == {*metadata.tables, "schema_version"}
    audit.record(control, SYSTEM, "some.thing")


def test_a_later_version_runs_its_own_steps_alone_and_an_earlier_host_refuses(
    tmp_path: Path, postgresql_url: str
) -> None:
    audit.record(opened(tmp_path, postgresql_url), SYSTEM, "some.thing")
    with connect(postgresql_url) as connection:
        printed = script(connection, (NEXT_VERSION,))
    assert "later" in printed
    assert "CREATE TABLE audit" not in printed
    bring_up(postgresql_url, NEXT_VERSION)
    bring_up(postgresql_url, NEXT_VERSION)
    with pytest.raises(StorageError, match="newer than this version of consentkit; upgrade this host"):
        opened(tmp_path, postgresql_url)


def test_a_step_that_fails_leaves_nothing_of_it(postgresql_url: str) -> None:
    bring_up(postgresql_url, CONTROL)
    broken = Step(2, "breaks", ("CREATE TABLE half (n bigint)", "SELECT 1 FROM nothing_such"))
    with pytest.raises(StorageError, match="nothing_such"):
        bring_up(postgresql_url, Part("control", lambda: (*CONTROL.steps(), broken), 2))
    with connect(postgresql_url) as connection:
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)
    bring_up(postgresql_url, CONTROL)


def test_a_role_that_may_change_no_tables_names_the_command(
    tmp_path: Path, postgresql_url: str, role: Callable[..., str]
) -> None:
    app = role("test_app_before", ())
    with pytest.raises(StorageError, match="run `consentkit db upgrade` as the owner"):
        opened(tmp_path, app)
    bring_up(postgresql_url, CONTROL)
    app = role("test_app_after", APP_MAY)
    audit.record(opened(tmp_path, app), SYSTEM, "some.thing")
    with pytest.raises(StorageError, match="run `consentkit db upgrade` as the owner"):
        bring_up(app, NEXT_VERSION)


def test_the_sites_role_adds_proof_and_can_not_change_it(
    tmp_path: Path, postgresql_url: str, role: Callable[..., str]
) -> None:
    bring_up(postgresql_url, CONTROL)
    app = opened(tmp_path, role("test_app", APP_MAY))
    answer = Decision(
        consent_id="V" * 22, granted="statistics", denied="", method="banner", revision=1, locale="lv", script=1
    )
    record_decision(app, answer, shown=b"{}")
    for statement in (
        "DELETE FROM audit",
        "UPDATE decision SET granted = ''",
        "SELECT * FROM person",
        "DROP TABLE audit",
    ):
        with (
            pytest.raises(StorageError, match=r"permission denied|must be owner"),
            app.transaction() as connection,
        ):
            connection.exec_driver_sql(statement)
    admin = opened(tmp_path, role("test_admin", ADMIN_MAY))
    audit.record(admin, SYSTEM, "some.look")
    with admin.reading() as reading:
        assert reading.exec_driver_sql("SELECT count(*) FROM decision").scalar_one() == 1
    with pytest.raises(StorageError, match="permission denied"), admin.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM decision")


def test_the_command_prints_runs_and_then_has_nothing_to_do(postgresql_url: str) -> None:
    printed = run(postgresql_url, "upgrade", "--sql")
    assert printed.returncode == 0, printed.stderr
    assert "CREATE TABLE audit" in printed.stdout
    assert "PARTITION BY" in printed.stdout
    done = run(postgresql_url, "upgrade")
    assert done.stdout.splitlines() == ["control 1: control data", "requests 1: requests"]
    assert "nothing was done" in run(postgresql_url, "upgrade").stdout
    assert run(postgresql_url, "upgrade", "--sql").stdout == ""


def test_the_roles_that_are_printed_can_be_made(postgresql_url: str, role: Callable[..., str]) -> None:
    assert run(postgresql_url, "upgrade").returncode == 0
    url = role("test_app_cli", ())
    role("test_admin_cli", ())
    printed = run(postgresql_url, "roles", "--sql", "--app", "test_app_cli", "--admin", "test_admin_cli").stdout
    granted = [line for line in printed.splitlines() if line.startswith("GRANT")]
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        for statement in granted:
            connection.execute(statement.encode())
    with psycopg.connect(url) as app:
        app.execute("SELECT name FROM consentkit.place")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT * FROM consentkit.request")


def test_without_a_url_the_command_has_nothing_to_care_for() -> None:
    done = run("", "upgrade")
    assert done.returncode == 2
    assert "storage.url: is not set" in done.stderr


def test_a_server_that_is_away_ends_the_command_without_its_url(postgresql_url: str) -> None:
    done = run(postgresql_url.replace("127.0.0.1:", "127.0.0.1:1"), "upgrade")
    assert done.returncode == 2
    assert "the tables can't be changed" in done.stderr
    assert "postgresql://" not in done.stderr
