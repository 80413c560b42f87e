"""Moving an installation: each place, then control data and switch in one transaction, then a check of all.

Owns the order, and that nothing changes where the data comes from before all of it is in its new place. A run that
broke off is begun again and goes on: a place that was compared is not copied again.

    nobody else at work, the spool stored | each place copied and compared | control data copied, the new places
    entered, told to the audit (one transaction) | the new log verified | the old places destroyed, key first

In its new place a period has the next generation and a key of its own: so the old generation is destroyed as that
of a rewrite is, which reaches every backup of the place that was left.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import select

from consentkit import audit
from consentkit.archive.destruction import finish_rewrite, remove_remains
from consentkit.archive.evidence.verification import LogReport, LogVerification, record_result
from consentkit.archive.incident.begun import finish_incident_rewrite
from consentkit.archive.incident.listing import change as change_incident
from consentkit.archive.incident.listing import incidents
from consentkit.archive.moving.control import copy_control, is_empty
from consentkit.archive.moving.places import Copied, copy_place
from consentkit.archive.period import Catalogue, change
from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.store.places import Place
from consentkit.audit.reading import newest_link
from consentkit.control import audit as entries
from consentkit.control.embedded import FILE_NAME
from consentkit.control.moved import mark_moved, mark_requests_moved, remove_left
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.archive.period import Period
    from consentkit.archive.store.requeststore import RequestStore
    from consentkit.audit import Actor
    from consentkit.control import Control

ACTION: Final = "store.moved"

_GROUPS: Final[tuple[Literal["period", "incident"], ...]] = ("period", "incident")


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a move came to.

    Attributes:
        periods, incidents: how many places of each.
        rows: requests in them.
        report: of the check in the new place.
    """

    periods: int
    incidents: int
    rows: int
    report: LogReport


class _Plan(NamedTuple):
    periods: list[Period]
    incidents: list[Incident]


class Move:
    """One move; nobody else works on either store meanwhile (`farewell.stillness.alone`).

    Args:
        source, target: the stores, under the same keys. The control data moves where theirs are not the same.
        actor: for the audit.
        names: what the two are called there, without addresses or passwords.

    Raises:
        StorageError: the target holds another installation.
    """

    def __init__(self, source: Holdings, target: Holdings, actor: Actor, names: tuple[str, str]) -> None:
        self._source = source
        self._target = target
        self._actor = actor
        self._names = names
        self._moves_control = target.control is not source.control
        self._is_switched = self._was_switched() if self._moves_control else self._was_requests_switched()
        if self._moves_control and not self._is_switched and not is_empty(target.control):
            raise StorageError(names[1], "is not empty: it holds an installation; name an empty database")

    def rows(self) -> int:
        """Return how many rows go through: each is copied and compared."""
        if self._is_switched:
            return 0
        plan = self._plan()
        return 2 * sum(self._measure(place) for place in plan.periods) + 2 * sum(
            one.rows for one in plan.incidents
        )

    def run(self, *, advance: Callable[[int], None] = lambda _: None) -> Moved:
        """Move, and check the log in its new place.

        Args:
            advance: called with the rows that went through since the last call.

        Raises:
            StorageError: nothing was changed in the source; moving again goes on.
        """
        if self._is_switched:
            return self._finished()
        plan = self._plan()
        periods = [copy_place(self._source, self._target, one.place, advance=advance) for one in plan.periods]
        held = [copy_place(self._source, self._target, one.place(), advance=advance) for one in plan.incidents]
        with self._source.control.reading() as source, self._target.control.transaction() as connection:
            if self._moves_control:
                copy_control(source, connection, advance=lambda _: None)
            self._enter(connection, plan, periods, held)
        return self._finished()

    def _was_switched(self) -> bool:
        """Tell whether an earlier run was ended after the switch and before its mark: this is who is there."""
        with self._source.control.reading() as connection:
            newest = newest_link(connection)
        of_hash = select(entries.c.number).where(entries.c.hash == newest.hash)
        with self._target.control.reading() as connection:
            switch = next(audit.newest_first(connection, ACTION), None)
            is_ours = connection.execute(of_hash).scalar() == newest.number
        return is_ours and switch is not None and switch.number > newest.number

    def _was_requests_switched(self) -> bool:
        known = Catalogue(self._source.control, "day").known
        switched = [one.place for one in known if not one.is_gone and one.old_generation is not None]
        return any(self._target.rows.exists(one) and not self._source.rows.exists(one) for one in switched)

    def _finished(self) -> Moved:
        """Mark what was left, check what is in the new place, and tell the audit what that came to."""
        if self._moves_control:
            mark_moved(self._source.directory, self._names[1])
        else:
            mark_requests_moved(self._source.directory, self._names[1].rpartition("+")[2])
        report = LogVerification(self._target).run()
        record_result(self._target, self._actor, report)
        known = [one for one in Catalogue(self._target.control, "day").known if not one.is_gone]
        held = _held(self._target.control)
        rows = sum(one.rows or 0 for one in known) + sum(one.rows for one in held)
        return Moved(periods=len(known), incidents=len(held), rows=rows, report=report)

    def _plan(self) -> _Plan:
        known = [one for one in Catalogue(self._source.control, "day").known if not one.is_gone]
        for one in known:
            if one.old_generation is not None:
                raise StorageError(one.name, "is being written anew; run `consentkit retention run` first")
            if one.rows and not self._source.rows.exists(one.place):
                raise StorageError(one.name, "is not where the settings say; name the store that has it")
        return _Plan(known, _held(self._source.control))

    def _measure(self, period: Period) -> int:
        if period.rows is not None:
            return period.rows
        with contextlib.ExitStack() as stack:
            rows = self._source.rows
            stack.enter_context(rows.lock(period.place, exclusive=False, wait_seconds=READER_SECONDS))
            reader = stack.enter_context(rows.reader(period.place))
            return 0 if reader is None else reader.measure()[0]

    def _enter(self, connection: Connection, plan: _Plan, periods: list[Copied], held: list[Copied]) -> None:
        """Make the new places the present ones, and tell the audit of each."""
        for period, copied in zip(plan.periods, periods, strict=True):
            values = {"state": "sealed", **_switched(copied, period.generation)}
            if not change(connection, period, ("open", "sealed"), **copied.contents.columns, **values):
                raise StorageError(period.name, "was changed meanwhile; move again")
            detail = {"period": period.name, **_told(copied, period.file_hash)}
            audit.append(connection, self._actor, "period.rewritten", detail=detail)
        for incident, copied in zip(plan.incidents, held, strict=True):
            measured = {key: copied.contents.columns[key] for key in ("rows", "bytes", "file_hash")}
            if not change_incident(connection, incident, **measured, **_switched(copied, incident.generation)):
                raise StorageError(incident.name, "was changed meanwhile; move again")
            detail = {"incident": incident.number, **_told(copied, incident.file_hash)}
            audit.append(connection, self._actor, "incident.rewritten", detail=detail)
        rows = sum(one.contents.rows for one in (*periods, *held))
        detail = {"from": self._names[0], "to": self._names[1], "periods": len(periods), "rows": rows}
        audit.append(connection, self._actor, ACTION, detail=detail)


def finish(left: RequestStore, target: Holdings, actor: Actor, *, wait_seconds: float = READER_SECONDS) -> None:
    """Destroy what was left behind, key first, and remove it; nothing where that is done.

    Args:
        left: where the rows were before.
        target: the installation, where it is now.
        actor: for the audit.
        wait_seconds: how long readers may take to leave a place.

    Raises:
        PeriodBusy, StorageError: a place could not be destroyed; finishing again goes on there.
    """
    for period in Catalogue(target.control, "day").known:
        finish_rewrite(target, period, actor, wait_seconds=wait_seconds)
    with target.control.reading() as connection:
        held = incidents(connection)
    for incident in held:
        if incident.old_generation is not None:
            finish_incident_rewrite(target, incident, incident.old_generation, actor, wait_seconds)
    for group in _GROUPS:
        for lying in left.lying(group):
            place = Place(group, lying.name, lying.generation, 0, 0)
            if lying.name and target.keyring.was_destroyed(place.key_name):
                remove_remains(target._replace(rows=left), place)
    if target.control.is_shared:
        remove_left(target.directory, FILE_NAME)


def _held(control: Control) -> list[Incident]:
    with control.reading() as connection:
        return [one for one in incidents(connection) if one.state == "open"]


def _switched(copied: Copied, generation: int) -> dict[str, object]:
    return {"generation": copied.fresh.generation, "old_generation": generation}


def _told(copied: Copied, replaced_hash: str) -> dict[str, object]:
    return {
        "generation": copied.fresh.generation,
        "replaces_file_hash": replaced_hash,
        **msgspec.structs.asdict(copied.contents),
    }
