"""Closing an incident: its rows are destroyed, each step durable before the next, and certified.

Owns the steps. They are a period's: announced in the audit, the key destroyed and remembered as such, the rows
removed, the certificate, which is the audit's entry ``incident.closed``. What breaks off is finished by `begun`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.archive.custody import custody
from consentkit.archive.destruction import destroy_place
from consentkit.archive.incident.listing import BadIncident, change, find
from consentkit.archive.periodlock import READER_SECONDS
from consentkit.audit import Look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.audit import Actor, AuditEntry

ANNOUNCED = "incident.closing"
CERTIFIED = "incident.closed"


def close(
    holdings: Holdings, number: int, actor: Actor, look: Look, *, wait_seconds: float = READER_SECONDS
) -> Iterator[str]:
    """Close an incident, yielding after each step what is durable by then; the last is ``certified``.

    Args:
        holdings: the store.
        number: which one.
        actor: who closes it.
        look: why; its case is the incident's.
        wait_seconds: how long readers may take to leave.

    Raises:
        BadIncident: it is closed already, or there is none.
        PeriodBusy: readers did not leave; what was begun is finished at the next run of retention.
        StorageError: a step failed; likewise.
    """
    with custody(holdings.control, wait_seconds=wait_seconds):
        with holdings.control.transaction() as connection:
            incident = find(connection, number)
        if incident.state == "closed":
            raise BadIncident(f"incident {number} is closed already; see `consentkit incident show {number}`")
        announce(holdings, incident, actor, look)
        yield "announced"
        with holdings.control.transaction() as connection:
            present = find(connection, number)
        yield from finish(holdings, present, actor, wait_seconds=wait_seconds)


def announce(holdings: Holdings, incident: Incident, actor: Actor, look: Look) -> None:
    """Write down that an open incident's rows go now, before anything does; nothing where that was done."""
    with holdings.control.transaction() as connection:
        if incident.state == "open" and change(connection, incident, state="closing"):
            of_case = msgspec.structs.replace(look, case=incident.case_id)
            audit.append(connection, actor, ANNOUNCED, look=of_case, detail=_detail(incident))


def finish(holdings: Holdings, incident: Incident, actor: Actor, *, wait_seconds: float) -> Iterator[str]:
    """Go through the steps after the announcement; each does nothing where it is done. The caller has custody.

    Raises:
        PeriodBusy, StorageError: as `close`.
    """
    for generation in (incident.old_generation, incident.generation):
        if generation is not None:
            yield from destroy_place(holdings, incident.place(generation), wait_seconds=wait_seconds)
    with holdings.control.transaction() as connection:
        _certify(connection, incident, actor)
    yield "certified"


def certificate(connection: Connection, number: int) -> AuditEntry | None:
    """Return the certificate of a closed incident; None where there is none, or it was pruned."""
    return _entry(connection, CERTIFIED, number)


def _certify(connection: Connection, incident: Incident, actor: Actor) -> None:
    # What was asked for may be somebody's address: it goes with the rows.
    gone = {"state": "closed", "filters": "{}", "old_generation": None, "closed_us": time.time_ns() // 1000}
    if not change(connection, incident, **gone):
        return
    begun = _entry(connection, ANNOUNCED, incident.number)
    detail, look = _detail(incident), Look("incident", incident.case_id)
    if begun is not None:  # what it says was found before the file was gone
        detail = {**msgspec.json.decode(begun.detail, type=dict[str, object]), "announced_in_entry": begun.number}
        detail["closed_by"] = begun.actor
        look = msgspec.structs.replace(look, reason=begun.reason)
    audit.append(connection, actor, CERTIFIED, look=look, detail=detail)


class _Number(msgspec.Struct, frozen=True):
    incident: int


def _entry(connection: Connection, action: str, number: int) -> AuditEntry | None:
    for entry in audit.newest_first(connection, action):
        if msgspec.json.decode(entry.detail, type=_Number).incident == number:
            return entry
    return None


def _detail(incident: Incident) -> dict[str, object]:
    return {
        "incident": incident.number,
        "generation": incident.generation,
        "rows": incident.rows,
        "bytes": incident.bytes,
        "file_hash": incident.file_hash,
        "opened_us": incident.opened_us,
    }
