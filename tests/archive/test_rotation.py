"""Rotation that changes, and records at the border: periods never overlap, and each record is stored once."""

from __future__ import annotations

import shutil
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.archive.clocks import by_period, drain, found, segments
from tests.archive.installation import DAY_US, HOUR_US, MINUTE_US, MONDAY, Installation, request

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.period import Rotation
    from consentkit.requestlog.record import Record


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """An installation that has been at work for two days."""
    site = Installation(tmp_path)
    site.store(request(MONDAY - 2 * DAY_US, "/first"))
    return site


@pytest.mark.parametrize(("rotation", "length_us"), [("hour", HOUR_US), ("day", DAY_US)])
def test_border_records_of_several_workers_go_to_their_own_period(
    site: Installation, rotation: Rotation, length_us: int
) -> None:
    border = MONDAY + length_us
    for worker in range(3):
        site.spool(request(border - 1, f"/last{worker}"), request(border, f"/first{worker}"))
    drain(site, border, rotation)
    before, after = (next(one for one in site.catalogue().list() if one.since_us == at) for at in (MONDAY, border))
    assert sorted(by_period(site)[before.name]) == ["/last0", "/last1", "/last2"]
    assert sorted(by_period(site)[after.name]) == ["/first0", "/first1", "/first2"]
    assert (before.until_us, after.until_us) == (border, border + length_us)


def test_rotation_that_changes_within_a_day_makes_no_periods_that_overlap(site: Installation) -> None:
    at = [MONDAY + hour * HOUR_US + 30 * MINUTE_US for hour in range(24)]
    stored: list[Record] = []

    def write(rotation: Rotation, *hours: int) -> None:
        records = [
            request(at[hour] + len(stored) + n, f"/{hour}/{len(stored) + n}") for n, hour in enumerate(hours)
        ]
        stored.extend(records)
        site.spool(*records)
        drain(site, at[-1], rotation)

    write("hour", 9, 10)
    write("day", 11, 3, 10)
    write("hour", 12, 9, 1, 23)
    write("day", 2, 13, 9)
    write("hour", 4)
    periods = sorted((one.since_us, one.until_us) for one in site.catalogue().list())
    assert all(before[1] <= after[0] for before, after in pairwise(periods))
    expected = [record.url for record in sorted(stored, key=lambda record: record.time_us, reverse=True)]
    assert [row.url for row in found(site)] == expected


@pytest.mark.parametrize(("first", "then"), [("hour", "day"), ("day", "hour")])
def test_a_segment_read_again_under_another_rotation_is_stored_once(
    site: Installation, tmp_path: Path, first: Rotation, then: Rotation
) -> None:
    site.spool(*(request(MONDAY + hour * HOUR_US, f"/{hour}") for hour in range(0, 24, 5)))
    (segment,) = segments(site)
    shutil.copy(segment, tmp_path / "copy")
    assert drain(site, rotation=first) == 5
    segment.parent.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "copy", segment)
    assert drain(site, rotation=then) == 0
    assert len(found(site)) == 5
