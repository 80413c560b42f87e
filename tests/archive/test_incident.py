"""Opening an incident: the copy is what was found, whatever happens on the way, and proves it."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit import audit
from consentkit.archive.incident.integrity import verify
from consentkit.archive.incident.journal import journal
from consentkit.archive.incident.listing import (
    Incident,
    find,
)
from consentkit.archive.incident.reading import Kept, reading
from consentkit.archive.store import Cursor, Filters, FoundRequest
from consentkit.archive.store.places import Found, Noted, Place, RowsOf
from consentkit.archive.store.sqlite.store import SqliteStore
from consentkit.audit import Look
from consentkit.control import open_sqlcipher
from consentkit.crypto import Keyring
from consentkit.errors import ConsentKitError
from consentkit.requestlog.record import Entry, Gap
from consentkit.requestlog.segment import SegmentSealer
from tests.archive.incidents import (
    ATTACKER,
    days,
    held,
    listed,
    opened,
    searched,
)
from tests.archive.installation import (
    DAY_US,
    DAYS,
    HOUR_US,
    MONDAY,
    WORKER,
    Installation,
    request,
)
from tests.archive.rows import found as found_row

HELD = Incident(
    number=1, generation=1, state="open", case_id="", reason="", owner="", opened_us=0, review="", filters="{}",
    rows=3, bytes=0, file_hash="",
)  # fmt: skip


def copied(folder: Path, *pages: list[Found]) -> SqliteStore:
    """Copy pages of rows into the place of `HELD`."""
    keyring = Keyring.open(folder / "keys", ())
    keyring.make(HELD.place().key_name)
    store = SqliteStore(folder / "data", keyring)
    with store.copy(HELD.place()) as copy:
        for page in pages:
            copy.add(page)
        copy.finish([])
    return store


def rows_in(store: SqliteStore, place: Place) -> list[Found]:
    with store.reader(place) as reader:
        assert reader is not None
        return list(Kept(HELD, reader).rows(Filters()))


GAP = Gap(MONDAY + HOUR_US, MONDAY + 2 * HOUR_US, 17, "sampled", "203.0.113.0/24")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return days(tmp_path_factory.mktemp("days"))


@pytest.fixture
def installation(made: Path, tmp_path: Path) -> Installation:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


FILTERS = {
    "all": Filters(),
    "address": Filters(networks=("203.0.113.0/24",)),
    "path": Filters(path="/a*"),
    "time": Filters(since_us=MONDAY + HOUR_US + 1, until_us=MONDAY + 2 * DAY_US + 1),
    "nothing": Filters(host="other.example"),
}


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_a_copy_is_what_a_search_finds_over_sealed_open_and_spooled_rows(
    installation: Installation, filters: Filters
) -> None:
    expected = searched(installation, filters)
    incident = opened(installation, filters=filters, is_all=True)
    assert held(installation) == expected
    assert incident.rows == len(expected)
    assert len(searched(installation)) == 7


def test_a_copy_is_searched_as_the_log_is(installation: Installation) -> None:
    opened(installation)
    for filters in FILTERS.values():
        assert held(installation, filters=filters) == searched(installation, filters)
    with reading(installation.holdings, 1) as kept:
        first = list(kept.rows(Filters(), limit=3))
        rest = list(kept.rows(Filters(), before=first[-1][0]))
    assert first + rest == searched(installation)


def test_one_address_keeps_each_place_that_it_was_found_at_and_each_clock_its_time(tmp_path: Path) -> None:
    rows = [
        found_row(request_id="w-1-3", time="2026-11-23T10:00:00.000003Z", country="LV", browser_version="2"),
        found_row(request_id="w-1-2", time="2026-11-23T10:00:00.000002Z", country="EE"),
        found_row(
            request_id="w-1-1", time="2026-11-23T10:00:00.000001Z", claimed_time="2001-01-01T00:00:00.000007Z"
        ),
    ]
    page = [(Cursor(1_795_428_000_000_001 + number), row) for number, row in enumerate(rows[::-1])]
    store = copied(tmp_path, page)
    assert [row for _, row in rows_in(store, HELD.place())] == rows


def test_a_copy_that_is_written_anew_keeps_each_place_of_an_address(tmp_path: Path) -> None:
    rows = [
        found_row(request_id=f"w-1-{n}", time=f"2026-11-23T10:00:00.00000{n}Z", country=country)
        for n, country in enumerate(("LV", "EE", "LV"))
    ]
    store = copied(tmp_path, [(Cursor(1_795_428_000_000_000 + number), row) for number, row in enumerate(rows)])
    last = RowsOf(rows[2].client_address, 1_795_428_000_000_002, 1_795_428_000_000_003)
    assert store.write_anew(HELD.place(), HELD.place(2), left_out=last).left_out == 1
    assert [row for _, row in rows_in(store, HELD.place(2))] == [rows[1], rows[0]]


def spool_entries(installation: Installation, worker: str, *entries: Entry) -> None:
    sealer = SegmentSealer(worker, 1, installation.keyring.make(f"worker/{worker}"))
    place = installation.directory / "spool" / worker
    place.mkdir(parents=True)
    (place / "1").write_bytes(b"".join(sealer.seal(entry) for entry in entries))


def test_gaps_of_the_time_are_copied_once_from_store_and_spool(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    later = Gap(MONDAY + DAY_US, MONDAY + DAY_US, 3, "full", "")
    spool_entries(installation, "aa", Gap(MONDAY - DAY_US, MONDAY - DAY_US, 5, "write", ""), GAP)
    installation.store(request(MONDAY, "/"))
    spool_entries(installation, "bb", request(MONDAY + DAY_US, "/"), later)
    incident = opened(installation, filters=Filters(since_us=MONDAY))
    with reading(installation.holdings, incident.number) as kept:
        assert kept.gaps() == [GAP, later]
    assert verify(installation.holdings, incident).fault == ""


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def exchanged(file: Path) -> None:
    shutil.copy(file.with_name("2.1.db"), file)


@pytest.mark.parametrize("harm", [damaged, exchanged], ids=["one byte changed", "another incident's file"])
def test_a_changed_file_does_not_hold(installation: Installation, harm: Callable[[Path], None]) -> None:
    incident = opened(installation)
    opened(installation, filters=FILTERS["address"])
    assert verify(installation.holdings, incident).fault == ""
    harm(installation.directory / "incidents" / "1.1.db")
    assert "not the one that entry" in verify(installation.holdings, incident).fault


def test_a_row_taken_out_with_the_key_at_hand_does_not_hold(installation: Installation) -> None:
    incident = opened(installation)
    place = incident.place()
    connection = open_sqlcipher(installation.file(place), installation.keyring.load(place.key_name))
    connection.execute("DELETE FROM request WHERE id = (SELECT min(id) FROM request)")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    assert "are not those noted in entry" in verify(installation.holdings, incident).fault


def test_the_journal_has_the_case_and_the_incident_in_order(installation: Installation) -> None:
    audit.record(installation.control, WORKER, "log.search", look=Look("security", "2026-7"), rows=3)
    audit.record(installation.control, WORKER, "log.search", look=Look("security", "2026-8"), rows=3)
    opened(installation)
    opened(installation, case="2026-8", filters=FILTERS["address"])
    with installation.control.transaction() as connection:
        first = find(connection, 1)
    assert [(entry.action, entry.case_id) for entry in journal(installation.control, first)] == [
        ("log.search", "2026-7"),
        ("incident.opening", "2026-7"),
        ("incident.opening.page", "2026-7"),
        ("incident.opened", "2026-7"),
    ]


def test_an_incident_without_rows_is_a_finding_too(installation: Installation) -> None:
    incident = opened(installation, filters=FILTERS["nothing"])
    assert verify(installation.holdings, incident).fault == ""
    with reading(installation.holdings, 1) as kept:
        assert kept.hours() == []
        assert kept.counts([], limit=5).rows == 0


def test_counts_say_what_the_rows_add_up_to(installation: Installation) -> None:
    opened(installation)
    with reading(installation.holdings, 1) as kept:
        hours = kept.hours()
        counts = kept.counts(hours, limit=2)
    assert [(hour.time_us - MONDAY, hour.total) for hour in hours] == [
        (HOUR_US, 1),
        (2 * HOUR_US, 1),
        (DAY_US + HOUR_US, 1),
        (DAY_US + 2 * HOUR_US, 1),
        (2 * DAY_US, 3),
    ]
    assert [(count.value, count.requests) for count in counts.days] == [(DAYS[0], 2), (DAYS[1], 2), (DAYS[2], 3)]
    assert [(count.value, count.requests) for count in counts.addresses] == [("192.0.2.7", 4), (ATTACKER, 2)]
    assert [(count.value, count.requests) for count in counts.paths] == [("/admin", 2), ("/", 1)]
    assert [(count.value, count.requests) for count in counts.statuses] == [("200", 7)]
    assert (counts.rows, counts.clients) == (7, 3)
    assert counts.first == "2026-03-02T01:00:00.000000Z"


def test_there_is_no_incident_of_a_number_that_was_never_given(installation: Installation) -> None:
    with pytest.raises(ConsentKitError, match="no incident 9"):
        held(installation, 9)


@pytest.mark.server
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    for start in range(0, 20_000, 10_000):
        numbers = range(start, start + 10_000)
        installation.store(*(request(MONDAY + number * 1000, f"/{number % 999}") for number in numbers))
    opened(installation, filters=Filters(until_us=MONDAY + 1_000_000))  # what is loaded once is loaded
    grown = []
    # The whole process is measured, so what another thread takes meanwhile is too: what grows does so both times.
    for filters in (Filters(until_us=MONDAY + 5_000_000), Filters(since_us=1), Filters(since_us=1)):
        tracemalloc.start()
        opened(installation, filters=filters)
        grown.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert [incident.rows for incident in listed(installation)] == [1000, 5000, 20_000, 20_000]
    assert min(grown[1:]) < 1.5 * grown[0], grown
    assert grown[1] < 30_000_000


TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


ROWS = st.builds(
    found_row,
    method=TEXTS,
    host=TEXTS,
    url=TEXTS,
    user_agent=TEXTS,
    referrer_host=TEXTS,
    browser=TEXTS,
    city=TEXTS,
    client_address=st.sampled_from(["", "192.0.2.7", "2001:db8::7"]),
    query_flags=st.sampled_from([(), ("quote",), ("quote", "sql")]),
    status=st.integers(0, 999),
    bytes_sent=st.integers(0, 2**62),
    claimed_time=st.sampled_from(["", "2001-01-01T00:00:00.000007Z"]),
)


@settings(max_examples=25)
@given(st.lists(ROWS, max_size=12))
def test_whatever_a_row_says_is_copied_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, rows: list[FoundRequest]
) -> None:
    times = [f"2026-11-23T10:00:00.{number // 2:06d}Z" for number in range(len(rows))]
    given_rows = [
        msgspec.structs.replace(row, time=time, request_id=f"w-{number % 3}-{number}")
        for number, (row, time) in enumerate(zip(rows, times, strict=True))
    ]
    page = [(Cursor(1_795_428_000_000_000 + int(row.time[-7:-1])), row) for row in given_rows]
    store = copied(tmp_path_factory.mktemp("copy"), page[:5], page[5:])
    contents = store.seal(HELD.place())
    read = [row for _, row in rows_in(store, HELD.place())]
    assert sorted(read, key=lambda row: row.request_id) == sorted(given_rows, key=lambda row: row.request_id)
    noted = {("", contents.batch): Noted(contents.head, 1)}
    checked = store.check(HELD.place(), noted, is_sealed=True, advance=lambda _: None)
    assert (checked.rows, checked.fault) == (len(given_rows), "")
