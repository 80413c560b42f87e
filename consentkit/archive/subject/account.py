"""What a person is told beside her data: by whom, why, on which basis, how long, for whom and from where.

Owns the words that follow from the settings in force; they stand in the manifest, which is signed, and on the
page. Source: GDPR art. 15(1) and (2), 11, 12(2).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.store.select import iso_time

if TYPE_CHECKING:
    from consentkit.archive.subject.person import Person
    from consentkit.archive.subject.traces import Traces
    from consentkit.audit import Look
    from consentkit.settings import Recipient, Settings
    from consentkit.settings.values import Text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_BASES: Final = {
    "legitimate_interest": "legitimate interest in availability and security (GDPR art. 6(1)(f))",
    "legal_obligation": "a legal obligation (GDPR art. 6(1)(c))",
    "public_task": "a public task (GDPR art. 6(1)(e))",
}
_LOG_PURPOSE: Final = "working, security and incidents of this website"
_CONSENT_PURPOSE: Final = "to prove which consent was given or refused"
_CONSENT_BASIS: Final = "a legal obligation: to be able to demonstrate consent (GDPR art. 5(2), 7(1))"
_WITHHELD: Final = (
    "Addresses in these records were cut to the network, which others share; nobody can tell any more whose they"
    " are (GDPR art. 11), so they are not in this file."
)


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient in words; dates are ISO, empty where none is set."""

    name: str
    country: str
    role: str
    purpose: str
    data: str
    since: str
    until: str
    transfer: str


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What is told beside the data.

    Attributes:
        asked: whom it is about: the address with its time, or the consent id.
        request: number of the person's request; empty where none was given.
        answered_for: the purpose with which the data was looked at for this answer.
        operator, contact, registration, address, dpo: who answers.
        purpose, basis: why the data is kept.
        kept: how long, in a sentence.
        source: where it is from.
        region: the state in which it is kept, and the safeguard where that is outside the EEA.
        recipients: who had or has access to it during the time asked for.
        withheld_rows: rows that may be hers and can't be told apart.
        withheld: why; empty where there are none.
        incidents: numbers of open incidents for which copies are held, with their review dates.
    """

    asked: dict[str, str]
    request: str
    answered_for: str
    operator: str
    contact: str
    registration: str
    address: str
    dpo: str
    purpose: str
    basis: str
    kept: str
    source: str
    region: str
    recipients: tuple[Named, ...]
    withheld_rows: int
    withheld: str
    incidents: tuple[dict[str, object], ...]


def account_of(settings: Settings, person: Person, look: Look, traces: Traces) -> Account:
    """Return what a person is told.

    Args:
        settings: in force.
        person: whose data it is.
        look: of the answer; its case is the request's number.
        traces: where her rows are.
    """
    site = settings.site
    purpose, basis, kept, source = _of_log(settings) if person.address else _of_choices(settings)
    return Account(
        asked=_asked(person),
        request=look.case,
        answered_for=look.purpose,
        operator=site.operator,
        contact=site.contact,
        registration=site.registration,
        address=site.address,
        dpo=site.dpo,
        purpose=purpose,
        basis=basis,
        kept=kept,
        source=source,
        region=f"{site.storage_region} ({site.storage_transfer})"
        if site.storage_transfer
        else site.storage_region,
        recipients=tuple(_named(one, site.languages) for one in settings.recipients if _is_of(one, person)),
        withheld_rows=traces.indistinct,
        withheld=_WITHHELD if traces.indistinct else "",
        incidents=tuple(
            {"incident": trace.incident.number, "rows": trace.counted.rows, "review": trace.incident.review}
            for trace in traces.incidents
            if trace.counted.rows
        ),
    )


def _asked(person: Person) -> dict[str, str]:
    if not person.address:
        return {"consent_id": person.consent_id}
    return {"address": person.address, "since": iso_time(person.since_us), "until": iso_time(person.until_us)}


def _of_log(settings: Settings) -> tuple[str, str, str, str]:
    log = settings.requestlog
    basis = f"{_BASES[log.basis]}: {log.basis_law}" if log.basis_law else _BASES[log.basis]
    kept = f"{log.retention_days} days from the start of the day or hour of the request"
    kept += f", because {log.retention_reason}" if log.retention_reason else ""
    if log.truncate_ip_after_days:
        kept += f"; the address is cut to its network after {log.truncate_ip_after_days} days"
    return _LOG_PURPOSE, basis, kept, "your browser and your connection, with each page that was asked for"


def _of_choices(settings: Settings) -> tuple[str, str, str, str]:
    kept = f"{settings.keep.proof} days after the consent has ended"
    return _CONSENT_PURPOSE, _CONSENT_BASIS, kept, "what was chosen on this website"


def _is_of(recipient: Recipient, person: Person) -> bool:
    """Tell whether a recipient was one during the time asked for."""
    if not person.address:
        return True
    first, last = ((_EPOCH + timedelta(microseconds=us)).date() for us in (person.since_us, person.until_us))
    return (recipient.since is None or recipient.since <= last) and (
        recipient.until is None or recipient.until >= first
    )


def _named(one: Recipient, languages: tuple[str, ...]) -> Named:
    return Named(
        name=one.name,
        country=one.country,
        role=_words(one.role, languages),
        purpose=_words(one.purpose, languages),
        data=_words(one.data, languages),
        since=one.since.isoformat() if one.since else "",
        until=one.until.isoformat() if one.until else "",
        transfer=_words(one.transfer, languages),
    )


def _words(text: Text, languages: tuple[str, ...]) -> str:
    if isinstance(text, str):
        return text
    return next((text[tag] for tag in ("en", *languages) if tag in text), "")
