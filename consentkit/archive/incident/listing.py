"""The incidents of an installation, as the control database lists them, and where each one's rows lie.

Owns the shape of an incident. Opening, reading and closing one are left to the modules beside it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit.archive.store.places import Place
from consentkit.control import incident as incident_table
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Its rows come from any time since 1970; up to the last instant that a store can name.
_UNTIL_US: Final = 2**55 - 1


class BadIncident(ConsentKitError):
    """Refuse what is asked of an incident, and say what is allowed."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident.

    Attributes:
        number: its own; the audit and the register of copies name it.
        generation: counts rewrites of its rows (an erasure is one); each has a place and a key of its own.
        state: ``open``, ``closing`` or ``closed``.
        case_id, reason, owner: for what the rows are held, and who answers for it.
        opened_us, closed_us: microseconds since 1970 UTC; `closed_us` None until it is closed.
        review: ISO date by which the owner says again whether the rows are still needed.
        filters: JSON: by which the rows were found; ``{}`` once it is closed.
        rows, bytes, file_hash: what is held, as its store sealed it.
        old_generation: the generation before, while it is still to be destroyed.
    """

    number: int
    generation: int
    state: str
    case_id: str
    reason: str
    owner: str
    opened_us: int
    review: str
    filters: str
    rows: int
    bytes: int
    file_hash: str
    old_generation: int | None = None
    closed_us: int | None = None

    @property
    def name(self) -> str:
        """What it is called where other places are named too."""
        return f"incident {self.number}"

    def place(self, generation: int | None = None) -> Place:
        """Return where a generation lies; None = the present one."""
        return place_of(self.number, self.generation if generation is None else generation)

    def is_overdue(self, today: date) -> bool:
        """Tell whether its review date has passed; UTC."""
        return self.state == "open" and self.review < today.isoformat()


def place_of(number: int, generation: int) -> Place:
    """Return where one generation of an incident's copy lies."""
    return Place("incident", str(number), generation, 0, _UNTIL_US)


def incidents(connection: Connection) -> list[Incident]:
    """Return all incidents, by number."""
    rows = connection.execute(select(incident_table).order_by(incident_table.c.number))
    return [Incident(**row._asdict()) for row in rows]


def find(connection: Connection, number: int) -> Incident:
    """Return one incident.

    Raises:
        BadIncident: there is none of that number.
    """
    row = connection.execute(select(incident_table).where(incident_table.c.number == number)).first()
    if row is None:
        raise BadIncident(f"there is no incident {number}; see `consentkit incident list`")
    return Incident(**row._asdict())


def overdue_reviews(connection: Connection, today: date) -> list[Incident]:
    """Return the open incidents whose review date has passed, by number."""
    return [incident for incident in incidents(connection) if incident.is_overdue(today)]


def change(connection: Connection, incident: Incident, **values: object) -> bool:
    """Change an incident's entry if state and generation are still the same; return whether they were."""
    same = (
        (incident_table.c.number == incident.number)
        & (incident_table.c.generation == incident.generation)
        & (incident_table.c.state == incident.state)
    )
    return connection.execute(incident_table.update().where(same).values(values)).rowcount == 1


def today_utc() -> date:
    """Return the day in UTC, in which all dates here are meant."""
    return datetime.now(UTC).date()
