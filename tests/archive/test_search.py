from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive, Search
from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store import Cursor, Filters
from consentkit.audit import SYSTEM
from consentkit.requestlog.segment import FrameId
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY, Installation, request
from tests.archive.searches import ROWS, archive_of, urls

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.search import Found
    from consentkit.archive.store.requeststore import Reader


def settle(site: Installation) -> None:
    """Make the first day's file two seconds old: what was sealed this second is read as an open one is."""
    file = site.file(site.period(DAYS[0]).place)
    os.utime(file, ns=(0, file.stat().st_mtime_ns - 2_000_000_000))


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


def test_a_reader_who_is_slow_keeps_no_period_from_being_sealed_or_destroyed(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(2)
    reading = archive_of(site).search(Filters(), limit=0)
    assert next(reading)[1].url == "/b1"
    for name in DAYS[:2]:
        seal(site.holdings, site.period(name), SYSTEM, wait_seconds=0)
        PeriodLock(site.file(site.period(name).place), exclusive=True, wait_seconds=0).release()
    assert urls(reading) == ["/a1", "/b0", "/a0"]


def test_a_sealed_file_that_changes_under_a_reader_is_read_again(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(1)
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    settle(site)
    archive, counts = archive_of(site), []

    def work(reader: Reader | None, _: object) -> int:
        assert reader is not None
        counts.append(reader.measure()[0])
        if len(counts) == 1:
            site.store(request(MONDAY, "/late"))
        return len(counts)

    assert archive.stored.read(site.period(DAYS[0]), work, deadline=Deadline(None)) == 2
    assert counts == [2, 3]


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
