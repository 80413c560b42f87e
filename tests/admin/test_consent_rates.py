"""The page of rates: what was counted, by what it is told, as page and as file, and what is said of none."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from consentkit.admin import ratesview
from consentkit.admin.roles import ROLES
from consentkit.admin.stretch import PRESETS, asked, step_length, step_of, steps
from consentkit.admin.writing import Writing
from consentkit.consent.inventory import FILE, Inventory, Sighting
from consentkit.consent.rates import Cell, add
from consentkit.web.texts import Texts
from tests.admin.area import Area, run, text_of
from tests.archive.installation import Installation

custody = pytest.mark.custody

SAY = Texts(("en",), domain="admin")["en"]
DAY = date(2026, 11, 23)


def today() -> date:
    return datetime.now(UTC).date()


def count(installation: Installation, *cells: Cell) -> None:
    with installation.control.transaction() as connection:
        add(connection, cells)


def cell(
    kind: str, times: int, *, category: str = "", script: int = 1, ago: int = 0, language: str = "lv"
) -> Cell:
    return Cell((today() - timedelta(days=ago)).isoformat(), language, category, kind, script, times)


ANSWERS = (
    cell("shown", 400, script=-1),
    cell("accepted", 30),
    cell("partly", 4),
    cell("refused", 26, script=0),
    cell("withdrawn", 2),
    cell("accepted", 31, category="statistics"),
    cell("refused", 9, category="statistics"),
    cell("accepted", 5, category="marketing", script=0),
    cell("shown", 7, script=-1, ago=1, language="ru"),
)


@custody
def test_rates_are_told_by_category_language_day_and_script(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        count(area.installation, *ANSWERS)
        async with area:
            viewer = await area.client("viewer")
            page = await viewer.get("/consent")
        assert page.status_code == 200
        text = text_of(page)
        assert "Pages with the banner 407" in text
        assert "Accepted everything 50.0% 30" in text
        assert "Statistics 31 9 0 0 0 77.5%" in text
        assert "Marketing 5 0 0 0 5 100%" in text
        assert "lv 400 30 4 26 0 2 26 50.0% 15.0%" in text
        assert "By a plain form 0 0 26 0 0 26 0.0%" in text
        assert f"{today() - timedelta(days=1)} 7 0 0 0 0 0 0 – 0.0%" in text
        assert area.installation.audited("consent.stats")[-1].rows == 0

    run(story)


@custody
def test_every_role_may_see_counts_that_hold_no_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            for role in ROLES:
                client = await area.client(role)
                for path in ("/consent", "/consent/rates.csv", "/consent/rates.json"):
                    assert (await client.get(path)).status_code == 200

    run(story)


@custody
def test_an_empty_page_says_when_counts_begin(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            viewer = await area.client("viewer")
            assert "All declared cookies are necessary" in text_of(await viewer.get("/consent"))
            count(area.installation, cell("shown", 5, script=-1, ago=3))
            assert f"Counts begin on {today() - timedelta(days=3)}." in text_of(await viewer.get("/consent"))
            page = text_of(await viewer.get("/consent?since=2020-01-01&until=2020-02-01"))
        assert "Nothing was counted in these days" in page
        assert f"There are counts from {today() - timedelta(days=3)}" in page

    run(story)


@custody
def test_files_say_what_the_page_says(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        count(area.installation, *ANSWERS)
        async with area:
            viewer = await area.client("viewer")
            sheet = await viewer.get("/consent/rates.csv?days=7")
            data = await viewer.get("/consent/rates.json?days=7")
            assert (await viewer.get("/consent/rates.csv?since=x")).status_code == 400
        assert sheet.headers["content-disposition"] == 'attachment; filename="consent-rates-7.csv"'
        rows = list(csv.DictReader(io.StringIO(sheet.text)))
        loaded = json.loads(data.text)
        assert [row["day"] for row in rows] == [row["day"] for row in loaded]
        whole = next(row for row in rows if row["day"] == today().isoformat() and not row["category"])
        assert (whole["shown"], whole["accepted"], whole["accepted_share"]) == ("400", "30", "0.5000")
        assert {row["category"] for row in loaded} == {None, "statistics", "marketing"}
        assert area.installation.audited("consent.stats")[-1].detail.count('"json"') == 1

    run(story)


@custody
def test_pages_that_are_the_same_for_all_are_told_apart(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        count(
            area.installation, cell("shown", 9, script=-1), cell("shown_shared", 5, script=-1), cell("accepted", 3)
        )
        async with area:
            page = text_of(await (await area.client("viewer")).get("/consent"))
        assert "5 pages more were the same for all" in page
        assert "of these pages" not in page

    run(story)


@custody
def test_older_steps_are_a_page_away(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        count(area.installation, *(cell("shown", 1, script=-1, ago=ago) for ago in range(60)))
        async with area:
            viewer = await area.client("viewer")
            last = today() - timedelta(days=49)
            page = await viewer.get("/consent?days=90")
            assert f"/consent?days=90&amp;before={last}#steps" in page.text
            older = await viewer.get(f"/consent?days=90&before={last}")
        rows = older.text.partition("Rates over time")[2].partition("</table>")[0]
        assert rows.count("<tr>") - 1 == 10
        assert last.isoformat() not in rows
        assert '<details class="ck-more" open>' in older.text

    run(story)


@custody
def test_privacy_signals_are_told_by_day(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        met = {today().isoformat(): Sighting(today(), today(), 17), "<b>x</b>": Sighting(today(), today(), 3)}
        inventory = Inventory(last=today(), days=1, names={"signals": met})
        (area.installation.directory / FILE).write_bytes(msgspec.json.encode(inventory))
        async with area:
            page = await (await area.client("viewer")).get("/consent")
        assert f"{today()} 17" in text_of(page)
        assert "<b>x</b>" not in page.text

    run(story)


@custody
def test_an_inventory_that_can_not_be_read_shows_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        (area.installation.directory / FILE).mkdir()
        async with area:
            page = await (await area.client("viewer")).get("/consent/cookies")
        assert page.status_code == 503
        assert not area.installation.audited("admin.cookies")

    run(story)


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({}, "2026-10-25", "2026-11-24"),
        ({"days": "7"}, "2026-11-17", "2026-11-24"),
        ({"days": "all"}, "0001-01-01", "2026-11-24"),
        ({"days": "8"}, "2026-10-25", "2026-11-24"),
        ({"since": "2026-11-01", "until": "2026-11-01"}, "2026-11-01", "2026-11-02"),
        ({"since": "2026-11-01", "until": "9999-12-31"}, "2026-11-01", "2026-11-24"),
        ({"until": "2025-01-31", "days": "7"}, "0001-01-01", "2025-02-01"),
    ],
    ids=["usual", "preset", "all", "unknown preset", "one day", "future", "open beginning"],
)
def test_a_stretch_is_whole_days(query: dict[str, str], since: str, until: str) -> None:
    stretch = asked(SAY, query, today=DAY)
    assert (stretch.since.isoformat(), stretch.until.isoformat(), stretch.faults) == (since, until, {})
    assert asked(SAY, stretch.fields, today=DAY) == stretch


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-02-30"}, "until"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "until"),
        ({"since": "2" * 5000}, "since"),
    ],
    ids=["word", "no such day", "backwards", "long"],
)
def test_what_is_no_stretch_is_said_beside_its_field(query: dict[str, str], field: str) -> None:
    stretch = asked(SAY, query, today=DAY)
    assert set(stretch.faults) == {field}
    assert stretch.until - stretch.since == timedelta(days=30)


@pytest.mark.parametrize("days", [1, 92, 93, 732, 733, 365 * 30])
def test_a_stretch_of_any_length_can_be_drawn(days: int) -> None:
    since, until = DAY - timedelta(days=days - 1), DAY + timedelta(days=1)
    step = step_length(since, until)
    firsts = steps(since, until, step)
    assert len(firsts) <= 400
    assert firsts == sorted(set(firsts))
    every_day = {step_of(since + timedelta(days=number), step) for number in range(days)}
    assert every_day == set(firsts)


def test_the_longest_stretch_of_signals_stays_short() -> None:
    met = {"0001-01-01": Sighting(DAY, DAY, 1), "2026-11-20": Sighting(DAY, DAY, 4), "x": Sighting(DAY, DAY, 9)}
    chart = ratesview.signals(met, asked(SAY, {"days": "all"}, today=DAY), SAY, Writing(SAY))
    assert chart is not None
    assert [column.cells for column in chart.columns] == [("4",), ("0",), ("0",), ("0",)]


def test_each_preset_can_be_asked_for() -> None:
    assert [asked(SAY, {"days": each}, today=DAY).preset for each in PRESETS] == list(PRESETS)


def test_nothing_in_the_sheet_is_a_formula() -> None:
    names = ("shown", "shown_shared", "accepted", "partly", "refused", "changed", "withdrawn", "unscripted")
    row: dict[str, str | int | float | None] = dict.fromkeys(names, 0)
    row.update(
        day="2026-11-23", language='=HYPERLINK("x")', category=None, accepted_share=None, answered_share=0.5
    )
    line = ratesview.csv([row]).decode().splitlines()[1]
    assert line.startswith("2026-11-23,\"'=HYPERLINK")
    assert line.endswith(",,0.5000")
