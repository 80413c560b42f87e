"""The tables of the request log in PostgreSQL, what a place's partitions are called, and who needs which rights.

Bytes matter here: a request is 136 bytes with its indexes. The numbers of 32 bits stand side by side, so that
nothing is lost to alignment, and both indexes hold values that many rows share, which PostgreSQL 13 and later
store once with a list of rows (10 and 9 bytes a row; by client and time it would be 41, by the exact time 22).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from consentkit.control.connecting import SCHEMA

# Partitioned by place. Whoever locks several does it in this order, so that nobody waits in a circle.
TABLES: Final = ("batch", "word", "gap", "request")

# Rows are found by time in steps of 2**TICK_BITS microseconds (a second), and sorted within.
TICK_BITS: Final = 20
TICK: Final = f"(time_us >> {TICK_BITS})"

# `place` comes last in keys: within a partition it tells nothing.
# `sequence` of a request is an oid, PostgreSQL's one unsigned number of 32 bits, as a frame has it.
# A word has the batch that it came by, so that who has read the words up to a batch finds those that came since.
# What is encrypted can't be compressed: EXTERNAL saves the attempt.
STATEMENTS: Final[tuple[str, ...]] = (
    f"""CREATE TABLE {SCHEMA}.place (
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  is_made boolean NOT NULL DEFAULT false,
  is_draft boolean NOT NULL DEFAULT false)""",
    f"""CREATE TABLE {SCHEMA}.batch (
  place integer NOT NULL,
  lane text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  worker text COLLATE "C" NOT NULL,
  segment_number bigint NOT NULL,
  segment bigint NOT NULL,
  first_sequence bigint NOT NULL,
  next_sequence bigint NOT NULL,
  requests bigint NOT NULL,
  gaps bigint NOT NULL,
  digest bytea NOT NULL,
  added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (lane, number, place),
  UNIQUE (segment, first_sequence, place)) PARTITION BY LIST (place)""",
    f"""CREATE TABLE {SCHEMA}.word (
  place integer NOT NULL,
  kind smallint NOT NULL,
  number bigint NOT NULL,
  lookup bigint NOT NULL,
  batch bigint NOT NULL,
  lane text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (kind, number, place)) PARTITION BY LIST (place)""",
    f"CREATE INDEX word_lookup ON {SCHEMA}.word (lookup) WHERE lookup <> 0",
    f"ALTER TABLE {SCHEMA}.word ALTER COLUMN sealed SET STORAGE EXTERNAL",
    f"""CREATE TABLE {SCHEMA}.gap (
  place integer NOT NULL,
  segment bigint NOT NULL,
  sequence bigint NOT NULL,
  since_us bigint NOT NULL,
  until_us bigint NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (segment, sequence, place)) PARTITION BY LIST (place)""",
    f"""CREATE TABLE {SCHEMA}.request (
  place integer NOT NULL,
  sequence oid NOT NULL,
  time_us bigint NOT NULL,
  segment bigint NOT NULL,
  client bigint NOT NULL,
  agent bigint NOT NULL,
  resource bigint NOT NULL,
  referrer bigint NOT NULL,
  result bigint NOT NULL,
  bytes_sent bigint NOT NULL,
  duration_us bigint NOT NULL,
  claimed_us bigint NOT NULL) PARTITION BY LIST (place)""",
    f"CREATE INDEX request_tick ON {SCHEMA}.request ({TICK})",
    f"CREATE INDEX request_client ON {SCHEMA}.request (client)",
)

# By role: what writes requests can't read them; what reads can't change them. Making and dropping places is the
# owner's. A partition is given what its parent has, when it is made and at each `prepare`.
WRITER_MAY: Final = (
    f"USAGE ON SCHEMA {SCHEMA}",
    f"SELECT ON {SCHEMA}.schema_version",
    f"SELECT ON {SCHEMA}.place",
    f"SELECT, INSERT ON {SCHEMA}.batch",
    f"INSERT, SELECT (place, kind, number) ON {SCHEMA}.word",
    f"INSERT ON {SCHEMA}.gap",
    f"INSERT ON {SCHEMA}.request",
)
READER_MAY: Final = (
    f"USAGE ON SCHEMA {SCHEMA}",
    *(f"SELECT ON {SCHEMA}.{table}" for table in ("schema_version", "place", *TABLES)),
)

_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_READABLE: Final = 34  # of the 63 bytes of a name; the rest makes it unique


def partition(table: str, place: str) -> str:
    """Return the qualified name of a place's partition: lower-case letters, digits and underscores alone.

    It follows from the place's name, so that what is left of a place is found without any row that tells of it.
    """
    readable = _NO_NAME.sub("_", place.lower())[:_READABLE]
    unique = blake2b(place.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{SCHEMA}.{table}_{readable}_{unique}"
