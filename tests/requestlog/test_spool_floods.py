"""A spool that fills up: who is busy is kept one in N, and every loss is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consentkit.crypto import Keyring
from consentkit.requestlog import spool as spool_module
from consentkit.requestlog.record import Gap
from consentkit.requestlog.spool import Spool
from tests.requestlog.spooling import everything, record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys", ())


@pytest.fixture
def small_spool(tmp_path: Path, keyring: Keyring) -> Spool:
    return Spool(tmp_path, keyring, max_bytes=10_000)


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
