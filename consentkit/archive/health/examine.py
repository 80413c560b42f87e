"""All checks in the order in which a person would mend what they find.

Owns the order, and that a check which fails itself is told instead of ending the examination.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from consentkit.archive.health.consent import examine_consent
from consentkit.archive.health.custody import examine_custody
from consentkit.archive.health.finding import Finding, Patient, bad
from consentkit.archive.health.places import examine_places
from consentkit.archive.health.processes import examine_processes
from consentkit.archive.health.records import examine_records
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.settings import Settings

_EXAMINATIONS: Final[tuple[Callable[[Patient], Iterator[Finding]], ...]] = (
    examine_places,
    examine_processes,
    examine_custody,
    examine_records,
    examine_consent,
)


def examine(settings: Settings, holdings: Holdings, *, now_us: int | None = None) -> Iterator[Finding]:
    """Yield everything that was looked at, good and bad.

    Args:
        settings: in force.
        holdings: the store.
        now_us: the clock, microseconds since 1970 UTC; None = as it is.
    """
    patient = Patient(settings, holdings, time.time_ns() // 1000 if now_us is None else now_us)
    for examination in _EXAMINATIONS:
        try:
            yield from examination(patient)
        except (ConsentKitError, OSError) as exc:
            name = examination.__name__.removeprefix("examine_")
            yield bad(f"{name}.examination", f"Could not be looked at: {exc}", "Mend that first.")
