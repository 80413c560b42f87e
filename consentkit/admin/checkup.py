"""The examination of `archive.health`, made at most every few seconds a worker.

Owns keeping the last one: it looks into every open period and may take a second, and a page that many keep open
asks for it again and again. And what of it is left out for who need not know where the servers are; who that is,
the page says.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import msgspec

from consentkit.archive.health import Finding, examine, last_written
from consentkit.archive.health.servers import examine_servers
from consentkit.archive.store.condition import Condition, look_at_servers
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.settings import Settings

FRESH_SECONDS: Final = 10.0

# A server's own words may name its database, and who asked for it.
_UNTOLD: Final = "an administrator is told why"


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """One examination.

    Attributes:
        made_us: when, microseconds since 1970 UTC.
        findings: in the order in which they are to be mended.
        servers: as they were when they were asked; none where all is embedded.
        hosts: when each host last stored a request, of those that share a database and did within a day.
    """

    made_us: int
    findings: tuple[Finding, ...]
    servers: tuple[Condition, ...] = ()
    hosts: dict[str, int] = {}

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
            last.checkup = _made(office)
            last.made_at = time.monotonic()
        return last.checkup


def without_places(settings: Settings, examined: Checkup) -> tuple[Finding, ...]:
    """Return the findings for who need not know where the database servers are.

    Args:
        settings: in force.
        examined: what was found.
    """
    unnamed = [
        msgspec.structs.replace(one, host="", database="", fault=_UNTOLD if one.fault else "")
        for one in examined.servers
    ]
    named = examine_servers(settings, examined.servers)
    instead = dict(zip(named, examine_servers(settings, unnamed), strict=True))
    return tuple(instead.get(one, one) for one in examined.findings)


def _made(office: Office) -> Checkup:
    made_us = time.time_ns() // 1000
    servers = look_at_servers(office.settings.storage)
    findings = tuple(examine(office.settings, office.holdings, now_us=made_us, servers=servers))
    return Checkup(made_us=made_us, findings=findings, servers=servers, hosts=_hosts(office, made_us))


def _hosts(office: Office, now_us: int) -> dict[str, int]:
    if not office.control.is_shared:
        return {}
    try:
        return last_written(office.control, now_us)
    except StorageError:
        return {}  # that the server is away is among the findings
