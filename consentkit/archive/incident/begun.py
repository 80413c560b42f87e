"""What was begun with an incident and broke off, and what a restored backup brought back.

Owns finishing it, forward only: a draft goes, a closing is closed, what was closed stays closed. Retention calls
it at each run, under its custody.

A draft is known by its mark, an empty file beside it that is there before it and gone after its entry. Files
without a mark that no entry knows of are left alone: they may be evidence, and the control database a copy
from before it; `log verify` tells of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consentkit import audit
from consentkit.archive.destruction import destroy_file, remove_files
from consentkit.archive.incident.closing import announce, finish
from consentkit.archive.incident.listing import change, folder, incidents
from consentkit.archive.sealing import close_for_good
from consentkit.audit import Look
from consentkit.crypto import sync_directory
from consentkit.errors import ConsentKitError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.audit import Actor

_MARK: Final = ".draft"
_STEM: Final = re.compile(r"([0-9]{1,15})\.([0-9]{1,9})", re.ASCII)

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
    for incident in listed:
        try:
            _finish(holdings, incident, actor, wait_seconds)
        except (ConsentKitError, OSError) as exc:
            failures.append((incident.name, str(exc)))
    return failures


def mark_draft(file: Path) -> None:
    """Mark a file that is about to be made as one that no entry knows of yet, durably.

    Raises:
        StorageError: it can't be marked; nothing may be made.
    """
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        _mark_of(file).touch(mode=0o600)
        sync_directory(file.parent)
    except OSError as exc:
        raise StorageError(str(file.parent), f"can't be written ({exc.strerror})") from exc


def unmark(file: Path) -> None:
    """Take the mark away: the incident is entered."""
    _mark_of(file).unlink(missing_ok=True)
    sync_directory(file.parent)


def discard_drafts(holdings: Holdings) -> None:
    """Throw away what an opening left that broke off; the caller has custody, so none is under way.

    Raises:
        StorageError: it can't be removed.
    """
    with holdings.control.transaction() as connection:
        entered = {incident.number for incident in incidents(connection)}
    for mark in folder(holdings).glob(f"*{_MARK}"):
        stem = mark.name.removesuffix(_MARK)
        if (match := _STEM.fullmatch(stem)) and int(match[1]) not in entered:
            _discard(holdings, mark.with_name(f"{stem}.db"))
        else:
            mark.unlink(missing_ok=True)


def _discard(holdings: Holdings, file: Path) -> None:
    """Throw one draft away, key first, mark last."""
    holdings.keyring.destroy(f"incident/{file.stem}")
    remove_files(file)
    unmark(file)


def _mark_of(file: Path) -> Path:
    return file.with_suffix(_MARK)


def _finish(holdings: Holdings, incident: Incident, actor: Actor, wait_seconds: float) -> None:
    if incident.state == "closed":
        _remove_remains(holdings, incident)
        return
    if incident.state == "open" and holdings.keyring.was_destroyed(incident.place(holdings).key_name):
        if _take_back(holdings, incident, actor):
            return
        announce(holdings, incident, actor, Look("incident", incident.case_id, _CAME_BACK))
    with holdings.control.transaction() as connection:
        present = next(one for one in incidents(connection) if one.number == incident.number)
    if present.state == "closing":
        for _ in finish(holdings, present, actor, wait_seconds=wait_seconds):
            pass
    elif present.old_generation is not None:
        _finish_rewrite(holdings, present, present.old_generation, actor, wait_seconds)


def _take_back(holdings: Holdings, incident: Incident, actor: Actor) -> bool:
    """List the later generation of a file that was written anew since; return whether there is one."""
    later = incident.generation + 1
    place = incident.place(holdings, generation=later)
    if not place.file.exists() or not holdings.keyring.has(place.key_name):
        return False
    contents = close_for_good(place.file, holdings.keyring.load(place.key_name), place.period)
    values = {"rows": contents.rows, "bytes": contents.bytes, "file_hash": contents.file_hash}
    with holdings.control.transaction() as connection:
        if change(connection, incident, generation=later, old_generation=None, **values):
            detail = {"incident": incident.number, "generation": later, **values}
            audit.append(connection, actor, "incident.taken_back", detail=detail)
    return True


def _finish_rewrite(
    holdings: Holdings, incident: Incident, old_generation: int, actor: Actor, wait_seconds: float
) -> None:
    """Destroy the generation that an erasure has left behind: it still holds what was erased."""
    place = incident.place(holdings, generation=old_generation)
    for _ in destroy_file(holdings.keyring, place.file, place.key_name, wait_seconds=wait_seconds):
        pass
    with holdings.control.transaction() as connection:
        if change(connection, incident, old_generation=None):
            detail = {"incident": incident.number, "generation": old_generation}
            audit.append(connection, actor, "incident.generation_destroyed", detail=detail)


def _remove_remains(holdings: Holdings, incident: Incident) -> None:
    """Remove the files and keys of a closed incident that a restored backup has brought back."""
    prefix = f"incident/{incident.number}."
    for name in holdings.keyring.names("incident"):
        if name.startswith(prefix):
            holdings.keyring.destroy(name, is_remembered=True)
    for file in folder(holdings).glob(f"{incident.number}.*.db"):
        remove_files(file)
