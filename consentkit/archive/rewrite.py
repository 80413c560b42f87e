"""Writing a file of rows anew under a new key: the one way in which stored rows are changed or taken out.

Owns the copy: what goes along, what becomes of addresses, which rows are left out. When that is done, and the
switch from one generation to the next, is the business of truncation and erasure. VACUUM or a change in place
would leave what was taken out readable in every backup; here the generation before is destroyed, its key first.

A generation is a draft until its owner's transaction makes it the present one. The table of what was applied
goes along, so that exactly-once holds, and the digest over the rows is begun anew. What only left-out rows
referred to (their agents, pages and clients) stays behind with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.destruction import remove_files
from consentkit.archive.period import Period
from consentkit.archive.sealing import Contents, close_for_good
from consentkit.archive.store.digest import REQUEST_COLUMNS, digest_key
from consentkit.archive.store.recompute import restate
from consentkit.control import open_sqlcipher
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.holdings import Holdings
    from consentkit.crypto import Keyring

_KEPT: Final = "id NOT IN (SELECT id FROM left_out)"

_PLAIN: Final = f"""
INSERT INTO client SELECT * FROM old.client
  WHERE id IN (SELECT client FROM old.request WHERE {_KEPT}) ORDER BY id;
INSERT INTO request ({REQUEST_COLUMNS}) SELECT {REQUEST_COLUMNS} FROM old.request WHERE {_KEPT} ORDER BY id;
"""  # noqa: S608 - our own names

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
"""  # noqa: S608 - our own names

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


class Generation(msgspec.Struct, frozen=True):
    """One generation of a file of rows.

    Attributes:
        file: its database.
        key_name: of its key in the keys folder.
        period: whose `since_us` its rows are numbered from.
    """

    file: Path
    key_name: str
    period: Period


class LeftOut(msgspec.Struct, frozen=True):
    """Which rows do not go along.

    Attributes:
        condition: over a row of ``request r``; the file's other tables are named ``{schema}client`` and so on.
        values: of its parameters.
    """

    condition: str
    values: tuple[object, ...]

    def statement(self, schema: str = "") -> tuple[str, tuple[object, ...]]:
        """Return the query for the numbers of these rows; `schema` is the database's name with a dot."""
        where = self.condition.format(schema=schema)
        return f"SELECT r.id FROM {schema}request r WHERE {where}", self.values  # noqa: S608 - our own names


class Rewritten(msgspec.Struct, frozen=True):
    """What a rewrite came to.

    Attributes:
        contents: of the new file.
        left_out: how many rows did not go along.
    """

    contents: Contents
    left_out: int


def write_anew(
    keyring: Keyring,
    old: Generation,
    fresh: Generation,
    *,
    address: Callable[[bytes], bytes] | None = None,
    left_out: LeftOut | None = None,
) -> Rewritten:
    """Write the rows of one generation into the next, under a new key, and sync it.

    A draft that an earlier attempt left there is thrown away first. The caller keeps others from writing to
    the old file meanwhile; nothing is changed in it.

    Args:
        keyring: opens the old key and makes the new one.
        old, fresh: from, and to.
        address: what becomes of each packed address; None = it stays as it is.
        left_out: rows that do not go along; None = all go.

    Raises:
        KeyUnavailable, StorageError: the draft is useless, and the old generation as it was.
    """
    discard(keyring, fresh)
    old_key, key = keyring.load(old.key_name), keyring.make(fresh.key_name)
    try:
        connection = open_sqlcipher(fresh.file, key)
        try:
            if address is not None:
                connection.create_function("changed", 1, address, deterministic=True)
            connection.execute("ATTACH DATABASE ? AS old KEY ?", (str(old.file), f"x'{old_key.hex()}'"))
            count = _copy(
                connection, digest_key(key), left_out, _PLAIN if address is None else _WITH_ADDRESSES_CHANGED
            )
            connection.execute("DETACH DATABASE old")
        finally:
            connection.close()
    except sqlcipher.Error as exc:
        raise StorageError(old.file.name, f"can't be written anew ({exc})") from exc
    return Rewritten(close_for_good(fresh.file, key, fresh.period), count)


def generation_of(holdings: Holdings, period: Period) -> Generation:
    """Return a period's generation, as a rewrite wants it."""
    return Generation(holdings.file(period), period.key_name, period)


def discard(keyring: Keyring, draft: Generation) -> None:
    """Throw away what an earlier attempt left, key first."""
    keyring.destroy(draft.key_name)
    remove_files(draft.file)


def _copy(connection: sqlcipher.Connection, key: bytes, left_out: LeftOut | None, rows_copied: str) -> int:
    connection.execute("CREATE TEMP TABLE left_out (id INTEGER PRIMARY KEY)")
    if left_out is not None:
        statement, values = left_out.statement("old.")
        connection.execute(f"INSERT INTO left_out {statement}", values)
    tables = connection.execute(
        "SELECT sql FROM old.sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    ).fetchall()
    schema = "".join(f"{table};" for (table,) in tables)  # the file's own, whichever version made it
    connection.executescript(f"BEGIN; {schema} {_WHOLE} {rows_copied} {_REFERRED_TO}")
    restate(connection, key)
    connection.execute("COMMIT")
    rows, old_rows, count = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own names
        for table in ("main.request", "old.request", "left_out")
    )
    if rows != old_rows - count:
        raise sqlcipher.IntegrityError(f"{rows} of {old_rows - count} rows were written")
    return int(count)
