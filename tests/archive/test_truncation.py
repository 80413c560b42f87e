from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.periodlock import PeriodBusy, PeriodLock
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.archive.store.sqlite.periodfile import PeriodFile
from consentkit.archive.truncation import truncate, truncate_due
from consentkit.audit import SYSTEM
from consentkit.errors import StorageError
from tests.archive.installation import DAY_US, DAYS, MONDAY, RESOLVERS, Installation, detail, request

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.store import FoundRequest

ADDRESSES = ("192.0.2.7", "192.0.2.200", "203.0.113.9", "2001:db8:1:2::5", "2001:db8:1:ffff::1", "")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    site = Installation(folder)
    site.store(*(request(MONDAY + n, f"/{n}", address=address) for n, address in enumerate(ADDRESSES)))
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    return folder


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Installation:
    """A sealed period with requests of several addresses."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


def cut(site: Installation, days: int | None = 3, now_us: int = MONDAY + 3 * DAY_US) -> None:
    truncate_due(site.holdings, days, SYSTEM, now_us, wait_seconds=0.2)


def rows(site: Installation) -> list[FoundRequest]:
    archive = Archive(site.settings, site.holdings, resolvers=RESOLVERS)
    return [row for _, row in archive.search(Filters(), limit=0)]


def addresses(site: Installation) -> list[str]:
    return [row.client_address for row in reversed(rows(site))]


@pytest.mark.parametrize(
    ("days", "now_us", "is_cut"),
    [
        (3, MONDAY + 3 * DAY_US, True),
        (3, MONDAY + 3 * DAY_US - 1, False),
        (None, MONDAY + 300 * DAY_US, False),
        (0, MONDAY + 300 * DAY_US, False),
    ],
    ids=["on its day", "a moment before", "never", "in the worker already"],
)
def test_addresses_are_cut_on_their_day(site: Installation, days: int | None, now_us: int, is_cut: bool) -> None:
    cut(site, days, now_us)
    expected = ["192.0.2.0", "192.0.2.0", "203.0.113.0", "2001:db8:1::", "2001:db8:1::", ""]
    assert addresses(site) == (expected if is_cut else list(ADDRESSES))


def test_nothing_but_the_addresses_changes(site: Installation) -> None:
    before = [(row.request_id, row.time, row.url, row.user_agent, row.bytes_sent) for row in rows(site)]
    cut(site)
    assert [(row.request_id, row.time, row.url, row.user_agent, row.bytes_sent) for row in rows(site)] == before
    assert {row.peer_address for row in rows(site)} == {"198.51.100.0"}


def test_a_networks_addresses_of_two_places_keep_each_its_own(site: Installation) -> None:
    period = site.period(DAYS[0])
    file, key = site.file(period.place), site.keyring.load(period.key_name)
    reopened = PeriodFile.open(file, key, period.place, RESOLVERS)
    for address, city in (("c0000207", "Riga"), ("c00002c8", "Ventspils")):
        reopened.connection.execute(f"UPDATE client SET city = '{city}' WHERE address = x'{address}'")
    reopened.close()
    site.set_state(DAYS[0], "open")
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    cut(site)
    assert [(row.client_address, row.city) for row in rows(site)][:-3:-1] == [
        ("192.0.2.0", "Riga"),
        ("192.0.2.0", "Ventspils"),
    ]


def test_the_generation_before_is_destroyed_and_a_backup_does_not_give_it_back(
    site: Installation, tmp_path: Path
) -> None:
    old = site.period(DAYS[0])
    shutil.copytree(site.directory / "requests", tmp_path / "backup")
    cut(site)
    present = site.period(DAYS[0])
    assert (present.generation, present.rows, present.state) == (2, len(ADDRESSES), "sealed")
    assert present.file_hash == site.holdings.rows.file_hash(present.place) != old.file_hash
    assert site.keyring.names("period") == [f"period/{DAYS[0]}.2"]
    assert site.keyring.was_destroyed(old.key_name)
    assert [name for name in site.files() if ".1.db" in name] == []
    assert site.actions() == ["period.sealed", "period.truncated", "period.generation_destroyed"]
    assert detail(site.audited("period.truncated")[0])["replaces_file_hash"] == old.file_hash
    shutil.copytree(tmp_path / "backup", site.directory / "requests", dirs_exist_ok=True)
    assert addresses(site)[0] == "192.0.2.0"


@pytest.mark.parametrize("is_all_restored", [True, False], ids=["all of it", "the catalogue alone"])
def test_after_a_restore_from_before_the_cut_only_what_was_cut_is_left(
    site: Installation, tmp_path: Path, is_all_restored: bool
) -> None:
    shutil.copytree(site.directory, tmp_path / "backup")
    cut(site)
    if is_all_restored:
        shutil.rmtree(site.directory)
        shutil.copytree(tmp_path / "backup", site.directory)
    else:
        for path in site.directory.glob("control.db*"):
            path.unlink()
        shutil.copy(tmp_path / "backup" / "control.db", site.directory)
    site.open()
    assert addresses(site) == []
    outcome = Retention(site.holdings, 10, SYSTEM, wait_seconds=0.2).run(MONDAY + 4 * DAY_US)
    if is_all_restored:  # the key of what came back is destroyed, and the generation after it is not there
        assert (len(outcome.certificates), site.states()) == (1, {DAYS[0]: "destroyed"})
        assert (site.files(), site.keyring.names("period")) == ([], [])
    else:
        assert (outcome.certificates, site.states()) == ((), {DAYS[0]: "open"})
        assert addresses(site)[0] == "192.0.2.0"
        assert site.actions()[-1] == "period.taken_back"
        assert seal(site.holdings, site.period(DAYS[0]), SYSTEM) is not None


def test_one_period_that_is_read_keeps_no_other_from_being_cut(site: Installation) -> None:
    site.store(request(MONDAY - DAY_US, "/before"))
    seal(site.holdings, site.period("2026-03-01"), SYSTEM)
    with PeriodLock(site.file(site.period(DAYS[0]).place), exclusive=True), pytest.raises(PeriodBusy):
        cut(site)
    assert [site.period(name).is_truncated for name in ("2026-03-01", DAYS[0])] == [1, 0]


def test_cutting_is_done_once(site: Installation) -> None:
    cut(site)
    cut(site)
    assert site.period(DAYS[0]).generation == 2
    assert len(site.actions()) == 3


def test_a_late_record_is_cut_after_the_next_seal(site: Installation) -> None:
    cut(site)
    site.store(request(MONDAY + 50, "/late", address="203.0.113.77"))
    assert addresses(site)[-1] == "203.0.113.77"
    cut(site)
    assert site.period(DAYS[0]).generation == 2
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    cut(site)
    assert addresses(site)[-1] == "203.0.113.0"
    assert site.period(DAYS[0]).generation == 3


def test_what_was_applied_is_known_to_the_new_generation(site: Installation, tmp_path: Path) -> None:
    site.spool(request(MONDAY + 60, "/again"))
    shutil.copytree(site.directory / "spool", tmp_path / "spool")
    ingester = site.ingester()
    ingester.drain()
    ingester.close()
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    cut(site)
    shutil.copytree(tmp_path / "spool", site.directory / "spool", dirs_exist_ok=True)
    site.store()
    assert site.urls().count("/again") == 1


def test_a_search_that_began_before_the_switch_finds_the_rows(site: Installation) -> None:
    site.store(request(MONDAY + DAY_US, "/next"))
    archive = Archive(site.settings, site.holdings, resolvers=RESOLVERS)
    found = archive.search(Filters(), limit=0)
    assert next(found)[1].url == "/next"  # the older period is listed, and not yet opened
    cut(site)
    assert [row.client_address for _, row in found][-1] == "192.0.2.0"


def test_a_reader_keeps_the_generation_before_until_it_leaves(site: Installation) -> None:
    reading = PeriodLock(site.file(site.period(DAYS[0]).place), exclusive=False)
    with pytest.raises(PeriodBusy):
        cut(site)
    reading.release()
    assert site.keyring.names("period") == [f"period/{DAYS[0]}.1", f"period/{DAYS[0]}.2"]
    cut(site)
    assert site.keyring.names("period") == [f"period/{DAYS[0]}.2"]
    assert site.actions() == ["period.sealed", "period.truncated", "period.generation_destroyed"]


def test_a_draft_that_a_crash_left_is_thrown_away(site: Installation) -> None:
    site.keyring.make(f"period/{DAYS[0]}.2")
    (site.directory / "requests" / f"{DAYS[0]}.2.db").write_bytes(b"half a draft")
    cut(site)
    assert addresses(site)[0] == "192.0.2.0"


def test_a_crash_after_the_switch_is_finished_by_retention_before_the_certificate(site: Installation) -> None:
    assert truncate(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=0.2) is not None
    assert site.period(DAYS[0]).old_generation == 1
    Retention(site.holdings, 10, SYSTEM, wait_seconds=0.2).run(MONDAY + 10 * DAY_US)
    assert site.actions("period")[2:] == [
        "period.generation_destroyed",
        "period.destroying",
        "period.destroyed",
    ]
    assert (site.files(), site.keyring.names("period")) == ([], [])


def test_a_file_that_is_not_the_sealed_one_is_not_rewritten(site: Installation) -> None:
    file = site.file(site.period(DAYS[0]).place)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(StorageError, match="not the file that was sealed"):
        cut(site)
    assert site.period(DAYS[0]).generation == 1


def test_the_ingester_stores_into_the_generation_that_there_is(site: Installation) -> None:
    ingester = site.ingester()
    cut(site)
    site.spool(request(MONDAY + 70, "/late"))
    assert ingester.drain() == 1
    ingester.close()
    assert "/late" in site.urls()
    assert site.states() == {DAYS[0]: "open"}
    assert [name for name in site.files() if ".1.db" in name and not name.endswith("-lock")] == []


def test_no_full_address_of_a_client_is_left_in_the_new_generation(site: Installation) -> None:
    cut(site)
    archive = Archive(site.settings, site.holdings, resolvers=RESOLVERS)
    exact = Filters(networks=("192.0.2.7/32",))
    assert list(archive.search(exact, limit=0)) == []
    assert len(list(archive.search(Filters(networks=("192.0.2.0/24",)), limit=0))) == 2
