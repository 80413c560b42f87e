"""The technical and organisational measures in words (GDPR art. 32): what is on, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.admin.documents.layout import Document, Section
from consentkit.admin.documents.processing import truncation_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.admin.writing import Writing
    from consentkit.archive.register.measures import Measures
    from consentkit.web.texts import Catalogue


def measures_title(say: Catalogue) -> str:
    """Return what the document is called."""
    return say.gettext("Technical and organisational measures")


def measures_document(say: Catalogue, write: Writing, now: Measures) -> Document:
    """Return the document."""
    off = tuple(_not_on(say, now))
    missing = Section(
        id="missing",
        title=say.gettext("Not in force"),
        lead=say.gettext("What is prepared for and not in use here."),
        lines=off,
        tone="bad",
    )
    return Document(
        name="measures",
        title=measures_title(say),
        lead=say.gettext("GDPR art. 32. Only what is really in force when this page is made."),
        sections=(
            *((missing,) if off else ()),
            Section(
                id="encryption",
                title=say.gettext("Pseudonymisation and encryption, art. 32(1)(a)"),
                lines=tuple(_encryption(say, now)),
            ),
            Section(
                id="access",
                title=say.gettext("Confidentiality and access, art. 32(1)(b) and (4)"),
                lines=tuple(_access(say, now)),
            ),
            Section(
                id="integrity",
                title=say.gettext("Integrity, availability and resilience, art. 32(1)(b) and (c)"),
                lines=tuple(_integrity(say, now)),
            ),
            Section(
                id="testing",
                title=say.gettext("Regular testing, art. 32(1)(d)"),
                lines=tuple(_testing(say, write, now)),
            ),
        ),
    )


def _not_on(say: Catalogue, now: Measures) -> Iterator[str]:
    if not now.has_secret:
        yield say.gettext(
            "The secret that opens the keys was made for development and lies beside them: who has the disk"
            " can read"
            " everything. Set CONSENTKIT_SECRET."
        )
    if now.keys_apart is False:
        yield say.gettext("Data and keys lie on the same device: a copy of the whole disk holds both.")
    without = now.staff - now.staff_with_codes
    if without:
        yield say.ngettext(
            "{n} person signs in without one-time codes.", "{n} people sign in without one-time codes.", without
        )
    if not now.redacts_paths:
        yield say.gettext("Paths of web addresses are stored as they came.")
    if now.verified_us is None:
        yield say.gettext("The log was not verified yet.")
    elif not now.verified_good:
        yield say.gettext("The last verification of the log found faults.")


def _encryption(say: Catalogue, now: Measures) -> Iterator[str]:
    yield from _stored_on_server(say, now) if now.requests_on else _stored(say, now)
    if now.has_secret:
        yield say.gettext(
            "The keys open only with a secret that the operator gives and that is not stored with them."
        )
    if now.keys_apart:
        yield say.gettext("Data and keys lie on different devices.")
    if now.kept_query_keys:
        yield say.gettext(
            "Values in the query of web addresses are blacked out before they are stored, but for: {keys}.",
            keys=", ".join(now.kept_query_keys),
        )
    else:
        yield say.gettext("All values in the query of web addresses are blacked out before they are stored.")
    if now.redacts_paths:
        yield say.gettext(
            "E-mail addresses, tokens and personal codes in paths are blacked out before they are stored."
        )
    if now.truncate_after_days is not None:
        yield truncation_text(say, now.truncate_after_days)


def _stored(say: Catalogue, now: Measures) -> Iterator[str]:
    if now.rotate == "hour":
        yield say.gettext(
            "Everything is stored encrypted (AES-256); the requests of each hour have a key of their own."
        )
    else:
        yield say.gettext(
            "Everything is stored encrypted (AES-256); the requests of each day have a key of their own."
        )
    yield say.ngettext(
        "After {n} day that key is destroyed first, then the file: copies in backups can't be read any more"
        " either.",
        "After {n} days that key is destroyed first, then the file: copies in backups can't be read any more"
        " either.",
        now.retention_days,
    )


def _stored_on_server(say: Catalogue, now: Measures) -> Iterator[str]:
    yield say.gettext(
        "Requests lie in {server}. Addresses, web addresses, browsers and referrers are encrypted (AES-256) before"
        " they reach it; times, sizes and status codes are not.",
        server=now.requests_on,
    )
    if now.rotate == "hour":
        yield say.gettext("The requests of each hour have a key of their own, which never reaches the server.")
    else:
        yield say.gettext("The requests of each day have a key of their own, which never reaches the server.")
    yield say.ngettext(
        "After {n} day that key is destroyed first, then the rows: what was encrypted can't be read in backups"
        " either.",
        "After {n} days that key is destroyed first, then the rows: what was encrypted can't be read in backups"
        " either.",
        now.retention_days,
    )
    if now.control_on:
        yield say.gettext(
            "Choices, audit and people lie in {server}, protected by its own means: access to it, its disks and"
            " its backups are the operator's.",
            server=now.control_on,
        )
    else:
        yield say.gettext("Choices, audit and people are stored encrypted (AES-256) on our own disk.")


def _access(say: Catalogue, now: Measures) -> Iterator[str]:
    yield say.gettext(
        "Only who has a role sees anything; search, requests of people and administration are apart."
    )
    if now.staff:
        yield say.ngettext(
            "{n} person may sign in, {codes} of them with one-time codes.",
            "{n} people may sign in, {codes} of them with one-time codes.",
            now.staff,
            codes=now.staff_with_codes,
        )
        yield say.gettext(
            "Passwords are kept as Argon2id hashes; failed attempts are slowed down by name and by network."
        )
    else:
        yield say.gettext("Nobody has an account of the admin area.")
    yield say.gettext(
        "Personal data is shown only after a purpose was given; addresses are masked until shown for a case."
    )
    yield say.ngettext(
        "Each look is recorded before it is shown: who, when, from where, why, which rows. Kept for {n} day.",
        "Each look is recorded before it is shown: who, when, from where, why, which rows. Kept for {n} days.",
        now.audit_days,
    )
    yield say.gettext("Each copy that leaves is registered, with whom it is for and when it must be destroyed.")


def _integrity(say: Catalogue, now: Measures) -> Iterator[str]:
    yield say.gettext("The record of access and the request log are each chained: a change or a gap is found.")
    yield say.gettext("A database that was put back to an older copy is noticed and told.")
    yield say.gettext(
        "While the store does not answer, requests wait on the disk, encrypted, up to {size} MB.",
        size=now.spool_max_mb,
    )


def _testing(say: Catalogue, write: Writing, now: Measures) -> Iterator[str]:
    yield say.gettext(
        "Folders, keys, clock, retention, gaps and reviews are examined by consentkit doctor and under Health."
    )
    if now.verified_us is not None and now.verified_good:
        yield say.gettext("The log was last verified on {date}, and held.", date=write.day(now.verified_us))
