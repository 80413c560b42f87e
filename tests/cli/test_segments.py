"""``consentkit log segments``: each period by the name of what its rows lie in, which is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

from consentkit.archive.holdings import Holdings
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings
from tests.archive.installation import DAYS, MONDAY, RESOLVERS, request

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.servers.clickhouse import ClickHouse

pytestmark = pytest.mark.server

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def store(config: Path, environ: dict[str, str]) -> Path:
    """Store a request, and return the data directory."""
    settings = Settings.load(config, environ)
    storage = settings.storage
    storage.directory.mkdir()
    keyring = Keyring.open(storage.keys, ())
    spool = Spool(storage.directory, keyring, max_bytes=2**30)
    spool.append(request(MONDAY, "/secret-place"))
    spool.close()
    control = Control(storage.directory, keyring, storage.url)
    holdings = Holdings.open(storage, keyring, control)
    ingester = Ingester(holdings, Catalogue(control, "day"), RESOLVERS)
    assert ingester.drain() == 1
    ingester.close()
    holdings.rows.close()
    control.close()
    return storage.directory


def listed(consentkit: Command, environ: dict[str, str]) -> tuple[str, str, list[str]]:
    """Return file and place of the one period, and its row in the table with the row of names."""
    done = consentkit("log", "segments", "--json", **environ)
    assert done.returncode == 0, done.stderr
    (period,) = map(json.loads, done.stdout.splitlines())
    assert (period["kind"], period["period"], period["state"]) == ("period", DAYS[0], "open")
    table = consentkit("log", "segments", **environ)
    assert table.returncode == 0, table.stderr
    return period["file"], period["place"], [line.split()[2] for line in table.stdout.splitlines()[-2:]]


def test_a_period_in_a_file_is_named_by_it(config: Path, consentkit: Command) -> None:
    directory = store(config, {})
    file, place, column = listed(consentkit, {})
    assert (directory / "requests" / file).is_file()
    assert place == ""
    assert column == ["file", file]


def test_a_period_in_postgresql_is_named_as_it_is_there(
    config: Path, consentkit: Command, postgresql_url: str
) -> None:
    environ = {"CONSENTKIT_STORAGE_URL": postgresql_url}
    store(config, environ)
    file, place, column = listed(consentkit, environ)
    with psycopg.connect(postgresql_url) as connection:
        assert connection.execute("SELECT name FROM consentkit.place").fetchall() == [(place,)]
    assert file == ""
    assert column == ["place", place]


def test_a_period_in_clickhouse_is_named_as_it_is_there(
    config: Path, consentkit: Command, clickhouse_servers: list[ClickHouse], clickhouse_url: str
) -> None:
    environ = {"CONSENTKIT_STORAGE_REQUESTS_URL": clickhouse_url}
    store(config, environ)
    file, place, column = listed(consentkit, environ)
    database = clickhouse_url.rpartition("/")[2]
    assert clickhouse_servers[0].ask(f"SELECT DISTINCT place FROM {database}.place") == [(place,)]
    assert file == ""
    assert column == ["place", place]


def test_a_period_that_is_gone_has_no_name_on_the_server(
    config: Path, consentkit: Command, postgresql_url: str
) -> None:
    environ = {"CONSENTKIT_STORAGE_URL": postgresql_url}
    store(config, environ)
    done = consentkit("retention", "run", "--yes", **environ)
    assert done.returncode == 0, done.stderr
    (period,) = map(json.loads, consentkit("log", "segments", "--json", **environ).stdout.splitlines())
    assert (period["state"], period["file"], period["place"]) == ("destroyed", "", "")
