from __future__ import annotations

import errno
import os
import resource
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.spoolreader import SpoolReader, is_unlocked
from consentkit.crypto import Keyring
from consentkit.requestlog import spool as spool_module
from consentkit.requestlog.record import Entry, Gap, Record
from consentkit.requestlog.spool import Spool
from consentkit.requestlog.workerfolder import LOCK_NAME

if TYPE_CHECKING:
    from pathlib import Path


def record(number: int, address: str = "192.0.2.7") -> Record:
    return Record(
        number,
        address,
        "192.0.2.7",
        "peer",
        "GET",
        "https",
        "example.lv",
        "/",
        0,
        200,
        "complete",
        5,
        9,
        "",
        "",
    )


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys", ())


@pytest.fixture
def spool(tmp_path: Path, keyring: Keyring) -> Spool:
    return Spool(tmp_path, keyring, max_bytes=2**30)


def everything(directory: Path, keyring: Keyring) -> list[Entry]:
    reader = SpoolReader(directory, keyring)
    return [entry for segment in reader.segments() for _, entry in segment.read(complete=True)]


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


def fill_to(directory: Path, percent: int) -> None:
    """Make the spool of another worker so large that all together have the percentage of 10,000 bytes."""
    other = directory / "spool" / "other" / "00000001"
    other.parent.mkdir(parents=True, exist_ok=True)
    own = sum(path.stat().st_size for path in (directory / "spool").glob("*/[0-9]*") if path != other)
    other.write_bytes(b"\0" * (percent * 100 - own))


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


# --- floods


def flood(spool: Spool, count: int, *, since: int = 0) -> int:
    """Append so many requests of one network, and one of another after each hundredth; return those kept."""
    kept = 0
    for number in range(since, since + count):
        kept += spool.append(record(number, f"192.0.2.{number % 250}"))
        if number % 100 == 99:
            assert spool.append(record(number, f"198.51.100.{number // 100 % 250}"))
    return kept


@pytest.mark.parametrize(
    ("percent", "at_least", "at_most"), [(79, 2000, 2000), (80, 290, 295), (90, 115, 120)], ids=str
)
def test_the_busiest_network_is_kept_one_in_n_and_everyone_else_whole(
    percent: int, at_least: int, at_most: int, tmp_path: Path, keyring: Keyring
) -> None:
    spool = Spool(tmp_path, keyring, max_bytes=1_000_000)
    (tmp_path / "spool" / "other").mkdir(parents=True)
    (tmp_path / "spool" / "other" / "00000001").write_bytes(b"\0" * (percent * 10_000))
    spool.tend()
    kept = flood(spool, 2000)
    spool.close()
    assert at_least <= kept <= at_most
    entries = everything(tmp_path, keyring)
    gaps = [entry for entry in entries if isinstance(entry, Gap)]
    assert sum(gap.lost for gap in gaps) == spool.sampled == 2000 - kept
    assert {(gap.reason, gap.network) for gap in gaps} <= {("sampled", "192.0.2.0/24")}
    assert len(entries) - len(gaps) == kept + 20
    assert spool.lost == 0


def test_what_a_flood_left_out_is_told_while_it_lasts_and_at_its_end(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, keyring, max_bytes=1_000_000)
    other = tmp_path / "spool" / "other" / "00000001"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"\0" * 850_000)
    spool.tend()
    told: list[int] = []

    def tell() -> None:
        spool.tend()
        told.append(sum(entry.lost for entry in everything(tmp_path, keyring) if isinstance(entry, Gap)))

    flood(spool, 500)
    tell()  # within the five seconds
    monkeypatch.setattr(spool_module, "_TELL_SECONDS", 0.0)
    monkeypatch.setattr(spool, "_tell_at", 0.0)
    tell()
    first = spool.sampled
    flood(spool, 500, since=500)
    other.write_bytes(b"\0" * 100)
    tell()
    assert told == [0, first, spool.sampled]
    assert flood(spool, 300, since=1000) == 300


def test_a_flood_that_ends_between_two_tellings_is_told_at_once(tmp_path: Path, keyring: Keyring) -> None:
    spool = Spool(tmp_path, keyring, max_bytes=1_000_000)
    other = tmp_path / "spool" / "other" / "00000001"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"\0" * 850_000)
    spool.tend()
    flood(spool, 500)
    other.unlink()
    spool.tend()
    gaps = [entry for entry in everything(tmp_path, keyring) if isinstance(entry, Gap)]
    assert [(gap.reason, gap.lost) for gap in gaps] == [("sampled", spool.sampled)]


# --- what is taken from under it


def test_a_segment_that_is_deleted_while_in_use_is_put_back_whole(
    tmp_path: Path, keyring: Keyring, spool: Spool
) -> None:
    spool.append(record(1))
    shutil.rmtree(tmp_path / "spool")
    spool.append(record(2))
    spool.tend()
    assert everything(tmp_path, keyring) == [record(1), record(2)]
    assert not is_unlocked(tmp_path / "spool" / spool.worker / "00000001")
    assert not is_unlocked(tmp_path / "spool" / spool.worker / LOCK_NAME)
    spool.append(record(3))
    spool.close()
    assert everything(tmp_path, keyring) == [record(1), record(2), record(3)]


def test_a_segment_that_cannot_be_put_back_yet_is_put_back_later(
    tmp_path: Path, keyring: Keyring, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    spool.append(record(1))
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("a file in the way")
    spool.tend()
    assert spool.append(record(2))
    spool.tend()
    assert caplog.text.count("can't be put back") == 1
    (tmp_path / "spool").unlink()
    spool.tend()
    assert everything(tmp_path, keyring) == [record(1), record(2)]


def test_a_segment_that_is_deleted_is_put_back_before_the_next_one_begins(
    tmp_path: Path, keyring: Keyring, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append(record(1))
    shutil.rmtree(tmp_path / "spool")
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 1)
    spool.append(record(2))
    assert everything(tmp_path, keyring) == [record(1), record(2)]


def test_a_segment_that_can_never_be_put_back_is_counted(tmp_path: Path, keyring: Keyring, spool: Spool) -> None:
    for number in range(3):
        spool.append(record(number))
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("a file in the way")
    spool.close()
    assert spool.lost == 3


def test_a_segment_is_let_go_when_its_time_is_over_though_nothing_comes(
    tmp_path: Path, keyring: Keyring, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_SECONDS", 0.0)
    spool.append(record(1))
    spool.tend()
    assert is_unlocked(tmp_path / "spool" / spool.worker / "00000001")
    spool.append(record(2))
    assert everything(tmp_path, keyring) == [record(1), record(2)]


@pytest.mark.parametrize("remove", ["file", "folder"])
def test_a_key_that_is_deleted_while_in_use_is_put_back(
    remove: str, tmp_path: Path, keyring: Keyring, spool: Spool
) -> None:
    spool.append(record(1))
    key = tmp_path / "keys" / "worker" / f"{spool.worker}.key"
    if remove == "file":
        key.unlink()
    else:
        shutil.rmtree(key.parent)
    assert everything(tmp_path, keyring) == []
    spool.tend()
    assert everything(tmp_path, keyring) == [record(1)]


def test_a_destroyed_key_stays_destroyed(tmp_path: Path, keyring: Keyring, spool: Spool) -> None:
    spool.append(record(1))
    keyring.destroy(f"worker/{spool.worker}", is_remembered=True)
    spool.tend()
    assert not keyring.has(f"worker/{spool.worker}")


def test_a_keys_folder_that_cannot_be_written_costs_records_and_no_standstill(
    tmp_path: Path, keyring: Keyring, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_RETRY_SECONDS", 0.0)
    (tmp_path / "keys" / "worker").write_text("a file in the way")
    assert [spool.append(record(number)) for number in (1, 2)] == [False, False]
    (tmp_path / "keys" / "worker").unlink()
    assert spool.append(record(3))
    assert everything(tmp_path, keyring) == [Gap(1, 2, 2, "write"), record(3)]


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
