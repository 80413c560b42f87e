"""What a place's file holds, held against its own digest and the heads that were noted of it.

Owns reading the file: each row once, in the order of its digest, in one read transaction. Whether it is the
right file in the right place is `archive.evidence`'s question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.places import Checked
from consentkit.archive.store.sqlite.closing import file_hash
from consentkit.archive.store.sqlite.digest import EMPTY, digest_key, stored_head
from consentkit.archive.store.sqlite.files import file_beside
from consentkit.archive.store.sqlite.recompute import recomputed_heads, unclaimed_rows
from consentkit.control import open_sqlcipher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consentkit.archive.store.places import NotedHeads

# How many faults SQLite looks for: the first is told.
_CHECK: Final = "PRAGMA integrity_check(1)"


def check_contents(
    file: Path, key: bytes, noted: NotedHeads, *, is_sealed: bool, advance: Callable[[float], None]
) -> Checked:
    """Recompute a place's digest from its rows, and hold it against each head that was noted.

    Args:
        file: the place's database; the caller holds its lock.
        key: of the place.
        noted: heads by lane and batch; here there is one lane, whose name is empty.
        is_sealed: nothing may lie beside it that could change what is read.
        advance: called with the share that was read since the last call; they add up to at most 1.
    """
    if is_sealed and (beside := file_beside(file)):
        return Checked(None, f"{beside} lies beside its sealed file")
    found = file_hash(file) if is_sealed else ""  # an open one is a file and its log
    return Checked(*_read(file, key, noted, advance), found)


def _read(file: Path, key: bytes, noted: NotedHeads, advance: Callable[[float], None]) -> tuple[int | None, str]:
    """Return how many rows were read, and the first fault."""
    try:
        connection = open_sqlcipher(file, key, read_only=True)
        try:
            connection.execute("BEGIN")
            rows = int(connection.execute("SELECT count(*) FROM request").fetchone()[0])
            return rows, _fault(connection, key, noted, advance)
        finally:
            connection.close()
    except sqlcipher.Error as exc:
        return None, f"can't be read ({exc}){_bad_page(file, key)}"


def _fault(
    connection: sqlcipher.Connection, key: bytes, noted: NotedHeads, advance: Callable[[float], None]
) -> str:
    batches = max(int(connection.execute("SELECT count(*) FROM batch").fetchone()[0]), 1)
    end, met, held = EMPTY, 0, 0
    for head in recomputed_heads(connection, digest_key(key)):
        end = head
        advance(1 / batches)
        if (one := noted.get((head.lane, head.batch))) is not None:
            if one.head != head.digest.hex():
                return f"its rows of {_batches(held + 1, head.batch)} are not those noted in entry {one.entry}"
            met, held = met + 1, head.batch
    if (EMPTY.lane, EMPTY.batch) in noted:
        met += 1  # an empty period has no batch that could differ
    if met < len(noted):
        (_, batch), one = max(noted.items())
        return f"batch {batch}, noted in entry {one.entry}, is missing: an older copy, or cut off"
    if end != stored_head(connection):
        return f"its rows after batch {held} are not those that its own digest names"
    if unclaimed := unclaimed_rows(connection):
        return f"{unclaimed} of its rows belong to no batch: added by another hand"
    found = str(connection.execute(_CHECK).fetchone()[0])
    return "" if found == "ok" else f"its tables and indexes differ ({found.splitlines()[-1]})"


def _batches(first: int, last: int) -> str:
    return f"batch {last}" if first == last else f"batches {first} to {last}"


def _bad_page(file: Path, key: bytes) -> str:
    """Return where the first page lies that was changed from outside, as far as the file still opens."""
    try:
        connection = open_sqlcipher(file, key, read_only=True)
        try:
            found = connection.execute("PRAGMA cipher_integrity_check").fetchone()
        finally:
            connection.close()
    except sqlcipher.Error:
        return ""
    return f"; {found[0]}" if found else ""
