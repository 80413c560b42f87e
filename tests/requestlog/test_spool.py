from __future__ import annotations

import errno
import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.spoolreader import is_unlocked
from consentkit.crypto import Keyring
from consentkit.requestlog import spool as spool_module
from consentkit.requestlog.record import Gap, Record
from consentkit.requestlog.spool import Spool
from consentkit.requestlog.workerfolder import LOCK_NAME
from tests.requestlog.spooling import everything, fill_to, record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys", ())


@pytest.fixture
def spool(tmp_path: Path, keyring: Keyring) -> Spool:
    return Spool(tmp_path, keyring, max_bytes=2**30)


def test_nothing_is_made_before_the_first_record(tmp_path: Path, spool: Spool) -> None:
    assert not (tmp_path / "spool").exists()
    assert spool.append(record(1))
    assert (tmp_path / "spool" / spool.worker / "00000001").exists()


def test_a_record_is_on_the_disk_when_append_returns(tmp_path: Path, keyring: Keyring, spool: Spool) -> None:
    for number in range(3):
        spool.append(record(number))
        assert len(everything(tmp_path, keyring)) == number + 1


def test_a_segment_is_locked_while_it_is_appended_to(tmp_path: Path, spool: Spool) -> None:
    spool.append(record(1))
    folder = tmp_path / "spool" / spool.worker
    assert not is_unlocked(folder / "00000001")
    assert not is_unlocked(folder / LOCK_NAME)
    spool.close()
    assert is_unlocked(folder / "00000001")
    assert is_unlocked(folder / LOCK_NAME)


def test_a_full_segment_is_followed_by_the_next(
    tmp_path: Path, keyring: Keyring, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 300)
    for number in range(10):
        spool.append(record(number))
    assert len(list((tmp_path / "spool" / spool.worker).glob("[0-9]*"))) > 2
    assert [entry.time_us for entry in everything(tmp_path, keyring) if isinstance(entry, Record)] == list(
        range(10)
    )


@pytest.fixture
def small_spool(tmp_path: Path, keyring: Keyring) -> Spool:
    return Spool(tmp_path, keyring, max_bytes=10_000)


def test_a_full_spool_drops_the_newest_and_records_the_gap(
    tmp_path: Path, keyring: Keyring, small_spool: Spool
) -> None:
    small_spool.append(record(1))
    fill_to(tmp_path, 100)
    small_spool.tend()
    assert not small_spool.append(record(3))
    assert not small_spool.append(record(2))
    fill_to(tmp_path, 50)
    small_spool.tend()
    small_spool.append(record(4))
    assert everything(tmp_path, keyring) == [record(1), Gap(2, 3, 2, "full"), record(4)]
    assert small_spool.lost == 2


def test_losses_that_wait_to_be_told_are_told_at_the_end(
    tmp_path: Path, keyring: Keyring, small_spool: Spool
) -> None:
    fill_to(tmp_path, 100)
    small_spool.tend()
    small_spool.append(record(1))
    small_spool.close()
    assert everything(tmp_path, keyring) == [Gap(1, 1, 1, "full")]


def test_a_refused_write_is_counted_and_told_when_the_disk_takes_again(
    tmp_path: Path, keyring: Keyring, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spool_module, "_RETRY_SECONDS", 0.0)
    spool.append(record(1))
    with monkeypatch.context() as full:
        full.setattr(os, "write", refuse)
        assert not spool.append(record(2))
    assert spool.append(record(3))
    assert everything(tmp_path, keyring) == [record(1), Gap(2, 2, 1, "write"), record(3)]


def test_a_disk_that_stays_full_gathers_no_empty_segments(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_RETRY_SECONDS", 0.0)
    spool = Spool(tmp_path, keyring, max_bytes=2**30)
    spool.append(record(0))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # Python ignores SIGXFSZ: a write fails instead
    try:
        assert not any(spool.append(record(number)) for number in range(1, 50))
        segments = len(list((tmp_path / "spool" / spool.worker).glob("[0-9]*")))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert segments == 1
    assert spool.append(record(50))
    assert everything(tmp_path, keyring) == [record(0), Gap(1, 49, 49, "write"), record(50)]


def test_after_a_short_write_a_new_segment_is_begun(
    tmp_path: Path, keyring: Keyring, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write
    monkeypatch.setattr(spool_module, "_RETRY_SECONDS", 0.0)
    spool.append(record(1))
    with monkeypatch.context() as short:
        short.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:7]))
        assert not spool.append(record(2))
    spool.append(record(3))
    assert everything(tmp_path, keyring) == [record(1), Gap(2, 2, 1, "write"), record(3)]
    assert len(list((tmp_path / "spool" / spool.worker).glob("[0-9]*"))) == 2


def test_a_folder_that_is_moved_away_is_followed_by_a_new_worker(
    tmp_path: Path, keyring: Keyring, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 1)
    spool.append(record(1))
    first = spool.worker
    (tmp_path / "spool" / first).rename(tmp_path / "moved")
    assert not spool.append(record(2))
    assert spool.append(record(3))
    assert spool.worker != first
    (tmp_path / "moved").rename(tmp_path / "spool" / first)
    assert sorted(everything(tmp_path, keyring), key=str) == [Gap(2, 2, 1, "write"), record(1), record(3)]


def test_threads_share_one_spool_without_loss(tmp_path: Path, keyring: Keyring, spool: Spool) -> None:
    threads = [
        threading.Thread(target=lambda base: [spool.append(record(base + n)) for n in range(200)], args=(base,))
        for base in (0, 1000, 2000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [entry.time_us for entry in everything(tmp_path, keyring) if isinstance(entry, Record)]
    assert sorted(times) == sorted(base + number for base in (0, 1000, 2000) for number in range(200))


def test_a_forked_child_begins_a_spool_of_its_own(tmp_path: Path, keyring: Keyring, spool: Spool) -> None:
    spool.append(record(1))
    parent = spool.worker
    child = os.fork()
    if child == 0:
        os._exit(0 if spool.append(record(2)) and spool.worker != parent else 1)
    assert os.waitpid(child, 0)[1] == 0
    spool.append(record(3))
    assert sorted(entry.time_us for entry in everything(tmp_path, keyring) if isinstance(entry, Record)) == [
        1,
        2,
        3,
    ]


def test_the_waiting_bytes_are_those_of_all_workers(tmp_path: Path, keyring: Keyring, spool: Spool) -> None:
    other = Spool(tmp_path, keyring, max_bytes=2**30)
    spool.append(record(1))
    other.append(record(2))
    sizes = sum(path.stat().st_size for path in (tmp_path / "spool").glob("*/[0-9]*"))
    assert spool.bytes_waiting() == sizes > 0


def test_what_cannot_be_told_at_the_end_is_logged(
    tmp_path: Path, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("a file in the way")
    spool.append(record(1))
    spool.close()
    assert "1 since the start" in caplog.text


def test_after_a_refused_write_the_disk_is_left_alone_for_a_second(
    tmp_path: Path, keyring: Keyring, spool: Spool
) -> None:
    (tmp_path / "spool").write_text("a file in the way")
    assert not spool.append(record(1))
    (tmp_path / "spool").unlink()
    assert not spool.append(record(2))
    assert not (tmp_path / "spool").exists()
    spool.close()
    assert everything(tmp_path, keyring) == [Gap(1, 2, 2, "write")]
