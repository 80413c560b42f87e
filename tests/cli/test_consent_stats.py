"""``consentkit consent stats``: the table, the objects, and what is said where there is nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from consentkit.archive.consentrates import rates
from consentkit.cli.main import group
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.consent.outcomes import Outcome
from consentkit.consent.showings import FOLDER, Showing, Shown
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings

pytestmark = pytest.mark.custody

TODAY = (datetime.now(UTC).date() - date(1970, 1, 1)).days
ACCEPTED = (Outcome("", "accepted"), Outcome("preferences", "accepted"), Outcome("statistics", "accepted"))
REFUSED = (Outcome("", "refused"), Outcome("preferences", "refused"), Outcome("statistics", "refused"))
WITHDRAWN = (Outcome("", "withdrawn"), Outcome("statistics", "withdrawn"))


@pytest.fixture
def control(config: Path) -> Control:
    storage = Settings.load(config, {}).storage
    storage.directory.mkdir()
    return Control(storage.directory, Keyring.open(storage.keys, ()))


def stats(config: Path, *options: str) -> Result:
    return CliRunner().invoke(group, ["consent", "stats", "--config", str(config), *options])


def shown(config: Path, *showings: Showing) -> None:
    folder = config.parent / "data" / FOLDER
    folder.mkdir()
    content = Shown(("preferences", "statistics"), showings)
    (folder / f"{'a' * 16}.json").write_bytes(msgspec.json.encode(content))


def answer(control: Control, *counted: Outcome, day: int = TODAY, script: int = 1) -> None:
    row = Decision(
        minute=day * 1440,
        consent_id="",
        granted="",
        denied="statistics",
        method="banner",
        revision=1,
        locale="lv",
        script=script,
    )
    record_decision(control, row, counted)


def iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def test_a_day_is_a_line_with_its_shares(control: Control, config: Path) -> None:
    shown(config, Showing(TODAY, "lv", False, 1600))
    for _ in range(3):
        answer(control, *ACCEPTED)
    answer(control, *REFUSED, script=0)
    answer(control, *WITHDRAWN)
    done = stats(config)
    assert done.exit_code == 0, done.output
    head, line = done.stdout.splitlines()
    assert line.split() == [iso(TODAY), "1,600", "3", "0", "1", "0", "1", "1", "75.0%", "0.2%"]
    assert head.split()[:3] == ["day", "shown", "accepted"]
    assert done.stderr == ""


def test_the_objects_name_what_was_asked_for_and_the_shares(control: Control, config: Path) -> None:
    answer(control, *REFUSED)
    answer(control, *ACCEPTED, script=0)
    done = stats(config, "--json", "--by", "category", "--by", "script")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["category"], row["script"], row["accepted"], row["refused"]) for row in rows] == [
        ("preferences", False, 1, 0),
        ("preferences", True, 0, 1),
        ("statistics", False, 1, 0),
        ("statistics", True, 0, 1),
    ]
    assert rows[0]["accepted_share"] == 1.0
    assert rows[0]["answered_share"] is None
    assert not {"day", "language"} & rows[0].keys()


@pytest.mark.parametrize(
    ("options", "days"),
    [
        ([], [-2, -1, 0]),
        (["--since", "1d"], [-1, 0]),
        (["--until", iso(TODAY)], [-2, -1]),
        (["--until", f"{iso(TODAY)}T00:01"], [-2, -1, 0]),
        (["--since", iso(TODAY - 1), "--until", iso(TODAY)], [-1]),
        (["--since", "0001-01-01", "--until", "9999-12-31"], [-2, -1, 0]),
    ],
    ids=["all", "since yesterday", "before today", "today has begun", "yesterday", "all of time"],
)
def test_days_are_chosen_by_since_and_until(
    control: Control, config: Path, options: list[str], days: list[int]
) -> None:
    for day in (-2, -1, 0):
        answer(control, *REFUSED, day=TODAY + day)
    done = stats(config, "--json", *options)
    assert [json.loads(line)["day"] for line in done.stdout.splitlines()] == [iso(TODAY + day) for day in days]


def test_pages_for_all_have_a_column_and_a_word_where_there_are_any(control: Control, config: Path) -> None:
    shown(config, Showing(TODAY, "en", True, 5), Showing(TODAY, "lv", False, 2))
    done = stats(config, "--by", "language")
    assert [line.split()[:3] for line in done.stdout.splitlines()] == [
        ["language", "shown", "for"],
        ["en", "0", "5"],
        ["lv", "2", "0"],
    ]
    assert "same for all" in done.stderr


def test_what_is_shown_is_added_before_it_is_told(control: Control, config: Path) -> None:
    shown(config, Showing(TODAY, "lv", False, 2))
    for _ in range(2):
        assert json.loads(stats(config, "--json").stdout)["shown"] == 2
    assert rates(control, by=())[0].shown == 2


def test_it_is_said_why_there_is_nothing(control: Control, config: Path) -> None:
    nothing = stats(config)
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "Nothing is counted yet" in nothing.stderr
    answer(control, *REFUSED)
    elsewhen = stats(config, "--until", "2020-01-01")
    assert f"from {iso(TODAY)} to {iso(TODAY)}" in elsewhen.stderr
    config.write_text('[storage]\ndirectory = "other"\n')
    (config.parent / "other").mkdir()
    storage = Settings.load(config, {}).storage
    Control(storage.directory, Keyring.open(storage.keys, ()))
    assert "all declared cookies are necessary" in stats(config).stderr


@pytest.mark.parametrize("options", [["--by", "visitor"], ["--since", "soon"]])
def test_wrong_use_ends_with_2(control: Control, config: Path, options: list[str]) -> None:
    assert stats(config, *options).exit_code == 2
