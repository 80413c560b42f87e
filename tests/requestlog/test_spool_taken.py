"""A spool whose files and keys are taken away while it is in use."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.spoolreader import is_unlocked
from consentkit.crypto import Keyring
from consentkit.requestlog import spool as spool_module
from consentkit.requestlog.record import Gap
from consentkit.requestlog.spool import Spool
from consentkit.requestlog.workerfolder import LOCK_NAME
from tests.requestlog.spooling import everything, record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys", ())


@pytest.fixture
def spool(tmp_path: Path, keyring: Keyring) -> Spool:
    return Spool(tmp_path, keyring, max_bytes=2**30)


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
