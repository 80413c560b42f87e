"""The tables of the control database. Few rows, each of which must not be lost.

Owns columns and their units; what the rows mean is their rooms' business.
"""

from __future__ import annotations

from sqlalchemy import Column, Identity, LargeBinary, MetaData, Table

from consentkit.control.columns import Line, Number

metadata = MetaData()

# On a server: one row, by which a host sees that it has the keys of the others.
installation = Table(
    "installation",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("key_check", Line(), nullable=False),
)

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

# Who may sign in to the admin area. A person who was removed stays, so that the audit's names mean something.
person = Table(
    "person",
    metadata,
    Column("number", Number, Identity(), primary_key=True),
    Column("name", Line(), nullable=False),
    # By which two names are one: NFC, case-folded.
    Column("folded_name", Line(), nullable=False, unique=True),
    # Separated by spaces, in the order of the table of roles.
    Column("roles", Line(), nullable=False),
    # Argon2id in its encoded form; empty where the person was removed.
    Column("password", Line(), nullable=False),
    # Given by an administrator, to be replaced at the first sign-in.
    Column("is_temporary", Number, nullable=False),
    # Sealed; nothing where no one-time codes are asked for. The coming one waits for its first code.
    Column("totp", LargeBinary),
    Column("coming_totp", LargeBinary),
    # Of the last code that was taken, in steps of 30 s since 1970 UTC: none is taken twice.
    Column("totp_step", Number, nullable=False),
    Column("created_us", Number, nullable=False),
    Column("password_us", Number, nullable=False),
    Column("changed_us", Number, nullable=False),
    Column("removed_us", Number),
)

# What opens an account once where the one-time codes' device is lost.
recovery_code = Table(
    "recovery_code",
    metadata,
    Column("person", Number, primary_key=True),
    Column("digest", Line(), primary_key=True),
)

# Who is signed in.
session = Table(
    "session",
    metadata,
    Column("number", Number, Identity(), primary_key=True),
    # SHA-256 of the random id, which the browser alone has.
    Column("digest", Line(), nullable=False, unique=True),
    # A person's name; one that the site has signed in stands in no table.
    Column("folded_name", Line(), nullable=False, index=True),
    # The password was right, the one-time code is still to come.
    Column("is_pending", Number, nullable=False),
    Column("address", Line(), nullable=False),
    Column("begun_us", Number, nullable=False),
    Column("seen_us", Number, nullable=False),
    Column("confirmed_us", Number, nullable=False),
    # Why personal data is looked at; empty where nothing was said.
    Column("purpose", Line(), nullable=False),
    Column("case_id", Line(), nullable=False),
    Column("reason", Line(), nullable=False),
    Column("looked_us", Number, nullable=False),
    # BCP 47 tag that was chosen; empty = the browser's.
    Column("language", Line(), nullable=False),
    sqlite_autoincrement=True,
)

# Failed sign-ins, under keyed digests of names and networks.
throttle = Table(
    "throttle",
    metadata,
    Column("digest", Line(), primary_key=True),
    Column("kind", Line(), nullable=False),
    Column("failures", Number, nullable=False),
    Column("last_us", Number, nullable=False, index=True),
    # Nothing is tried before.
    Column("until_us", Number, nullable=False),
)

# What people have asked for by the GDPR. Who asks stands here only while it is being answered.
subject_request = Table(
    "subject_request",
    metadata,
    Column("number", Number, Identity(), primary_key=True),
    Column("kind", Line(), nullable=False),
    Column("state", Line(), nullable=False, index=True),
    # Where the letter lies, in words.
    Column("reference", Line(), nullable=False),
    Column("grounds", Line(), nullable=False),
    # ISO dates.
    Column("received", Line(), nullable=False),
    Column("due", Line(), nullable=False, index=True),
    # Why it takes longer than a month, as the person was told; empty = it does not.
    Column("extension", Line(), nullable=False),
    Column("address", Line(), nullable=False),
    Column("since_us", Number, nullable=False),
    Column("until_us", Number, nullable=False),
    Column("agent", Line(), nullable=False),
    Column("consent_id", Line(), nullable=False),
    # How it was found out who asks: by a link, by hand with a reason; empty = not yet.
    Column("identified", Line(), nullable=False),
    Column("identified_reason", Line(), nullable=False),
    Column("handler", Line(), nullable=False),
    Column("decision", Line(), nullable=False),
    # Entries of the audit: the copy that was handed over, the certificates of what was erased; 0 = none.
    Column("copy", Number, nullable=False),
    Column("certificate", Number, nullable=False),
    Column("choices_certificate", Number, nullable=False),
    Column("entered_us", Number, nullable=False),
    Column("closed_us", Number),
    sqlite_autoincrement=True,
)

# Links by which a person shows who asks, each good for one use.
subject_link = Table(
    "subject_link",
    metadata,
    # SHA-256 of the token, which stands in the link alone.
    Column("digest", Line(), primary_key=True),
    Column("request", Number, nullable=False, unique=True),
    Column("expires_us", Number, nullable=False),
)

# Rows that may only be stored (GDPR art. 18).
restriction = Table(
    "restriction",
    metadata,
    Column("number", Number, Identity(), primary_key=True),
    Column("request", Number, nullable=False, index=True),
    # A network of addresses, and the browser; empty where it was lifted.
    Column("network", Line(), nullable=False),
    Column("agent", Line(), nullable=False),
    Column("since_us", Number, nullable=False),
    Column("until_us", Number, nullable=False),
    Column("case_id", Line(), nullable=False),
    Column("reason", Line(), nullable=False),
    Column("begun_us", Number, nullable=False),
    # ISO date of the last day; empty = until it is lifted.
    Column("last_day", Line(), nullable=False),
    Column("lifted_us", Number, index=True),
    sqlite_autoincrement=True,
)
