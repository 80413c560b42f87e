"""Sealing: a period that has ended becomes one file that nobody writes, with its hash in the audit.

Owns what a seal is. When a period is due for it is the caretaker's business; that a late record opens it
again, the ingester's.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import msgspec
import sqlcipher3.dbapi2 as sqlcipher

from consentkit import audit
from consentkit.archive.period import change
from consentkit.archive.periodlock import READER_SECONDS, PeriodLock
from consentkit.archive.store.digest import stored_head
from consentkit.archive.store.tables import TIES
from consentkit.control import open_sqlcipher
from consentkit.crypto import sync_directory
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.audit import Actor

# Records come a moment after their time: a request is recorded under the time at which it began.
GRACE_US: Final = 600 * 1_000_000


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a period's file holds.

    Attributes:
        rows: requests.
        bytes: the file's size.
        oldest_us: time of the first request; None where there is none.
        file_hash: SHA-256 of the file; empty while it is open.
        batch, head: the running digest, in hexadecimal, as of the last batch.
    """

    rows: int
    bytes: int
    oldest_us: int | None
    file_hash: str = ""
    batch: int = 0
    head: str = ""

    @property
    def columns(self) -> dict[str, object]:
        """What the catalogue of periods holds of it."""
        return {"rows": self.rows, "bytes": self.bytes, "oldest_us": self.oldest_us, "file_hash": self.file_hash}


def is_ripe(period: Period, now_us: int) -> bool:
    """Tell whether an open period has ended so long ago that nothing more is expected."""
    return period.state == "open" and period.until_us + GRACE_US <= now_us


def seal(
    holdings: Holdings, period: Period, actor: Actor, *, wait_seconds: float = READER_SECONDS
) -> Contents | None:
    """Seal an open period: write-ahead log emptied and gone, synced, hashed, told to the audit.

    A crash on the way leaves an open period that is sealed as if nothing had been.

    Returns:
        What it holds; None where there is no file, or it is not open any more.

    Raises:
        PeriodBusy: somebody is in it.
        KeyUnavailable, StorageError: it can't be opened or written.
    """
    file = holdings.file(period)
    if not file.exists():
        return None
    with PeriodLock(file, exclusive=True, wait_seconds=wait_seconds):
        return seal_locked(holdings, period, actor)


def seal_locked(holdings: Holdings, period: Period, actor: Actor) -> Contents | None:
    """Do as `seal`, for a caller who holds the period's exclusive lock and keeps it."""
    file = holdings.file(period)
    contents = close_for_good(file, holdings.keyring.load(period.key_name), period)
    with holdings.control.transaction() as connection:
        if not change(connection, period, ("open",), state="sealed", **contents.columns):
            return None
        audit.append(
            connection,
            actor,
            "period.sealed",
            detail={
                "period": period.name,
                "generation": period.generation,
                **msgspec.structs.asdict(contents),
            },
        )
    return contents


def measure(connection: sqlcipher.Connection, period: Period) -> tuple[int, int | None]:
    """Return how many requests a period's file holds, and the time of the first (None = there is none)."""
    rows, first = connection.execute("SELECT count(*), min(id) FROM request").fetchone()
    return rows, None if first is None else period.since_us + first // TIES


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def close_for_good(file: Path, key: bytes, period: Period) -> Contents:
    """Make a period's database one synced file without a write-ahead log, and return what it holds.

    Raises:
        StorageError: it can't be opened or written, or another process has it open.
    """
    try:
        connection = open_sqlcipher(file, key)
        try:
            rows, oldest_us = measure(connection, period)
            head = stored_head(connection)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        finally:
            connection.close()
    except sqlcipher.Error as exc:
        raise StorageError(file.name, f"the period can't be sealed ({exc})") from exc
    if mode != "delete":
        raise StorageError(file.name, "the period can't be sealed: another process has it open")
    _sync(file)
    return Contents(
        rows=rows,
        bytes=file.stat().st_size,
        oldest_us=oldest_us,
        file_hash=file_hash(file),
        batch=head.batch,
        head=head.digest.hex(),
    )


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(file.parent)
