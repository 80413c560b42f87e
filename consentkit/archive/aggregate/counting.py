"""Counting one hour of a period.

Owns the statements, and that memory stays bounded whatever clients sent. Which hours are counted, and where the
counts go, is `hours`' job.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.aggregate import terms
from consentkit.archive.aggregate.folding import Group, fold, fold_availability
from consentkit.archive.store.tables import TIES
from consentkit.requestlog.record import OUTCOMES

if TYPE_CHECKING:
    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.aggregate.terms import Dimension
    from consentkit.archive.period import Period
    from consentkit.requestlog.record import Outcome

HOUR_US: Final = 3_600_000_000

_OF_AGENT: Final[tuple[Dimension, ...]] = ("device_type", "browser", "os")
_OF_RESOURCE: Final[tuple[Dimension, ...]] = ("method", "path_group")

# Groups of one dimension that are looked at in one hour; those that first came later in the period, as names
# made up in a flood do, are of the rest.
_MAX_CANDIDATES: Final = 10_000

# One person holds all addresses of an IPv6 /64 (RFC 6177), and takes another of them at will (RFC 8981).
_CLIENT: Final = "CASE length(c.address) WHEN 16 THEN substr(c.address, 1, 8) ELSE c.address END"

# What repeats is sorted into groups once, oldest first, and each request by numbers.
_AGENTS: Final = """
SELECT id, device_type, browser, os FROM agent
WHERE id IN (SELECT agent FROM request WHERE id >= ? AND id < ?) ORDER BY id"""
_RESOURCES: Final = f"""
SELECT id, method, substr(path, 1, {terms.MAX_SEGMENT + 2}) FROM resource
WHERE id IN (SELECT resource FROM request WHERE id >= ? AND id < ?) ORDER BY id"""  # noqa: S608 - a number
_REQUESTS: Final = f"""
SELECT {_CLIENT}, c.country, r.agent, r.resource, r.status, r.outcome, r.duration_us
FROM request r JOIN client c ON c.id = r.client WHERE r.id >= ? AND r.id < ?"""  # noqa: S608 - our own names

_MEASURE: Final = """
SELECT (SELECT count(*) FROM request WHERE id >= ? AND id < ?),
  (SELECT coalesce(sum(lost), 0) FROM gap WHERE until_us >= ? AND until_us < ?)"""


class Measured(msgspec.Struct, frozen=True):
    """How much an hour holds.

    Attributes:
        requests: that are stored.
        lost: records that are known to be missing, by gaps that ended in this hour.
    """

    requests: int
    lost: int


def measure(connection: sqlcipher.Connection, period: Period, hour_us: int) -> Measured:
    """Return how much one hour of a period holds: rows are only added, so another number is another content."""
    values = (*_numbers(period, hour_us), hour_us, hour_us + HOUR_US)
    return Measured(*connection.execute(_MEASURE, values).fetchone())


def count_hour(connection: sqlcipher.Connection, period: Period, hour_us: int) -> dict[Dimension, dict[str, int]]:
    """Return the requests of one hour by dimension and value, small groups folded.

    An hour of fewer than `MIN_CLIENTS` addresses has its total alone.

    Args:
        connection: the period's file.
        period: which one it is.
        hour_us: the hour's first instant.

    Raises:
        sqlcipher3.dbapi2.Error: as the driver does.
    """
    hour = _Hour(connection, _numbers(period, hour_us))
    total = Group()
    for group in hour.dimensions["country"].by_value.values():
        total.absorb(group)
    if not total.requests:
        return {}
    cells: dict[Dimension, dict[str, int]] = {"total": {terms.REQUESTS: total.requests}}
    if total.is_crowd:
        cells |= {dimension: fold(groups.by_value) for dimension, groups in hour.dimensions.items()}
        cells["availability"] = fold_availability(hour.answered, hour.failed)
    return cells


_Numbers = tuple[int, int]


class _Groups:
    """The groups of one dimension."""

    __slots__ = ("by_value",)

    def __init__(self) -> None:
        self.by_value: dict[str, Group] = {}

    def of(self, value: str) -> Group:
        """Return the group of a value, the rest's once there are too many."""
        group = self.by_value.get(value)
        if group is None:
            if len(self.by_value) >= _MAX_CANDIDATES:
                value = terms.OTHER
            group = self.by_value.setdefault(value, Group())
        return group


class _Hour:
    """One hour's requests, sorted into groups.

    Attributes:
        dimensions: the groups of each but `total` and `availability`.
        answered, failed: the two groups of the latter.
    """

    def __init__(self, connection: sqlcipher.Connection, numbers: _Numbers) -> None:
        self.dimensions: defaultdict[Dimension, _Groups] = defaultdict(_Groups)
        self.answered, self.failed = Group(), Group()
        self._count(connection, numbers)

    def _count(self, connection: sqlcipher.Connection, numbers: _Numbers) -> None:
        agents, resources = self._agents(connection, numbers), self._resources(connection, numbers)
        countries = self.dimensions["country"]
        answers: defaultdict[tuple[int, int, int], Group] = defaultdict(Group)
        for client, country, agent, resource, status, outcome, duration_us in connection.execute(
            _REQUESTS, numbers
        ):
            countries.of(country or terms.UNKNOWN).add(client)
            for group in agents[agent]:
                group.add(client)
            for group in resources[resource]:
                group.add(client)
            answers[status, outcome, bisect_right(terms.DURATION_BOUNDS_US, duration_us)].add(client)
        for (status, outcome, duration), group in answers.items():
            self._answers(status, OUTCOMES[outcome], terms.DURATION_CLASSES[duration], group)

    def _agents(
        self, connection: sqlcipher.Connection, numbers: _Numbers
    ) -> dict[int, tuple[Group, Group, Group]]:
        devices, browsers, systems = (self.dimensions[name] for name in _OF_AGENT)
        shared: dict[tuple[Group, Group, Group], tuple[Group, Group, Group]] = {}
        found = {}
        for agent, device_type, browser, system in connection.execute(_AGENTS, numbers):
            groups = (
                devices.of(device_type),
                browsers.of(terms.family_group(browser)),
                systems.of(terms.family_group(system)),
            )
            found[agent] = shared.setdefault(groups, groups)
        return found

    def _resources(self, connection: sqlcipher.Connection, numbers: _Numbers) -> dict[int, tuple[Group, Group]]:
        methods, paths = (self.dimensions[name] for name in _OF_RESOURCE)
        shared: dict[tuple[Group, Group], tuple[Group, Group]] = {}
        found = {}
        for resource, method, path in connection.execute(_RESOURCES, numbers):
            groups = methods.of(terms.method_group(method)), paths.of(terms.path_group(path))
            found[resource] = shared.setdefault(groups, groups)
        return found

    def _answers(self, status: int, outcome: Outcome, duration: str, group: Group) -> None:
        self.dimensions["status_class"].of(terms.status_class(status)).absorb(group)
        self.dimensions["outcome"].of(outcome).absorb(group)
        self.dimensions["duration_class"].of(duration).absorb(group)
        (self.failed if terms.is_failed(status, outcome) else self.answered).absorb(group)


def _numbers(period: Period, hour_us: int) -> _Numbers:
    first = (hour_us - period.since_us) * TIES
    return first, first + HOUR_US * TIES
