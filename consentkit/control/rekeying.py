"""Another key for the control database: what was deleted from it can then be read from no copy any more.

Owns the change of the key, and finishing one that was interrupted. SQLCipher writes every page anew in one
transaction; the key's record changes after it, and until then the new key lies beside the old one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.control.opening import open_sqlcipher
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.crypto import Keyring

NEXT_NAME: Final = "control/next"


def rekey(path: Path, keyring: Keyring, name: str) -> None:
    """Put the database under a new key and destroy the old one. Nobody else has it open.

    Args:
        path: the database.
        keyring: holds its key.
        name: of that key.

    Raises:
        StorageError: the database refused, or a key can't be kept; `settle` finishes what was begun.
    """
    fresh = keyring.make(NEXT_NAME)
    try:
        with contextlib.closing(open_sqlcipher(path, keyring.load(name))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")  # a log beside it would stay under the old key
            connection.execute(f"PRAGMA rekey = \"x'{fresh.hex()}'\"")
    except sqlcipher.Error as exc:
        raise StorageError(str(path), f"can't be put under another key ({exc})") from None
    settle(path, keyring, name)


def settle(path: Path, keyring: Keyring, name: str) -> None:
    """Finish a change of key, or give it up where the database was not yet written under the new one."""
    if not keyring.has(NEXT_NAME):
        return
    fresh = keyring.load(NEXT_NAME)
    if _opens(path, fresh) and not (keyring.has(name) and keyring.load(name) == fresh):
        keyring.destroy(name)
        keyring.put(name, fresh)
    keyring.destroy(NEXT_NAME)


def _opens(path: Path, key: bytes) -> bool:
    try:
        with contextlib.closing(open_sqlcipher(path, key, read_only=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlcipher.Error:
        return False
    return True
