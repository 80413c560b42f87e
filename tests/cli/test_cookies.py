"""`consentkit cookies`: what is declared and what is in use, and a declaration to paste where they differ."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentkit.archive.health.consent import examine_consent
from consentkit.archive.health.finding import Patient
from consentkit.consent.inventory import Inventory, InventoryWriter, read_inventory
from consentkit.settings import Settings
from tests.archive.installation import Installation

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def seen(config: Path) -> Callable[[dict[str, dict[str, int]]], None]:
    """Let a worker have met names."""
    directory = Settings.load(config).storage.directory

    def meet(names: dict[str, dict[str, int]]) -> None:
        directory.mkdir(exist_ok=True)
        InventoryWriter(directory, lambda: names).close()
        assert read_inventory(directory) != Inventory()

    return meet


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_declared_cookie_is_listed_with_the_day_on_which_it_was_seen(
    consentkit: Run, seen: Callable[[dict[str, dict[str, int]]], None]
) -> None:
    seen({"set": {"theme": 2}})
    found = {row["name"]: row for row in rows(consentkit("cookies", "list", "--json"))}
    assert found["theme"]["last_seen"] == datetime.now(UTC).date().isoformat()
    assert (found["visits"]["last_seen"], found["visits"]["from"]) == (None, "site")
    assert found["consentkit_id"]["from"] == "consentkit"
    shown = consentkit("cookies", "list").stdout
    assert "theme" in shown
    assert "never" in shown


def test_before_anything_was_seen_that_is_said(consentkit: Run) -> None:
    done = consentkit("cookies", "seen", "--fail-on-undeclared")
    assert (done.returncode, "Nothing was seen yet" in done.stdout) == (0, True)


def test_an_undeclared_cookie_is_shown_with_a_declaration_and_fails_where_asked(
    consentkit: Run, seen: Callable[[dict[str, dict[str, int]]], None]
) -> None:
    seen({"undeclared": {"odd": 3}, "brought": {"_ga": 5}, "dropped": {"visits": 9}, "undeletable": {"theme": 1}})
    shown = consentkit("cookies", "seen")
    assert shown.returncode == 0
    for part in ("set by the application", 'name = "odd"', 'use = "google-analytics"', "Kept from visitors"):
        assert part in shown.stdout
    found = rows(consentkit("cookies", "seen", "--json"))
    kinds = [(row["kind"], row["name"]) for row in found]
    expected = [("undeclared", "odd"), ("undeclared", "_ga"), ("dropped", "visits"), ("undeletable", "theme")]
    assert kinds == expected
    assert consentkit("cookies", "seen", "--fail-on-undeclared").returncode == 1


def test_a_hostile_name_can_not_act_on_the_terminal(
    consentkit: Run, seen: Callable[[dict[str, dict[str, int]]], None]
) -> None:
    seen({"brought": {"\x1b[31mred\u202e\\": 5}})
    shown = consentkit("cookies", "seen").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[31mred\\u202e\\\\" in shown


def test_doctor_is_not_well_while_an_undeclared_cookie_passes(
    consentkit: Run, config: Path, seen: Callable[[dict[str, dict[str, int]]], None]
) -> None:

    seen({"undeclared": {"odd": 3}})
    settings = Settings.load(config)
    installation = Installation(config.parent)

    now_us = int(datetime.now(UTC).timestamp() * 1e6)
    found = {one.check: one.level for one in examine_consent(Patient(settings, installation.holdings, now_us))}
    assert found["consent.undeclared"] == "bad"
    later = Patient(settings, installation.holdings, now_us + 9 * 86_400_000_000)
    assert {one.check: one.level for one in examine_consent(later)}["consent.undeclared"] == "good"
    seen({"brought": {"_odd": 3}})
    config.write_text(
        config.read_text("utf-8").replace("[[consent", '[consent]\nundeclared = "block"\n[[consent', 1)
    )
    blocking = Patient(Settings.load(config), installation.holdings, now_us)
    assert {one.check: one.level for one in examine_consent(blocking)}["consent.undeclared"] == "unknown"
