"""``consentkit move``, run as an operator runs it: a site that was visited, the servers, and its life after."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from consentkit.control import Control
from consentkit.crypto import Keyring
from tests.conftest import SITE as SETTINGS
from tests.server.stores import COMMAND_SECONDS, Done, Host, Visitor, Where, command, database, said
from tests.servers.postgresql import PASSWORD, PostgreSQL
from tests.serving import free_port

pytestmark = pytest.mark.server

SITE = "tests.server.sites:plain"
WHY = ("--purpose", "operation")
CLICKHOUSE = "CONSENTKIT_MOVE_REQUESTS_TO"
POSTGRESQL = "CONSENTKIT_MOVE_TO"
PAGES = 300


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A site in the embedded store, stopped: visited by one who has agreed, an incident held."""
    folder = tmp_path_factory.mktemp("visited")
    config = folder / "consentkit.toml"
    config.write_text(SETTINGS.format(proxies='["127.0.0.1/32"]'), "utf-8")
    made = Host(folder, config=config)
    with made.serve(SITE, workers=1) as server, Visitor(server, "192.0.2.7") as visitor:
        for number in range(PAGES):
            assert visitor.get(f"/page/{number}").status_code == 200
        visitor.choose("accept")
        (folder / "consent-id").write_text(visitor.consent_id, "utf-8")
    made.good("incident", "open", "--purpose", "incident", "--case", "1", "--reason", "x", "--path", "/page/1*")
    return made


@pytest.fixture
def host(visited: Host, tmp_path: Path) -> Host:
    """A copy of it."""
    shutil.copytree(visited.folder, tmp_path, dirs_exist_ok=True)
    return Host(tmp_path, config=tmp_path / visited.config.name)


@pytest.fixture
def target(postgresql: PostgreSQL) -> Iterator[Where]:
    with database(postgresql) as where:
        yield where


@pytest.fixture
def both(target: Where, clickhouse_url: str) -> Where:
    """PostgreSQL, and ClickHouse for requests."""
    return target._replace(requests=clickhouse_url)


def to(where: Where) -> dict[str, str]:
    """What a move is told of, where no list of processes shows it."""
    return {POSTGRESQL: where.owner, CLICKHOUSE: where.requests}


def found(host: Host) -> list[tuple[str, str]]:
    rows = host.rows("log", "search", *WHY, "--limit", "0", "--since", "1d")
    return [(row["request_id"], row["url"]) for row in rows if row["url"] != "/ready"]


def at(host: Host, where: Where) -> Host:
    """The same host under its new settings."""
    return Host(host.folder, where, config=host.config)


def holds(host: Host) -> None:
    """Nothing was lost, changed or left unsaid."""
    report = host.rows("log", "verify")
    assert [row["good"] for row in report] == [True] * len(report)
    assert "The ledger holds: 1 decisions" in host.good("audit", "verify")


def left_behind(host: Host) -> list[str]:
    """What the embedded store kept."""
    names = ("requests/*.db", "incidents/*.db", "control.db")
    return sorted(path.name for name in names for path in host.data.glob(name))


def silent(done: Done) -> Done:
    """Require that no password is in what was printed."""
    assert PASSWORD not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize("fixture", ["target", "both"], ids=["postgresql", "postgresql and clickhouse"])
def test_a_site_is_moved_and_goes_on_there(fixture: str, host: Host, request: pytest.FixtureRequest) -> None:
    where: Where = request.getfixturevalue(fixture)
    before = found(host)
    done = silent(host.run("move", "--yes", "--json", **to(where)))
    assert done.returncode == 0, done.stderr
    assert '"bad": []' in done.stdout
    assert "CONSENTKIT_STORAGE_URL" in done.stderr
    assert left_behind(host) == []

    refused = host.run("log", "search", *WHY)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "was moved to postgresql" in refused.stderr
    assert "storage.url" in refused.stderr

    moved = at(host, where)
    assert found(moved) == before
    consent_id = (host.folder / "consent-id").read_text("utf-8")
    assert len(moved.rows("consent", "show", consent_id, *WHY)) == 1
    assert len(moved.rows("incident", "show", "1", "--rows", "--limit", "0", *WHY)) == 111
    with moved.serve(SITE, workers=1) as server, Visitor(server, "192.0.2.8") as visitor:
        assert visitor.get("/page/after").status_code == 200
    assert said(server) == ""
    assert [url for _, url in found(moved)] == ["/page/after", *(url for _, url in before)]
    holds(moved)


@pytest.mark.parametrize(
    ("fixture", "told"),
    [
        ("postgresql_url", r"was moved to postgresql: set storage\.url"),
        ("clickhouse_url", r"requests were moved to clickhouse: set storage\.requests_url"),
    ],
)
def test_a_site_with_the_old_settings_does_not_start(
    fixture: str, told: str, host: Host, request: pytest.FixtureRequest
) -> None:
    assert host.run("move", "--yes", "--to", request.getfixturevalue(fixture)).returncode == 0
    with pytest.raises(RuntimeError, match=told), host.serve(SITE, workers=1):
        pass


def test_a_running_site_is_refused(config: Path, tmp_path: Path, target: Where) -> None:
    host = Host(tmp_path, config=config)
    with host.serve(SITE, workers=1) as server:
        done = silent(host.run("move", "--yes", **to(target)))
        assert done.returncode == 2
        assert "the site runs; stop its servers and ingester first" in done.stderr
        with Visitor(server, "192.0.2.7") as visitor:
            visitor.choose("accept")
    assert len(host.rows("consent", "stats")) == 1


def test_without_a_yes_the_old_copy_stays_until_it_is_cleaned_up(host: Host, target: Where) -> None:
    kept = left_behind(host)
    done = silent(host.run("move", "--json", **to(target)))
    assert done.returncode == 0, done.stderr
    assert "consentkit move --clean-up" in done.stderr
    assert left_behind(host) == kept
    moved = at(host, target)
    again = silent(moved.run("move", "--clean-up"))
    assert (again.returncode, "destroyed" in again.stderr) == (0, True), again.stderr
    assert left_behind(host) == []
    assert silent(moved.run("move", "--clean-up")).returncode == 0
    holds(moved)


def test_nobody_who_does_not_answer_has_said_yes(host: Host, target: Where) -> None:
    kept = left_behind(host)
    done = silent(host.run("move", **to(target)))
    assert left_behind(host) == kept
    assert "consentkit move --clean-up" in done.stderr
    assert done.returncode == 0
    holds(at(host, target))


def test_requests_alone_are_moved_on_to_clickhouse(host: Host, both: Where) -> None:
    before = found(host)
    assert host.run("move", "--yes", "--to", both.owner).returncode == 0
    first = at(host, both._replace(requests=""))
    done = silent(first.run("move", "--yes", **{POSTGRESQL: both.requests}))
    assert done.returncode == 0, done.stderr
    assert "CONSENTKIT_STORAGE_REQUESTS_URL" in done.stderr
    assert "CONSENTKIT_STORAGE_URL" not in done.stderr
    with psycopg.connect(both.owner) as connection:
        assert connection.execute("SELECT count(*) FROM consentkit.request").fetchone() == (0,)
    moved = at(host, both)
    assert found(moved) == before
    holds(moved)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--to URL"),
        (("--to", "mysql://ck_test:{password}@127.0.0.1/x"), "postgresql://"),
        (("--to", "postgresql://ck_test:{password}@127.0.0.1:{port}/x"), "Connection refused"),
        (("--to", "clickhouse://ck_test:{password}@127.0.0.1:{port}/x"), "ClickHouse"),
        (("--to", "clickhouse://ck_test:{password}@127.0.0.1/x?nonsense=1"), "an option that is not known"),
        (("--to", "clickhouse://u@ch/x", "--requests-to", "clickhouse://u@ch/y"), "--to postgresql://"),
        (("--clean-up",), "storage.url"),
    ],
    ids=["nowhere", "another kind", "postgresql away", "clickhouse away", "unknown option", "two", "not moved"],
)
def test_what_can_not_be_is_refused_and_changes_nothing(
    arguments: tuple[str, ...], told: str, config: Path, tmp_path: Path
) -> None:
    host = never_visited(config, tmp_path)
    kept = left_behind(host)
    given = [one.format(password=PASSWORD, port=free_port()) for one in arguments]
    done = silent(host.run("move", "--yes", *given))
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(host) == kept
    assert host.run("audit", "verify").returncode == 0


def test_a_database_that_holds_an_installation_is_refused(config: Path, tmp_path: Path, target: Where) -> None:
    host = never_visited(config, tmp_path)
    assert silent(host.run("move", "--yes", **to(target))).returncode == 0
    other = never_visited(config, tmp_path / "other")
    done = silent(other.run("move", "--yes", **to(target)))
    assert done.returncode == 2
    assert left_behind(other) != []


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("postgresql://u:hush@db/x", "psycopg", "postgresql"),
        ("clickhouse://u:hush@ch/x", "clickhouse_driver", "clickhouse"),
    ],
)
def test_a_missing_driver_names_its_extra(url: str, driver: str, extra: str, config: Path, tmp_path: Path) -> None:
    host = never_visited(config, tmp_path)
    missing = tmp_path / "missing"
    missing.mkdir()
    (missing / f"{driver}.py").write_text(f"raise ModuleNotFoundError('no {driver}', name='{driver}')", "utf-8")
    done = host.run("move", "--yes", "--to", url, PYTHONPATH=str(missing))
    assert done.returncode == 2
    assert f"pip install 'consentkit[{extra}]'" in done.stderr
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr


def never_visited(config: Path, folder: Path) -> Host:
    """An installation of which nothing but its keys and its empty control data is there."""
    host = Host(folder, config=config)
    host.data.mkdir(parents=True)
    Control(host.data, Keyring.open(host.keys, (host.secret,))).close()
    return host


@pytest.mark.parametrize(
    ("fixture", "mark"),
    [("postgresql_url", "moved"), ("clickhouse_url", "moved-requests")],
    ids=["all", "requests"],
)
def test_a_move_that_was_ended_between_its_switch_and_its_mark_goes_on(
    fixture: str, mark: str, host: Host, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(fixture)
    (first,) = host.rows("move", "--to", url)
    (host.data / mark).unlink()
    (again,) = host.rows("move", "--yes", "--to", url)
    assert again == first
    assert (host.data / mark).exists()
    moved = at(host, Where(owner=url, app=url) if mark == "moved" else Where(requests=url))
    assert len(found(moved)) == PAGES + 1
    holds(moved)


@contextmanager
def moving(host: Host, where: Where) -> Iterator[subprocess.Popen[bytes]]:
    """A move that runs."""
    environment = {**os.environ, **host.environment(), **to(where)}
    process = subprocess.Popen(
        command("move", "--yes"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(COMMAND_SECONDS)


def test_a_move_that_is_killed_again_and_again_is_finished_by_the_next(host: Host, both: Where) -> None:
    before = found(host)
    moved = at(host, both)
    seconds, kills = 0.8, 0
    # Each is given longer than the one before: it dies in its first steps, in its middle and in its last.
    while seconds < COMMAND_SECONDS:
        with moving(host, both) as process:
            try:
                code = process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                kills, seconds = kills + 1, seconds * 1.4
    assert kills > 0
    assert (host.data / "moved").exists()
    # The last of those that were killed had come past the switch, or there was one that was not.
    assert code in (0, 2)
    moved.good("move", "--clean-up")
    assert left_behind(host) == []
    assert found(moved) == before
    holds(moved)
