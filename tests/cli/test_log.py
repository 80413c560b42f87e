from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentkit import audit
from consentkit.cli.filters import parse_time
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import BadSearch
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
WHY = ("--purpose", "security", "--reason", "a test", "--case", "C-7")


def record(url: str) -> Record:
    now = time.time_ns() // 1000
    return Record(
        now, "192.0.2.7", "192.0.2.7", "peer", "GET", "https", "example.lv", url, 0, 404, "complete", 5, 9, "x", ""
    )


@pytest.fixture
def spool(config: Path) -> Spool:
    settings = Settings.load(config)
    settings.storage.directory.mkdir()
    return Spool(settings.storage.directory, Keyring.open(settings.storage.keys, ()), max_bytes=2**30)


def audited(config: Path) -> list[audit.AuditEntry]:
    storage = Settings.load(config).storage
    with Control(storage.directory, Keyring.open(storage.keys, ())).transaction() as connection:
        return list(audit.entries(connection))


def test_a_search_prints_the_records_own_names_as_json(consentkit: Command, spool: Spool) -> None:
    spool.append(record("/a"))
    done = consentkit("log", "search", "--json", *WHY)
    assert done.returncode == 0, done.stderr
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (row["url"], row["status"], row["client_address"]) == ("/a", 404, "192.0.2.7")
    assert row["time"].endswith("Z")


def test_a_search_for_people_prints_a_line_a_request(consentkit: Command, spool: Spool) -> None:
    spool.append(record("/a"))
    done = consentkit("log", "search", *WHY)
    assert "192.0.2.7" in done.stdout
    assert "example.lv/a" in done.stdout


def test_without_a_purpose_nothing_is_shown(consentkit: Command, spool: Spool) -> None:
    spool.append(record("/a"))
    done = consentkit("log", "search", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--purpose" in done.stderr


def test_a_search_is_in_the_audit_with_its_purpose_and_rows(
    consentkit: Command, spool: Spool, config: Path
) -> None:
    spool.append(record("/a"))
    consentkit("log", "search", "--status", "4xx", *WHY)
    consentkit("log", "search", "--status", "500", *WHY)
    first, second = audited(config)
    assert (first.action, first.purpose, first.reason, first.case_id, first.rows) == (
        "log.search", "security", "a test", "C-7", 1,
    )  # fmt: skip
    assert json.loads(first.detail) == {"filters": {"status": ["4xx"]}}
    assert first.actor
    assert second.rows == 0


def test_where_the_audit_cannot_be_written_nothing_is_shown(
    consentkit: Command, spool: Spool, config: Path
) -> None:
    spool.append(record("/a"))
    consentkit("log", "search", *WHY)
    (config.parent / "data" / "control.db").write_bytes(b"damaged" * 1000)
    done = consentkit("log", "search", "--json", *WHY)
    assert (done.returncode, done.stdout) == (2, "")
    assert "control.db" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("--since", "yesterday"), "--since"),
        (("--address", "nowhere"), "--address"),
        (("--status", "4x"), "--status"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(
    consentkit: Command, spool: Spool, arguments: tuple[str, str], name: str
) -> None:
    spool.append(record("/a"))
    done = consentkit("log", "search", *WHY, *arguments)
    assert done.returncode == 2
    assert name in done.stderr


def test_a_place_where_nothing_is_kept_is_told(consentkit: Command) -> None:
    done = consentkit("log", "search", *WHY)
    assert done.returncode == 2
    assert "nothing is kept here yet" in done.stderr


def test_tail_follows_what_comes_in(config: Path, spool: Spool) -> None:
    spool.append(record("/before"))
    command = [str(Path(sys.executable).with_name("consentkit")), "log", "tail", "--follow", "--json", *WHY]
    environment = {**os.environ, "CONSENTKIT_CONFIG": str(config), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["url"] == "/before"
            for number in range(2):
                spool.append(record(f"/{number}"))
                assert select.select([process.stdout], [], [], 10)[0], "nothing came within 10 s"
                assert json.loads(process.stdout.readline())["url"] == f"/{number}"
        finally:
            process.terminate()  # not SIGINT: a shell that runs tests in the background has it ignored
    assert [entry.action for entry in audited(config)] == ["log.tail"] * 3


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-11-23T10:00:00+00:00"),
        ("7d", "2026-11-16T12:00:00+00:00"),
        ("2026-11-23", "2026-11-23T00:00:00+00:00"),
        ("2026-11-23T10:30", "2026-11-23T10:30:00+00:00"),
        ("2026-11-23T10:30:00+02:00", "2026-11-23T08:30:00+00:00"),
        ("2026-11-23T10:30Z", "2026-11-23T10:30:00+00:00"),
    ],
)
def test_times_are_iso_or_so_long_ago(text: str, expected: str) -> None:
    assert datetime.fromtimestamp(parse_time("since", text, now=NOW) / 1e6, UTC).isoformat() == expected


@pytest.mark.parametrize("text", ["", "2", "h", "2y", "99999999d", "2026-13-01", "٢h"])
def test_other_texts_are_no_time(text: str) -> None:
    with pytest.raises(BadSearch, match="--since"):
        parse_time("since", text, now=NOW)
