"""Writing a file of rows anew under a new key: the one way in which stored rows are changed or taken out.

Owns the copy: what goes along, what becomes of addresses, which rows are left out. When that is done, and the
switch from one generation to the next, is custody's business. VACUUM or a change in place would leave what was
taken out readable in every backup; here the generation before is destroyed, its key first.

The table of what was applied goes along, so that exactly-once holds, and the digest over the rows is begun
anew. What only left-out rows referred to (their agents, pages and clients) stays behind with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.store.sqlite.digest import REQUEST_COLUMNS, digest_key
from consentkit.archive.store.sqlite.matching import rows_of
from consentkit.archive.store.sqlite.recompute import restate
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consentkit.archive.store.places import Place, RowsOf

_KEPT: Final = "id NOT IN (SELECT id FROM left_out)"

_PLAIN: Final = f"""
INSERT INTO client SELECT * FROM old.client
  WHERE id IN (SELECT client FROM old.request WHERE {_KEPT}) ORDER BY id;
INSERT INTO request ({REQUEST_COLUMNS}) SELECT {REQUEST_COLUMNS} FROM old.request WHERE {_KEPT} ORDER BY id;
"""

_MOVED_COLUMNS: Final = ", ".join(
    "moved.new" if column == "client" else f"r.{column}" for column in REQUEST_COLUMNS.split(", ")
)

# Several clients may become one, of one place each: the place was found by the full address, and is kept.
_WITH_ADDRESSES_CHANGED: Final = f"""
CREATE TEMP TABLE changed AS SELECT id, changed(address) AS address, changed(peer) AS peer, source, country, city
  FROM old.client WHERE id IN (SELECT client FROM old.request WHERE {_KEPT});
INSERT INTO client (address, peer, source, country, city)
  SELECT address, peer, source, country, city FROM changed GROUP BY 1, 2, 3, 4, 5 ORDER BY min(id);
CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
INSERT INTO moved SELECT changed.id, client.id
  FROM changed JOIN client USING (address, peer, source, country, city);
INSERT INTO request ({REQUEST_COLUMNS}) SELECT {_MOVED_COLUMNS}
  FROM old.request r JOIN moved ON moved.old = r.client WHERE r.{_KEPT} ORDER BY r.id;
"""

_WHOLE: Final = """
INSERT INTO segment SELECT * FROM old.segment;
INSERT INTO batch SELECT * FROM old.batch;
INSERT INTO gap SELECT * FROM old.gap;
"""

_REFERRED_TO: Final = """
INSERT INTO agent SELECT * FROM old.agent WHERE id IN (SELECT agent FROM request) ORDER BY id;
INSERT INTO resource SELECT * FROM old.resource WHERE id IN (SELECT resource FROM request) ORDER BY id;
INSERT INTO referrer SELECT * FROM old.referrer WHERE id IN (SELECT referrer FROM request) ORDER BY id;
INSERT INTO misdated SELECT * FROM old.misdated WHERE id IN (SELECT id FROM request);
"""


class Source(NamedTuple):
    """The file whose rows are copied, with its key."""

    file: Path
    key: bytes
    place: Place


def copy_rows(
    old: Source, file: Path, key: bytes, *, address: Callable[[bytes], bytes] | None, left_out: RowsOf | None
) -> int:
    """Copy the rows of one file into another that is made; return how many did not go along.

    Args:
        old: from where; nothing is changed in it, and nobody may write to it meanwhile.
        file, key: to where, and its key.
        address: what becomes of each packed address; None = it stays as it is.
        left_out: rows that do not go along; None = all go.

    Raises:
        StorageError: what was made is useless.
    """
    try:
        connection = open_sqlcipher(file, key)
        try:
            if address is not None:
                connection.create_function("changed", 1, address, deterministic=True)
            connection.execute("ATTACH DATABASE ? AS old KEY ?", (str(old.file), f"x'{old.key.hex()}'"))
            copied = _PLAIN if address is None else _WITH_ADDRESSES_CHANGED
            count = _copy(connection, digest_key(key), old.place, left_out, copied)
            connection.execute("DETACH DATABASE old")
        finally:
            connection.close()
    except sqlcipher.Error as exc:
        raise StorageError(old.file.name, f"can't be written anew ({exc})") from exc
    return count


def _copy(
    connection: sqlcipher.Connection, key: bytes, old: Place, left_out: RowsOf | None, rows_copied: str
) -> int:
    connection.execute("CREATE TEMP TABLE left_out (id INTEGER PRIMARY KEY)")
    if left_out is not None:
        where, values = rows_of(left_out, old, "old.")
        connection.execute(f"INSERT INTO left_out SELECT r.id FROM old.request r WHERE {where}", values)
    tables = connection.execute(
        "SELECT sql FROM old.sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    ).fetchall()
    schema = "".join(f"{table};" for (table,) in tables)  # the file's own, whichever version made it
    connection.executescript(f"BEGIN; {schema} {_WHOLE} {rows_copied} {_REFERRED_TO}")
    restate(connection, key)
    connection.execute("COMMIT")
    rows, old_rows, count = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("main.request", "old.request", "left_out")
    )
    if rows != old_rows - count:
        raise sqlcipher.IntegrityError(f"{rows} of {old_rows - count} rows were written")
    return int(count)
