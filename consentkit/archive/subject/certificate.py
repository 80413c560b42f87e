"""What the audit says of an erasure: that it was begun, what each place gave up, and the certificate.

Owns the entries ``subject.erasing`` and ``subject.erased``, and finding them again for who names the person: they
hold a fingerprint in her place. What a crash cut short is finished under its first number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.store.interface import iso_time
from consentkit.archive.subject.person import Person, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from consentkit.audit import Actor, AuditEntry, Look
    from consentkit.control import Control
    from consentkit.crypto import Keyring

BEGUN: Final = "subject.erasing"
DONE: Final = "subject.erased"
PLACES: Final = ("period.erased", "incident.erased")


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure under way.

    Attributes:
        number: of the entry that began it; every entry that follows from it names it.
        continues: numbers of earlier ones of the same person within the same time that were cut short.
        detail: who and which time, as they stand in its entries.
    """

    number: int
    continues: tuple[int, ...]
    detail: Mapping[str, object]


class PlaceErased(msgspec.Struct, frozen=True, kw_only=True):
    """What one place gave up, as the certificate lists it.

    Attributes:
        entry: number of the audit entry that tells of it.
        period: name; empty for an incident.
        incident: number; 0 for a period.
        erased: rows.
    """

    entry: int
    period: str = ""
    incident: int = 0
    erased: int


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased of a person, and what stays.

    Attributes:
        number, time_us, hash: of the audit's entry.
        erasing: number of the entry that began it.
        subject: fingerprint.
        by: ``address`` or ``consent_id``.
        since, until: the time asked for; empty for a consent id.
        is_one_browser: the rows of one browser alone were asked for, not all of the address.
        rows: erased in all.
        places: each with its own entry.
        kept: what stays, each with its reason and until when.
        indistinct: rows that may be hers and can't be told apart from others'.
        spooled: stored and erased records that still lie, sealed, in segments which workers write.
        copies: numbers of registered copies that may hold her rows and that we can't reach.
    """

    number: int
    time_us: int
    hash: str
    erasing: int
    subject: str
    by: str
    since: str
    until: str
    rows: int
    is_one_browser: bool = False
    places: tuple[PlaceErased, ...]
    kept: tuple[dict[str, object], ...]
    indistinct: int
    spooled: int
    copies: tuple[int, ...]


class _Detail(msgspec.Struct, frozen=True):
    erasing: int = 0
    subject: str = ""
    since: str = ""
    until: str = ""
    is_one_browser: bool = False
    continues: tuple[int, ...] = ()
    period: str = ""
    incident: int = 0
    erased: int = 0


def identity(keyring: Keyring, person: Person) -> dict[str, object]:
    """Return how the audit speaks of a person and the time that is asked for."""
    times = (person.since_us, person.until_us) if person.address else ()
    since, until = map(iso_time, times) if times else ("", "")
    told: dict[str, object] = {
        "subject": fingerprint(keyring, person),
        "by": person.kind,
        "since": since,
        "until": until,
    }
    return {**told, "is_one_browser": True} if person.agent else told


def unfinished(connection: Connection, detail: Mapping[str, object]) -> tuple[int, ...]:
    """Return the erasures of the same person, within the same time, that have no certificate yet."""
    done: set[int] = set()
    for entry in audit.newest_first(connection, DONE):
        said = msgspec.json.decode(entry.detail, type=_Detail)
        done |= {said.erasing, *said.continues}
    found = []
    for entry in audit.newest_first(connection, BEGUN):
        said = msgspec.json.decode(entry.detail, type=_Detail)
        is_within = str(detail["since"]) <= said.since and said.until <= str(detail["until"])
        is_alike = said.subject == detail["subject"] and said.is_one_browser == ("is_one_browser" in detail)
        if is_alike and is_within and entry.number not in done:
            found.append(entry.number)
    return tuple(reversed(found))


def begin(control: Control, keyring: Keyring, person: Person, actor: Actor, look: Look) -> Begun:
    """Write that an erasure begins.

    Raises:
        StorageError, KeyUnavailable: it can't be written; nothing may be erased.
    """
    detail = identity(keyring, person)
    with control.transaction() as connection:
        continues = unfinished(connection, detail)
        told = {**detail, "continues": continues}
        number = audit.append(connection, actor, BEGUN, look=look, detail=told).number
    return Begun(number=number, continues=continues, detail=detail)


def certify(
    control: Control,
    begun: Begun,
    actor: Actor,
    look: Look,
    *,
    kept: Iterable[Mapping[str, object]],
    indistinct: int = 0,
    spooled: int = 0,
    copies: Iterable[int] = (),
) -> Certificate:
    """Write the certificate, with what every place gave up since the erasure was first begun.

    Raises:
        StorageError: it can't be written; erasing again writes it.
    """
    with control.transaction() as connection:
        places = _places(connection, {begun.number, *begun.continues})
        detail = {
            **begun.detail,
            "erasing": begun.number,
            "continues": begun.continues,
            "places": places,
            "kept": list(kept),
            "indistinct": indistinct,
            "spooled": spooled,
            "copies": list(copies),
        }
        rows = sum(place.erased for place in places)
        return _certificate(audit.append(connection, actor, DONE, look=look, detail=detail, rows=rows))


def certificates(control: Control, keyring: Keyring, person: Person) -> list[Certificate]:
    """Return a person's certificates, newest first: those whose time meets the one that is asked for."""
    wanted = identity(keyring, person)
    found = []
    with control.transaction() as connection:
        for entry in audit.newest_first(connection, DONE):
            said = msgspec.json.decode(entry.detail, type=_Detail)
            is_met = said.since <= str(wanted["until"]) and said.until >= str(wanted["since"])
            if said.subject == wanted["subject"] and is_met:
                found.append(_certificate(entry))
    return found


def _places(connection: Connection, numbers: set[int]) -> list[PlaceErased]:
    found = []
    for action in PLACES:
        for entry in audit.newest_first(connection, action):
            said = msgspec.json.decode(entry.detail, type=_Detail)
            if said.erasing in numbers:
                place = PlaceErased(
                    entry=entry.number, period=said.period, incident=said.incident, erased=said.erased
                )
                found.append(place)
    return sorted(found, key=lambda place: place.entry)


def _certificate(entry: AuditEntry) -> Certificate:
    told = msgspec.json.decode(entry.detail, type=dict[str, object])
    own = {"number": entry.number, "time_us": entry.time_us, "hash": entry.hash, "rows": entry.rows}
    return msgspec.convert({**told, **own}, Certificate)
