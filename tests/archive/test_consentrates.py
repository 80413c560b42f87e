"""The rates: each page and each answer is counted once, whoever dies when, and what they add up to."""

from __future__ import annotations

import asyncio
import os
import secrets
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from consentkit import ConsentKit, Settings
from consentkit.archive import showings as adding
from consentkit.archive.caretaker import Caretaker
from consentkit.archive.consentrates import RateRow, Span, rates, span
from consentkit.archive.holdings import Holdings
from consentkit.archive.showings import add_showings
from consentkit.cli.main import group
from consentkit.consent import ledger
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.consent.outcomes import Outcome
from consentkit.consent.rates import count_outcomes
from consentkit.consent.showings import FOLDER, KEPT_DAYS, Showing, Shown
from consentkit.control import Control, consent_showing, decision
from consentkit.crypto import Keyring
from consentkit.settings import Storage
from tests.archive.installation import Installation
from tests.test_kit import page

DAY_S = 86_400
TODAY = 20_780  # 2026-11-23
NOON_S = TODAY * DAY_S + DAY_S / 2
WORKER = "0123456789abcdef"
CATEGORIES = ("preferences", "statistics")
URL = "http://www.example.lv"
OURS = {"sec-fetch-site": "same-origin"}
FOR_SCRIPT = {**OURS, "accept": "application/json"}

pytestmark = pytest.mark.custody


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def control(directory: Path) -> Control:
    return Control(directory, Keyring.open(directory.parent / "keys", ()))


def leave(directory: Path, *showings: Showing, worker: str = WORKER, now_s: float = NOON_S) -> Path:
    """Write what a worker has counted."""
    (directory / FOLDER).mkdir(exist_ok=True)
    path = directory / FOLDER / f"{worker}.json"
    path.write_bytes(msgspec.json.encode(Shown(CATEGORIES, showings)))
    os.utime(path, (now_s, now_s))
    return path


def shown(count: int, *, day: int = TODAY, language: str = "lv", is_shared: bool = False) -> Showing:
    return Showing(day, language, is_shared, count)


def total(control: Control) -> RateRow:
    return (rates(control, by=()) or [RateRow()])[0]


def answer(control: Control, *counted: Outcome, day: int = TODAY, locale: str = "lv", script: int = 1) -> None:
    row = Decision(
        minute=day * 1440,
        consent_id="",
        granted="",
        denied="statistics",
        method="banner",
        revision=1,
        locale=locale,
        script=script,
    )
    record_decision(control, row, counted)


# --- pages


def test_what_a_worker_counts_is_added_once_however_often_it_is_read(control: Control, directory: Path) -> None:
    for count, more in ((3, 3), (3, 0), (5, 2), (5, 0)):
        leave(directory, shown(count))
        assert add_showings(control, directory, now_s=NOON_S) == more
    assert total(control).shown == 5


def test_workers_languages_days_and_shared_pages_are_told_apart(control: Control, directory: Path) -> None:
    leave(directory, shown(1), shown(2, language="en"), shown(4, day=TODAY - 1), shown(8, is_shared=True))
    leave(directory, shown(16), worker="f" * 16)
    add_showings(control, directory, now_s=NOON_S)
    found = rates(control, by=("day", "language"))
    assert [(row.day, row.language, row.shown, row.shown_shared) for row in found] == [
        ("2026-11-22", "lv", 4, 0),
        ("2026-11-23", "en", 2, 0),
        ("2026-11-23", "lv", 17, 8),
    ]


def test_each_category_was_asked_on_each_page(control: Control, directory: Path) -> None:
    leave(directory, shown(3))
    add_showings(control, directory, now_s=NOON_S)
    assert [(row.category, row.shown) for row in rates(control, by=("category",))] == [
        ("preferences", 3),
        ("statistics", 3),
    ]
    assert total(control).shown == 3


class Died(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("step", ["before the sum is durable", "before the file is gone"])
def test_who_dies_between_two_steps_neither_loses_nor_doubles_a_page(
    control: Control, directory: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = leave(directory, shown(7), now_s=NOON_S - 3 * DAY_S)

    add_worker = adding._add_worker

    def add_and_die(*given_: Any) -> None:
        add_worker(*given_)
        raise Died

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        if step == "before the sum is durable":
            patch.setattr(adding, "_add_worker", add_and_die)
        else:
            patch.setattr(adding, "_remove_stale", die)
        with pytest.raises(Died):
            add_showings(control, directory, now_s=NOON_S)
    assert total(control).shown == (0 if step == "before the sum is durable" else 7)
    assert path.exists()
    add_showings(control, directory, now_s=NOON_S)
    assert total(control).shown == 7
    assert not path.exists()


def test_a_file_that_is_gone_and_comes_again_adds_only_what_is_new(control: Control, directory: Path) -> None:
    path = leave(directory, shown(4), now_s=NOON_S - 3 * DAY_S)
    add_showings(control, directory, now_s=NOON_S)
    assert not path.exists()
    leave(directory, shown(6))
    add_showings(control, directory, now_s=NOON_S)
    assert total(control).shown == 6


def test_a_mark_outlives_all_that_its_worker_could_still_write(control: Control, directory: Path) -> None:
    leave(directory, shown(4))
    add_showings(control, directory, now_s=NOON_S)
    later = NOON_S + KEPT_DAYS * DAY_S
    leave(directory, shown(4), now_s=later)
    leave(directory, shown(1), worker="f" * 16, now_s=later)
    add_showings(control, directory, now_s=later)
    assert total(control).shown == 5
    much_later = NOON_S + (2 * KEPT_DAYS + 1) * DAY_S
    (directory / FOLDER / f"{WORKER}.json").unlink()
    leave(directory, shown(2), worker="f" * 16, now_s=much_later)
    add_showings(control, directory, now_s=much_later)
    with control.transaction() as connection:
        assert connection.execute(select(consent_showing.c.worker)).scalars().all() == ["f" * 16]


def test_a_file_that_is_older_than_its_mark_takes_nothing_back(control: Control, directory: Path) -> None:
    for count in (5, 2, 6):
        leave(directory, shown(count))
        add_showings(control, directory, now_s=NOON_S)
    assert total(control).shown == 6


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"categories":[],"showings":[{"day":-1,"language":"lv","is_shared":false,"count":1}]}',
     b'{"categories":[],"showings":[{"day":1,"language":"","is_shared":false,"count":1}]}',
     b'{"categories":[""],"showings":[]}'],
    ids=["empty", "cut", "a day before 1970", "no language", "the whole as a category"],
)  # fmt: skip
def test_a_damaged_file_is_told_passed_over_and_taken_away_in_time(
    control: Control, directory: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = directory / FOLDER / f"{'e' * 16}.json"
    leave(directory, shown(2))
    path.write_bytes(content)
    os.utime(path, (NOON_S - 3 * DAY_S,) * 2)
    assert add_showings(control, directory, now_s=NOON_S) == 2
    assert "can't be read" in caplog.text
    assert not path.exists()


def test_no_file_goes_before_it_is_read(
    control: Control, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adding, "_MAX_FILES", 2)
    for worker in "abcde":
        leave(directory, shown(1), worker=worker * 16, now_s=NOON_S - 3 * DAY_S)
    assert [add_showings(control, directory, now_s=NOON_S) for _ in range(4)] == [2, 2, 1, 0]
    assert list((directory / FOLDER).iterdir()) == []


def test_what_is_not_a_workers_is_left_alone(control: Control, directory: Path) -> None:
    leave(directory, shown(1), worker="notes", now_s=NOON_S - 3 * DAY_S)
    draft = leave(directory, shown(1), now_s=NOON_S - 3 * DAY_S).rename(directory / FOLDER / f"{WORKER}.draft")
    assert add_showings(control, directory, now_s=NOON_S) == 0
    assert (directory / FOLDER / "notes.json").exists()
    assert not draft.exists()


@hypothesis_settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9), st.booleans()), max_size=12))
def test_any_order_of_writing_and_adding_gives_all_pages(
    control: Control, directory: Path, steps: list[tuple[int, int, bool]]
) -> None:
    before, workers, counts = total(control).shown, [secrets.token_hex(8) for _ in range(2)], [0, 0]
    for worker, more, adds in steps:
        counts[worker] += more
        leave(directory, shown(counts[worker]), worker=workers[worker])
        if adds:
            add_showings(control, directory, now_s=NOON_S)
    add_showings(control, directory, now_s=NOON_S)
    assert total(control).shown - before == sum(counts)


def test_the_caretaker_adds_what_was_counted(control: Control, directory: Path) -> None:
    keyring = Keyring.open(directory.parent / "keys", ())
    leave(directory, shown(3))
    holdings = Holdings.open(Storage(directory=directory, keys=directory.parent / "keys"), keyring, control)
    caretaker = Caretaker(holdings, 10, release=lambda _: None, now_us=lambda: int(NOON_S) * 1_000_000)
    caretaker.do()
    assert total(control).shown == 3
    leave(directory, shown(4))
    caretaker.stop()
    assert total(control).shown == 4
    assert caretaker.failures == 0


def test_at_the_end_of_a_service_the_rates_are_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "correct horse battery staple of examples"
    monkeypatch.setenv("CONSENTKIT_SECRET", secret)
    config, archive = tmp_path / "consentkit.toml", tmp_path / "all.zip"
    config.write_text(f'[storage]\ndirectory = "{tmp_path / "data"}"\n')
    installation = Installation(tmp_path, secrets=(secret,))
    leave(installation.directory, shown(3))
    command = ["destroy", "--config", str(config), "--export", str(archive), "--purpose", "operation", "--yes"]
    done = CliRunner().invoke(group, command)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(archive) as found:
        rows = [msgspec.json.decode(line) for line in found.read("consent_rates.ndjson").splitlines()]
    assert [(row["day"], row["category"], row["times"]) for row in rows] == [
        ("2026-11-23", "", 3),
        ("2026-11-23", "preferences", 3),
        ("2026-11-23", "statistics", 3),
    ]
    assert not list(installation.directory.glob("*"))


# --- answers


def test_an_answer_is_counted_with_its_row_or_not_at_all(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = Outcome("", "accepted")
    answer(control, accepted)

    def count_and_die(*given_: Any) -> None:
        count_outcomes(*given_)
        raise Died

    monkeypatch.setattr(ledger, "count_outcomes", count_and_die)
    with pytest.raises(Died):
        answer(control, accepted)
    assert total(control).accepted == 1
    with control.transaction() as connection:
        assert connection.execute(select(func.count()).select_from(decision)).scalar() == 1


def test_answers_outlive_the_rows_they_were_counted_from(control: Control) -> None:
    answer(control, Outcome("", "refused"))
    with control.transaction() as connection:
        connection.execute(decision.delete())
    assert total(control).refused == 1


def test_rates_are_told_by_day_language_category_and_script(control: Control, directory: Path) -> None:
    both = (Outcome("", "partly"), Outcome("preferences", "refused"), Outcome("statistics", "accepted"))
    answer(control, *both)
    answer(control, *both, locale="en", script=0)
    answer(control, Outcome("", "withdrawn"), Outcome("statistics", "withdrawn"), day=TODAY + 1)
    assert rates(control) == [
        RateRow(day="2026-11-23", language="en", category="preferences", refused=1, unscripted=1),
        RateRow(day="2026-11-23", language="en", category="statistics", accepted=1, unscripted=1),
        RateRow(day="2026-11-23", language="lv", category="preferences", refused=1),
        RateRow(day="2026-11-23", language="lv", category="statistics", accepted=1),
        RateRow(day="2026-11-24", language="lv", category="statistics", withdrawn=1),
    ]
    leave(directory, shown(9))
    add_showings(control, directory, now_s=NOON_S)
    assert rates(control, by=("script",)) == [
        RateRow(script=False, partly=1, unscripted=1),
        RateRow(script=True, partly=1, withdrawn=1),
    ]
    assert rates(control, by=()) == [RateRow(shown=9, partly=2, withdrawn=1, unscripted=1)]


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (date.min, date.max, ["22", "23", "24"]),
        (date(2026, 11, 23), date.max, ["23", "24"]),
        (date.min, date(2026, 11, 23), ["22"]),
        (date(2026, 11, 23), date(2026, 11, 24), ["23"]),
        (date(2026, 11, 25), date.max, []),
    ],
)
def test_the_first_day_is_told_and_the_one_after_the_last_is_not(
    control: Control, since: date, until: date, days: list[str]
) -> None:
    for day in (-1, 0, 1):
        answer(control, Outcome("", "refused"), day=TODAY + day)
    assert [row.day for row in rates(control, since, until, by=("day",))] == [f"2026-11-{day}" for day in days]
    assert span(control) == Span("2026-11-22", "2026-11-24")


def test_of_nothing_there_are_no_rates(control: Control) -> None:
    assert rates(control) == []
    assert rates(control, by=()) == []
    assert span(control) is None


@pytest.mark.parametrize(
    ("row", "accepted", "answered"),
    [
        (RateRow(shown=10, accepted=3, partly=1, refused=4), 0.375, 0.8),
        (RateRow(shown=10), None, 0.0),
        (RateRow(accepted=1), 1.0, None),
        (RateRow(shown=10, shown_shared=1, refused=1), 0.0, None),
        (RateRow(shown=2, refused=3), 0.0, None),
        (RateRow(withdrawn=5, changed=2), None, None),
    ],
    ids=["some", "nobody", "no page", "pages for all", "more answers than pages", "second thoughts alone"],
)
def test_a_share_of_nothing_is_not_told(row: RateRow, accepted: float | None, answered: float | None) -> None:
    assert (row.accepted_share, row.answered_share) == (accepted, answered)


# --- a site


@pytest.fixture
def site(tmp_path: Path) -> Settings:
    cookies = [
        {"name": "theme", "category": "preferences", "purpose": "Light or dark"},
        {"name": "visits", "category": "statistics", "purpose": "Counts"},
    ]
    table = {
        "site": {"operator": "SIA Piemērs", "languages": ["lv", "en"]},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"cookies": cookies},
    }
    return Settings.from_mapping(table, base=tmp_path)


Story: TypeAlias = Callable[[httpx.AsyncClient], Awaitable[None]]


def plain(_: ConsentKit) -> ASGIApp:
    return page


def visit(site: Settings, story: Story, app: Callable[[ConsentKit], ASGIApp] = plain) -> Control:
    """Run a visitor's story, add up, and return the control database."""

    async def run() -> None:
        kit = ConsentKit(site)
        transport = httpx.ASGITransport(kit.wrap(app(kit)), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers={"accept": "text/html"}) as client:
            await kit.start()
            await story(client)
            await kit.stop()

    asyncio.run(run())
    control = Control(site.storage.directory, Keyring.open(site.storage.keys, ()))
    add_showings(control, site.storage.directory)
    return control


async def _choose(client: httpx.AsyncClient, headers: dict[str, str], **form: str) -> None:
    response = await client.post("/consentkit/choice", data=form, headers=headers)
    assert response.status_code in (200, 303)


@pytest.mark.parametrize(("headers", "unscripted"), [(OURS, 3), (FOR_SCRIPT, 0)], ids=["form", "script"])
def test_a_visitor_is_counted_from_the_first_page_to_the_withdrawal(
    site: Settings, headers: dict[str, str], unscripted: int
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await client.get("/")
        await client.get("/", headers={"accept-language": "en"})
        await client.head("/")
        await _choose(client, headers, decision="reject")
        await client.get("/")
        await _choose(client, headers, decision="reject")
        await _choose(client, headers, decision="save", statistics="on")
        await _choose(client, headers, decision="reject", via="settings")

    control = visit(site, story)
    assert total(control) == RateRow(shown=2, refused=1, changed=1, withdrawn=1, unscripted=unscripted)
    today = datetime.now(UTC).date()
    by_category = rates(control, by=("category",))
    assert [(row.category, row.refused, row.changed, row.withdrawn) for row in by_category] == [
        ("preferences", 1, 0, 0),
        ("statistics", 1, 1, 1),
    ]
    assert [(row.language, row.shown) for row in rates(control, by=("language",))] == [("en", 1), ("lv", 1)]
    assert rates(control, today - timedelta(1), by=()) == [total(control)]


def test_where_a_browser_refuses_by_itself_nothing_is_shown_and_only_a_persons_own_answer_counts(
    site: Settings,
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await _choose(client, OURS, decision="accept")
        signal_on = {**OURS, "sec-gpc": "1"}
        await client.get("/", headers=signal_on)
        await _choose(client, signal_on, decision="reject")
        client.cookies.clear()
        await client.get("/", headers=signal_on)
        await _choose(client, signal_on, decision="reject")

    assert total(visit(site, story)) == RateRow(accepted=1, withdrawn=1, unscripted=2)


def test_a_page_that_a_cache_may_keep_is_counted_apart(site: Settings) -> None:
    async def shared(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"cache-control": "public, max-age=60"}
        await HTMLResponse("<html lang=en><body>text</body></html>", headers=headers)(scope, receive, send)

    async def story(client: httpx.AsyncClient) -> None:
        await client.get("/")
        await _choose(client, OURS, decision="accept")
        await client.get("/")

    control = visit(site, story, lambda _: shared)
    assert total(control) == RateRow(shown_shared=2, accepted=1, unscripted=1)
    assert total(control).answered_share is None


def test_a_page_whose_template_places_the_banner_is_counted_once(site: Settings) -> None:
    def placing(kit: ConsentKit) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            context: dict[str, Any] = kit.template_context(Request(scope))
            head, body = context["consent_head"](), context["consent_banner"]()
            content = f"<html><head>{head}</head><body>{body}</body></html>"
            await HTMLResponse(content)(scope, receive, send)

        return app

    async def story(client: httpx.AsyncClient) -> None:
        await client.get("/")
        await client.head("/")
        await _choose(client, OURS, decision="accept")
        await client.get("/")

    assert total(visit(site, story, placing)) == RateRow(shown=1, accepted=1, unscripted=1)


def test_where_nothing_is_asked_nothing_is_counted(tmp_path: Path) -> None:
    table = {"storage": {"directory": "data"}, "requestlog": {"ingest": "external"}}

    async def story(client: httpx.AsyncClient) -> None:
        await client.get("/")
        await _choose(client, OURS, decision="accept")

    assert span(visit(Settings.from_mapping(table, base=tmp_path), story)) is None
