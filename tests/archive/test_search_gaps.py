"""What a search tells of records that are not there, or can't be read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.search import Archive, Losses
from consentkit.archive.store import Filters
from consentkit.requestlog.record import Gap
from tests.archive.installation import DAY_US, MONDAY, Installation, request
from tests.archive.searches import archive_of, gap, urls

if TYPE_CHECKING:
    from pathlib import Path


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


def test_gaps_are_found_without_resolving_the_requests_around_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Installation(tmp_path)
    site.spool(request(MONDAY, "/a"))
    lost = Gap(MONDAY + 5, MONDAY + 9, 3, "full")
    gap(site, lost)
    monkeypatch.setitem(sys.modules, "consentkit.archive.resolve", None)  # to import it is an error now
    assert Archive(site.settings, site.holdings).gaps(Filters()) == [lost]


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
