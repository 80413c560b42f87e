"""An ingester under a clock of its own, and what is found of what it stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from consentkit.archive.filing import Filing
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.control import misdated
from tests.archive.installation import DAY_US, HOUR_US, MONDAY, RESOLVERS, Installation

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.period import Rotation
    from consentkit.archive.store import FoundRequest


NOON = MONDAY + 12 * HOUR_US
YEAR_US = 365 * DAY_US
RETENTION_DAYS = 90


def ingester(site: Installation, now_us: int = NOON, rotation: Rotation = "day") -> Ingester:
    catalogue = Catalogue(site.control, rotation)
    filing = Filing(catalogue, retention_days=RETENTION_DAYS, now_us=lambda: now_us)
    return Ingester(site.holdings, catalogue, RESOLVERS, filing=filing)


def drain(site: Installation, now_us: int = NOON, rotation: Rotation = "day") -> int:
    at_work = ingester(site, now_us, rotation)
    try:
        return at_work.drain()
    finally:
        at_work.close()


def found(site: Installation, filters: Filters | None = None) -> list[FoundRequest]:
    archive = Archive(site.settings, site.holdings, resolvers=RESOLVERS)
    rows = [row for _, row in archive.search(filters or Filters(), limit=0)]
    return [row for row in rows if row.url != "/first"]


def holds(site: Installation, url: str, time_us: int) -> bool:
    """Tell whether the record stands under a time, in the period that holds it."""
    return url in [row.url for row in found(site, Filters(since_us=time_us, until_us=time_us + 1))]


def segments(site: Installation) -> list[Path]:
    return list((site.directory / "spool").glob("*/[0-9]*"))


def by_period(site: Installation) -> dict[str, list[str]]:
    """Return what each period holds, by its own bounds."""
    periods = site.catalogue().list()
    return {
        one.name: [row.url for row in found(site, Filters(since_us=one.since_us, until_us=one.until_us))]
        for one in periods
    }


def decisions(site: Installation) -> list[int]:
    with site.control.transaction() as connection:
        return [row.time_us for row in connection.execute(select(misdated))]
