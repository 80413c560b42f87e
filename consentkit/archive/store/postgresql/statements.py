"""What is asked of a place's partitions, as SQL with bound values.

Owns the conditions of a search. Names of tables are our own; every value is bound, arrays of numbers as one text
that the server reads as an array (10**5 numbers in about ten milliseconds).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from consentkit.archive.store.postgresql.ddl import TICK, TICK_BITS, partition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consentkit.archive.store.server.engine import Among, Kind, Wanted, Withheld

Value: TypeAlias = int | str
CountedBy: TypeAlias = "Kind | Literal['status', 'outcome'] | tuple[Literal['step'], int]"

ROW_COLUMNS: Final = (
    "time_us, segment, sequence, client, agent, resource, referrer, result, bytes_sent, duration_us, claimed_us"
)
BATCH_COLUMNS: Final = (
    "lane, number, worker, segment_number, segment, first_sequence, next_sequence, requests, gaps, digest"
)

_WORDS: Final = "SELECT kind, number, sealed, lookup FROM"
_STATUS: Final = "(result >> 2)"
_COLUMNS: Final = {
    "client": "client",
    "agent": "agent",
    "resource": "resource",
    "referrer": "referrer",
    "status": _STATUS,
    "outcome": "(result & 3)",
}
# The greatest time there is: a search may well ask for more.
_LAST: Final = 2**63 - 1


class Statement(NamedTuple):
    """One statement and what is bound in it."""

    text: str
    values: Sequence[Value]


def array(numbers: Iterable[int]) -> str:
    """Return numbers as PostgreSQL reads an array."""
    return "{" + ",".join(map(str, numbers)) + "}"


def rows(place: str, wanted: Wanted, *, oldest_first: bool, limit: int) -> Statement:
    """Matching rows by time; no limit where it is 0."""
    condition, values = _where(wanted)
    direction = "ASC" if oldest_first else "DESC"
    text = (
        f"SELECT {ROW_COLUMNS} FROM {partition('request', place)} WHERE {condition}"
        f" ORDER BY {TICK} {direction}, time_us {direction}"
    )
    if limit:
        return Statement(f"{text} LIMIT %s", [*values, limit])
    return Statement(text, values)


def count(place: str, wanted: Wanted) -> Statement:
    """How many rows match."""
    condition, values = _where(wanted)
    return Statement(f"SELECT count(*) FROM {partition('request', place)} WHERE {condition}", values)


def nth_time(place: str, wanted: Wanted, skipped: int) -> Statement:
    """The time of the newest matching row after so many."""
    condition, values = _where(wanted)
    text = (
        f"SELECT time_us FROM {partition('request', place)} WHERE {condition}"
        f" ORDER BY {TICK} DESC, time_us DESC OFFSET %s LIMIT 1"
    )
    return Statement(text, [*values, skipped])


def end(place: str, since_us: int, until_us: int, *, is_first: bool) -> Statement:
    """The first or the last time of a stretch."""
    condition, values = _between(since_us, until_us)
    direction = "ASC" if is_first else "DESC"
    text = (
        f"SELECT time_us FROM {partition('request', place)} WHERE {condition}"
        f" ORDER BY {TICK} {direction}, time_us {direction} LIMIT 1"
    )
    return Statement(text, values)


def counts(place: str, wanted: Wanted, by: CountedBy) -> Statement:
    """Matching rows counted by a column, or by steps of time."""
    condition, values = _where(wanted)
    column, step = (_COLUMNS[by], []) if isinstance(by, str) else ("(time_us / %s)", [by[1]])
    text = f"SELECT {column}, count(*) FROM {partition('request', place)} WHERE {condition} GROUP BY 1"
    return Statement(text, [*step, *values])


def counts_by_status(place: str, step_us: int) -> Statement:
    """All rows by step and class of status."""
    text = (
        f"SELECT time_us / %s, CASE WHEN {_STATUS} BETWEEN 100 AND 599 THEN {_STATUS} / 100 ELSE 0 END, count(*)"
        f" FROM {partition('request', place)} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return Statement(text, [step_us])


def alike(place: str, since_us: int, until_us: int, bounds_us: Sequence[int]) -> Statement:
    """Rows of a time, those that are alike together."""
    condition, values = _between(since_us, until_us)
    duration_class = "width_bucket(duration_us, %s::bigint[])" if bounds_us else "0"
    text = (
        f"SELECT client, agent, resource, result, {duration_class}, count(*)"
        f" FROM {partition('request', place)} WHERE {condition} GROUP BY 1, 2, 3, 4, 5"
    )
    return Statement(text, [array(bounds_us), *values] if bounds_us else values)


def gaps(place: str, since_us: int, until_us: int) -> Statement:
    """The gaps that touch a time, with where they come from, by frame."""
    text = (
        "SELECT worker, segment_number, gap.segment, gap.sequence, gap.since_us, gap.until_us, gap.sealed"
        f" FROM {partition('gap', place)} AS gap CROSS JOIN LATERAL ("
        f"SELECT worker, segment_number FROM {partition('batch', place)} AS batch"
        " WHERE batch.segment = gap.segment LIMIT 1) AS came"
        " WHERE gap.since_us < %s AND gap.until_us >= %s ORDER BY gap.segment, gap.sequence"
    )
    return Statement(text, [until_us, since_us])


def marks(place: str, newest: int) -> Statement:
    """The marks, of so many segments that were added to last, or of all."""
    text = (
        f"SELECT worker, segment_number, max(next_sequence) FROM {partition('batch', place)}"
        " GROUP BY worker, segment_number"
    )
    if newest:
        return Statement(f"{text} ORDER BY max(added_at) DESC LIMIT %s", [newest])
    return Statement(text, [])


def origins(place: str, segments: Sequence[int]) -> Statement:
    """Worker, number and mark of some segments."""
    text = (
        f"SELECT segment, worker, segment_number, max(next_sequence) FROM {partition('batch', place)}"
        " WHERE segment = ANY (%s::bigint[]) GROUP BY segment, worker, segment_number"
    )
    return Statement(text, [array(segments)])


def words(place: str, kind: int, beyond: Mapping[str, int]) -> Statement:
    """The words of a kind, without those that came by batches of some lanes up to a number."""
    text = f"{_WORDS} {partition('word', place)} WHERE kind = %s"
    values: list[Value] = [kind]
    for lane, number in beyond.items():
        text += " AND NOT (lane = %s AND batch <= %s)"
        values += (lane, number)
    return Statement(text, values)


def words_by_number(place: str, kind: int, numbers: Sequence[int]) -> Statement:
    """Some words of a kind."""
    text = f"{_WORDS} {partition('word', place)} WHERE kind = %s AND number = ANY (%s::bigint[])"
    return Statement(text, [kind, array(numbers)])


def words_by_lookup(place: str, lookups: Sequence[int]) -> Statement:
    """The clients that are found under some keyed hashes."""
    text = f"{_WORDS} {partition('word', place)} WHERE lookup <> 0 AND lookup = ANY (%s::bigint[])"
    return Statement(text, [array(lookups)])


def lacking(places: Sequence[tuple[str, Sequence[int]]], since_us: int, until_us: int) -> Statement:
    """The indexes of those places that have neither a client under one of their hashes nor a gap of a time.

    Each is asked by the names of its partitions: while they are read they are not dropped, and where one was
    dropped before, all of it is refused.
    """
    each = [
        f"SELECT {at} WHERE NOT EXISTS (SELECT FROM {partition('word', place)}"
        " WHERE lookup <> 0 AND lookup = ANY (%s::bigint[]))"
        f" AND NOT EXISTS (SELECT FROM {partition('gap', place)} WHERE since_us < %s AND until_us >= %s)"
        for at, (place, _) in enumerate(places)
    ]
    values: list[Value] = []
    for _, lookups in places:
        values += (array(lookups), until_us, since_us)
    return Statement(" UNION ALL ".join(each), values)


def _where(wanted: Wanted) -> tuple[str, list[Value]]:
    condition, values = _between(wanted.since_us, wanted.until_us)
    conditions = [condition]
    for among in wanted.all_of:
        conditions.append(_among(among))
        values.append(array(among.numbers))
    if wanted.any_of:
        conditions.append("(" + " OR ".join(_among(among) for among in wanted.any_of) + ")")
        values += (array(among.numbers) for among in wanted.any_of)
    if wanted.statuses:
        conditions.append("(" + " OR ".join([f"{_STATUS} BETWEEN %s AND %s"] * len(wanted.statuses)) + ")")
        values += (bound for bounds in wanted.statuses for bound in bounds)
    if wanted.outcome is not None:
        conditions.append("(result & 3) = %s")
        values.append(wanted.outcome)
    for withheld in wanted.none_of:
        _leave_out(withheld, conditions, values)
    return " AND ".join(conditions), values


def _between(since_us: int, until_us: int) -> tuple[str, list[Value]]:
    # The index knows ticks; the exact time decides.
    ticks: list[Value] = [min(max(one, 0), _LAST) >> TICK_BITS for one in (since_us, until_us)]
    return f"{TICK} BETWEEN %s AND %s AND time_us >= %s AND time_us < %s", [*ticks, since_us, until_us]


def _among(among: Among) -> str:
    return f"{_COLUMNS[among.column]} = ANY (%s::bigint[])"


def _leave_out(withheld: Withheld, conditions: list[str], values: list[Value]) -> None:
    condition = "client = ANY (%s::bigint[]) AND time_us >= %s AND time_us < %s"
    values += (array(withheld.clients), withheld.since_us, withheld.until_us)
    if withheld.agents is not None:
        condition += " AND agent = ANY (%s::bigint[])"
        values.append(array(withheld.agents))
    conditions.append(f"NOT ({condition})")
