"""What visitors chose, what they were shown, and how often they were asked."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

from consentkit.control.columns import Line, Number
from consentkit.control.tables.schema import metadata

policy = Table(
    "policy",
    metadata,
    Column("revision", Number, primary_key=True, autoincrement=False),
    Column("hash", Line(), nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    Column("time", Number, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("minute", Number, nullable=False),
    Column("consent_id", Line(), nullable=False, index=True),
    Column("granted", Line(), nullable=False),
    Column("denied", Line(), nullable=False),
    Column("method", Line(), nullable=False),
    Column("revision", Number, nullable=False),
    Column("locale", Line(), nullable=False),
    Column("script", Number, nullable=False),
    Column("previous_number", Number, nullable=False, index=True),
    Column("previous_hash", Line(), nullable=False),
    Column("hash", Line(), nullable=False),
    # When the row was written: later than `minute` where it was owed for a while.
    Column("written", Number, nullable=False),
    # Of what was in force, and of what was shown; empty where neither is known.
    Column("policy_hash", Line(), nullable=False),
    Column("text_hash", Line(), nullable=False),
    Column("key_id", Line(), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    # The audit's entry by which all but the row's place in the chain was let go; 0 = it is whole.
    Column("pruned_in", Number, nullable=False, index=True),
)

# What visitors were shown when they decided, once a wording.
shown_text = Table(
    "shown_text",
    metadata,
    Column("hash", Line(), primary_key=True),
    Column("locale", Line(), nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    # When it was first decided under; seconds since 1970 UTC.
    Column("time", Number, nullable=False),
)

# Which decision a form made that may be sent twice; for some minutes.
answered_form = Table(
    "answered_form",
    metadata,
    # SHA-256 over the form's own random value; see `consentkit.visitor.once`.
    Column("digest", Line(), primary_key=True),
    Column("number", Number, nullable=False),
    # When it was written, since 1970 UTC.
    Column("minute", Number, nullable=False, index=True),
)

# How often the banner was shown and answered, without anyone in it: it outlives the decisions.
consent_rate = Table(
    "consent_rate",
    metadata,
    # ISO 8601 date, UTC.
    Column("day", Line(), primary_key=True),
    Column("language", Line(), primary_key=True),
    # Empty: the answer as a whole.
    Column("category", Line(), primary_key=True),
    Column("kind", Line(), primary_key=True),
    # 1 a script sent the answer, 0 a plain form did, -1 can't be known.
    Column("script", Number, primary_key=True),
    Column("times", Number, nullable=False),
)

# What of one worker's counters is in `consent_rate` already.
consent_showing = Table(
    "consent_showing",
    metadata,
    Column("worker", Line(), primary_key=True),
    # JSON, as the worker writes it.
    Column("counted", LargeBinary, nullable=False),
    # The day on which it last grew; ISO 8601, UTC.
    Column("day", Line(), nullable=False),
)

# The public halves of all signing keys there ever were: a signature is checked years later.
signing_key = Table(
    "signing_key",
    metadata,
    Column("key_id", Line(), primary_key=True),
    Column("public", LargeBinary, nullable=False),
    Column("since_us", Number, nullable=False),
    # When another took its place, and its private half was destroyed; nothing while it signs.
    Column("until_us", Number),
)
