"""What was begun with an incident and broke off, and what a restored backup brought back.

Owns finishing it, forward only: a draft goes, a closing is closed, what was closed stays closed. Retention calls
it at each run, under its custody.

A draft is known by its mark, which is there before it and gone after its entry. What lies there without a mark and
no entry knows of is left alone: it may be evidence, and the control database a copy from before it; `log verify`
tells of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit import audit
from consentkit.archive.destruction import destroy_place, remove_remains
from consentkit.archive.incident.closing import announce, finish
from consentkit.archive.incident.listing import change, incidents, place_of
from consentkit.audit import Look
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Collection

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.archive.store.places import Lying
    from consentkit.audit import Actor

_CAME_BACK: Final = (
    "its key was destroyed before; an older copy of the control database has brought the entry back"
)


def finish_begun(holdings: Holdings, actor: Actor, *, wait_seconds: float) -> list[tuple[str, str]]:
    """Finish what broke off; return what could not be, each with its reason. The caller has custody.

    Raises:
        StorageError: the control database can't be read.
    """
    failures: list[tuple[str, str]] = []
    try:
        discard_drafts(holdings)
    except (ConsentKitError, OSError) as exc:
        failures.append(("a draft of an incident", str(exc)))
    with holdings.control.transaction() as connection:
        listed = incidents(connection)
    lying = holdings.rows.lying("incident")
    for incident in listed:
        try:
            _finish(holdings, incident, lying, actor, wait_seconds)
        except (ConsentKitError, OSError) as exc:
            failures.append((incident.name, str(exc)))
    return failures


def discard_drafts(holdings: Holdings) -> None:
    """Throw away what an opening left that broke off; the caller has custody, so none is under way.

    Raises:
        StorageError: it can't be removed.
    """
    with holdings.control.transaction() as connection:
        entered = {incident.number for incident in incidents(connection)}
    marked = {(one.name, one.generation) for one in holdings.rows.lying("incident") if one.is_draft}
    for name, generation in sorted(marked):
        if not name.isdecimal():
            continue
        place = place_of(int(name), generation)
        if int(name) not in entered:
            holdings.rows.discard(place)
        holdings.rows.unmark(place)


def _finish(
    holdings: Holdings, incident: Incident, lying: Collection[Lying], actor: Actor, wait_seconds: float
) -> None:
    if incident.state == "closed":
        _remove_remains(holdings, incident, lying)
        return
    if incident.state == "open" and holdings.keyring.was_destroyed(incident.place().key_name):
        if _take_back(holdings, incident, actor):
            return
        announce(holdings, incident, actor, Look("incident", incident.case_id, _CAME_BACK))
    with holdings.control.transaction() as connection:
        present = next(one for one in incidents(connection) if one.number == incident.number)
    if present.state == "closing":
        for _ in finish(holdings, present, actor, wait_seconds=wait_seconds):
            pass
    elif present.old_generation is not None:
        finish_incident_rewrite(holdings, present, present.old_generation, actor, wait_seconds)


def _take_back(holdings: Holdings, incident: Incident, actor: Actor) -> bool:
    """List the later generation of a copy that was written anew since; return whether there is one."""
    later = incident.generation + 1
    place = incident.place(later)
    if not holdings.rows.exists(place) or not holdings.keyring.has(place.key_name):
        return False
    contents = holdings.rows.seal(place)
    values = {"rows": contents.rows, "bytes": contents.bytes, "file_hash": contents.file_hash}
    with holdings.control.transaction() as connection:
        if change(connection, incident, generation=later, old_generation=None, **values):
            detail = {"incident": incident.number, "generation": later, **values}
            audit.append(connection, actor, "incident.taken_back", detail=detail)
    return True


def finish_incident_rewrite(
    holdings: Holdings, incident: Incident, old_generation: int, actor: Actor, wait_seconds: float
) -> None:
    """Destroy the generation that an erasure has left behind: it still holds what was erased."""
    for _ in destroy_place(holdings, incident.place(old_generation), wait_seconds=wait_seconds):
        pass
    with holdings.control.transaction() as connection:
        if change(connection, incident, old_generation=None):
            detail = {"incident": incident.number, "generation": old_generation}
            audit.append(connection, actor, "incident.generation_destroyed", detail=detail)


def _remove_remains(holdings: Holdings, incident: Incident, lying: Collection[Lying]) -> None:
    """Remove the keys and rows of a closed incident that a restored backup has brought back."""
    prefix = f"incident/{incident.number}."
    for name in holdings.keyring.names("incident"):
        if name.startswith(prefix):
            holdings.keyring.destroy(name, is_remembered=True)
    for generation in {one.generation for one in lying if one.name == str(incident.number)}:
        remove_remains(holdings, incident.place(generation))
