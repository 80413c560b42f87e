"""Erasing a person's rows in an incident's copy, where an officer lets go of them.

Owns the switch of the incident to its new generation. An incident that is not let go keeps its copy: an open
incident is a hold, and the certificate says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.archive.destruction import destroy_place
from consentkit.archive.incident.listing import change
from consentkit.archive.subject.place import ErasureOrder, count_rows, told, write_without
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.archive.store.places import Rewritten
    from consentkit.archive.subject.certificate import Begun


def erase_in_incident(
    holdings: Holdings, incident: Incident, order: ErasureOrder, begun: Begun, *, is_cut: bool
) -> Iterator[str]:
    """Erase, yielding after each step what is durable by then; nothing where the incident is not let go.

    The caller has custody.

    Raises:
        PeriodBusy, KeyUnavailable, StorageError: erasing again goes on there.
    """
    incident = _finish(holdings, incident, order)
    place = incident.place()
    if incident.number not in order.released or not holdings.rows.exists(place):
        return
    fresh = msgspec.structs.replace(incident, generation=incident.generation + 1)
    with holdings.rows.lock(place, exclusive=True, wait_seconds=order.wait_seconds):
        if not count_rows(holdings, place, order.person, is_cut=is_cut):
            return
        written = write_without(holdings, place, fresh.place(), incident.file_hash, order.person, is_cut=is_cut)
        _switch(holdings, incident, order, written, begun)
    yield "rewritten"
    _finish(holdings, msgspec.structs.replace(fresh, old_generation=incident.generation), order)
    yield "gone"


def _switch(holdings: Holdings, incident: Incident, order: ErasureOrder, written: Rewritten, begun: Begun) -> None:
    generation, contents = incident.generation + 1, written.contents
    values = {"rows": contents.rows, "bytes": contents.bytes, "file_hash": contents.file_hash}
    detail = {"incident": incident.number, **told(incident.file_hash, generation, written, begun)}
    with holdings.control.transaction() as connection:
        if not change(connection, incident, generation=generation, old_generation=incident.generation, **values):
            raise StorageError(incident.name, "was changed meanwhile; erase again")
        audit.append(connection, order.actor, "incident.erased", look=order.look, detail=detail)


def _finish(holdings: Holdings, incident: Incident, order: ErasureOrder) -> Incident:
    """Destroy the generation that a rewrite has left behind, if there is one, and return the incident."""
    if incident.old_generation is None:
        return incident
    for _ in destroy_place(holdings, incident.place(incident.old_generation), wait_seconds=order.wait_seconds):
        pass
    with holdings.control.transaction() as connection:
        if change(connection, incident, old_generation=None):
            detail = {"incident": incident.number, "generation": incident.old_generation}
            audit.append(connection, order.actor, "incident.generation_destroyed", detail=detail)
    return msgspec.structs.replace(incident, old_generation=None)
