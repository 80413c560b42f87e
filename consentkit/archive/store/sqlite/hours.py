"""What the statistics read of one hour of a period.

Owns the statements. What is made of it, and that no group is small, is `archive.aggregate`'s job.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.places import HourRequest, HourWords
from consentkit.archive.store.sqlite.tables import TIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.store.places import Place

_HOUR_US: Final = 3_600_000_000

# The statistics look at the first part of a path, and no further than to tell that it is no word.
_PATH_CHARACTERS: Final = 42

# One person holds all addresses of an IPv6 /64 (RFC 6177), and takes another of them at will (RFC 8981).
_CLIENT: Final = "CASE length(c.address) WHEN 16 THEN substr(c.address, 1, 8) ELSE c.address END"

# What repeats is sorted into groups once, oldest first, and each request by numbers.
_AGENTS: Final = """
SELECT id, device_type, browser, os FROM agent
WHERE id IN (SELECT agent FROM request WHERE id >= ? AND id < ?) ORDER BY id"""
_RESOURCES: Final = f"""
SELECT id, method, substr(path, 1, {_PATH_CHARACTERS}) FROM resource
WHERE id IN (SELECT resource FROM request WHERE id >= ? AND id < ?) ORDER BY id"""
_REQUESTS: Final = f"""
SELECT {_CLIENT}, c.country, r.agent, r.resource, r.status, r.outcome, r.duration_us
FROM request r JOIN client c ON c.id = r.client WHERE r.id >= ? AND r.id < ?"""

_MEASURE: Final = """
SELECT (SELECT count(*) FROM request WHERE id >= ? AND id < ?),
  (SELECT coalesce(sum(lost), 0) FROM gap WHERE until_us >= ? AND until_us < ?)"""


def measure(connection: sqlcipher.Connection, place: Place, hour_us: int) -> tuple[int, int]:
    """Return how many requests an hour has, and how many are known to be lost."""
    values = (*_numbers(place, hour_us), hour_us, hour_us + _HOUR_US)
    requests, lost = connection.execute(_MEASURE, values).fetchone()
    return requests, lost


def words(connection: sqlcipher.Connection, place: Place, hour_us: int) -> HourWords:
    """Return what the numbers of an hour's requests stand for, as they were first met."""
    numbers = _numbers(place, hour_us)
    agents = {row[0]: row[1:] for row in connection.execute(_AGENTS, numbers)}
    return HourWords(agents, {row[0]: row[1:] for row in connection.execute(_RESOURCES, numbers)})


def requests(
    connection: sqlcipher.Connection, place: Place, hour_us: int, bounds_us: Sequence[int]
) -> Iterator[HourRequest]:
    """Yield the requests of an hour, one by one."""
    for client, country, agent, resource, status, outcome, duration_us in connection.execute(
        _REQUESTS, _numbers(place, hour_us)
    ):
        duration_class = bisect_right(bounds_us, duration_us)
        yield HourRequest(client, country, agent, resource, status, outcome, duration_class)


def _numbers(place: Place, hour_us: int) -> tuple[int, int]:
    first = (hour_us - place.since_us) * TIES
    return first, first + _HOUR_US * TIES
