"""What custody does with a site of the corpus: retention, and incidents."""

from __future__ import annotations

from datetime import timedelta

from consentkit.archive.incident.listing import today_utc
from consentkit.archive.incident.opening import Opening
from consentkit.archive.incident.reading import reading
from consentkit.archive.incident.terms import Terms
from consentkit.archive.retention import Outcome, Retention
from consentkit.archive.search import Found
from consentkit.archive.store.interface import Filters
from consentkit.audit import SYSTEM
from tests.archive.installation import WORKER
from tests.stores.sites import Site

RETENTION_DAYS = 10


def retain(site: Site, now_us: int) -> Outcome:
    return Retention(site.holdings, RETENTION_DAYS, SYSTEM, wait_seconds=0.5).run(now_us)


def opening(site: Site, filters: Filters | None = None) -> Opening:
    terms = Terms(
        case="C-7", reason="guessing of passwords", owner="liga", review=today_utc() + timedelta(days=30),
        filters=filters or Filters(since_us=1), asked={},
    )  # fmt: skip
    return Opening(site.archive(), site.holdings, WORKER, "incident", terms)


def open_incident(site: Site, filters: Filters | None = None) -> int:
    one = opening(site, filters)
    for _ in one.run():
        pass
    assert one.incident is not None
    return one.incident.number


def held(site: Site, number: int = 1) -> list[Found]:
    with reading(site.holdings, number) as kept:
        return list(kept.rows(Filters()))
