"""Opening one SQLCipher file: the database of a period, of an incident, or the control database.

Owns what every connection is told at its beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

if TYPE_CHECKING:
    from pathlib import Path

# How long a writer waits for another's transaction, in seconds. Each is a few rows and one fsync.
_BUSY_SECONDS: Final = 10.0


def open_sqlcipher(
    path: Path, key: bytes, *, read_only: bool = False, immutable: bool = False
) -> sqlcipher.Connection:
    """Open one SQLCipher file under a raw 256-bit key.

    Autocommit mode: transactions are begun and ended by hand. Temporary data stays in memory, so that no
    plain text is spilled to disk.

    Args:
        path: the file.
        key: 32 bytes.
        read_only: nothing can be changed by this connection.
        immutable: nobody changes the file, so that nothing is locked and no other file is looked for; only read.

    Raises:
        sqlcipher3.dbapi2.Error: as the driver does; the caller turns it into a StorageError.
    """
    # A reader of a WAL file must be able to make its -shm file, so "ro" would fail where no writer is.
    mode = "ro&immutable=1" if immutable else "rw" if read_only else "rwc"
    connection = sqlcipher.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
    )
    # Twice the usual size: less goes into each page's own checks. Before the key; also for what is attached.
    connection.execute("PRAGMA cipher_default_page_size = 8192")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA secure_delete = OFF")  # pages are encrypted; destroying the key is what deletes
    if read_only or immutable:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection
