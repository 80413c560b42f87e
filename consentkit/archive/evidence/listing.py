"""What the control database lists as kept or gone: periods, and the copies that incidents hold, alike.

Owns that likeness, so that one check serves both. What the columns mean is left to those who write them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit.archive.incident.listing import place_of
from consentkit.archive.period import Period
from consentkit.archive.store.places import Place
from consentkit.control import incident as incident_table
from consentkit.control import period as period_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Row

    from consentkit.archive.holdings import Holdings

_INCIDENT_STATES: Final = {"open": "sealed", "closing": "destroying", "closed": "destroyed"}


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One place of rows as the control database lists it.

    Attributes:
        name: the period's, or ``incident 3``.
        place: where its present generation lies.
        generation, old_generation: the present one, and the one still to be destroyed.
        state: ``open``, ``sealed``, ``destroying`` or ``destroyed``; what an incident holds is ``sealed``.
        file_hash: of the sealed place.
        destroyed_us: when it went.
    """

    name: str
    place: Place
    generation: int
    old_generation: int | None
    state: str
    file_hash: str
    destroyed_us: int | None

    @property
    def is_gone(self) -> bool:
        """Whether it is destroyed, or being destroyed."""
        return self.state in ("destroying", "destroyed")


def incident_name(number: int | str) -> str:
    """Return what an incident is called where periods are named too."""
    return f"incident {number}"


def all_listed(holdings: Holdings, name: str | None = None) -> dict[str, Listed]:
    """Return all that is listed, or the one of that name, by name.

    Raises:
        StorageError: the control database can't be read.
    """
    with holdings.control.transaction() as connection:
        return {one.name: one for one in _listed(connection, name)}


def _listed(connection: Connection, name: str | None) -> Iterator[Listed]:
    periods = select(period_table)
    incidents = select(incident_table)
    if name is not None:
        number = name.removeprefix(incident_name(""))
        periods = periods.where(period_table.c.name == name)
        incidents = incidents.where(incident_table.c.number == (int(number) if number.isdecimal() else -1))
    for row in connection.execute(periods):
        yield _period(Period(**row._asdict()))
    for row in connection.execute(incidents):
        yield _incident(row)


def _period(period: Period) -> Listed:
    return Listed(
        name=period.name,
        place=period.place,
        generation=period.generation,
        old_generation=period.old_generation,
        state=period.state,
        file_hash=period.file_hash,
        destroyed_us=period.destroyed_us,
    )


def _incident(row: Row[tuple[object, ...]]) -> Listed:
    return Listed(
        name=incident_name(row.number),
        place=place_of(row.number, row.generation),
        generation=row.generation,
        old_generation=row.old_generation,
        state=_INCIDENT_STATES.get(row.state, row.state),
        file_hash=row.file_hash,
        destroyed_us=row.closed_us,
    )
