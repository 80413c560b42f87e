from __future__ import annotations

import itertools
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
import sqlcipher3.dbapi2 as sqlcipher
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive, Losses, Search
from consentkit.archive.search.deadline import Deadline, TimeIsUp
from consentkit.archive.store import Cursor, Filters
from consentkit.audit import SYSTEM
from consentkit.requestlog.record import Gap, Record
from consentkit.requestlog.segment import FrameId
from consentkit.requestlog.spool import Spool
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY, RESOLVERS, Installation, request

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.search import Found

ROBOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"


def record(number: int, url: str, status: int, agent: str, **changes: object) -> Record:
    values: dict[str, object] = {
        "time_us": MONDAY + number,
        "client_address": "192.0.2.7",
        "peer_address": "198.51.100.1",
        "address_source": "peer",
        "method": "GET",
        "scheme": "https",
        "host": "www.example.lv",
        "url": url,
        "query_flags": 0,
        "status": status,
        "outcome": "complete",
        "bytes_sent": 5,
        "duration_us": 9,
        "user_agent": agent,
        "referrer_host": "",
    }
    return Record(**{**values, **changes})  # type: ignore[arg-type] # names and values are the record's own


ROWS = [
    record(0, "/a", 200, FIREFOX),
    record(1, "/admin/login", 401, FIREFOX, method="POST", client_address="192.0.2.8"),
    record(2, "/admin/x?q=REDACTED", 404, ROBOT, query_flags=0b101, client_address="2001:db8::5"),
    record(3, "/[odd]", 500, FIREFOX, host="shop.example.lv", outcome="app_error", client_address=""),
    record(
        4, "/b", 499, FIREFOX, outcome="client_gone", referrer_host="example.org", client_address="203.0.113.9"
    ),
]


def archive_of(site: Installation) -> Archive:
    return Archive(site.settings, site.keyring, site.control, resolvers=RESOLVERS)


def settle(site: Installation) -> None:
    """Make the first day's file two seconds old: what was sealed this second is read as an open one is."""
    file = site.holdings.file(site.period(DAYS[0]))
    os.utime(file, ns=(0, file.stat().st_mtime_ns - 2_000_000_000))


def urls(rows: Search) -> list[str]:
    return [found.url for _, found in rows]


def ids(rows: list[Found]) -> list[str]:
    return [found.request_id for _, found in rows]


def going_on(archive: Archive, limit: int, place: Cursor | None, *, oldest_first: bool) -> Search:
    if oldest_first:
        return archive.search(Filters(), limit=limit, after=place, oldest_first=True)
    return archive.search(Filters(), limit=limit, before=place)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Archive]:
    """The same rows in a sealed period, in an open one, in the spool, and some in each."""
    made: dict[str, Archive] = {}
    for place in ("sealed", "open", "spool", "all three"):
        site = Installation(tmp_path_factory.mktemp("site"))
        stored = {"spool": 0, "all three": 3}.get(place, len(ROWS))
        if stored:
            site.store(*ROWS[:stored])
        if place in ("sealed", "all three"):
            seal(site.holdings, site.period(DAYS[0]), SYSTEM)
        if place == "all three":
            site.store(ROWS[3])
        if stored < len(ROWS):
            site.spool(*ROWS[4:] if stored else ROWS)
        if place == "sealed":
            settle(site)
        made[place] = archive_of(site)
    return made


@pytest.mark.parametrize("place", ["sealed", "open", "spool", "all three"])
@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (Filters(), [4, 3, 2, 1, 0]),
        (Filters(since_us=MONDAY + 3), [4, 3]),
        (Filters(until_us=MONDAY + 1), [0]),
        (Filters(networks=("192.0.2.7/32",)), [0]),
        (Filters(networks=("192.0.2.0/24", "2001:db8::/32")), [2, 1, 0]),
        (Filters(networks=("0.0.0.0/0",)), [4, 1, 0]),
        (Filters(networks=("198.51.100.0/24",)), []),
        (Filters(path="/admin/*"), [2, 1]),
        (Filters(path="/[odd]"), [3]),
        (Filters(path="/none"), []),
        (Filters(host="SHOP.example.lv"), [3]),
        (Filters(method="post"), [1]),
        (Filters(statuses=((400, 404), (500, 599))), [3, 2, 1]),
        (Filters(outcome="client_gone"), [4]),
        (Filters(flags=0b100), [2]),
        (Filters(device_type="bot"), [2]),
        (Filters(browser="firefox"), [4, 3, 1, 0]),
        (Filters(country="LV"), []),
        (Filters(is_bot=True), [2]),
        (Filters(is_bot=False), [4, 3, 1, 0]),
        (Filters(text="ADMIN"), [2, 1]),
        (Filters(text="example.org"), [4]),
        (Filters(text="googlebot"), [2]),
        (Filters(text="admin", networks=("192.0.2.0/24",), statuses=((401, 401),)), [1]),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else None,
)
def test_each_filter_finds_the_same_wherever_the_rows_lie(
    places: dict[str, Archive], place: str, filters: Filters, numbers: list[int]
) -> None:
    archive = places[place]
    assert urls(archive.search(filters, limit=0)) == [ROWS[number].url for number in numbers]
    backwards = archive.search(filters, limit=0, oldest_first=True)
    assert urls(backwards) == [ROWS[number].url for number in reversed(numbers)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Rows of few microseconds in three days, sealed, stored and spooled, many of one time."""
    site = Installation(tmp_path_factory.mktemp("site"))
    for number in range(6):
        day = MONDAY + number % 3 * DAY_US
        site.store(*(request(day + n % 5, f"/{number}/{n}") for n in range(12)))
    seal(site.holdings, site.period(DAYS[1]), SYSTEM)
    site.spool(*(request(MONDAY + n % 3 * DAY_US + n % 4, f"/spooled/{n}") for n in range(20)))
    return archive_of(site)


@settings(max_examples=12)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6), oldest_first=st.booleans())
def test_pages_put_together_are_the_whole(crowd: Archive, sizes: list[int], *, oldest_first: bool) -> None:
    whole = list(crowd.search(Filters(), limit=0, oldest_first=oldest_first))
    assert [cursor for cursor, _ in whole] == sorted((c for c, _ in whole), reverse=not oldest_first)
    assert len(set(ids(whole))) == 92
    paged: list[Found] = []
    for size in itertools.cycle(sizes):
        place = paged[-1][0] if paged else None
        page = list(going_on(crowd, size, place, oldest_first=oldest_first))
        paged += page
        if len(page) < size:
            break
    assert ids(paged) == ids(whole)


@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("is_one_search", [True, False], ids=["within a search", "between two"])
def test_rows_that_move_into_their_period_meanwhile_are_shown_once(
    tmp_path: Path, *, oldest_first: bool, is_one_search: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentkit.archive.search.archive.PAGE_ROWS", 4)
    site = Installation(tmp_path)
    site.store(*(request(MONDAY + n % 3, f"/stored/{n}") for n in range(9)))
    site.spool(*(request(MONDAY + n % 3, f"/spooled/{n}") for n in range(15)))
    whole = ids(list(archive_of(site).search(Filters(), limit=0, oldest_first=oldest_first)))
    first = archive_of(site).search(Filters(), limit=0, oldest_first=oldest_first)
    page = list(itertools.islice(first, 6))
    site.store()
    rest = first if is_one_search else going_on(archive_of(site), 0, page[-1][0], oldest_first=oldest_first)
    assert ids([*page, *rest]) == whole
    assert len(set(whole)) == 24


def test_periods_that_overlap_after_a_change_of_rotation_are_read_as_one(tmp_path: Path) -> None:
    hourly = Installation(tmp_path, rotate="hour")
    ingester = hourly.ingester()
    ingester._catalogue._rotation = "hour"
    hourly.spool(request(MONDAY + 5 * HOUR_US, "/five"), request(MONDAY + 5 * HOUR_US + 9, "/after five"))
    ingester.drain()
    ingester.close()
    daily = Installation(tmp_path)
    daily.store(request(MONDAY + HOUR_US, "/one"), request(MONDAY + 9 * HOUR_US, "/nine"))
    assert len(daily.states()) > 1
    found = list(archive_of(daily).search(Filters(), limit=0))
    assert [row.url for _, row in found] == ["/nine", "/after five", "/five", "/one"]
    assert urls(archive_of(daily).search(Filters(), limit=0, before=found[0][0])) == [
        "/after five",
        "/five",
        "/one",
    ]


class Clock:
    """Seconds that pass at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_a_search_that_its_time_limit_ends_says_where_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Installation(tmp_path)
    site.fill(4)
    monkeypatch.setattr("consentkit.archive.search.deadline.time.monotonic", Clock())
    found: list[str] = []
    before, rounds = None, 0
    while True:
        search = archive_of(site).search(Filters(), limit=0, before=before, time_limit_seconds=9)
        found += urls(search)
        if search.reached is None:
            break
        assert before is None or search.reached < before
        before, rounds = Cursor.parse(str(search.reached)), rounds + 1
    assert rounds > 1
    assert found == ["/b3", "/a3", "/b2", "/a2", "/b1", "/a1", "/b0", "/a0"]


def test_a_search_without_time_begins_where_it_was_to_begin(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(1)
    start = Cursor(MONDAY + DAY_US)
    search = archive_of(site).search(Filters(), limit=0, before=start, time_limit_seconds=0)
    assert (urls(search), search.reached) == ([], start)


def test_a_statement_that_runs_too_long_is_ended() -> None:
    connection = sqlcipher.connect(":memory:")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    started = time.monotonic()
    with pytest.raises(TimeIsUp), Deadline(0.05).over(connection):
        connection.execute(endless).fetchone()
    assert time.monotonic() - started < 5
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_reader_who_is_slow_keeps_no_period_from_being_sealed_or_destroyed(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(2)
    reading = archive_of(site).search(Filters(), limit=0)
    assert next(reading)[1].url == "/b1"
    for name in DAYS[:2]:
        seal(site.holdings, site.period(name), SYSTEM, wait_seconds=0)
        PeriodLock(site.holdings.file(site.period(name)), exclusive=True, wait_seconds=0).release()
    assert urls(reading) == ["/a1", "/b0", "/a0"]


def test_a_sealed_file_that_changes_under_a_reader_is_read_again(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(1)
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    settle(site)
    archive, counts = archive_of(site), []

    def work(connection: sqlcipher.Connection | None, _: object) -> int:
        assert connection is not None
        counts.append(connection.execute("SELECT count(*) FROM request").fetchone()[0])
        if len(counts) == 1:
            site.store(request(MONDAY, "/late"))
        return len(counts)

    assert archive.stored.read(site.period(DAYS[0]), work, deadline=Deadline(None)) == 2
    assert counts == [2, 3]


def gap(site: Installation, *gaps: Gap) -> None:
    spool = Spool(site.directory, site.keyring, max_bytes=2**30)
    for one in gaps:
        spool.append(one)  # type: ignore[arg-type] # a gap is appended by the spool itself; here by hand
    spool.close()


def test_gaps_are_found_once_in_the_spool_and_in_every_period(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    flood = Gap(MONDAY + 5, MONDAY + 9, 12_345, "sampled", "192.0.2.0/24")
    full = Gap(MONDAY + DAY_US, MONDAY + DAY_US + 7, 3, "full")
    gap(site, flood)
    site.store(request(MONDAY, "/a"))
    gap(site, full)
    archive = archive_of(site)
    assert archive.gaps(Filters()) == [flood, full]
    assert archive.gaps(Filters(since_us=MONDAY + 10)) == [full]
    assert archive.gaps(Filters(until_us=MONDAY + 5)) == []
    search = archive.search(Filters(), limit=0)
    assert urls(search) == ["/a"]
    assert sorted(search.gaps.values(), key=lambda one: one.since_us) == [flood, full]
    site.store()
    assert archive.gaps(Filters()) == [flood, full]


def test_what_of_the_spool_cannot_be_read_is_told(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.spool(*(request(MONDAY + n, f"/{n}") for n in range(5)))
    (segment,) = (site.directory / "spool").glob("*/[0-9]*")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    site.spool(request(MONDAY, "/unreadable"))
    (other,) = {path.parent.name for path in (site.directory / "spool").glob("*/[0-9]*")} - {segment.parent.name}
    (site.keyring.folder / f"worker/{other}.key").unlink()
    search = archive_of(site).search(Filters(), limit=0)
    assert urls(search) == ["/4", "/3", "/1", "/0"]
    assert search.losses == Losses(unreadable_workers=1, damaged_places=1)


names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=16)


@given(
    time_us=st.integers(0, 250_000_000_000_000_000),
    frame=st.builds(FrameId, names, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)),
)
def test_a_place_is_read_back_from_its_text(time_us: int, frame: FrameId) -> None:
    assert Cursor.parse(str(Cursor.at(time_us, frame))) == Cursor.at(time_us, frame)
    assert Cursor.parse(str(Cursor(time_us))) == Cursor(time_us)


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026-13-01", "2026-11-23/x", "2026-11-23/a-b-c", "2026-11-23/w-1-4294967296", "2026-11-23/-1-1"],
)
def test_other_texts_are_no_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cursor.parse(text)


def test_a_search_of_a_restored_spool_shows_what_is_stored_once(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.spool(*(request(MONDAY + n, f"/{n}") for n in range(4)))
    shutil.copytree(site.directory / "spool", tmp_path / "spool")
    site.store()
    shutil.copytree(tmp_path / "spool", site.directory / "spool", dirs_exist_ok=True)
    assert urls(archive_of(site).search(Filters(), limit=0)) == ["/3", "/2", "/1", "/0"]
