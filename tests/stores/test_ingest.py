"""What workers spooled is stored once, however often and in whatever parts it is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from consentkit.archive.store.interface import Filters
from consentkit.requestlog.record import Record
from tests.archive.installation import DAYS, MONDAY
from tests.stores import oracle
from tests.stores.corpus import NOW, records, spool
from tests.stores.sites import Site


def test_all_that_was_spooled_is_stored_and_the_spool_is_empty(site: Site) -> None:
    expected = site.expected()
    assert site.drain() == len(expected) == 300
    assert site.workers() == []
    assert site.found() == expected
    assert site.states() == dict.fromkeys(DAYS[:3], "open")
    assert site.archive().gaps(Filters()) == oracle.gaps(site.corpus.frames, 0, 2**60)
    assert sum(bool(row.found.claimed_time) for row in site.everything()) == 3


def test_a_spool_that_comes_back_is_not_stored_again(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.directory / "spool", tmp_path / "kept")
    keys = {name: site.keyring.load(name) for name in site.keyring.names("worker")}
    expected = site.expected()
    days = Filters(since_us=MONDAY, until_us=NOW)  # what can't be true of its times nobody has doubted again yet
    for _ in range(3):
        site.drain()
        assert site.found() == expected
        shutil.copytree(tmp_path / "kept", site.directory / "spool", dirs_exist_ok=True)
        for name, key in keys.items():
            site.keyring.put(name, key)
        assert site.found(days) == oracle.answer(site.everything(), days)
    assert site.faults() == {}


@pytest.mark.parametrize("bytes_a_round", [1, 3_000, 40_000])
def test_the_size_of_a_transaction_changes_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, bytes_a_round: int
) -> None:
    monkeypatch.setattr("consentkit.archive.ingest._BYTES_A_ROUND", bytes_a_round)
    monkeypatch.setattr("consentkit.archive.spoolreader._READ_BYTES", max(bytes_a_round, 20_000))
    assert site.drain() == 300
    assert site.found() == site.expected()


def test_one_ingester_after_the_other_goes_on_where_it_ended(site: Site, tmp_path: Path) -> None:
    for worker in site.workers()[1:]:
        shutil.move(worker, tmp_path / worker.name)
    parts = [site.drain()]
    for path in sorted(tmp_path.glob("*")):
        if path.name in {frame.worker for frame, _ in site.corpus.frames}:
            shutil.move(path, site.directory / "spool" / path.name)
            parts.append(site.drain())
    assert (len(parts), sum(parts), min(parts) > 90) == (3, 300, True)
    assert site.found() == site.expected()


def test_what_no_worker_writes_is_kept_as_it_is_all_the_same(site: Site) -> None:
    shutil.rmtree(site.directory / "spool")
    odd = ["/nul\0in the middle", "\0", "/\x01\x7f", "/" + "\U0010ffff" * 3, "/\r\nforged"]
    made = [
        msgspec.structs.replace(records()[2], time_us=MONDAY + number, url=url, user_agent=url, host=url.lower())
        for number, url in enumerate(odd)
    ]
    spool(site.directory, site.keyring, list[Record](made), workers=1)  # type: ignore[arg-type] # a list of entries
    assert site.drain() == len(odd)
    rows = [row for _, row in site.archive().search(Filters(), limit=0, oldest_first=True)]
    assert [(row.url, row.user_agent, row.host) for row in rows] == [(url, url, url.lower()) for url in odd]
