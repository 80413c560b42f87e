"""The table of rates: how often something was shown or answered, by day, language and category.

Owns adding to it. A row holds numbers and no one; it outlives the decisions it counts. What an answer counts
as is `outcomes`'s; reading is the archive's. Brings the database with it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from consentkit.consent.decision import Decision
    from consentkit.consent.outcomes import Outcome

# In the column `script`, where it can't be known: a page was sent, and nobody knows whether scripts ran in it.
SCRIPT_UNKNOWN: Final = -1

_SECONDS_A_MINUTE: Final = 60


class Cell(NamedTuple):
    """One number of the table, and what it is told by; as its columns."""

    day: str
    language: str
    category: str
    kind: str
    script: int
    times: int


# SQLite and PostgreSQL understand it alike.
_ADD: Final = text(
    "INSERT INTO consent_rate (day, language, category, kind, script, times)"
    " VALUES (:day, :language, :category, :kind, :script, :times)"
    " ON CONFLICT (day, language, category, kind, script)"
    " DO UPDATE SET times = consent_rate.times + excluded.times"
)


def count_outcomes(connection: Connection, decision: Decision, counted: Sequence[Outcome]) -> None:
    """Count what a decision came to, in the transaction that writes its row: both are kept, or neither.

    Args:
        connection: the transaction.
        decision: with its minute; its day in UTC, language and script are counted under.
        counted: what it came to.
    """
    day = datetime.fromtimestamp(decision.minute * _SECONDS_A_MINUTE, UTC).date().isoformat()
    add(
        connection,
        [Cell(day, decision.locale, each.category, each.kind, decision.script, 1) for each in counted],
    )


def add(connection: Connection, cells: Sequence[Cell]) -> None:
    """Add to the table, in a transaction of the control database."""
    if cells:
        connection.execute(_ADD, [cell._asdict() for cell in cells])
