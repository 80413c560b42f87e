"""Who may sign in to the admin area, and the requests of those whose data it is."""

from __future__ import annotations

from sqlalchemy import Column, Identity, LargeBinary, Table

from consentkit.control.columns import Line, Number
from consentkit.control.tables.schema import metadata

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
