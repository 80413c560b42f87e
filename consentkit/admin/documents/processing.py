"""The record of processing activities in words (GDPR art. 30(1)(a) to (g))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.admin.documents import codes
from consentkit.admin.documents.layout import Document, Fact, Section, fact, not_given, place_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.register.processings import Erasure, Processing, ProcessingRecord
    from consentkit.web.texts import Catalogue


def processing_title(say: Catalogue) -> str:
    """Return what the document is called."""
    return say.gettext("Record of processing activities")


def processing_document(say: Catalogue, record: ProcessingRecord, default_language: str) -> Document:
    """Return the document."""
    names = codes.processing_names(say)
    return Document(
        name="processing",
        title=processing_title(say),
        lead=say.gettext(
            "GDPR art. 30(1). What consentkit does for this site; what else the site does with personal data"
            " belongs"
            " beside it."
        ),
        sections=(
            _controller(say, record),
            *(
                Section(
                    id=one.name,
                    title=names[one.name],
                    facts=tuple(_facts(say, one, record, default_language)),
                )
                for one in record.processings
            ),
        ),
    )


def _controller(say: Catalogue, record: ProcessingRecord) -> Section:
    one, missing = record.controller, not_given(say)
    return Section(
        id="controller",
        title=say.gettext("Controller"),
        facts=(
            fact(say.gettext("Name"), one.name or missing),
            fact(say.gettext("Registration number"), one.registration or missing),
            fact(say.gettext("Postal address"), one.address or missing),
            fact(say.gettext("Contact"), one.contact or missing),
            fact(say.gettext("Data protection officer"), one.dpo or missing),
        ),
    )


def _facts(say: Catalogue, one: Processing, record: ProcessingRecord, default_language: str) -> Iterator[Fact]:
    subjects, data = codes.subject_names(say), codes.data_names(say, record.kept_query_keys)
    yield fact(say.gettext("Purpose"), codes.processing_purposes(say)[one.name])
    yield fact(say.gettext("Legal basis"), codes.basis_text(say, one.basis, one.basis_law))
    yield fact(say.gettext("Categories of data subjects"), *(subjects[each] for each in one.subjects))
    yield fact(say.gettext("Categories of personal data"), *(data[each] for each in one.data))
    yield fact(say.gettext("Recipients"), *_recipients(say, one))
    yield fact(say.gettext("Transfers to third countries"), *_transfers(say, one, default_language))
    yield fact(say.gettext("Time limits for erasure"), *(erasure_text(say, each) for each in one.erasure))
    yield fact(
        say.gettext("Security measures"),
        say.gettext(
            "Those of the document “{title}”.", title=say.gettext("Technical and organisational measures")
        ),
    )


def _recipients(say: Catalogue, one: Processing) -> Iterator[str]:
    yield from one.recipients or (say.gettext("Nobody outside of the controller."),)
    if one.has_authorities:
        yield say.gettext("The police or another competent authority, where the incident is reported.")


def _transfers(say: Catalogue, one: Processing, default_language: str) -> Iterator[str]:
    if not one.transfers:
        yield say.gettext("None.")
    for name, place in one.transfers:
        text = place_text(say, place, default_language)
        yield f"{name}: {text}" if name else text


def erasure_text(say: Catalogue, one: Erasure) -> str:
    """Return when something goes."""
    match one.of:
        case "record":
            return say.ngettext(
                "{n} day after the request at the latest.", "{n} days after the request at the latest.", one.days
            )
        case "address":
            return truncation_text(say, one.days)
        case "proof":
            return say.ngettext(
                "{n} day after the consent has ended.", "{n} days after the consent has ended.", one.days
            )
        case "review":
            return say.ngettext(
                "When the incident is closed. Whether it is still needed is reviewed after {n} day, and then"
                " again.",
                "When the incident is closed. Whether it is still needed is reviewed after {n} days, and then"
                " again.",
                one.days,
            )
        case "entry":
            return say.ngettext(
                "{n} day after the entry; longer while a period, an incident or a copy that it tells of is kept.",
                "{n} days after the entry; longer while a period, an incident or a copy that it tells of is kept.",
                one.days,
            )
        case _:
            return say.gettext("Kept without end: nobody is in it.")


def truncation_text(say: Catalogue, days: int) -> str:
    """Return when addresses are cut; 0 = before they are stored."""
    if not days:
        return say.gettext("Addresses are cut to networks before they are stored.")
    return say.ngettext(
        "Addresses are cut to networks after {n} day.", "Addresses are cut to networks after {n} days.", days
    )
