"""Making a place one file that nobody writes: its write-ahead log emptied and gone, synced, hashed.

Owns that, and the hash. When a period is due for it, and what the audit says of it, is `archive.sealing`'s.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from typing import TYPE_CHECKING

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.places import Contents
from consentkit.archive.store.sqlite.digest import stored_head
from consentkit.archive.store.sqlite.reader import measure
from consentkit.control import open_sqlcipher
from consentkit.crypto import sync_directory
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.store.places import Head, Place


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        StorageError: it can't be read.
    """
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as exc:
        raise StorageError(file.name, f"can't be read ({exc.strerror})") from exc


def close_for_good(file: Path, key: bytes, place: Place) -> Contents:
    """Make a place's database one synced file without a write-ahead log, and return what it holds.

    One that is such a file already is not written to again, so that its hash stays.

    Raises:
        StorageError: it can't be opened or written, or another process has it open.
    """
    try:
        if not _is_closed(file, key) and not _close(file, key):
            raise StorageError(file.name, "the period can't be sealed: another process has it open")
        rows, oldest_us, head = _measured(file, key, place)
    except sqlcipher.Error as exc:
        raise StorageError(file.name, f"the period can't be sealed ({exc})") from exc
    _sync(file)
    return Contents(
        rows=rows,
        bytes=file.stat().st_size,
        oldest_us=oldest_us,
        file_hash=file_hash(file),
        batch=head.batch,
        head=head.digest.hex(),
    )


def _is_closed(file: Path, key: bytes) -> bool:
    with closing(open_sqlcipher(file, key, read_only=True)) as connection:
        return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete")


def _close(file: Path, key: bytes) -> bool:
    """Write the log into the database and do without it; return whether nobody was in the way."""
    with closing(open_sqlcipher(file, key)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete")


def _measured(file: Path, key: bytes, place: Place) -> tuple[int, int | None, Head]:
    with closing(open_sqlcipher(file, key, read_only=True)) as connection:
        rows, oldest_us = measure(connection, place)
        return rows, oldest_us, stored_head(connection)


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(file.parent)
