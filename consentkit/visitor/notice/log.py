"""What the notice says of the request log, and of what is copied out of it for an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.archive.lastday import last_day
from consentkit.visitor import notice_wording
from consentkit.visitor.notice.views import Item, Line, Section, linked, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.settings import RequestLog
    from consentkit.visitor.notice.views import Facts
    from consentkit.web.texts import Catalogue


def log_section(facts: Facts) -> Section:
    """Return the section on the request log (GDPR art. 13(1)(c) to (f), (2)(a))."""
    say, log = facts.say, facts.settings.requestlog
    return Section(
        id="log",
        title=say.gettext("The request log"),
        lead=plain(
            say.gettext(
                "To keep the site available and secure, and to investigate incidents. It is used for nothing else."
            )
        ),
        basis=_basis(say, log) or notice_wording.legitimate_interest_text(say),
        items=(
            Item(say.gettext("What is recorded of each request"), plain(*_fields(say, log))),
            Item(say.gettext("What is never recorded"), plain(_never(say))),
            Item(say.gettext("Kept for"), tuple(_kept(facts))),
            Item(say.gettext("Who receives it"), (receivers(facts),)),
            Item(say.gettext("Where it is kept"), plain(stored_in(facts))),
        ),
    )


def incident_section(facts: Facts) -> Section:
    """Return the section on what is held as evidence, which outlives the log."""
    say, log = facts.say, facts.settings.requestlog
    review = say.ngettext(
        "Until the incident is closed. Whether they are still needed is reviewed by a set day, as a rule within"
        " {n} day, at the latest within a year, and then again.",
        "Until the incident is closed. Whether they are still needed is reviewed by a set day, as a rule within"
        " {n} days, at the latest within a year, and then again.",
        facts.settings.keep.incident_review,
    )
    authorities = say.gettext("The police or another competent authority, where the incident is reported.")
    return Section(
        id="incidents",
        title=say.gettext("Incidents"),
        lead=plain(
            say.gettext(
                "To investigate attacks and failures, and to defend rights. Records that are needed for it are"
                " copied and kept apart, for a stated case, with a reason and a person who answers for it."
            )
        ),
        basis=_basis(say, log)
        or say.gettext(
            "Legal basis: our legitimate interest in investigating incidents and in establishing, exercising or"
            " defending legal claims (GDPR art. 6(1)(f))."
        ),
        items=(
            Item(
                say.gettext("What is recorded"),
                plain(say.gettext("Copies of records of the request log, and nothing else.")),
            ),
            Item(say.gettext("Kept for"), plain(review)),
            Item(say.gettext("Who receives it"), (receivers(facts), Line(authorities))),
            Item(say.gettext("Where it is kept"), plain(stored_in(facts))),
        ),
    )


def receivers(facts: Facts) -> Line:
    """Return who receives what is kept on the server."""
    say = facts.say
    current = [one for one in facts.settings.recipients if one.until is None or one.until >= facts.today]
    if not current:
        return Line(say.gettext("Nobody else."))
    name = say.gettext("Who receives data")
    return linked(say.gettext("Those named under “{section}”.", section=name), name, "#recipients")


def stored_in(facts: Facts) -> str:
    """Return where data is kept, or that the operator has not said so."""
    site = facts.settings.site
    if not site.storage_region:
        return facts.say.gettext("It is not stated in which country the data is kept.")
    return facts.place(site.storage_region, site.storage_transfer)


def _basis(say: Catalogue, log: RequestLog) -> str:
    """Return the basis that rests on a law (GDPR art. 6(3)); empty for a legitimate interest."""
    match log.basis:
        case "legal_obligation":
            return say.gettext(
                "Legal basis: a legal obligation (GDPR art. 6(1)(c)), by this law: {law}", law=log.basis_law
            )
        case "public_task":
            return say.gettext(
                "Legal basis: a task in the public interest (GDPR art. 6(1)(e)), by this law: {law}",
                law=log.basis_law,
            )
        case _:
            return ""


def _fields(say: Catalogue, log: RequestLog) -> Iterator[str]:
    yield say.gettext("when it came, and how long the answer took")
    if log.truncate_ip_after_days == 0:
        yield say.gettext("the network of your IP address: its last part is cut off before it is stored")
    else:
        yield say.gettext("your IP address, and that of a proxy through which you came")
    if log.redact_paths:
        yield say.gettext(
            "the web address that was opened; e-mail addresses, access codes and personal codes in its path are"
            " blacked out before it is stored"
        )
    else:
        yield say.gettext("the web address that was opened, with all of its path")
    if log.keep_query_keys:
        yield say.gettext(
            "of the values after its question mark those of: {keys}; all others are blacked out",
            keys=", ".join(log.keep_query_keys),
        )
    else:
        yield say.gettext("none of the values after its question mark: all are blacked out")
    yield say.gettext("whether what was blacked out looked like an attack")
    yield say.gettext("how it was answered: status, size, and whether the answer was complete")
    yield say.gettext("how your browser describes itself: its name and version, the device, the operating system")
    yield say.gettext("the name of the site whose link you followed, without the page")
    if log.geo_database is not None and log.geo_precision == "city":
        yield say.gettext("the country and the city of your IP address, looked up on our own server")
    elif log.geo_database is not None:
        yield say.gettext("the country of your IP address, looked up on our own server")


def _never(say: Catalogue) -> str:
    return say.gettext("Cookies, what you write into forms, passwords, and the number of your consent.")


def _kept(facts: Facts) -> Iterator[Line]:
    say, log = facts.say, facts.settings.requestlog
    yield Line(retention_text(say, log.retention_days))
    if log.retention_reason:
        yield Line(say.gettext("Why for so long: {reason}", reason=log.retention_reason))
    if log.truncate_ip_after_days:
        cut = say.ngettext(
            "After {n} day the last part of IP addresses is cut off.",
            "After {n} days the last part of IP addresses is cut off.",
            log.truncate_ip_after_days,
        )
        yield Line(cut)
    elif log.truncate_ip_after_days is None:
        yield Line(say.gettext("Until then IP addresses are kept whole."))
    yield Line(_destruction(facts))
    yield Line(notice_wording.visit_deleted_by(say, last_day(facts.settings, facts.now)))
    name = say.gettext("Incidents")
    held = say.gettext("What an incident needs is copied, and kept for longer: see “{section}”.", section=name)
    yield linked(held, name, "#incidents")
    yield Line(say.gettext("Counts that identify nobody, such as requests per hour, are kept as statistics."))


def retention_text(say: Catalogue, days: int) -> str:
    """Return how old a record gets."""
    return say.ngettext("No record gets older than {n} day.", "No record gets older than {n} days.", days)


def encryption_texts(facts: Facts) -> Iterator[str]:
    """Yield what is encrypted of all that is kept, and for whom: no more than is true of where it lies."""
    say, storage = facts.say, facts.settings.storage
    if not (storage.url or storage.requests_url):
        yield say.gettext("What is kept is encrypted before it is written.")
        if facts.has_secret:
            yield say.gettext(
                "Whoever has the disk or a copy of it, but not the operator's secret, can read none of it."
            )
        return
    yield say.gettext(
        "Of each request the IP address, the web address, the browser and the site you came from are encrypted"
        " before they reach the database; times, sizes and status codes are not."
    )
    if storage.url:
        yield say.gettext("Choices and the record of access are protected by the database server's own means.")
    else:
        yield say.gettext("What else is kept is encrypted before it is written.")
    if facts.has_secret:
        yield say.gettext("Whoever has a copy of what is encrypted, but not the operator's secret, can't read it.")


def _destruction(facts: Facts) -> str:
    say, log = facts.say, facts.settings.requestlog
    if facts.settings.storage.url or facts.settings.storage.requests_url:
        if log.rotate == "hour":
            return say.gettext(
                "What is encrypted in the records of each hour has a key of its own. It is destroyed with them, so"
                " that copies in backups can't be read any more either."
            )
        return say.gettext(
            "What is encrypted in the records of each day has a key of its own. It is destroyed with them, so that"
            " copies in backups can't be read any more either."
        )
    if log.rotate == "hour":
        return say.gettext(
            "The records of each hour are encrypted under a key of their own. It is destroyed with them, so that"
            " copies in backups can't be read any more either."
        )
    return say.gettext(
        "The records of each day are encrypted under a key of their own. It is destroyed with them, so that copies"
        " in backups can't be read any more either."
    )
