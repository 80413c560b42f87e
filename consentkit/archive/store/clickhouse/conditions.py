"""What rows must meet, as ClickHouse is asked for it.

Owns WHERE. A few numbers stand in the statement; many are sent beside it as a table of their own: of 10**5 numbers
18.16 made a set in 45 ms so, and in a second from text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.store.clickhouse.ddl import STRETCH_US

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consentkit.archive.store.server.engine import Among, Wanted, Withheld

# More numbers than so many are sent as a table.
FEW: Final = 200

# Literals go on to 64 bits without a sign.
_LAST_US: Final = 2**64 - 1
_NEVER: Final = "0"


def named(place: str) -> str:
    """Return a place's name as it stands in a statement."""
    escaped = place.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class Condition:
    """The condition of a statement on `request`, or `word`, and the sets of numbers that it names.

    Args:
        places: whose rows; one or more.

    Attributes:
        numbers: to be sent beside the statement.
    """

    def __init__(self, *places: str) -> None:
        names = ", ".join(map(named, places))
        self._parts = [f"place = {names}" if len(places) == 1 else f"place IN ({names})"]
        self.numbers: dict[str, Sequence[int]] = {}

    @classmethod
    def of(cls, place: str, wanted: Wanted) -> Condition:
        """Return the condition that requests meet what is wanted."""
        condition = cls(place)
        condition.within(wanted.since_us, wanted.until_us)
        for among in wanted.all_of:
            condition.and_(condition.among(among.column, among.numbers))
        if wanted.any_of:
            condition.and_(condition._any(wanted.any_of))
        if wanted.statuses:
            ranges = (f"(status >= {low:d} AND status <= {high:d})" for low, high in wanted.statuses)
            condition.and_(f"({' OR '.join(ranges)})".replace("status", "intDiv(result, 4)"))
        if wanted.outcome is not None:
            condition.and_(f"result % 4 = {wanted.outcome:d}")
        for withheld in wanted.none_of:
            condition.and_(f"NOT ({condition._withheld(withheld)})")
        return condition

    def within(self, since_us: int, until_us: int) -> None:
        """Add that it is a request of a time: from, and before."""
        since_us, until_us = max(since_us, 0), min(until_us, _LAST_US)
        self.of_stretches(since_us // STRETCH_US, max(until_us - 1, -1) // STRETCH_US)
        self.and_(f"time_us >= {since_us:d} AND time_us < {until_us:d}")

    def of_stretches(self, first: int, last: int) -> None:
        """Add that it is a request of some stretches, both included."""
        self.and_(f"stretch >= {max(first, 0):d} AND stretch <= {last:d}")

    def below(self, marks: Mapping[int, int]) -> None:
        """Add that it is of one of some segments, and below its mark."""
        if not marks:
            self.and_(_NEVER)
            return
        segments, ends = (", ".join(f"{one:d}" for one in some) for some in (marks.keys(), marks.values()))
        arrays = f"CAST([{segments}] AS Array(Int64)), CAST([{ends}] AS Array(Int64))"
        self.and_(f"sequence < transform(segment, {arrays}, toInt64(0))")

    def and_(self, text: str) -> None:
        """Add a condition."""
        self._parts.append(text)

    def among(self, column: str, numbers: Sequence[int]) -> str:
        """Return that a column has one of some numbers."""
        if not numbers:
            return _NEVER
        if len(numbers) <= FEW:
            return f"{column} IN ({', '.join(f'{number:d}' for number in numbers)})"
        name = f"_numbers_{len(self.numbers)}"
        self.numbers[name] = numbers
        return f"{column} IN (SELECT n FROM {name})"

    def _any(self, anything: Sequence[Among]) -> str:
        return f"({' OR '.join(self.among(among.column, among.numbers) for among in anything)})"

    def _withheld(self, withheld: Withheld) -> str:
        parts = [
            self.among("client", withheld.clients),
            f"time_us >= {withheld.since_us:d}",
            f"time_us < {withheld.until_us:d}",
        ]
        if withheld.agents is not None:
            parts.append(self.among("agent", withheld.agents))
        return " AND ".join(parts)

    def __str__(self) -> str:
        """Return it as it stands after WHERE."""
        return " AND ".join(self._parts)
