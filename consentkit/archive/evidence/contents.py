"""What a period's file holds, held against what the chain noted of it.

Owns reading the file: each row once, in the order of its digest, in one read transaction. Whether it is the
right file in the right place is `custody`'s question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.digest import EMPTY, digest_key, stored_head
from consentkit.archive.store.recompute import recomputed_heads, unclaimed_rows
from consentkit.control import open_sqlcipher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from consentkit.archive.evidence.replay import Noted
    from consentkit.archive.store.digest import Head

# How many faults SQLite looks for: the first is told.
_CHECK: Final = "PRAGMA integrity_check(1)"


class Content(NamedTuple):
    """What was read.

    Attributes:
        rows: requests; None where they can't be counted.
        fault: the first thing that does not hold; empty = all does.
        end: the head after the last batch.
    """

    rows: int | None
    fault: str
    end: Head = EMPTY


def check_contents(
    file: Path, key: bytes, noted: Mapping[int, Noted], *, advance: Callable[[float], None]
) -> Content:
    """Recompute a period's digest from its rows, and hold it against each head that was noted.

    Args:
        file: the period's database; the caller holds its lock.
        key: of the period.
        noted: heads by batch.
        advance: called with the share that was read since the last call; they add up to at most 1.
    """
    try:
        connection = open_sqlcipher(file, key, read_only=True)
        try:
            connection.execute("BEGIN")
            rows = int(connection.execute("SELECT count(*) FROM request").fetchone()[0])
            return Content(rows, *_fault(connection, key, noted, advance))
        finally:
            connection.close()
    except sqlcipher.Error as exc:
        return Content(None, f"can't be read ({exc}){_bad_page(file, key)}")


def _fault(
    connection: sqlcipher.Connection, key: bytes, noted: Mapping[int, Noted], advance: Callable[[float], None]
) -> tuple[str, Head]:
    batches = max(int(connection.execute("SELECT count(*) FROM batch").fetchone()[0]), 1)
    end, met, held = EMPTY, 0, 0
    for head in recomputed_heads(connection, digest_key(key)):
        end = head
        advance(1 / batches)
        if (one := noted.get(head.batch)) is not None:
            if one.head != head.digest.hex():
                return (
                    f"its rows of {_batches(held + 1, head.batch)} are not those noted in entry {one.entry}",
                    end,
                )
            met, held = met + 1, head.batch
    if 0 in noted:
        met += 1  # an empty period has no batch that could differ
    if met < len(noted):
        batch, one = max(noted.items())
        return f"batch {batch}, noted in entry {one.entry}, is missing: an older copy, or cut off", end
    if end != stored_head(connection):
        return f"its rows after batch {held} are not those that its own digest names", end
    if unclaimed := unclaimed_rows(connection):
        return f"{unclaimed} of its rows belong to no batch: added by another hand", end
    found = str(connection.execute(_CHECK).fetchone()[0])
    return ("" if found == "ok" else f"its tables and indexes differ ({found.splitlines()[-1]})"), end


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
