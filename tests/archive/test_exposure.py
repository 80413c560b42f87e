"""Which rows a look has shown is recorded exactly, and they are listed again as long as they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit import audit
from consentkit.archive.exposure import Exposure, _packed, _unpacked, exposures, page_detail
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.archive.truncation import truncate
from consentkit.audit import SYSTEM, Look
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY, RESOLVERS, WORKER, Installation, request

ALL = ["/a0", "/a1", "/b0", "/b1"]


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    site = Installation(tmp_path)
    site.fill(2)
    return site


def archive(site: Installation) -> Archive:
    return Archive(site.settings, site.holdings, resolvers=RESOLVERS)


def look(site: Installation, filters: Filters = Filters()) -> audit.AuditEntry:  # noqa: B008 - it is frozen
    page = list(archive(site).search(filters, limit=0))
    detail = page_detail(filters, page)
    return audit.record(site.control, WORKER, "log.search", look=Look("security"), detail=detail, rows=len(page))


def shown(site: Installation) -> Exposure:
    (exposure,) = exposures(site.control, archive(site))
    return exposure


def urls(exposure: Exposure) -> list[str]:
    return sorted(row.url for _, row in exposure.kept)


def test_the_same_rows_are_listed_again(site: Installation) -> None:
    entry = look(site)
    exposure = shown(site)
    assert (exposure.entry, exposure.shown, exposure.gone, urls(exposure)) == (entry, 4, 0, ALL)


def test_what_came_since_was_not_shown(site: Installation) -> None:
    look(site)
    site.store(request(MONDAY + HOUR_US + 5, "/late"))
    assert urls(shown(site)) == ALL


def test_rows_that_went_with_their_period_are_counted(site: Installation) -> None:
    look(site)
    Retention(site.holdings, 10, SYSTEM).run(MONDAY + 10 * DAY_US)
    exposure = shown(site)
    assert (exposure.shown, exposure.gone, urls(exposure)) == (4, 2, ["/a1", "/b1"])


def test_rows_found_by_an_address_are_found_after_it_was_cut(site: Installation) -> None:
    look(site, Filters(networks=("192.0.2.7/32",), path="/a*"))
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    truncate(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=1)
    assert urls(shown(site)) == ["/a0", "/a1"]


def test_rows_still_in_the_spool_are_found_when_they_are_stored(site: Installation) -> None:
    site.spool(request(MONDAY + HOUR_US, "/spooled"))
    look(site)
    ingester = site.ingester()
    ingester.drain()
    ingester.close()
    assert urls(shown(site)) == [*ALL, "/spooled"]


def test_a_look_at_something_else_names_no_rows(site: Installation) -> None:
    audit.record(site.control, WORKER, "consent.show", look=Look("person"), detail={"consent_id": "x"}, rows=3)
    exposure = shown(site)
    assert (exposure.shown, exposure.kept, exposure.entry.rows) == (None, (), 3)


def test_a_detail_that_was_forged_lists_nothing(site: Installation) -> None:
    detail = {"requests": {"w-1": "0-x"}, "match": {"networks": ["no"]}}
    audit.record(site.control, WORKER, "log.search", look=Look("person"), detail=detail, rows=3)
    assert shown(site).shown is None


def test_a_whole_log_costs_a_few_bytes(site: Installation) -> None:
    packed = _packed(f"w-{1 + number // 900}-{number}" for number in range(1000))
    assert packed == {"w-1": "0-899", "w-2": "900-999"}


@given(st.sets(st.tuples(st.sampled_from(["w-1", "w-2", "x-1"]), st.integers(0, 200)), min_size=1))
def test_what_is_packed_is_unpacked(frames: set[tuple[str, int]]) -> None:
    ids = {f"{segment}-{sequence}" for segment, sequence in frames}
    assert sorted(_unpacked(_packed(ids))) == sorted(ids)
