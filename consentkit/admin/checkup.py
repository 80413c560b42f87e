"""The examination of `archive.health`, made at most every few seconds a worker.

Owns keeping the last one: it looks into every open period and may take a second, and a page that many keep open
asks for it again and again.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import msgspec

from consentkit.archive.health import Finding, examine

if TYPE_CHECKING:
    from consentkit.admin.office import Office

FRESH_SECONDS: Final = 10.0


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """One examination.

    Attributes:
        made_us: when, microseconds since 1970 UTC.
        findings: in the order in which they are to be mended.
    """

    made_us: int
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> int:
        """How many things are wrong."""
        return sum(finding.level == "bad" for finding in self.findings)


class _Last:
    __slots__ = ("checkup", "lock", "made_at")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.checkup: Checkup | None = None
        self.made_at = 0.0


_of_offices: WeakKeyDictionary[Office, _Last] = WeakKeyDictionary()
_all = threading.Lock()


def checkup(office: Office, *, fresh_seconds: float = FRESH_SECONDS) -> Checkup:
    """Return an examination that is no older; who asks meanwhile waits for the one under way.

    Blocks: call it in a thread.

    Args:
        office: what is examined.
        fresh_seconds: how old it may be.
    """
    with _all:
        last = _of_offices.setdefault(office, _Last())
    with last.lock:
        if last.checkup is None or time.monotonic() - last.made_at > fresh_seconds:
            made_us = time.time_ns() // 1000
            last.checkup = Checkup(
                made_us=made_us, findings=tuple(examine(office.settings, office.holdings, now_us=made_us))
            )
            last.made_at = time.monotonic()
        return last.checkup
