"""How often a server is asked by a search over many sealed periods, and how many of them it opens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from consentkit.archive.holdings import Holdings
from consentkit.archive.period import new_period
from consentkit.archive.search import Archive
from consentkit.archive.store import Batch, Filters
from consentkit.archive.store.server.engine import Reading
from consentkit.archive.store.server.store import ServerStore
from tests.archive.installation import DAY_US, MONDAY, RESOLVERS, Installation, request
from tests.archive.store.sqlengine import SqlEngine

PERIODS = 34
EVERY, ONCE, NEVER = "192.0.2.7", "2001:db8::1", "203.0.113.1"
ONCE_ON = 7


class Counting(SqlEngine):
    """An engine that remembers what it was asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.opened_places: list[str] = []
        self.sieved: list[int] = []

    @contextlib.contextmanager
    def opened(self, place: str) -> Iterator[Reading | None]:
        self.opened_places.append(place)
        with super().opened(place) as reading:
            yield reading

    def lacking(self, lookups: Mapping[str, Sequence[int]], since_us: int, until_us: int) -> set[str]:
        self.sieved.append(len(lookups))
        return super().lacking(lookups, since_us, until_us)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def filled(site: Installation) -> Iterator[Counting]:
    """An engine with a sealed period a day, each with a request or two."""
    engine = Counting(site.directory / "engine.db")
    store = ServerStore(engine, site.keyring, site.control, lane="a", name="server")
    for day in range(PERIODS):
        time_us = MONDAY + day * DAY_US
        period = msgspec.structs.replace(new_period(time_us, "day"), state="sealed", rows=1)
        site.add_period(period)
        site.keyring.make(period.key_name)
        addresses = [EVERY, ONCE] if day == ONCE_ON else [EVERY]
        with closing(store.writer(period.place, RESOLVERS)) as writer:
            writer.add(Batch("w", day, list(enumerate(request(time_us, "/", address=one) for one in addresses))))
            writer.commit()
    with closing(engine):
        yield engine


@pytest.fixture
def engine(filled: Counting) -> Counting:
    filled.opened_places.clear()
    filled.sieved.clear()
    return filled


@pytest.fixture
def archive(site: Installation, engine: Counting) -> Archive:
    store = ServerStore(engine, site.keyring, site.control, lane="a", name="server")
    holdings = Holdings(site.directory, site.keyring, site.control, store)
    return Archive(site.settings, holdings, resolvers=RESOLVERS)


@pytest.mark.parametrize(
    ("filters", "limit", "opened", "sieved"),
    [
        (Filters(networks=(NEVER,)), 0, 0, [16, 18]),
        (Filters(networks=(ONCE,)), 0, 1, [16, 18]),
        (Filters(networks=(ONCE, NEVER)), 0, 1, [16, 18]),
        (Filters(networks=(EVERY,)), 0, PERIODS, [16, 16, 2]),
        (Filters(networks=(EVERY,)), 3, 3, [16]),
        (Filters(networks=("192.0.2.0/24",)), 0, PERIODS, []),
        (Filters(), 3, 3, []),
    ],
    ids=["never", "once", "two addresses", "every", "every, a page", "network", "newest page"],
)
def test_a_server_is_asked_of_many_periods_at_once_and_opens_those_that_have_it(
    archive: Archive, engine: Counting, filters: Filters, limit: int, opened: int, sieved: list[int]
) -> None:
    found = list(archive.search(filters, limit=limit))
    assert len(found) == len(engine.opened_places) == opened
    assert engine.sieved == sieved


def test_a_period_that_is_not_sealed_is_opened_whatever_the_server_says(
    site: Installation, archive: Archive, engine: Counting
) -> None:
    period = site.period("2026-03-02")
    site.set_state(period.name, "open")
    assert list(archive.search(Filters(networks=(NEVER,)), limit=0)) == []
    site.set_state(period.name, "sealed")
    assert (engine.opened_places, sum(engine.sieved)) == ([period.key_name], PERIODS - 1)


def test_a_search_that_could_not_ask_finds_nothing_and_leaves_nothing_out(
    site: Installation, archive: Archive, engine: Counting
) -> None:
    search = archive.search(Filters(networks=(ONCE,)), limit=0, time_limit_seconds=0)
    assert (list(search), engine.sieved, engine.opened_places) == ([], [], [])
    assert search.reached is not None
    again = archive.search(Filters(networks=(ONCE,)), limit=0, before=search.reached)
    assert len(list(again)) == 1
