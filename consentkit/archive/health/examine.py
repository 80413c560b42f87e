"""All checks in the order in which a person would mend what they find.

Owns the order, and that a check which fails itself is told instead of ending the examination.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from consentkit.archive.health.consent import examine_consent
from consentkit.archive.health.custody import examine_custody
from consentkit.archive.health.finding import Finding, Patient, bad
from consentkit.archive.health.hosts import examine_hosts
from consentkit.archive.health.places import examine_places
from consentkit.archive.health.processes import examine_processes
from consentkit.archive.health.records import examine_records
from consentkit.archive.health.servers import examine_servers
from consentkit.archive.store.condition import look_at_servers
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.store.condition import Condition
    from consentkit.settings import Settings

_EXAMINATIONS: Final[tuple[Callable[[Patient], Iterator[Finding]], ...]] = (
    examine_places,
    examine_processes,
    examine_custody,
    examine_records,
    examine_consent,
)


def examine(
    settings: Settings,
    holdings: Holdings,
    *,
    now_us: int | None = None,
    servers: Iterable[Condition] | None = None,
) -> Iterator[Finding]:
    """Yield everything that was looked at, good and bad.

    Args:
        settings: in force.
        holdings: the store.
        now_us: the clock, microseconds since 1970 UTC; None = as it is.
        servers: as they were when they were asked; None = they are asked now.
    """
    asked = tuple(look_at_servers(settings.storage) if servers is None else servers)
    yield from examine_servers(settings, asked)
    patient = Patient(settings, holdings, time.time_ns() // 1000 if now_us is None else now_us)
    for examination in _EXAMINATIONS:
        yield from _tried(examination.__name__.removeprefix("examine_"), examination(patient))
    yield from _tried("hosts", examine_hosts(patient, asked))


def examine_closed(settings: Settings, fault: str) -> Iterator[Finding]:
    """Yield what can be told of an installation that does not open: its servers, and why.

    Args:
        settings: in force.
        fault: why it does not open.
    """
    yield from examine_servers(settings, look_at_servers(settings.storage))
    yield bad("store.opened", f"Nothing else could be looked at: {fault}", "Mend that first.")


def _tried(name: str, found: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from found
    except (ConsentKitError, OSError) as exc:
        yield bad(f"{name}.examination", f"Could not be looked at: {exc}", "Mend that first.")
