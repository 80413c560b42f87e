"""The tables of one period, and the numbers that its rows are made of.

Owns the layout of a period's file. A row of `request` is a dozen small integers: what repeats (client,
agent, resource, referrer) stands once, with all that was resolved of it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlcipher3.dbapi2 as sqlcipher

# `request.id` is the time within the period, in microseconds, times this, plus a tie-breaker: rows lie in
# the order in which they are shown, and an index on any column pages newest first without sorting.
TIES: Final = 32

# `visit` says in which stretches of a period, ten minutes each, a client was there. An index of each single row
# by its client would be a third of the file; so a search reads the stretches and nothing else.
STRETCH: Final = 600_000_000 * TIES

# `request.result` is the status times four, plus the outcome's number: a column less in each row.

# Of `client` the ingester makes one row an address; where rows were copied or addresses cut, one of several places
# has a row for each.

# `segment.next_sequence` is the mark: every frame of this period below it is applied. `batch` says which rows
# came together, and `digest` how the period stood after the last of them. A request whose own time was far
# from the ingester's stands under the time of its ingestion, and its own in `misdated`.

SCHEMA: Final = """
CREATE TABLE client (
  id INTEGER PRIMARY KEY, address BLOB NOT NULL, peer BLOB NOT NULL, source INTEGER NOT NULL,
  country TEXT NOT NULL, city TEXT NOT NULL);
CREATE INDEX client_address ON client (address, peer, source);
CREATE TABLE agent (
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, user_agent TEXT NOT NULL,
  device TEXT NOT NULL, device_type TEXT NOT NULL, browser TEXT NOT NULL, browser_version TEXT NOT NULL,
  os TEXT NOT NULL, os_version TEXT NOT NULL);
CREATE INDEX agent_hash ON agent (hash);
CREATE TABLE resource (
  id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, method TEXT NOT NULL, scheme TEXT NOT NULL,
  host TEXT NOT NULL, path TEXT NOT NULL, query TEXT, query_flags INTEGER NOT NULL);
CREATE INDEX resource_hash ON resource (hash);
CREATE TABLE referrer (id INTEGER PRIMARY KEY, host TEXT NOT NULL UNIQUE);
CREATE TABLE segment (
  id INTEGER PRIMARY KEY, worker TEXT NOT NULL, number INTEGER NOT NULL,
  next_sequence INTEGER NOT NULL DEFAULT 0,  UNIQUE (worker, number));
CREATE TABLE batch (
  id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, next_sequence INTEGER NOT NULL, requests INTEGER NOT NULL,
  client INTEGER NOT NULL, agent INTEGER NOT NULL, resource INTEGER NOT NULL, referrer INTEGER NOT NULL);
CREATE TABLE digest (id INTEGER PRIMARY KEY CHECK (id = 1), batch INTEGER NOT NULL, head BLOB NOT NULL);
CREATE TABLE request (
  id INTEGER PRIMARY KEY, batch INTEGER NOT NULL, sequence INTEGER NOT NULL, client INTEGER NOT NULL,
  agent INTEGER NOT NULL, resource INTEGER NOT NULL, referrer INTEGER NOT NULL, result INTEGER NOT NULL,
  status INTEGER GENERATED ALWAYS AS (result / 4) VIRTUAL,
  outcome INTEGER GENERATED ALWAYS AS (result % 4) VIRTUAL,
  bytes_sent INTEGER NOT NULL, duration_us INTEGER NOT NULL);
CREATE TABLE visit (client INTEGER, stretch INTEGER, PRIMARY KEY (client, stretch)) WITHOUT ROWID;
CREATE TABLE gap (
  since_us INTEGER NOT NULL, until_us INTEGER NOT NULL, lost INTEGER NOT NULL, reason TEXT NOT NULL,
  network TEXT NOT NULL, batch INTEGER NOT NULL, sequence INTEGER NOT NULL);
CREATE TABLE misdated (id INTEGER PRIMARY KEY, time_us INTEGER NOT NULL);
"""

_VISITS: Final = "INSERT OR IGNORE INTO visit SELECT DISTINCT client, ? FROM request WHERE id >= ? AND id < ?"


def note_visits(connection: sqlcipher.Connection) -> None:
    """Note who was there when, in a file that was filled otherwise than by `PeriodFile`.

    One stretch after the other, within the caller's transaction: what is distinct is found in memory.
    """
    first = connection.execute("SELECT min(id) FROM request").fetchone()[0]
    while first is not None:
        stretch = first // STRETCH
        end = (stretch + 1) * STRETCH
        connection.execute(_VISITS, (stretch, first, end))
        first = connection.execute("SELECT min(id) FROM request WHERE id >= ?", (end,)).fetchone()[0]


def pack_result(status: int, outcome: int) -> int:
    """Return what `request.result` holds of a status and an outcome's number."""
    return status * 4 + outcome


def text_hash(*parts: object) -> int:
    """Return 47 bits to find a text by, six bytes in a row: an index of hashes is a tenth of one of URLs.

    Two texts of one hash are told apart by the texts; finding many such takes too long to be worth anyone's while.
    """
    joined = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(joined, digest_size=6).digest()) >> 1
