"""What is typed into filters, and counting over time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentkit.archive.search import Archive
from consentkit.archive.search.overtime import over_time
from consentkit.archive.search.typed import Typed, parse_time, understand
from consentkit.archive.store import Filters
from tests.archive.installation import DAY_US, HOUR_US, MONDAY, RESOLVERS, Installation, request

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def test_filters_are_read_together_and_each_fault_is_told() -> None:
    typed = Typed(
        since="2h", until="soon", address=("192.0.2.7", "nowhere"), status=("404", "5xx"), flag=("sql", "x")
    )
    understood = understand(typed, now=NOW)
    assert sorted(understood.faults) == ["address", "flag", "until"]
    assert understood.filters == Filters(
        since_us=int(NOW.timestamp() * 1e6) - 2 * HOUR_US, statuses=((404, 404), (500, 599))
    )


def test_a_name_that_is_none_of_the_list_is_a_fault() -> None:
    assert sorted(understand(Typed(outcome="lost", device_type="fridge")).faults) == ["device_type", "outcome"]


@pytest.mark.parametrize("text", ["999999w", "999999d", "9999w"])
def test_what_is_longer_ago_than_time_goes_is_the_beginning(text: str) -> None:
    assert parse_time("since", text, now=NOW) == 0


def test_requests_are_counted_by_steps_of_time_stored_and_waiting(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    site.fill(3)
    site.spool(request(MONDAY + 2 * DAY_US + HOUR_US + 5, "/a9"))
    archive = Archive(site.settings, site.holdings, resolvers=RESOLVERS)
    filters = Filters(since_us=MONDAY + DAY_US, until_us=MONDAY + 4 * DAY_US)
    by_hour = over_time(archive, filters, HOUR_US)
    first, second = MONDAY + DAY_US, MONDAY + 2 * DAY_US
    assert by_hour.counts == {
        first + HOUR_US: 1,
        first + 2 * HOUR_US: 1,
        second + HOUR_US: 2,
        second + 2 * HOUR_US: 1,
    }
    assert not by_hour.is_cut
    by_day = over_time(archive, Filters(path="/a*", until_us=MONDAY + 4 * DAY_US), DAY_US)
    assert by_day.counts == {MONDAY: 1, first: 1, second: 2}
    cut = over_time(archive, filters, DAY_US, time_limit_seconds=0)
    assert (cut.counts, cut.is_cut, cut.back_to_us) == ({}, True, filters.until_us)
