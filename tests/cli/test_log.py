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
from consentkit.archive.holdings import Holdings
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue
from consentkit.archive.periodlock import PeriodLock
from consentkit.cli.filters import parse_time
from consentkit.control import Control, aggregate, aggregate_hour
from consentkit.crypto import Keyring
from consentkit.errors import BadSearch
from consentkit.requestlog.record import Gap, Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings
from tests.archive.installation import RESOLVERS

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
    assert json.loads(first.detail)["filters"] == {"status": ["4xx"]}
    assert list(json.loads(first.detail)["requests"].values()) == ["0"]
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


def told(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, object]]:
    """What a command with --json says beside its rows."""
    return {kind: fields for line in done.stderr.splitlines() for kind, fields in json.loads(line).items()}


def test_a_page_says_where_the_next_one_begins_and_that_one_goes_on_there(
    consentkit: Command, spool: Spool
) -> None:
    for number in range(5):
        spool.append(record(f"/{number}"))
    shown: list[str] = []
    place: tuple[str, ...] = ()
    for size in (2, 2, 1):
        done = consentkit("log", "search", "--json", "--limit", "2", *place, *WHY)
        page = [json.loads(line)["url"] for line in done.stdout.splitlines()]
        assert len(page) == size
        shown += page
        place = ("--before", str(told(done).get("continue", {}).get("before")))
    assert shown == ["/4", "/3", "/2", "/1", "/0"]
    assert "continue" not in told(done)
    backwards = consentkit("log", "search", "--json", "--oldest-first", "--limit", "1", *WHY)
    assert json.loads(backwards.stdout)["url"] == "/0"
    after = str(told(backwards)["continue"]["after"])
    rest = consentkit("log", "search", "--json", "--oldest-first", "--after", after, *WHY)
    assert [json.loads(line)["url"] for line in rest.stdout.splitlines()] == ["/1", "/2", "/3", "/4"]


def test_a_search_that_runs_out_of_time_says_how_far_it_came(consentkit: Command, spool: Spool) -> None:
    spool.append(record("/a"))
    done = consentkit("log", "search", "--time-limit", "0.000001", *WHY)
    assert done.returncode == 0
    assert "Searched back to" in done.stderr
    assert "continue with --before" in done.stderr
    as_json = consentkit("log", "search", "--json", "--time-limit", "0.000001", *WHY)
    assert told(as_json)["continue"]["ended_by"] == "time"


def test_a_place_that_names_none_is_refused(consentkit: Command, spool: Spool) -> None:
    spool.append(record("/a"))
    done = consentkit("log", "search", "--before", "yesterday", *WHY)
    assert done.returncode == 2
    assert "--before" in done.stderr


def test_what_was_lost_is_told_above_the_rows_of_each_look(consentkit: Command, spool: Spool) -> None:
    now = time.time_ns() // 1000
    spool.append(record("/a"))
    lost = Gap(now - 30_000_000, now, 12_345, "sampled", "192.0.2.0/24")
    spool.append(lost)  # type: ignore[arg-type] # a gap is appended by the spool itself; here by hand
    for look in (("search",), ("tail",), ("top", "--by", "path")):
        done = consentkit("log", *look, *WHY)
        assert "12,345 records of 192.0.2.0/24 were not kept: flood." in done.stderr
        assert "/a" in done.stdout
    as_json = consentkit("log", "search", "--json", *WHY)
    assert told(as_json)["gap"]["lost"] == 12_345
    assert len(as_json.stdout.splitlines()) == 1


def test_top_counts_what_it_says_and_is_in_the_audit(consentkit: Command, spool: Spool, config: Path) -> None:
    for url in ("/a", "/b", "/a"):
        spool.append(record(url))
    done = consentkit("log", "top", "--by", "path", "--json", *WHY)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"by": "path", "value": "/a", "requests": 2}, {"by": "path", "value": "/b", "requests": 1},
    ]  # fmt: skip
    assert told(done)["counted"]["rows"] == 3
    table = consentkit("log", "top", "--by", "path", *WHY)
    assert "66.7%" in table.stdout
    assert "Of the newest 3 requests" in table.stderr
    first, _ = audited(config)
    assert (first.action, first.purpose, first.rows) == ("log.top", "security", 2)
    refused = consentkit("log", "top", "--by", "path")
    assert (refused.returncode, refused.stdout) == (2, "")


def test_top_shows_the_hours_whose_rows_are_gone_beside_the_rows(
    consentkit: Command, spool: Spool, config: Path
) -> None:
    spool.append(record("/a"))
    storage = Settings.load(config).storage
    with Control(storage.directory, Keyring.open(storage.keys, ())).transaction() as connection:
        hour = {"hour_us": 3_600_000_000, "period": "1970-01-01", "generation": 1, "file_hash": "", "lost": 0}
        connection.execute(aggregate_hour.insert().values(hour))
        for dimension, value, requests in (
            ("total", "", 90),
            ("status_class", "2xx", 60),
            ("status_class", "4xx", 30),
        ):
            cell = {"hour_us": 3_600_000_000, "dimension": dimension, "value": value, "requests": requests}
            connection.execute(aggregate.insert().values(cell))
    table = consentkit("log", "top", "--by", "status", *WHY)
    assert table.returncode == 0, table.stderr
    assert "Of 90 requests in 1 hours, small groups folded into other:" in table.stdout
    assert "66.7%" in table.stdout
    as_json = consentkit("log", "top", "--by", "status", "--json", *WHY).stdout
    assert {"by": "status_class", "value": "4xx", "requests": 30, "from": "statistics"} in [
        json.loads(line) for line in as_json.splitlines()
    ]
    assert "statistics" not in consentkit("log", "top", "--by", "status", "--path", "/a", "--json", *WHY).stdout


def test_segments_lists_what_lies_where_and_no_request(consentkit: Command, spool: Spool) -> None:
    spool.append(record("/secret-place"))
    done = consentkit("log", "segments", "--json")
    assert done.returncode == 0, done.stderr
    (segment,) = map(json.loads, done.stdout.splitlines())
    assert (segment["kind"], segment["frames_waiting"], segment["is_open"]) == ("segment", 1, True)
    table = consentkit("log", "segments")
    assert "1 of 1" in table.stdout
    assert "secret-place" not in done.stdout + table.stdout


def test_an_export_into_a_pipe_that_nobody_reads_keeps_no_period_from_going(config: Path, spool: Spool) -> None:
    for number in range(3_000):
        spool.append(record(f"/{number}"))
    spool.close()
    settings = Settings.load(config)
    keyring = Keyring.open(settings.storage.keys, ())
    control = Control(settings.storage.directory, keyring)
    catalogue = Catalogue(control, "day")
    ingester = Ingester(Holdings.open(settings.storage, keyring, control), catalogue, RESOLVERS)
    assert ingester.drain() == 3_000
    ingester.close()
    command = [str(Path(sys.executable).with_name("consentkit")), "log", "export", "--format", "json", *WHY]
    environment = {**os.environ, "CONSENTKIT_CONFIG": str(config)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 30)[0], "nothing was written within 30 s"
            time.sleep(0.2)
            for period in catalogue.list():
                file = settings.storage.directory / "requests" / period.file_name
                PeriodLock(file, exclusive=True, wait_seconds=1).release()
            assert process.poll() is None  # it still waits for a reader
        finally:
            process.kill()


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
