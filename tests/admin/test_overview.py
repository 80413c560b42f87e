"""The start page, destroying by hand, and certificates: what is shown is what is there."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from consentkit import audit
from consentkit.admin.held import holds
from consentkit.admin.pages import overview
from consentkit.admin.reads import since_review
from consentkit.admin.timeline import MAX_ROWS, draw, live_rows, outstanding
from consentkit.admin.writing import Writing
from consentkit.archive import inforce
from consentkit.archive.destruction import iso_second
from consentkit.archive.period import Period
from consentkit.archive.sealing import seal
from consentkit.archive.standing import Standing, standings
from consentkit.audit import Actor, Look
from consentkit.control import incident
from consentkit.control import period as period_table
from consentkit.crypto import KEY_BYTES
from consentkit.settings import RequestLog
from consentkit.signing import Signature, public_keys, verify
from consentkit.web.texts import Texts
from tests.admin.area import Area, run, text_of
from tests.archive.installation import DAY_US, HOUR_US, WORKER, Installation, request

pytestmark = pytest.mark.custody

NOW = time.time_ns() // 1000
TODAY = NOW // DAY_US * DAY_US
TEXTS = Texts(("en", "lv", "ru", "et", "lt"), domain="admin")
SAY = TEXTS["en"]


def name_of(days_ago: int) -> str:
    return datetime.fromtimestamp((TODAY - days_ago * DAY_US) / 1e6, UTC).strftime("%Y-%m-%d")


def keep(installation: Installation, *days_ago: int) -> None:
    """Keep two requests of each of these days, sealed, under a clock that has gone on steadily."""
    for days in sorted(days_ago, reverse=True):
        start = TODAY - days * DAY_US
        installation.store(request(start + HOUR_US, "/a"), request(start + 2 * HOUR_US, "/b"))
    for period in installation.catalogue().list():
        seal(installation.holdings, period, WORKER)
    for hour in range(30):
        inforce.beat(installation.control, NOW - (30 - hour) * HOUR_US)


def standing(name: str, **values: object) -> Standing:
    plain = {
        "period": name,
        "state": "sealed",
        "rows": 10,
        "bytes": 1000,
        "oldest_us": 0,
        "is_truncated": False,
        "due_us": 0,
        "destroyed_us": None,
        "waits": "",
        "is_overdue": False,
        "late_dropped": 0,
        "fault": "",
    }
    return msgspec.convert({**plain, **values}, Standing)


def many_hours(count: int) -> list[Standing]:
    first = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    names = (datetime.fromtimestamp(first + hour * 3600, UTC).strftime("%Y-%m-%dT%H") for hour in range(count))
    return [standing(name) for name in names][::-1]


@pytest.mark.parametrize(
    ("days", "cut", "words"),
    [
        (1, None, ("kept 1 day at most",)),
        (90, 0, ("kept 90 days at most", "before they are stored")),
        (90, 1, ("kept 90 days at most", "after 1 day.")),
        (90, 7, ("kept 90 days at most", "after 7 days.")),
    ],
)
def test_the_policy_is_told_as_it_is_set(days: int, cut: int | None, words: tuple[str, ...]) -> None:
    sentences = overview.policy(SAY, RequestLog(retention_days=days, truncate_ip_after_days=cut))
    assert len(sentences) == len(words)
    for sentence, wanted in zip(sentences, words, strict=True):
        assert wanted in sentence


@pytest.mark.parametrize("language", ["lv", "ru", "et", "lt"])
def test_the_policy_is_told_in_each_language(language: str) -> None:
    (sentence,) = overview.policy(TEXTS[language], RequestLog(retention_days=91))
    assert "91" in sentence
    assert "request" not in sentence


@pytest.mark.parametrize(
    ("standings", "rows", "names"),
    [
        (many_hours(48), 48, 13),
        (many_hours(24 * 60), 60, 10),
        (many_hours(8760), 12, 7),
    ],
    ids=["each", "by day", "by month"],
)
def test_many_periods_are_summed_up(standings: list[Standing], rows: int, names: int) -> None:
    found = live_rows(SAY, standings, [], [])
    assert len(found) == rows <= MAX_ROWS
    assert {len(row.name) for row in found} == {names}
    assert sum(row.periods for row in found) == len(standings)
    assert sum(row.rows or 0 for row in found) == 10 * len(standings)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"is_overdue": True, "waits": "x"}, "overdue"),
        ({"fault": "can't be read"}, "overdue"),
        ({"waits": "the clock leapt"}, "waits"),
        ({"state": "open"}, "open"),
        ({"is_truncated": True}, "truncated"),
        ({}, "sealed"),
    ],
)
def test_a_row_shows_the_worst_of_its_periods(values: dict[str, object], kind: str) -> None:
    others = many_hours(24 * 200)
    with_one = [standing("2025-07-01T00", **values), *others]
    rows = live_rows(SAY, with_one, [], [])
    assert next(row.kind for row in rows if row.name == "2025-07") == kind


def test_what_is_not_as_it_should_be_is_seen_first() -> None:
    days = [standing(f"2026-03-{day:02}") for day in range(31, 0, -1)]
    days[14] = standing("2026-03-17", is_overdue=True)
    keys = [f"period/{one.period}.1" for one in days if one.period != "2026-03-20"]
    first = outstanding(live_rows(SAY, days, keys, []))
    assert [row.name[-2:] for row in first] == ["31", "30", "29", "20", "17", "03", "02", "01"]
    assert [row.key for row in first if row.key != "kept"] == ["missing"]


def test_a_time_line_has_each_period_and_the_day_before_which_nothing_may_be() -> None:
    days = [standing(name_of(day)) for day in range(10)]
    gone = [standing(name_of(day), state="destroyed") for day in range(10, 40)]
    line = draw(SAY, Writing(SAY), live_rows(SAY, days, [], []), gone, retention_days=10, now_us=NOW)
    assert line is not None
    kept = [rect for rect in line.rects if rect.css_class == "ck-c1"]
    assert len(kept) == 10
    assert 1 <= len(line.rects) - len(kept) <= 3  # the end of what has gone
    (mark,) = line.marks
    assert all(rect.x + rect.width >= mark - 0.1 * line.width for rect in kept)
    assert draw(SAY, Writing(SAY), (), [], retention_days=10, now_us=NOW) is None


def test_an_incident_is_shown_at_the_periods_whose_rows_it_keeps(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.fill(3)
    row = {
        "number": 7, "generation": 1, "state": "open", "case_id": "12", "reason": "x", "owner": "x",
        "opened_us": 0, "review": "2026-12-31", "filters": "{}", "rows": 2, "bytes": 1, "file_hash": "",
    }  # fmt: skip
    start = installation.period("2026-03-03").since_us
    with installation.control.transaction() as connection:
        connection.execute(incident.insert().values(row))
        connection.execute(incident.insert().values({**row, "number": 8, "state": "closed"}))
        for number in (7, 8):
            detail = {"incident": number, "since_us": start, "until_us": start + HOUR_US}
            audit.append(connection, WORKER, "incident.opening.page", detail=detail, rows=2)
    found = standings(installation.holdings, 90, start)
    rows = live_rows(SAY, found, installation.keyring.names("period"), holds(installation.control))
    held = {row.name: row.held for row in rows}
    assert held == {"2026-03-02": (), "2026-03-03": (7,), "2026-03-04": ()}


def test_looks_are_counted_from_the_last_review(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    control, look = installation.control, Look("security", "", "why")
    audit.record(control, Actor("anna", "cli"), "log.search", look=look, rows=3)
    assert since_review(control, newest=5).count == 1
    audit.record(control, Actor("dina", "admin"), "audit.reviewed")
    audit.record(control, Actor("anna", "cli"), "log.search", look=look, rows=4)
    audit.record(control, Actor("liga", "cli"), "log.top", look=look, rows=5)
    audit.record(control, Actor("liga", "cli"), "settings.started")
    reads = since_review(control, newest=1)
    assert (reads.count, reads.rows, reads.people) == (2, 9, 2)
    assert [entry.action for entry in reads.newest] == ["log.top"]
    assert reads.reviewed_us is not None


def test_the_start_page_shows_what_is_kept_and_who_looked(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        keep(area.installation, 1, 2)
        look = Look("incident", "12", "break-in")
        audit.record(area.installation.control, WORKER, "log.search", look=look, rows=3)
        async with area:
            officer = text_of(await (await area.client("officer")).get("/"))
            viewer = text_of(await (await area.client("viewer")).get("/"))
        assert "Each request is kept 90 days at most" in officer
        assert name_of(1) in officer
        assert "1 look , 3 requests shown, 1 person" in officer
        assert "Destroy what is due" in officer
        assert name_of(1) in viewer
        assert "Requests searched" in officer
        assert "Requests searched" not in viewer
        assert "Destroy what is due" not in viewer
        assert area.installation.actions("admin.overview") == ["admin.overview"] * 2

    run(story)


def test_an_empty_installation_says_so_kindly(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            page = text_of(await (await area.client("viewer")).get("/"))
        assert "No request is kept yet" in page

    run(story)


def plan_of(page: str) -> str:
    found = re.search(r'name="plan" value="(\w+)"', page)
    assert found is not None
    return found[1]


def test_what_was_shown_is_destroyed_and_certified(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        keep(area.installation, 1, 100, 101)
        async with area:
            client = await area.client("officer")
            page = await client.get("/retention")
            assert name_of(100) in page.text
            assert name_of(1) not in page.text
            form = {"plan": plan_of(page.text), "confirm-password": "a password for tests"}
            done = await client.post("/retention", form)
            assert done.status_code == 200
            assert "2 periods destroyed" in text_of(done)
            listed = await client.get("/certificates")
            numbers = re.findall(r"/certificates/(\d+)", listed.text)
            assert len(numbers) == 2
            file = await client.get(f"/certificates/{numbers[0]}")
        installation = area.installation
        assert installation.states() == {
            name_of(101): "destroyed",
            name_of(100): "destroyed",
            name_of(1): "sealed",
        }
        told = [entry.action for entry in installation.audited() if entry.actor == "officer"]
        assert told.index("retention.run") < told.index("period.destroying")
        content = json.loads(file.content)
        certificate, signature = content["certificate"], msgspec.convert(content["signature"], Signature)
        assert certificate["detail"]["period"] in {name_of(100), name_of(101)}
        with installation.control.transaction() as connection:
            keys = public_keys(connection)
        verify(msgspec.json.encode(certificate, order="sorted"), signature, keys)
        assert file.headers["content-disposition"] == f'attachment; filename="certificate-{numbers[0]}.json"'

    run(story)


def test_nothing_is_destroyed_when_the_plan_has_changed(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        keep(area.installation, 100)
        async with area:
            client = await area.client("officer")
            form = {"plan": "0" * 64, "confirm-password": "a password for tests"}
            answer = await client.post("/retention", form)
            assert answer.status_code == 409
            assert "has changed meanwhile" in answer.text
        assert area.installation.states() == {name_of(100): "sealed"}

    run(story)


def test_what_would_go_early_waits_unless_it_is_let_go(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        keep(area.installation, 100)
        inforce.record_start(area.installation.control, WORKER, {"requestlog.retention_days": 365})
        async with area:
            client = await area.client("officer")
            page = await client.get("/retention")
            assert "it was to be kept 365 days" in text_of(page)
            form = {"plan": plan_of(page.text), "confirm-password": "a password for tests"}
            waited = text_of(await client.post("/retention", form))
            assert "Nothing was destroyed" in waited
            assert area.installation.states() == {name_of(100): "sealed"}
            form["plan"] = plan_of((await client.get("/retention")).text)
            await client.post("/retention", {**form, "early": "1"})
        assert area.installation.states() == {name_of(100): "destroyed"}

    run(story)


@pytest.mark.parametrize("role", ["viewer", "investigator", "admin"])
def test_only_an_officer_may_destroy(tmp_path: Path, role: str) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        keep(area.installation, 100)
        async with area:
            client = await area.client(role)
            assert (await client.get("/retention")).status_code == 403
            assert (await client.post("/retention", {"plan": "x"})).status_code == 403
        assert area.installation.states() == {name_of(100): "sealed"}

    run(story)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/certificates/1", 404),
        (f"/certificates/{10**30}", 404),
        ("/certificates?before=x", 400),
        ("/certificates?before=-1", 400),
        (f"/certificates?before={'9' * 5000}", 400),
        ("/certificates?before=1", 200),
    ],
    ids=["another entry", "huge", "no number", "negative", "very long", "nothing before"],
)
def test_an_address_that_names_no_certificate_gets_none(tmp_path: Path, path: str, status: int) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            assert (await (await area.client("viewer")).get(path)).status_code == status

    run(story)


def test_ten_years_of_periods_are_shown_in_a_small_page(tmp_path: Path) -> None:
    area = Area(tmp_path)
    since = TODAY - 3650 * DAY_US
    periods = [
        msgspec.structs.asdict(
            Period(
                iso_second(since + day * DAY_US)[:10], 1, "sealed" if day > 3560 else "destroyed",
                since + day * DAY_US, since + (day + 1) * DAY_US, 1000, 10**6, since + day * DAY_US, "0" * 64,
                destroyed_us=None if day > 3560 else since + (day + 90) * DAY_US,
            )
        )
        for day in range(3650)
    ]  # fmt: skip
    with area.installation.control.transaction() as connection:
        connection.execute(period_table.insert(), periods)
    for one in periods[3561:]:
        area.installation.keyring.put(f"period/{one['name']}.1", bytes(KEY_BYTES))

    async def story() -> None:
        async with area:
            client = await area.client("viewer")
            page = await client.get("/")
            assert page.status_code == 200
            assert len(page.content) < 250_000
            begun = time.process_time()
            await client.get("/")
            assert time.process_time() - begun < 1.0  # 0.3 s where nothing else runs

    run(story)
