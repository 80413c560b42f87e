"""The record of processing: what is done with personal data, as the settings in force say.

Owns which processings there are and what each holds; in codes, which the admin area words. What a site does apart
from consentkit is not known here.
Source: GDPR art. 30(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from consentkit.archive.register.recipients import Place, place_of, recipients_as_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from consentkit.settings import RequestLog, Settings

Name: TypeAlias = Literal["requests", "choices", "incidents", "access", "subjects", "statistics"]
Basis: TypeAlias = Literal["legitimate_interest", "legal_obligation", "public_task", "none"]


class Controller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is responsible; what the operator has not given is empty."""

    name: str
    contact: str
    registration: str
    address: str
    dpo: str


class Erasure(msgspec.Struct, frozen=True):
    """When data goes.

    Attributes:
        of: ``record``, ``address`` (cut to its network), ``proof`` (counted from the end of the consent),
            ``review`` (whether it is still needed), ``entry`` or ``never`` (nobody is in it).
        days: of age; 0 for an address = before it is stored.
    """

    of: Literal["record", "address", "proof", "review", "entry", "never"]
    days: int = 0


class Processing(msgspec.Struct, frozen=True, kw_only=True):
    """One processing.

    Attributes:
        name: stable.
        basis, basis_law: art. 6(1); the law where it rests on one, as the settings name it; ``art. 7(1)`` and
            ``art. 12-22`` are the regulation's own.
        subjects: ``visitors``, ``staff``, ``people``.
        data: what is recorded, in codes.
        erasure: when it goes.
        recipients: those of today, by name.
        has_authorities: an authority receives it where an incident is reported.
        transfers: the places outside the EEA, by who is there.
    """

    name: Name
    basis: Basis
    basis_law: str
    subjects: tuple[str, ...]
    data: tuple[str, ...]
    erasure: tuple[Erasure, ...]
    recipients: tuple[str, ...]
    has_authorities: bool
    transfers: tuple[tuple[str, Place], ...]


class ProcessingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The whole record."""

    controller: Controller
    processings: tuple[Processing, ...]
    kept_query_keys: tuple[str, ...]


def processing_record(settings: Settings, today: date, *, asks: bool) -> ProcessingRecord:
    """Return the record.

    Args:
        settings: in force.
        today: in UTC; recipients of other days are left out.
        asks: visitors are asked for consent, so that there are choices.
    """
    return ProcessingRecord(
        controller=controller(settings),
        processings=tuple(_processings(settings, today, asks=asks)),
        kept_query_keys=settings.requestlog.keep_query_keys,
    )


def controller(settings: Settings) -> Controller:
    """Return who is responsible."""
    site = settings.site
    return Controller(
        name=site.operator,
        contact=site.contact,
        registration=site.registration,
        address=site.address,
        dpo=site.dpo,
    )


def request_fields(log: RequestLog) -> tuple[str, ...]:
    """Return what is recorded of each request, in codes."""
    return tuple(_request_fields(log))


def _request_fields(log: RequestLog) -> Iterator[str]:
    yield "time"
    yield "network" if log.truncate_ip_after_days == 0 else "address"
    yield "url" if log.redact_paths else "url_whole_path"
    yield "query_keys" if log.keep_query_keys else "query_none"
    yield from ("attack_marks", "answer", "agent", "referrer_host")
    if log.geo_database is not None:
        yield log.geo_precision


def _processings(settings: Settings, today: date, *, asks: bool) -> Iterator[Processing]:
    log, keep = settings.requestlog, settings.keep
    record = [Erasure("record", log.retention_days)]
    if log.truncate_ip_after_days is not None:
        record.append(Erasure("address", log.truncate_ip_after_days))
    law = log.basis_law if log.basis != "legitimate_interest" else ""

    made = _Maker(settings, today)
    yield made.one("requests", log.basis, law, "visitors", request_fields(log), *record)
    if asks:
        held = ("choice", "consent_number", "language", "text_shown")
        yield made.one("choices", "legal_obligation", "art. 7(1)", "visitors", held, Erasure("proof", keep.proof))
    review = Erasure("review", keep.incident_review)
    yield made.one("incidents", log.basis, law, "visitors", ("copies_of_requests", "case"), review)
    looks = ("staff_name", "staff_address", "action", "reason", "search_terms")
    yield made.one("access", "legitimate_interest", "", "staff visitors", looks, Erasure("entry", keep.audit))
    asked_for = ("request_kind", "request_address", "request_answer", "fingerprint")
    yield made.one("subjects", "legal_obligation", "art. 12-22", "people", asked_for, Erasure("entry", keep.audit))
    yield made.one("statistics", "none", "", "", ("counts",), Erasure("never"))


class _Maker:
    """Make processings, each with those who receive what is kept today."""

    def __init__(self, settings: Settings, today: date) -> None:
        self._receivers = [one for one in recipients_as_of(settings, today) if one.when == "present"]
        here = place_of(settings.site.storage_region, settings.site.storage_transfer)
        own = [("", here)] if not here.is_in_eea else []
        self._transfers = (*own, *((one.name, one.place) for one in self._receivers if not one.place.is_in_eea))

    def one(
        self, name: Name, basis: Basis, law: str, subjects: str, data: tuple[str, ...], *erasure: Erasure
    ) -> Processing:
        is_personal = basis != "none"
        return Processing(
            name=name,
            basis=basis,
            basis_law=law,
            subjects=tuple(subjects.split()),
            data=data,
            erasure=erasure,
            recipients=tuple(one.name for one in self._receivers) if is_personal else (),
            has_authorities=name == "incidents",
            transfers=self._transfers if is_personal else (),
        )
