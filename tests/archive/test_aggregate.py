from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec
import pytest
import sqlcipher3.dbapi2 as sqlcipher
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from consentkit.archive import aggregate as statistics
from consentkit.archive.aggregate import (
    MIN_CLIENTS,
    OTHER,
    Aggregator,
    availability_by_day,
    counting,
    read,
    series,
    terms,
)
from consentkit.archive.aggregate.counting import count_hour
from consentkit.archive.aggregate.hours import owned_hours
from consentkit.archive.caretaker import Caretaker
from consentkit.archive.period import new_period
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.store.interface import Batch
from consentkit.archive.store.sqlite.periodfile import PeriodFile
from consentkit.archive.store.sqlite.reader import SqliteReader
from consentkit.archive.truncation import truncate
from consentkit.audit import SYSTEM
from consentkit.control import aggregate
from consentkit.errors import StorageError
from consentkit.requestlog.record import OUTCOMES, Gap, Outcome, Record
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MINUTE_US, MONDAY, RESOLVERS, Installation, request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


GRACE_US = 5 * MINUTE_US


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def crowd(time_us: int, url: str, clients: int, *, first: int = 1, **changes: object) -> list[Record]:
    """Return one request of each of so many addresses."""
    return [
        msgspec.structs.replace(request(time_us + n, url, address=f"192.0.2.{first + n}"), **changes)
        for n in range(clients)
    ]


def counted(site: Installation, dimension: statistics.Dimension, *, hour: int = 0) -> dict[str, int]:
    start = MONDAY + hour * HOUR_US
    return {one.value: one.requests for one in read(site.control, start, start + HOUR_US, dimension).counts}


def stored(site: Installation) -> list[tuple[object, ...]]:
    with site.control.transaction() as connection:
        return sorted(tuple(row) for row in connection.execute(select(aggregate)))


ADDRESSES = st.one_of(
    st.integers(1, 25).map(lambda n: f"192.0.2.{n}"),
    st.tuples(st.integers(1, 6), st.integers(1, 9)).map(lambda pair: f"2001:db8:0:{pair[0]}::{pair[1]}"),
)


REQUESTS = st.tuples(
    ADDRESSES,
    st.sampled_from(["/", "/shop/1", "/shop/2", "/about", "/x9", "/help"]),
    st.sampled_from(["GET", "POST", "BREW", ""]),
    st.sampled_from([200, 404, 500, 0]),
    st.sampled_from(OUTCOMES),
    st.sampled_from(["curl/8.0", FIREFOX, ""]),
)


def person(address: str) -> object:
    parsed = ipaddress.ip_address(address)
    return parsed if parsed.version == 4 else int(parsed) >> 64


@settings(max_examples=60, deadline=None)
@given(st.lists(REQUESTS, max_size=90))
def test_what_is_stored_of_any_hour_tells_of_no_fewer_than_ten_addresses(
    rows: list[tuple[str, str, str, int, Outcome, str]],
) -> None:
    period = new_period(MONDAY, "day")
    file = PeriodFile(sqlcipher.connect(":memory:", isolation_level=None), period.place, RESOLVERS)
    records = [
        Record(
            MONDAY + n, address, "", "peer", method, "https", "www.example.lv", path, 0, status, outcome, 1, 1,
            agent, "",
        )
        for n, (address, path, method, status, outcome, agent) in enumerate(rows)
    ]  # fmt: skip
    file.apply([Batch("w", 1, list(enumerate(records)))])
    cells = count_hour(SqliteReader(file.connection, period.place), MONDAY)
    file.close()
    naturally: dict[str, Callable[[Record], str]] = {
        "path_group": lambda record: terms.path_group(record.url),
        "method": lambda record: terms.method_group(record.method),
        "status_class": lambda record: terms.status_class(record.status),
        "outcome": lambda record: record.outcome,
        "browser": lambda record: terms.family_group(RESOLVERS.agents.resolve(record.user_agent).browser),
    }
    everyone = {person(record.client_address) for record in records}
    assert cells.get("total", {}) == ({"requests": len(records)} if records else {})
    assert (set(cells) - {"total"} == set()) == (len(everyone) < MIN_CLIENTS)
    for dimension, by_value in cells.items():
        if dimension not in naturally:
            continue
        requests, people = Counter[str](), defaultdict[str, set[object]](set)
        for record in records:
            value = naturally[dimension](record)
            value = value if value in by_value else OTHER
            requests[value] += 1
            people[value].add(person(record.client_address))
        assert by_value == dict(requests)
        assert min(map(len, people.values())) >= MIN_CLIENTS


def test_one_ipv6_site_is_one_address(site: Installation) -> None:
    site.store(*(request(MONDAY + n, "/shop", address=f"2001:db8::{n + 1}") for n in range(40)))
    Aggregator(site.holdings).run(MONDAY + 2 * HOUR_US)
    assert counted(site, "total") == {"requests": 40}
    assert counted(site, "path_group") == {}


def test_an_hour_is_counted_once_it_has_ended_and_its_grace_is_over(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 12))
    counting = Aggregator(site.holdings)
    assert counting.run(MONDAY + HOUR_US + GRACE_US - 1) == 0
    assert counting.run(MONDAY + HOUR_US + GRACE_US) == 1
    assert counted(site, "path_group") == {"/shop": 12}
    assert counted(site, "duration_class") == {"<10ms": 12}
    assert counted(site, "country") == {"unknown": 12}


def test_counting_again_gives_the_same(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 30), *crowd(MONDAY, "/help", 3))
    Aggregator(site.holdings).run(MONDAY + 3 * HOUR_US)
    before = stored(site)
    assert Aggregator(site.holdings).run(MONDAY + 3 * HOUR_US) == 0
    assert stored(site) == before


def test_late_records_are_in_when_the_next_hour_is_counted(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 12))
    counting = Aggregator(site.holdings)
    counting.run(MONDAY + HOUR_US + GRACE_US)
    site.store(*crowd(MONDAY + MINUTE_US, "/shop", 5, first=100))
    assert counting.run(MONDAY + HOUR_US + 2 * GRACE_US) == 0
    assert counting.run(MONDAY + 2 * HOUR_US + GRACE_US) == 2
    assert counted(site, "path_group") == {"/shop": 17}


def test_records_for_a_sealed_period_are_in_when_it_is_sealed_again(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 12))
    counting, later = Aggregator(site.holdings), MONDAY + 2 * DAY_US
    for expected in (24, 0, 0):
        assert counting.run(later) == expected
        seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    site.store(*crowd(MONDAY + HOUR_US, "/help", 11))
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    assert counting.run(later) == 1
    assert counted(site, "path_group", hour=1) == {"/help": 11}
    assert counting.run(later) == 0


def test_the_caretaker_counts_what_has_ended(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 12))
    caretaker = Caretaker(site.holdings, 10, release=lambda _: None, now_us=lambda: MONDAY + 2 * HOUR_US)
    caretaker.do(is_drained=False)
    assert counted(site, "total") == {}
    caretaker.do()
    assert (counted(site, "total"), caretaker.failures) == ({"requests": 12}, 0)


def test_an_hour_that_lies_in_two_periods_is_counted_from_the_one_that_takes_its_records() -> None:
    day, hour = new_period(MONDAY, "day"), new_period(MONDAY + 10 * HOUR_US, "hour")
    known = sorted([day, hour], key=lambda period: -period.since_us)
    assert owned_hours(hour, known, hour.until_us) == [hour.since_us]
    of_day = owned_hours(day, known, day.until_us)
    assert (len(of_day), hour.since_us in of_day) == (23, False)


def test_names_made_up_in_a_flood_do_not_drive_out_what_was_there_before(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_MAX_CANDIDATES", 2)
    flood = [request(MONDAY + 100 + n, f"/{'x' * n}", address=f"198.51.100.{n}") for n in range(1, 15)]
    site.store(*crowd(MONDAY, "/shop", 12), *flood, *crowd(MONDAY + MINUTE_US, "/shop", 12))
    Aggregator(site.holdings).run(MONDAY + 2 * HOUR_US)
    assert counted(site, "path_group") == {"/shop": 24, OTHER: 14}


def test_a_call_ends_after_its_time_and_the_next_goes_on(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 12))
    counting = Aggregator(site.holdings)
    done = [counting.run(MONDAY + 4 * HOUR_US + GRACE_US, budget_seconds=0.0) for _ in range(5)]
    assert done == [1, 1, 1, 1, 0]


def test_counts_outlive_the_rows(site: Installation) -> None:
    site.store(*crowd(MONDAY + 5 * HOUR_US, "/shop", 12))
    outcome = Retention(site.holdings, 10, SYSTEM, wait_seconds=0.2).run(MONDAY + 10 * DAY_US)
    assert (len(outcome.certificates), site.states()) == (1, {DAYS[0]: "destroyed"})
    assert site.urls() == []
    assert counted(site, "path_group", hour=5) == {"/shop": 12}


def test_a_period_that_cannot_be_counted_goes_on_its_day(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    site.fill(1)
    (site.directory / "requests" / f"{DAYS[0]}.1.db").write_bytes(b"no database" * 1000)
    Retention(site.holdings, 10, SYSTEM, wait_seconds=0.2).run(MONDAY + 10 * DAY_US)
    assert site.states() == {DAYS[0]: "destroyed"}
    assert "its statistics incomplete" in caplog.text


def test_a_damaged_period_keeps_no_other_from_being_counted(site: Installation) -> None:
    site.fill(2)
    (site.directory / "requests" / f"{DAYS[1]}.1.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError, match=DAYS[1]):
        Aggregator(site.holdings).run(MONDAY + 3 * DAY_US)
    assert counted(site, "total", hour=1) == {"requests": 1}


def test_what_was_counted_from_whole_addresses_stays_when_they_are_cut(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 12))
    Aggregator(site.holdings).run(MONDAY + DAY_US + GRACE_US)
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    before = stored(site)
    assert truncate(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0.2) is not None
    site.store(*crowd(MONDAY, "/late", 3, first=200))
    assert Aggregator(site.holdings).run(MONDAY + 30 * DAY_US) == 0
    assert stored(site) == before


def test_no_address_and_no_whole_path_is_in_what_is_kept(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop/secret-item?page=7", 12))
    Aggregator(site.holdings).run(MONDAY + DAY_US)
    text = repr(stored(site))
    assert "/shop" in text
    assert not [word for word in ("192.0.2", "198.51.100", "secret", "page", "www.example") if word in text]


def test_a_series_has_a_point_for_each_step_of_which_something_is_known(site: Installation) -> None:
    site.store(*crowd(MONDAY, "/shop", 12), *crowd(MONDAY + 2 * HOUR_US, "/help", 3))
    Aggregator(site.holdings).run(MONDAY + 3 * HOUR_US + GRACE_US)
    hourly = series(site.control, "path_group", MONDAY, MONDAY + DAY_US, "hour")
    assert [(point.counts, point.requests) for point in hourly] == [({"/shop": 12}, 12), ({}, 0), ({}, 3)]
    (day,) = series(site.control, "path_group", MONDAY, MONDAY + DAY_US, "day")
    assert (day.time_us, day.counts, day.requests, day.hours) == (MONDAY, {"/shop": 12}, 15, 3)
    summed = read(site.control, MONDAY, MONDAY + DAY_US, "path_group")
    assert (summed.requests, summed.untold, summed.hours) == (15, 3, 3)


def test_availability_takes_silence_and_losses_for_neither_up_nor_down(site: Installation) -> None:
    site.store(
        *crowd(MONDAY, "/shop", 20),
        *crowd(MONDAY + HOUR_US, "/shop", 20),
        *crowd(MONDAY + HOUR_US, "/shop", 10, status=500),
        *crowd(MONDAY + 2 * HOUR_US, "/shop", 20),
        *crowd(MONDAY + 2 * HOUR_US, "/shop", 2, status=200, outcome="app_error"),
        *crowd(MONDAY + 3 * HOUR_US, "/shop", 4),
    )
    period = site.period(DAYS[0])
    file = PeriodFile.open(site.file(period.place), site.keyring.load(period.key_name), period.place, RESOLVERS)
    file.apply([Batch("w", 1, [(0, Gap(MONDAY + 4 * HOUR_US, MONDAY + 4 * HOUR_US + MINUTE_US, 7, "write"))])])
    file.close()
    Aggregator(site.holdings).run(MONDAY + 6 * HOUR_US)
    (day,) = availability_by_day(site.control, MONDAY, MONDAY + 6 * HOUR_US)
    assert (day.day, day.answered, day.failed, day.untold, day.lost) == (DAYS[0], 62, 10, 4, 7)
    assert (day.hours_known, day.hours_unknown, day.hours_with_few_failures) == (3, 3, 1)
    assert day.share == pytest.approx(62 / 72)
