from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consentkit.archive.sealing import seal
from consentkit.archive.search.contents import period_states, waiting_segments
from consentkit.archive.search.follow import Follow
from consentkit.archive.search.top import By, top
from consentkit.archive.store import Filters
from consentkit.audit import SYSTEM
from consentkit.requestlog.record import Gap
from consentkit.requestlog.spool import Spool
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY, Installation, request
from tests.archive.searches import ROWS, archive_of, gap

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The same five rows, and the first of them again, in a sealed period, an open one, and the spool."""
    site = Installation(tmp_path_factory.mktemp("site"))
    site.store(*ROWS[:2])
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    site.store(request(MONDAY + DAY_US, "/a"))
    site.spool(*ROWS[2:])
    return site


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("address", [("192.0.2.7", 2), ("", 1), ("192.0.2.8", 1), ("2001:db8::5", 1), ("203.0.113.9", 1)]),
        ("path", [("/a", 2), ("/[odd]", 1), ("/admin/login", 1), ("/admin/x", 1), ("/b", 1)]),
        ("status", [("200", 2), ("401", 1), ("404", 1), ("499", 1), ("500", 1)]),
        ("host", [("www.example.lv", 5), ("shop.example.lv", 1)]),
        ("referrer", [("", 5), ("example.org", 1)]),
        ("country", [("", 6)]),
        ("browser", [("Firefox", 4), ("Googlebot", 1), ("curl", 1)]),
        ("device-type", [("pc", 4), ("bot", 1), ("other", 1)]),
    ],
)
def test_values_are_counted_wherever_the_rows_lie(
    site: Installation, by: By, expected: list[tuple[str, int]]
) -> None:
    found = top(archive_of(site), Filters(), by)
    assert found.counts == expected
    assert (found.rows, found.ended_by) == (6, "")


def test_a_count_holds_to_its_filters(site: Installation) -> None:
    assert top(archive_of(site), Filters(statuses=((400, 499),)), "agent").rows == 3
    assert top(archive_of(site), Filters(networks=("192.0.2.0/24",)), "path").counts == [
        ("/a", 2), ("/admin/login", 1),
    ]  # fmt: skip
    assert top(archive_of(site), Filters(path="/none"), "status").counts == []


def test_a_count_ends_at_its_row_limit_and_says_from_where_on_it_holds(site: Installation) -> None:
    found = top(archive_of(site), Filters(), "path", rows=3)
    assert (found.counts, found.rows) == ([("/[odd]", 1), ("/a", 1), ("/b", 1)], 3)
    assert (found.ended_by, found.back_to_us) == ("rows", MONDAY + 3)


def test_a_count_that_its_time_limit_ends_says_so(site: Installation) -> None:
    found = top(archive_of(site), Filters(), "path", time_limit_seconds=0)
    assert (found.counts, found.rows, found.ended_by) == ([], 0, "time")


def test_a_count_comes_with_what_was_lost_in_its_time(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    flood = Gap(MONDAY + 5, MONDAY + 9, 12_345, "sampled", "192.0.2.0/24")
    gap(site, flood)
    site.store(request(MONDAY, "/a"))
    assert top(archive_of(site), Filters(), "path").gaps == [flood]


def follow(site: Installation, filters: Filters | None = None) -> Follow:
    return Follow(archive_of(site), site.directory, site.keyring, filters or Filters())


def test_what_comes_in_is_shown_once_however_it_is_stored(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.store(request(MONDAY, "/stored before"))
    site.spool(request(MONDAY + 1, "/spooled before"))
    coming = follow(site)
    spool = Spool(site.directory, site.keyring, max_bytes=2**30)
    ingester = site.ingester()
    shown: list[list[str]] = []
    for number in range(6):
        spool.append(request(MONDAY + 10 + number, f"/{number}"))
        if number % 2:
            ingester.drain()
        shown.append([found.url for _, found in coming.fresh()])
    assert shown == [[f"/{number}"] for number in range(6)]
    spool.close()
    ingester.drain()
    ingester.close()
    assert list(coming.fresh()) == []


def test_a_segment_that_came_and_went_between_two_looks_is_shown(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.store(request(MONDAY, "/before"))
    coming = follow(site, Filters(path="/w*"))
    coming._looked_us = MONDAY + HOUR_US
    site.store(*(request(MONDAY + HOUR_US + n, url) for n, url in enumerate(("/wanted", "/other", "/worn"))))
    assert [found.url for _, found in coming.fresh()] == ["/wanted", "/worn"]
    assert list(coming.fresh()) == []


def test_a_gap_is_met_by_who_follows(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    coming = follow(site)
    lost = Gap(MONDAY, MONDAY + 1, 7, "full")
    gap(site, lost)
    assert list(coming.fresh()) == []
    assert list(coming.gaps.values()) == [lost]


def test_what_lies_in_the_spool_is_listed_with_what_of_it_waits(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    spool, ingester = Spool(site.directory, site.keyring, max_bytes=2**30), site.ingester()
    spool.append(request(MONDAY, "/stored"))
    ingester.drain()
    spool.append(request(MONDAY + 1, "/waits"))
    (one,) = waiting_segments(archive_of(site), site.directory, site.keyring)
    assert (one.frames, one.frames_waiting, one.damaged, one.is_open, one.is_alive) == (2, 1, 0, True, True)
    spool.close()
    (site.keyring.folder / f"worker/{one.worker}.key").unlink()
    (one,) = waiting_segments(archive_of(site), site.directory, site.keyring)
    assert (one.frames, one.is_open, one.is_alive) == (None, False, False)
    ingester.close()


def test_periods_are_listed_with_state_and_size(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(2)
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    newest, oldest = period_states(archive_of(site))
    assert (newest.period, newest.state, newest.rows, newest.has_key) == (DAYS[1], "open", None, True)
    assert (oldest.period, oldest.state, oldest.rows, oldest.file) == (DAYS[0], "sealed", 2, f"{DAYS[0]}.1.db")
    assert oldest.bytes == (site.directory / "requests" / oldest.file).stat().st_size
