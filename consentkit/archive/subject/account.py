"""What a person is told beside her data: by whom, why, on which basis, how long, for whom and from where.

Owns what follows from the settings in force; it stands in the manifest, which is signed, and on the page. The
words are `wording`'s. Source: GDPR art. 15(1) and (2), 11, 12(2).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.store.interface import iso_time
from consentkit.archive.subject.wording import choice_words, log_words, others_withheld, why_withheld

if TYPE_CHECKING:
    from consentkit.archive.subject.person import Person
    from consentkit.archive.subject.traces import Traces
    from consentkit.audit import Look
    from consentkit.settings import Recipient, Settings
    from consentkit.settings.values import Text
    from consentkit.web.texts import Catalogue

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
        language: BCP 47 tag of the words below.
        asked: whom it is about: the address with its time, or the consent id.
        request: number of the person's request; empty where none was given.
        answered_for: the purpose with which the data was looked at for this answer.
        operator, contact, registration, address, dpo: who answers.
        purpose, basis: why the data is kept.
        kept: how long, in a sentence.
        source: where it is from.
        region: the state in which it is kept, and the safeguard where that is outside the EEA; empty = not said.
        recipients: who had or has access to it during the time asked for.
        withheld_rows: rows that may be hers and can't be told apart.
        withheld: why; empty where there are none.
        incidents: numbers of open incidents for which copies are held, with their review dates.
    """

    language: str
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


def account_of(settings: Settings, person: Person, look: Look, traces: Traces, say: Catalogue) -> Account:
    """Return what a person is told.

    Args:
        settings: in force.
        person: whose data it is.
        look: of the answer; its case is the request's number.
        traces: where her rows are.
        say: the words of the language that she is answered in.
    """
    site = settings.site
    told = log_words(settings.requestlog, say) if person.address else choice_words(settings.keep.proof, say)
    return Account(
        language=say.language,
        asked=_asked(person),
        request=look.case,
        answered_for=look.purpose,
        operator=site.operator,
        contact=site.contact,
        registration=site.registration,
        address=site.address,
        dpo=site.dpo,
        purpose=told.purpose,
        basis=told.basis,
        kept=told.kept,
        source=told.source,
        region=f"{site.storage_region} ({site.storage_transfer})"
        if site.storage_region and site.storage_transfer
        else site.storage_region,
        recipients=tuple(
            named(one, (say.language, *site.languages)) for one in settings.recipients if _is_of(one, person)
        ),
        withheld_rows=traces.indistinct + traces.others,
        withheld=_why_withheld(traces, say),
        incidents=tuple(
            {"incident": trace.incident.number, "rows": trace.counted.rows, "review": trace.incident.review}
            for trace in traces.incidents
            if trace.counted.rows
        ),
    )


def _why_withheld(traces: Traces, say: Catalogue) -> str:
    why = [why_withheld(say)] if traces.indistinct else []
    return " ".join([*why, others_withheld(say)] if traces.others else why)


def _asked(person: Person) -> dict[str, str]:
    if not person.address:
        return {"consent_id": person.consent_id}
    return {"address": person.address, "since": iso_time(person.since_us), "until": iso_time(person.until_us)}


def _is_of(recipient: Recipient, person: Person) -> bool:
    """Tell whether a recipient was one during the time asked for."""
    if not person.address:
        return True
    first, last = ((_EPOCH + timedelta(microseconds=us)).date() for us in (person.since_us, person.until_us))
    return (recipient.since is None or recipient.since <= last) and (
        recipient.until is None or recipient.until >= first
    )


def named(one: Recipient, languages: tuple[str, ...]) -> Named:
    """Return a recipient in the first of these languages that it has."""
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
    return next((text[tag] for tag in (*languages, "en") if tag in text), "")
