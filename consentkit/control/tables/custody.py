"""The audit, the catalogue of periods, what incidents hold, and the statistics."""

from __future__ import annotations

from sqlalchemy import Column, Table

from consentkit.control.columns import Line, Number
from consentkit.control.tables.schema import metadata

# On a server: one row, by which a host sees that it has the keys of the others.
installation = Table(
    "installation",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("key_check", Line(), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("time_us", Number, nullable=False),
    Column("actor", Line(), nullable=False),
    Column("origin", Line(), nullable=False),
    Column("action", Line(), nullable=False, index=True),
    Column("purpose", Line(), nullable=False),
    Column("case_id", Line(), nullable=False),
    Column("reason", Line(), nullable=False),
    Column("detail", Line(), nullable=False),
    Column("rows", Number, nullable=False),
    Column("previous_hash", Line(), nullable=False),
    Column("hash", Line(), nullable=False),
)

period = Table(
    "period",
    metadata,
    Column("name", Line(), primary_key=True),
    Column("generation", Number, nullable=False),
    Column("state", Line(), nullable=False, index=True),
    Column("since_us", Number, nullable=False, index=True),
    Column("until_us", Number, nullable=False),
    # What the seal found; nothing until then.
    Column("rows", Number),
    Column("bytes", Number),
    Column("oldest_us", Number),
    Column("file_hash", Line(), nullable=False),
    Column("is_truncated", Number, nullable=False),
    # A rewritten generation that is still to be destroyed.
    Column("old_generation", Number),
    Column("early", Line(), nullable=False),
    Column("late_dropped", Number, nullable=False),
    Column("destroyed_us", Number),
    # The clock when the period was first found to lie ahead of it; nothing where it does not.
    Column("ahead_us", Number),
)

# One row an hour in which an ingester was at work, in the order of writing: a clock that was set wrong
# shows as a leap between two rows.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("time_us", Number, nullable=False),
    Column("audit_number", Number, nullable=False),
)

# Where records of one segment went whose time was far from the ingester's: decided once, so that a segment
# that is read again gives the same. Gone with the segment.
misdated = Table(
    "misdated",
    metadata,
    Column("worker", Line(), primary_key=True),
    Column("segment", Number, primary_key=True),
    Column("first_sequence", Number, nullable=False),
    # The ingester's clock when it was decided: the time under which such a record is found.
    Column("time_us", Number, nullable=False),
    # A time outside of these can't be true.
    Column("since_us", Number, nullable=False),
    Column("until_us", Number, nullable=False),
)

# Counts of one hour by one dimension, without anyone in them: they outlive the rows.
aggregate = Table(
    "aggregate",
    metadata,
    Column("hour_us", Number, primary_key=True),
    Column("dimension", Line(), primary_key=True),
    Column("value", Line(), primary_key=True),
    Column("requests", Number, nullable=False),
)

# Which hours are counted, and from what: an hour is counted again where its period has got more rows.
aggregate_hour = Table(
    "aggregate_hour",
    metadata,
    Column("hour_us", Number, primary_key=True, autoincrement=False),
    Column("period", Line(), nullable=False, index=True),
    Column("generation", Number, nullable=False),
    # Of the sealed period; empty where it was open.
    Column("file_hash", Line(), nullable=False),
    # Records that are known to be missing.
    Column("lost", Number, nullable=False),
)

incident = Table(
    "incident",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("generation", Number, nullable=False),
    Column("state", Line(), nullable=False),
    Column("case_id", Line(), nullable=False),
    Column("reason", Line(), nullable=False),
    Column("owner", Line(), nullable=False),
    Column("opened_us", Number, nullable=False),
    # ISO date.
    Column("review", Line(), nullable=False),
    # JSON: what was asked for.
    Column("filters", Line(), nullable=False),
    Column("rows", Number, nullable=False),
    Column("bytes", Number, nullable=False),
    Column("file_hash", Line(), nullable=False),
    # A rewritten generation that is still to be destroyed.
    Column("old_generation", Number),
    Column("closed_us", Number),
)
