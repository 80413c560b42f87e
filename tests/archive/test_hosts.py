"""Several hosts over one PostgreSQL: one of them leads, the others look after their own, and any may follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consentkit.archive import openperiods
from consentkit.archive.caretaker import Caretaker
from consentkit.archive.custody import custody, require
from consentkit.archive.evidence import LogVerification
from consentkit.archive.holdings import Holdings
from consentkit.archive.leading import Leading, no_other_host
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.truncation import truncate_due
from consentkit.audit import SYSTEM
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import StorageError
from consentkit.settings import Settings
from tests.archive.installation import (
    DAY_US,
    DAYS,
    HOUR_US,
    MONDAY,
    Installation,
    detail,
    request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consentkit.archive.ingest import Ingester

pytestmark = pytest.mark.server


class Host(Installation):
    """One of several hosts: a data directory of its own, keys and database shared."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        storage = {"directory": str(folder / name), "keys": str(folder / "keys"), "url": url}
        self.settings = Settings.from_mapping({"storage": storage}, base=folder)
        self.directory = self.settings.storage.directory
        self.directory.mkdir()
        self.keyring = Keyring.open(self.settings.storage.keys, ())
        self.control = Control(self.directory, self.keyring, url)
        self.leading = Leading(self.control)
        self.opened = Holdings.open(self.settings.storage, self.keyring, self.control)

    @property
    def holdings(self) -> Holdings:
        return self.opened

    def house(self, now_us: int, *, days: int = 10) -> tuple[Ingester, Caretaker]:
        ingester = self.ingester()
        caretaker = Caretaker(
            self.holdings,
            days,
            release=ingester.release,
            written=ingester.written,
            leading=self.leading,
            catalogue=self.catalogue(),
            now_us=lambda: now_us,
        )
        return ingester, caretaker

    def close(self) -> None:
        self.leading.release()
        self.opened.rows.close()
        self.control.close()


@pytest.fixture
def host(tmp_path: Path, postgresql_url: str) -> Iterator[Callable[[str], Host]]:
    hosts: list[Host] = []

    def make(name: str) -> Host:
        hosts.append(Host(tmp_path, name, postgresql_url))
        return hosts[-1]

    yield make
    for one in hosts:
        one.close()


def test_one_leads_and_another_follows_when_it_is_gone(host: Callable[[str], Host]) -> None:
    riga, tartu = host("riga"), host("tartu")
    for _ in range(2):
        riga.leading.renew()
        tartu.leading.renew()
        assert (riga.leading.leads, tartu.leading.leads) == (True, False)
    riga.leading.release()
    tartu.leading.renew()
    riga.leading.renew()
    assert (riga.leading.leads, tartu.leading.leads) == (False, True)


def test_who_lost_its_connection_leads_no_more(host: Callable[[str], Host], postgresql_url: str) -> None:
    import psycopg  # noqa: PLC0415 - the driver is an extra

    riga, tartu = host("riga"), host("tartu")
    riga.leading.renew()
    with psycopg.connect(postgresql_url, autocommit=True) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    tartu.leading.renew()
    riga.leading.renew()
    assert (riga.leading.leads, tartu.leading.leads) == (False, True)


def test_nobody_destroys_all_while_a_host_is_at_work_and_none_begins_meanwhile(
    host: Callable[[str], Host],
) -> None:
    riga, tartu = host("riga"), host("tartu")
    riga.leading.attend()
    with pytest.raises(StorageError, match="runs on another host"), no_other_host(tartu.control):
        pass
    riga.leading.release()
    with no_other_host(tartu.control), pytest.raises(StorageError):
        riga.leading.attend()
    riga.leading.attend()


def test_one_host_at_a_time_has_custody(host: Callable[[str], Host]) -> None:
    riga, tartu = host("riga"), host("tartu")
    with custody(riga.control, wait_seconds=0) as held:
        require(held)
        with pytest.raises(StorageError, match="another retention run"), custody(tartu.control, wait_seconds=0):
            pass
    with custody(tartu.control, wait_seconds=0):
        pass


def test_what_all_hosts_wrote_is_sealed_once_cut_verified_and_destroyed(host: Callable[[str], Host]) -> None:
    riga, tartu = host("riga"), host("tartu")
    for number, site in enumerate((riga, tartu, riga)):
        site.spool(request(MONDAY + number * HOUR_US, f"/{number}"))
        ingester, caretaker = site.house(MONDAY + 4 * HOUR_US)
        assert ingester.drain() == 1
        caretaker.do()
        ingester.close()
    assert riga.urls() == tartu.urls() == ["/0", "/1", "/2"]
    lanes = {head["lane"] for entry in riga.audited("period.head") for head in heads(detail(entry))}
    assert len(lanes) == 2
    for site in (tartu, riga):
        ingester, caretaker = site.house(MONDAY + 2 * DAY_US)
        caretaker.do()
        ingester.close()
    assert riga.actions("period.sealed") == ["period.sealed"]
    assert LogVerification(tartu.holdings).run().bad == []
    truncate_due(tartu.holdings, 1, SYSTEM, MONDAY + 3 * DAY_US, wait_seconds=1)
    assert LogVerification(riga.holdings).run().bad == []
    Retention(riga.holdings, 10, SYSTEM).run(MONDAY + 10 * DAY_US, confirmed_by="liga")
    assert riga.actions("period.destroyed") == ["period.destroyed"]
    assert DAYS[0] not in {one.name for one in riga.holdings.rows.lying("period")}
    assert LogVerification(tartu.holdings).run().bad == []
    assert riga.urls() == []


def heads(said: dict[str, object]) -> list[dict[str, object]]:
    found = said["heads"]
    assert isinstance(found, list)
    return found


def test_the_next_period_is_made_before_its_day_by_who_leads(host: Callable[[str], Host]) -> None:
    riga, tartu = host("riga"), host("tartu")
    riga.house(MONDAY + HOUR_US)[1].do()
    tartu.house(MONDAY + HOUR_US)[1].do()
    assert riga.states() == {DAYS[0]: "open", DAYS[1]: "open"}
    assert [one.name for one in riga.holdings.rows.lying("period")] == [DAYS[1]]
    tartu.store(request(MONDAY + DAY_US, "/early"))
    assert riga.urls() == ["/early"]


def test_a_host_lets_others_have_a_period_for_themselves_without_being_asked(
    host: Callable[[str], Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    riga, tartu = host("riga"), host("tartu")
    riga.spool(request(MONDAY, "/a"))
    ingester = riga.ingester()
    ingester.drain()
    assert seal_of(tartu) is None
    monkeypatch.setattr(openperiods, "_SHARED_SECONDS", 0.0)
    ingester.drain()
    assert seal_of(tartu) == 1
    ingester.close()


def seal_of(site: Host) -> int | None:
    """Seal the first day; return its rows, or None where another host is in it."""
    try:
        contents = seal(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0)
    except StorageError:
        return None
    return None if contents is None else contents.rows


def test_a_late_record_of_another_host_opens_a_sealed_period_again(host: Callable[[str], Host]) -> None:
    riga, tartu = host("riga"), host("tartu")
    riga.store(request(MONDAY, "/in-time"))
    assert seal_of(riga) == 1
    tartu.store(request(MONDAY + HOUR_US, "/late"))
    assert riga.states() == {DAYS[0]: "open"}
    assert seal_of(riga) == 2
    assert LogVerification(riga.holdings).run().bad == []
