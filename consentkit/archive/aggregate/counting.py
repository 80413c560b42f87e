"""Counting one hour of a period.

Owns sorting its requests into groups, and that memory stays bounded whatever clients sent. Which hours are
counted, and where the counts go, is `hours`' job.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.aggregate import terms
from consentkit.archive.aggregate.folding import Group, fold, fold_availability
from consentkit.requestlog.record import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consentkit.archive.aggregate.terms import Dimension
    from consentkit.archive.store.requeststore import Reader
    from consentkit.requestlog.record import Outcome

HOUR_US: Final = 3_600_000_000

_OF_AGENT: Final[tuple[Dimension, ...]] = ("device_type", "browser", "os")
_OF_RESOURCE: Final[tuple[Dimension, ...]] = ("method", "path_group")

# Groups of one dimension that are looked at in one hour; those that first came later in the period, as names
# made up in a flood do, are of the rest.
_MAX_CANDIDATES: Final = 10_000


class Measured(msgspec.Struct, frozen=True):
    """How much an hour holds.

    Attributes:
        requests: that are stored.
        lost: records that are known to be missing, by gaps that ended in this hour.
    """

    requests: int
    lost: int


def measure(reader: Reader, hour_us: int) -> Measured:
    """Return how much one hour of a period holds: rows are only added, so another number is another content."""
    return Measured(*reader.measure_hour(hour_us))


def count_hour(reader: Reader, hour_us: int) -> dict[Dimension, dict[str, int]]:
    """Return the requests of one hour by dimension and value, small groups folded.

    An hour of fewer than `MIN_CLIENTS` addresses has its total alone.

    Args:
        reader: of the period.
        hour_us: the hour's first instant.

    Raises:
        StorageError: the period can't be read.
    """
    hour = _Hour(reader, hour_us)
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

    def __init__(self, reader: Reader, hour_us: int) -> None:
        self.dimensions: defaultdict[Dimension, _Groups] = defaultdict(_Groups)
        self.answered, self.failed = Group(), Group()
        self._count(reader, hour_us)

    def _count(self, reader: Reader, hour_us: int) -> None:
        words = reader.hour_words(hour_us)
        agents, resources = self._agents(words.agents), self._resources(words.resources)
        countries = self.dimensions["country"]
        answers: defaultdict[tuple[int, int, int], Group] = defaultdict(Group)
        for client, country, agent, resource, status, outcome, duration, requests in reader.hour_requests(
            hour_us, terms.DURATION_BOUNDS_US
        ):
            countries.of(country or terms.UNKNOWN).add(client, requests)
            for group in agents[agent]:
                group.add(client, requests)
            for group in resources[resource]:
                group.add(client, requests)
            answers[status, outcome, duration].add(client, requests)
        for (status, outcome, duration), group in answers.items():
            self._answers(status, OUTCOMES[outcome], terms.DURATION_CLASSES[duration], group)

    def _agents(self, words: Mapping[int, tuple[str, str, str]]) -> dict[int, tuple[Group, Group, Group]]:
        devices, browsers, systems = (self.dimensions[name] for name in _OF_AGENT)
        shared: dict[tuple[Group, Group, Group], tuple[Group, Group, Group]] = {}
        found = {}
        for agent, (device_type, browser, system) in words.items():
            groups = (
                devices.of(device_type),
                browsers.of(terms.family_group(browser)),
                systems.of(terms.family_group(system)),
            )
            found[agent] = shared.setdefault(groups, groups)
        return found

    def _resources(self, words: Mapping[int, tuple[str, str]]) -> dict[int, tuple[Group, Group]]:
        methods, paths = (self.dimensions[name] for name in _OF_RESOURCE)
        shared: dict[tuple[Group, Group], tuple[Group, Group]] = {}
        found = {}
        for resource, (method, path) in words.items():
            groups = methods.of(terms.method_group(method)), paths.of(terms.path_group(path))
            found[resource] = shared.setdefault(groups, groups)
        return found

    def _answers(self, status: int, outcome: Outcome, duration: str, group: Group) -> None:
        self.dimensions["status_class"].of(terms.status_class(status)).absorb(group)
        self.dimensions["outcome"].of(outcome).absorb(group)
        self.dimensions["duration_class"].of(duration).absorb(group)
        (self.failed if terms.is_failed(status, outcome) else self.answered).absorb(group)
