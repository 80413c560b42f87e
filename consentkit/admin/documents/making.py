"""Making any of the documents, in words and as data, from the settings in force.

Owns which documents there are and which settings each rests on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

import msgspec

from consentkit.admin.documents import balancing, measures, places, processing
from consentkit.admin.documents.layout import Document
from consentkit.admin.office import Office
from consentkit.admin.writing import Writing
from consentkit.archive.register import balancing as weighing
from consentkit.archive.register.measures import measures as measured
from consentkit.archive.register.places import storage_places
from consentkit.archive.register.processings import processing_record
from consentkit.archive.register.recipients import recipients_as_of
from consentkit.web.texts import Catalogue


class Made(msgspec.Struct, frozen=True):
    """A document in words, and its facts as plain values."""

    document: Document
    facts: object


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One document that there is.

    Attributes:
        title: what it is called; takes the language and the basis of the log.
        make: makes it as of a day.
        rests_on: beginnings of the names of the settings that it says.
    """

    title: Callable[[Catalogue, str], str]
    make: Callable[[Office, Catalogue, Writing, date], Made]
    rests_on: tuple[str, ...]


def _processing(office: Office, say: Catalogue, write: Writing, day: date) -> Made:
    record = processing_record(office.settings, day, asks=_asks(office))
    return Made(processing.processing_document(say, record, _default(office)), record)


def _measures(office: Office, say: Catalogue, write: Writing, day: date) -> Made:
    now = measured(office.settings, office.holdings)
    return Made(measures.measures_document(say, write, now), now)


def _recipients(office: Office, say: Catalogue, write: Writing, day: date) -> Made:
    found = recipients_as_of(office.settings, day)
    facts = {"as_of": day, "recipients": found}
    return Made(places.recipients_document(say, found, day, _default(office)), facts)


def _storage(office: Office, say: Catalogue, write: Writing, day: date) -> Made:
    found = storage_places(office.settings, office.registry, day)
    return Made(places.storage_document(say, found, _default(office)), found)


def _balancing(office: Office, say: Catalogue, write: Writing, day: date) -> Made:
    settings = office.settings
    record, now = processing_record(settings, day, asks=_asks(office)), measured(settings, office.holdings)
    document = balancing.balancing_document(
        say,
        record,
        now,
        retention_reason=settings.requestlog.retention_reason,
        default_language=_default(office),
    )
    facts = {
        "weighed": weighing.weighed(settings),
        "standing": weighing.standing(office.control, settings),
        "processing": next(one for one in record.processings if one.name == "requests"),
        "measures": now,
    }
    return Made(document, facts)


def _asks(office: Office) -> bool:
    return bool(office.registry.categories) and not office.settings.consent.deny_only


def _default(office: Office) -> str:
    return office.settings.site.languages[0]


BALANCING: Final = "balancing-test"

KINDS: Final[dict[str, Kind]] = {
    "processing": Kind(
        title=lambda say, basis: processing.processing_title(say),
        make=_processing,
        rests_on=("site.", "requestlog.", "keep.", "recipients", "consent."),
    ),
    "measures": Kind(
        title=lambda say, basis: measures.measures_title(say),
        make=_measures,
        rests_on=("storage.", "requestlog.", "keep.audit"),
    ),
    "recipients": Kind(
        title=lambda say, basis: places.recipients_title(say), make=_recipients, rests_on=("recipients",)
    ),
    "storage": Kind(
        title=lambda say, basis: places.storage_title(say),
        make=_storage,
        rests_on=("storage.", "site.storage_", "recipients"),
    ),
    BALANCING: Kind(
        title=balancing.balancing_title,
        make=_balancing,
        rests_on=(
            "requestlog.basis",
            "requestlog.retention_",
            "requestlog.truncate_",
            "requestlog.geo_",
            "requestlog.keep_query_keys",
            "requestlog.redact_paths",
            "requestlog.exclude_paths",
            "keep.incident_review",
            "site.storage_region",
            "recipients",
        ),
    ),
}
