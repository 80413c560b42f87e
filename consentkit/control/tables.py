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
    Column("previous_number", Integer, nullable=False, index=True),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # When the row was written: later than `minute` where it was owed for a while.
    Column("written", Integer, nullable=False),
    # Of what was in force, and of what was shown; empty where neither is known.
    Column("policy_hash", String(64), nullable=False),
    Column("text_hash", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    # The audit's entry by which all but the row's place in the chain was let go; 0 = it is whole.
    Column("pruned_in", Integer, nullable=False, index=True),
)

# What visitors were shown when they decided, once a wording.
shown_text = Table(
    "shown_text",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("locale", String(35), nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    # When it was first decided under; seconds since 1970 UTC.
    Column("time", Integer, nullable=False),
)

# Which decision a form made that may be sent twice; for some minutes.
answered_form = Table(
    "answered_form",
    metadata,
    # SHA-256 over the form's own random value; see `consentkit.visitor.once`.
    Column("digest", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    # When it was written, since 1970 UTC.
    Column("minute", Integer, nullable=False, index=True),
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
    Column("state", String(16), nullable=False, index=True),
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
    # The ingester's clock when it was decided: the time under which such a record is found.
    Column("time_us", Integer, nullable=False),
    # A time outside of these can't be true.
    Column("since_us", Integer, nullable=False),
    Column("until_us", Integer, nullable=False),
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

# How often the banner was shown and answered, without anyone in it: it outlives the decisions.
consent_rate = Table(
    "consent_rate",
    metadata,
    # ISO 8601 date, UTC.
    Column("day", String(10), primary_key=True),
    Column("language", String(35), primary_key=True),
    # Empty: the answer as a whole.
    Column("category", String(16), primary_key=True),
    Column("kind", String(16), primary_key=True),
    # 1 a script sent the answer, 0 a plain form did, -1 can't be known.
    Column("script", Integer, primary_key=True),
    Column("times", Integer, nullable=False),
)

# What of one worker's counters is in `consent_rate` already.
consent_showing = Table(
    "consent_showing",
    metadata,
    Column("worker", String(16), primary_key=True),
    # JSON, as the worker writes it.
    Column("counted", LargeBinary, nullable=False),
    # The day on which it last grew; ISO 8601, UTC.
    Column("day", String(10), nullable=False),
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

# Who may sign in to the admin area. A person who was removed stays, so that the audit's names mean something.
person = Table(
    "person",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    # By which two names are one: NFC, case-folded.
    Column("folded_name", String(192), nullable=False, unique=True),
    # Separated by spaces, in the order of the table of roles.
    Column("roles", Text, nullable=False),
    # Argon2id in its encoded form; empty where the person was removed.
    Column("password", Text, nullable=False),
    # Given by an administrator, to be replaced at the first sign-in.
    Column("is_temporary", Integer, nullable=False),
    # Sealed; nothing where no one-time codes are asked for. The coming one waits for its first code.
    Column("totp", LargeBinary),
    Column("coming_totp", LargeBinary),
    # Of the last code that was taken, in steps of 30 s since 1970 UTC: none is taken twice.
    Column("totp_step", Integer, nullable=False),
    Column("created_us", Integer, nullable=False),
    Column("password_us", Integer, nullable=False),
    Column("changed_us", Integer, nullable=False),
    Column("removed_us", Integer),
)

# What opens an account once where the one-time codes' device is lost.
recovery_code = Table(
    "recovery_code",
    metadata,
    Column("person", Integer, primary_key=True),
    Column("digest", String(64), primary_key=True),
)

# Who is signed in.
session = Table(
    "session",
    metadata,
    Column("number", Integer, primary_key=True),
    # SHA-256 of the random id, which the browser alone has.
    Column("digest", String(64), nullable=False, unique=True),
    # A person's name; one that the site has signed in stands in no table.
    Column("folded_name", String(192), nullable=False, index=True),
    # The password was right, the one-time code is still to come.
    Column("is_pending", Integer, nullable=False),
    Column("address", Text, nullable=False),
    Column("begun_us", Integer, nullable=False),
    Column("seen_us", Integer, nullable=False),
    Column("confirmed_us", Integer, nullable=False),
    # Why personal data is looked at; empty where nothing was said.
    Column("purpose", String(16), nullable=False),
    Column("case_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("looked_us", Integer, nullable=False),
    # BCP 47 tag that was chosen; empty = the browser's.
    Column("language", String(35), nullable=False),
    sqlite_autoincrement=True,
)

# Failed sign-ins, under keyed digests of names and networks.
throttle = Table(
    "throttle",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_us", Integer, nullable=False, index=True),
    # Nothing is tried before.
    Column("until_us", Integer, nullable=False),
)

# What people have asked for by the GDPR. Who asks stands here only while it is being answered.
subject_request = Table(
    "subject_request",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    # Where the letter lies, in words.
    Column("reference", Text, nullable=False),
    Column("grounds", Text, nullable=False),
    # ISO dates.
    Column("received", String(10), nullable=False),
    Column("due", String(10), nullable=False, index=True),
    # Why it takes longer than a month, as the person was told; empty = it does not.
    Column("extension", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("since_us", Integer, nullable=False),
    Column("until_us", Integer, nullable=False),
    Column("agent", Text, nullable=False),
    Column("consent_id", String(43), nullable=False),
    # How it was found out who asks: by a link, by hand with a reason; empty = not yet.
    Column("identified", String(8), nullable=False),
    Column("identified_reason", Text, nullable=False),
    Column("handler", Text, nullable=False),
    Column("decision", Text, nullable=False),
    # Entries of the audit: the copy that was handed over, the certificates of what was erased; 0 = none.
    Column("copy", Integer, nullable=False),
    Column("certificate", Integer, nullable=False),
    Column("choices_certificate", Integer, nullable=False),
    Column("entered_us", Integer, nullable=False),
    Column("closed_us", Integer),
    sqlite_autoincrement=True,
)

# Links by which a person shows who asks, each good for one use.
subject_link = Table(
    "subject_link",
    metadata,
    # SHA-256 of the token, which stands in the link alone.
    Column("digest", String(64), primary_key=True),
    Column("request", Integer, nullable=False, unique=True),
    Column("expires_us", Integer, nullable=False),
)

# Rows that may only be stored (GDPR art. 18).
restriction = Table(
    "restriction",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("request", Integer, nullable=False, index=True),
    # A network of addresses, and the browser; empty where it was lifted.
    Column("network", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("since_us", Integer, nullable=False),
    Column("until_us", Integer, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("begun_us", Integer, nullable=False),
    # ISO date of the last day; empty = until it is lifted.
    Column("last_day", String(10), nullable=False),
    Column("lifted_us", Integer, index=True),
    sqlite_autoincrement=True,
)
