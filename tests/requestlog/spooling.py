"""Records for tests of the spool, and what is found of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.archive.spoolreader import SpoolReader
from consentkit.crypto import Keyring
from consentkit.requestlog.record import Entry, Record

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


def everything(directory: Path, keyring: Keyring) -> list[Entry]:
    reader = SpoolReader(directory, keyring)
    return [entry for segment in reader.segments() for _, entry in segment.read(complete=True)]


def fill_to(directory: Path, percent: int) -> None:
    """Make the spool of another worker so large that all together have the percentage of 10,000 bytes."""
    other = directory / "spool" / "other" / "00000001"
    other.parent.mkdir(parents=True, exist_ok=True)
    own = sum(path.stat().st_size for path in (directory / "spool").glob("*/[0-9]*") if path != other)
    other.write_bytes(b"\0" * (percent * 100 - own))
