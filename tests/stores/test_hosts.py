"""Several hosts with spools of their own write one store: every row once, one leader, one order of the audit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentkit.archive.caretaker import Caretaker
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.audit import SYSTEM
from consentkit.settings import Settings
from tests.archive.installation import DAY_US, DAYS, MINUTE_US, MONDAY, request
from tests.stores.conftest import SHARED
from tests.stores.corpus import NOW
from tests.stores.sites import Site

pytestmark = pytest.mark.parametrize("backend", SHARED, indirect=True, scope="session")


class Host(Site):
    """Another host of an installation: its data directory and spool are its own, keys and store are shared.

    Args:
        folder: for its data directory.
        first: a host of the same installation.
        workers: names of those whose spools move here from the first host.
    """

    def __init__(self, folder: Path, first: Site, *workers: str) -> None:
        self.corpus, self.where, self.now_us = first.corpus, first.where, first.now_us
        keys = str(first.settings.storage.keys)
        storage = {"directory": str(folder / "data"), "keys": keys, **first.where.settings}
        self.settings = Settings.from_mapping({"storage": storage}, base=folder)
        self.directory = self.settings.storage.directory
        (self.directory / "spool").mkdir(parents=True)
        for worker in workers:
            shutil.move(first.directory / "spool" / worker, self.directory / "spool" / worker)
        self.keyring = first.keyring
        self.open()


@pytest.fixture
def hosts(site: Site, tmp_path: Path) -> Iterator[list[Site]]:
    """Three hosts, each with what one worker of the corpus spooled."""
    others = [Host(tmp_path / worker.name, site, worker.name) for worker in site.workers()[1:]]
    yield [site, *others]
    for host in others:
        host.close()


def test_each_host_stores_its_own_and_all_see_everything(hosts: list[Site]) -> None:
    ingesters = [host.ingester() for host in hosts]
    assert sum(ingester.drain() for ingester in ingesters) == 300
    for host in hosts:
        assert host.found() == host.expected()
    for ingester in ingesters:
        assert ingester.drain() == 0
        ingester.close()
    assert hosts[0].states() == dict.fromkeys(DAYS[:3], "open")
    assert hosts[1].faults() == {}


def caretaker(host: Site, now_us: int) -> Caretaker:
    ingester = host.ingester()
    ingester.drain()
    return Caretaker(host.holdings, 10, release=ingester.release, written=ingester.written, now_us=lambda: now_us)


def test_hosts_whose_clocks_are_apart_by_minutes_keep_one_order(hosts: list[Site]) -> None:
    offsets = (0, 7 * MINUTE_US, -5 * MINUTE_US)
    for host, offset in zip(hosts, offsets, strict=True):
        host.now_us = NOW + offset
    carers = [caretaker(host, NOW + DAY_US + offset) for host, offset in zip(hosts, offsets, strict=True)]
    for _ in range(2):
        for carer in carers:
            carer.do()
    assert [carer.undone for carer in carers] == [{}, {}, {}]
    assert hosts[0].states() == dict.fromkeys(DAYS[:3], "sealed")
    numbers = [entry.number for entry in hosts[0].audited()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(hosts[2].found()) == 300
    assert hosts[0].faults() == {}
    for carer in carers:
        carer.stop()


def test_a_host_that_returns_a_day_later_brings_its_records_into_what_was_sealed(hosts: list[Site]) -> None:
    dead, *alive = hosts
    for host in alive:
        host.drain()
    for name in DAYS[:3]:
        assert seal(alive[0].holdings, alive[0].period(name), SYSTEM) is not None
    assert len(alive[0].found()) < 300
    dead.now_us = NOW + DAY_US
    assert dead.drain() > 90
    assert set(dead.states().values()) == {"open"}
    for name in DAYS[:3]:
        seal(alive[1].holdings, alive[1].period(name), SYSTEM)
    assert len(alive[0].found()) == 300
    assert alive[0].faults() == {}
    alive[0].store(request(MONDAY + 5, "/late"))
    assert len(dead.found()) == 301


def test_what_a_host_brings_for_a_destroyed_period_is_counted_and_not_stored(hosts: list[Site]) -> None:
    dead, *alive = hosts
    for host in alive:
        host.drain()
    Retention(alive[0].holdings, 10, SYSTEM, wait_seconds=0.5).run(MONDAY + 10 * DAY_US)
    dead.drain()
    gone = alive[0].period(DAYS[0])
    assert (gone.state, gone.late_dropped > 20) == ("destroyed", True)
    assert not dead.holdings.rows.exists(gone.place)
    assert dead.faults() == {}
