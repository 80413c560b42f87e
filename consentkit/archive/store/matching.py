"""What the filters mean in one period: conditions over its rows.

Owns the way a filter takes: what repeats stands once in a period, so a filter over an address, a path or an
agent is asked of the dictionaries first. A period in which no value matches is not read at all.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.requestlog.record import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.store.interface import Filters

# Clients whose visits are looked up: these many, or this part of all. More are met soon by a scan, and
# would have to be sorted.
_FEW_CLIENTS: Final = 16
_PART_OF_CLIENTS: Final = 8

# Clients that are named one by one.
_NAMED_CLIENTS: Final = 500

_Condition = tuple[str, list[object]]


class Withheld(NamedTuple):
    """Rows of a period that are kept and not shown.

    Attributes:
        network: address or CIDR of the client.
        first, last: numbers of rows: from, and before.
        agent: User-Agent; empty = any.
    """

    network: str
    first: int
    last: int
    agent: str


class Match(NamedTuple):
    """What rows must meet.

    Attributes:
        conditions: over a row of ``request r``, each begun with AND.
        values: of their parameters.
        visits: over a row of ``visit``: the clients that are looked for, where their visits tell which stretches
            of a period hold them; None = all rows are looked at.
    """

    conditions: str
    values: list[object]
    visits: _Condition | None


def match(connection: sqlcipher.Connection, filters: Filters, withheld: Sequence[Withheld] = ()) -> Match | None:
    """Return what rows of a period must meet; None where none can.

    Args:
        connection: the period's file.
        filters: what is asked for.
        withheld: rows that are left out.

    Raises:
        sqlcipher3.dbapi2.Error: as the driver does.
    """
    conditions: list[_Condition] = []
    visits: _Condition | None = None
    if filters.networks:
        of_clients = _of_networks(connection, filters.networks)
        if of_clients is None:
            return None
        is_visited, (condition, numbers) = of_clients
        conditions.append((f"r.{condition}", numbers))
        visits = (condition, numbers) if is_visited else None
    for table, part in (("client", _of_client), ("resource", _of_resource), ("agent", _of_agent)):
        wanted = list(part(filters))
        if wanted:
            where, values = " AND ".join(text for text, _ in wanted), [one for _, own in wanted for one in own]
            if not connection.execute(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1", values).fetchone():
                return None
            conditions.append((f"r.{table} IN (SELECT id FROM {table} WHERE {where})", values))
    conditions += _of_row(filters)
    conditions += [(f"NOT {text}", values) for text, values in map(_of_withheld, withheld)]
    return Match(
        "".join(f" AND {text}" for text, _ in conditions),
        [value for _, values in conditions for value in values],
        visits,
    )


def count_withheld(
    connection: sqlcipher.Connection, filters: Filters, withheld: Sequence[Withheld], low: int, high: int
) -> int:
    """Return how many rows between two numbers match, and are left out all the same."""
    wanted = match(connection, filters) if withheld else None
    if wanted is None:
        return 0
    either = [_of_withheld(one) for one in withheld]
    low, high = max(low, min(one.first for one in withheld)), min(high, max(one.last for one in withheld))
    left_out = " OR ".join(text for text, _ in either)
    statement = f"SELECT count(*) FROM request r WHERE r.id >= ? AND r.id < ? {wanted.conditions} AND ({left_out})"
    values = [*wanted.values, *(value for _, own in either for value in own)]
    return int(connection.execute(statement, (low, high, *values)).fetchone()[0])


def _of_withheld(one: Withheld) -> _Condition:
    network = ipaddress.ip_network(one.network, strict=False)
    bounds: list[object] = [network[0].packed, network[-1].packed, network.max_prefixlen // 8]
    text = "r.client IN (SELECT id FROM client WHERE address BETWEEN ? AND ? AND length(address) = ?)"
    text, values = f"{text} AND r.id >= ? AND r.id < ?", [*bounds, one.first, one.last]
    if one.agent:
        text, values = f"{text} AND r.agent IN (SELECT id FROM agent WHERE user_agent = ?)", [*values, one.agent]
    return f"({text})", values


def _of_networks(connection: sqlcipher.Connection, networks: tuple[str, ...]) -> tuple[bool, _Condition] | None:
    """Return whether visits are looked up, and the condition on a client; None where no such client is there."""
    ranges: list[object] = []
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        ranges += [network[0].packed, network[-1].packed, network.max_prefixlen // 8]
    where = " OR ".join(["(address BETWEEN ? AND ? AND length(address) = ?)"] * len(networks))
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


def _of_client(filters: Filters) -> Iterator[_Condition]:
    if filters.country:
        yield "country = ?", [filters.country.upper()]


def _of_resource(filters: Filters) -> Iterator[_Condition]:
    if filters.path:
        yield "path GLOB ?", [_glob(filters.path)]
    if filters.host:
        yield "host = ?", [filters.host.lower()]
    if filters.method:
        yield "upper(method) = ?", [filters.method.upper()]
    if filters.flags:
        yield "query_flags & ? = ?", [filters.flags, filters.flags]


def _of_agent(filters: Filters) -> Iterator[_Condition]:
    if filters.device_type:
        yield "device_type = ?", [filters.device_type]
    if filters.browser:
        yield "lower(browser) = ?", [filters.browser.lower()]
    if filters.is_bot is not None:
        yield ("device_type = 'bot'" if filters.is_bot else "device_type <> 'bot'"), []


def _of_row(filters: Filters) -> Iterator[_Condition]:
    if filters.statuses:
        bounds: list[object] = [bound for pair in filters.statuses for bound in pair]
        yield f"({' OR '.join(['r.status BETWEEN ? AND ?'] * len(filters.statuses))})", bounds
    if filters.outcome:
        yield "r.outcome = ?", [[*OUTCOMES, filters.outcome].index(filters.outcome)]
    if filters.text:
        places = {
            "resource": "path || coalesce('?' || query, '')",
            "agent": "user_agent",
            "referrer": "host",
        }
        wanted = filters.text.encode().lower().decode()  # ASCII alone, as SQLite's lower() does
        either = (
            f"r.{table} IN (SELECT id FROM {table} WHERE instr(lower({place}), ?))"
            for table, place in places.items()
        )
        yield f"({' OR '.join(either)})", [wanted] * len(places)


def _glob(pattern: str) -> str:
    """Return SQLite's form of a glob that knows ``*`` and ``?`` alone: its ``[`` stands for itself."""
    return pattern.replace("[", "[[]")
