"""What the filters mean in one place: conditions over its rows.

Owns the way a filter takes: what repeats stands once in a place, so a filter over an address, a path or an
agent is asked of the dictionaries first. A place in which no value matches is not read at all.

What is asked of the dictionaries (`of_networks`, `of_words`, `of_text`) knows the tables `client`, `agent`,
`resource` and `referrer` alone, so that another backend can ask the same of those that it has opened.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from consentkit.archive.store.sqlite.tables import TIES
from consentkit.requestlog.record import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.store.interface import Cursor, Filters
    from consentkit.archive.store.places import Place, RowsOf

# Clients whose visits are looked up: these many, or this part of all. More are met soon by a scan, and
# would have to be sorted.
_FEW_CLIENTS: Final = 16
_PART_OF_CLIENTS: Final = 8

# Clients that are named one by one.
_NAMED_CLIENTS: Final = 500

# A condition in SQL, and the values of its parameters.
Condition: TypeAlias = tuple[str, list[object]]


class Match(NamedTuple):
    """What rows must meet.

    Attributes:
        conditions: over a row of ``request r``, each begun with AND.
        values: of their parameters.
        visits: over a row of ``visit``: the clients that are looked for, where their visits tell which stretches
            of a place hold them; None = all rows are looked at.
    """

    conditions: str
    values: list[object]
    visits: Condition | None


def match(
    connection: sqlcipher.Connection, place: Place, filters: Filters, withheld: Sequence[RowsOf] = ()
) -> Match | None:
    """Return what rows of a place must meet; None where none can.

    Args:
        connection: the place's file.
        place: which one it is.
        filters: what is asked for; its times are `row_bounds`' business.
        withheld: rows that are left out.

    Raises:
        sqlcipher3.dbapi2.Error: as the driver does.
    """
    conditions: list[Condition] = []
    visits: Condition | None = None
    if filters.networks:
        found = _of_clients(connection, filters.networks)
        if found is None:
            return None
        is_visited, (condition, numbers) = found
        conditions.append((f"r.{condition}", numbers))
        visits = (condition, numbers) if is_visited else None
    for table, (where, values) in of_words(filters):
        if not connection.execute(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1", values).fetchone():
            return None
        conditions.append((f"r.{table} IN (SELECT id FROM {table} WHERE {where})", values))
    conditions += _of_row(filters)
    conditions += [(f"NOT {text}", values) for text, values in (rows_of(one, place) for one in withheld)]
    return Match(
        "".join(f" AND {text}" for text, _ in conditions),
        [value for _, values in conditions for value in values],
        visits,
    )


def count_withheld(
    connection: sqlcipher.Connection, place: Place, filters: Filters, withheld: Sequence[RowsOf]
) -> int:
    """Return how many rows match, and are left out all the same."""
    wanted = match(connection, place, filters) if withheld else None
    if wanted is None:
        return 0
    either = [rows_of(one, place) for one in withheld]
    low, high = row_bounds(place, filters)
    low = max(low, min(_number(place, one.since_us) for one in withheld))
    high = min(high, max(_number(place, one.until_us) for one in withheld))
    left_out = " OR ".join(text for text, _ in either)
    statement = f"SELECT count(*) FROM request r WHERE r.id >= ? AND r.id < ? {wanted.conditions} AND ({left_out})"
    values = [*wanted.values, *(value for _, own in either for value in own)]
    return int(connection.execute(statement, (low, high, *values)).fetchone()[0])


def row_bounds(
    place: Place, filters: Filters, before: Cursor | None = None, after: Cursor | None = None
) -> tuple[int, int]:
    """Return the first number, and the one after the last, of the rows to look at; cursors' microseconds whole."""
    since_us, until_us = filters.since_us, filters.until_us
    if before is not None:
        until_us = min(until_us, before.time_us + (before.tie >= 0))
    if after is not None:
        since_us = max(since_us, after.time_us)
    low = _number(place, since_us)
    return low, max(_number(place, until_us), low)


def rows_of(rows: RowsOf, place: Place, schema: str = "") -> Condition:
    """Return the condition over ``request r`` that its row is somebody's.

    Args:
        rows: whose.
        place: where they lie.
        schema: the database's name with a dot, where it is an attached one.
    """
    networks, bounds = of_networks((rows.network,))
    text = f"r.client IN (SELECT id FROM {schema}client WHERE {networks}) AND r.id >= ? AND r.id < ?"
    values = [*bounds, _number(place, rows.since_us), _number(place, rows.until_us)]
    if rows.agent:
        text += f" AND r.agent IN (SELECT id FROM {schema}agent WHERE user_agent = ?)"
        values.append(rows.agent)
    return f"({text})", values


def of_networks(networks: Sequence[str]) -> Condition:
    """Return the condition over ``client`` that its address is in one of some networks."""
    ranges: list[object] = []
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        ranges += [network[0].packed, network[-1].packed, network.max_prefixlen // 8]
    return " OR ".join(["(address BETWEEN ? AND ? AND length(address) = ?)"] * len(networks)), ranges


def of_words(filters: Filters) -> Iterator[tuple[str, Condition]]:
    """Yield the tables of which something is asked, each with the condition that its row must meet."""
    for table, part in (("client", _of_client), ("resource", _of_resource), ("agent", _of_agent)):
        wanted = list(part(filters))
        if wanted:
            where = " AND ".join(text for text, _ in wanted)
            yield table, (where, [value for _, own in wanted for value in own])


def of_text(filters: Filters) -> Iterator[tuple[str, Condition]]:
    """Yield the tables one of which must hold the text that is looked for, each with its condition."""
    if filters.text:
        wanted = filters.text.encode().lower().decode()  # ASCII alone, as SQLite's lower() does
        for table, column in (
            ("resource", "path || coalesce('?' || query, '')"),
            ("agent", "user_agent"),
            ("referrer", "host"),
        ):
            yield table, (f"instr(lower({column}), ?)", [wanted])


def _number(place: Place, time_us: int) -> int:
    """Return the first number of an instant, as far as the place goes."""
    return (min(max(time_us, place.since_us), place.until_us) - place.since_us) * TIES


def _of_clients(connection: sqlcipher.Connection, networks: tuple[str, ...]) -> tuple[bool, Condition] | None:
    """Return whether visits are looked up, and the condition on a client; None where no such client is there."""
    where, ranges = of_networks(networks)
    found = connection.execute(f"SELECT id FROM client WHERE {where} LIMIT ?", [*ranges, _NAMED_CLIENTS + 1])
    numbers: list[object] = [number for (number,) in found]
    if not numbers:
        return None
    if len(numbers) <= _FEW_CLIENTS:
        return True, (f"client IN ({', '.join('?' * len(numbers))})", numbers)
    (there,) = connection.execute("SELECT max(id) FROM client").fetchone()
    (matching,) = connection.execute(f"SELECT count(*) FROM client WHERE {where}", ranges).fetchone()
    is_few = matching * _PART_OF_CLIENTS <= there
    return is_few, (f"client IN (SELECT id FROM client WHERE {where})", ranges)


def _of_client(filters: Filters) -> Iterator[Condition]:
    if filters.country:
        yield "country = ?", [filters.country.upper()]


def _of_resource(filters: Filters) -> Iterator[Condition]:
    if filters.path:
        yield "path GLOB ?", [_glob(filters.path)]
    if filters.host:
        yield "host = ?", [filters.host.lower()]
    if filters.method:
        yield "upper(method) = ?", [filters.method.upper()]
    if filters.flags:
        yield "query_flags & ? = ?", [filters.flags, filters.flags]


def _of_agent(filters: Filters) -> Iterator[Condition]:
    if filters.device_type:
        yield "device_type = ?", [filters.device_type]
    if filters.browser:
        yield "lower(browser) = ?", [filters.browser.lower()]
    if filters.is_bot is not None:
        yield ("device_type = 'bot'" if filters.is_bot else "device_type <> 'bot'"), []


def _of_row(filters: Filters) -> Iterator[Condition]:
    if filters.statuses:
        bounds: list[object] = [bound for pair in filters.statuses for bound in pair]
        yield f"({' OR '.join(['r.status BETWEEN ? AND ?'] * len(filters.statuses))})", bounds
    if filters.outcome:
        yield "r.outcome = ?", [[*OUTCOMES, filters.outcome].index(filters.outcome)]
    if places := list(of_text(filters)):
        either = (f"r.{table} IN (SELECT id FROM {table} WHERE {where})" for table, (where, _) in places)
        yield f"({' OR '.join(either)})", [value for _, (_, values) in places for value in values]


def _glob(pattern: str) -> str:
    """Return SQLite's form of a glob that knows ``*`` and ``?`` alone: its ``[`` stands for itself."""
    return pattern.replace("[", "[[]")
