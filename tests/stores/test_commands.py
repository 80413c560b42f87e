"""Every command that looks at the log or changes it, over every store."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from consentkit.archive.bundle import check
from consentkit.cli.main import group
from tests.archive.installation import DAY_US, DAYS, MONDAY
from tests.stores import oracle
from tests.stores.questions import EACH
from tests.stores.sites import Site

HERS = "192.0.2.7"
WHY = ("--purpose", "operation", "--reason", "a look over every store")
FOR_PERSON = ("--purpose", "person", "--case", "R-5", "--reason", "asked by letter")
ALL = ("--limit", "0", "--time-limit", "0")


@pytest.fixture
def config(stored: Site) -> Path:
    """The settings file of the site."""
    path = stored.directory.parent / "consentkit.toml"
    lines = [f'{name} = "{value}"' for name, value in {"directory": "data", **stored.where.settings}.items()]
    path.write_text("\n".join(["[storage]", *lines]), "utf-8")
    return path


class Commands:
    """The command line over one site."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        done = CliRunner().invoke(group, [*arguments, "--config", str(self._config)])
        assert done.exit_code == exit_code, (arguments, done.output, done.exception)
        return done.stdout

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]


@pytest.fixture
def commands(config: Path) -> Commands:
    return Commands(config)


def test_the_log_is_searched_counted_exported_and_verified(
    stored: Site, commands: Commands, tmp_path: Path
) -> None:
    wanted = oracle.answer(stored.everything(), EACH["network"])
    network = ("--address", "192.0.2.0/24", "--address", "2001:db8::/32")
    since = ("--since", "2026-01-01")
    found = commands.rows("log", "search", *WHY, *ALL, *network, *since)
    assert [row["request_id"] for row in found] == [row.request_id for _, row in wanted]
    assert [(row["url"], row["client_address"]) for row in found] == [
        (row.url, row.client_address) for _, row in wanted
    ]
    counted = commands.rows("log", "top", *WHY, "--by", "address", *since)
    expected = oracle.top(stored.everything(), EACH["network"], "address")
    assert {(one["value"], one["requests"]) for one in counted} >= set(expected[:5])
    output = tmp_path / "rows.ndjson"
    commands.run("log", "export", *WHY, *network, *since, "--format", "json", "--output", str(output))
    exported = [json.loads(line)["request_id"] for line in output.read_text("utf-8").splitlines()]
    assert exported == [row["request_id"] for row in found]
    assert {one.get("period"): one.get("state") for one in commands.rows("log", "segments")}[DAYS[0]] == "sealed"
    commands.run("log", "verify")
    assert commands.run("log", "anchor")
    assert commands.rows("audit", "list")
    commands.run("audit", "verify")


def test_an_incident_is_opened_shown_exported_and_closed(stored: Site, commands: Commands, tmp_path: Path) -> None:
    wanted = oracle.answer(stored.everything(), EACH["flags"])
    opening = ("--purpose", "incident", "--case", "7", "--reason", "an attack", "--flag", "quote")
    (opened,) = commands.rows("incident", "open", *opening)
    assert (opened["number"], opened["rows"]) == (1, len(wanted))
    shown = commands.rows("incident", "show", "1", "--rows", "--limit", "0", "--purpose", "incident")
    assert {row["request_id"] for row in shown} == {row.request_id for _, row in wanted}
    bundle = tmp_path / "incident.zip"
    commands.run(
        "incident", "export", "1", "--purpose", "incident", "--for", "the police", "--output", str(bundle)
    )
    assert sum(one.rows or 0 for one in check(bundle).files) >= len(wanted)
    commands.run("incident", "close", "1", "--reason", "over", "--yes")
    assert [one["state"] for one in commands.rows("incident", "list")] == ["closed"]
    assert stored.faults() == {}


def test_a_persons_rows_are_handed_out_and_erased(stored: Site, commands: Commands, tmp_path: Path) -> None:
    hers = [row for row in stored.everything() if row.found.client_address == HERS]
    person = ("--address", HERS, "--since", "2026-01-01", *FOR_PERSON)
    answer = tmp_path / "hers.zip"
    commands.run("subject", "export", *person, "--output", str(answer))
    with zipfile.ZipFile(answer) as opened:
        lines = opened.read("requests.ndjson").decode().splitlines()
    assert {json.loads(line)["request_id"] for line in lines} == {row.found.request_id for row in hers}
    commands.run("subject", "erase", *person, "--wait", "0", "--yes")
    assert stored.found() == stored.expected(lambda row: row not in hers)
    assert stored.faults() == {}


def test_retention_is_shown_and_run(stored: Site, commands: Commands) -> None:
    commands.run("retention", "status", exit_code=1)  # all of it is long overdue by the true clock
    commands.run("retention", "run", "--dry-run")
    commands.run("retention", "run", "--yes")
    assert set(stored.states().values()) == {"destroyed"}
    assert stored.found() == []
    assert stored.faults() == {}
    assert stored.archive().periods()[-1].since_us == MONDAY < MONDAY + DAY_US
