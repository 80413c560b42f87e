"""The tables of the control database. Few rows, each of which must not be lost.

Owns columns and their units; what the rows mean is their rooms' business.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

policy = Table(
    "policy",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    Column("time", Integer, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("minute", Integer, nullable=False),
    Column("consent_id", String(43), nullable=False, index=True),
    Column("granted", Text, nullable=False),
    Column("denied", Text, nullable=False),
    Column("method", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("locale", String(35), nullable=False),
    Column("script", Integer, nullable=False),
    Column("previous_number", Integer, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time_us", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("action", String(64), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("case_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

period = Table(
    "period",
    metadata,
    Column("name", String(13), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("since_us", Integer, nullable=False, index=True),
    Column("until_us", Integer, nullable=False),
    # What the seal found; nothing until then.
    Column("rows", Integer),
    Column("bytes", Integer),
    Column("oldest_us", Integer),
    Column("file_hash", String(64), nullable=False),
    Column("is_truncated", Integer, nullable=False),
    # A rewritten generation that is still to be destroyed.
    Column("old_generation", Integer),
    Column("early", Text, nullable=False),
    Column("late_dropped", Integer, nullable=False),
    Column("destroyed_us", Integer),
    # The clock when the period was first found to lie ahead of it; nothing where it does not.
    Column("ahead_us", Integer),
)

# One row an hour in which an ingester was at work, in the order of writing: a clock that was set wrong
# shows as a leap between two rows.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time_us", Integer, nullable=False),
    Column("audit_number", Integer, nullable=False),
)

# Where records of one segment went whose time was far from the ingester's: decided once, so that a segment
# that is read again gives the same. Gone with the segment.
misdated = Table(
    "misdated",
    metadata,
    Column("worker", String(16), primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("first_sequence", Integer, nullable=False),
    Column("period", String(13), nullable=False),
    # The ingester's clock when it was decided: the time under which such a record is found.
    Column("time_us", Integer, nullable=False),
)

# Counts of one hour by one dimension, without anyone in them: they outlive the rows.
aggregate = Table(
    "aggregate",
    metadata,
    Column("hour_us", Integer, primary_key=True),
    Column("dimension", String(16), primary_key=True),
    Column("value", Text, primary_key=True),
    Column("requests", Integer, nullable=False),
)

# Which hours are counted, and from what: an hour is counted again where its period has got more rows.
aggregate_hour = Table(
    "aggregate_hour",
    metadata,
    Column("hour_us", Integer, primary_key=True),
    Column("period", String(13), nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    # Of the sealed period; empty where it was open.
    Column("file_hash", String(64), nullable=False),
    # Records that are known to be missing.
    Column("lost", Integer, nullable=False),
)

incident = Table(
    "incident",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("case_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("opened_us", Integer, nullable=False),
    # ISO date.
    Column("review", String(10), nullable=False),
    # JSON: what was asked for.
    Column("filters", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("file_hash", String(64), nullable=False),
    # A rewritten generation that is still to be destroyed.
    Column("old_generation", Integer),
    Column("closed_us", Integer),
)

# The public halves of all signing keys there ever were: a signature is checked years later.
signing_key = Table(
    "signing_key",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("public", LargeBinary, nullable=False),
    Column("since_us", Integer, nullable=False),
    # When another took its place, and its private half was destroyed; nothing while it signs.
    Column("until_us", Integer),
)
