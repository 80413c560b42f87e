"""What browsers report of the narrowing policy: which hosts a page was kept from.

Owns the reading of a report, of which hosts alone are counted: an address of a page could say who was there.
A report is anyone's word, so its size, its rate and the names it may bring are bounded. How it comes in is the
visitor's pages' job.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.consent.declared import Service
    from consentkit.consent.seen import Seen

MAX_REPORT_BYTES: Final = 8192
CONTENT_TYPES: Final = frozenset({"application/csp-report", "application/reports+json", "application/json"})

# One worker's: a page that is much visited has its reports sampled, which tells the same.
_REPORTS_A_SECOND: Final = 5.0
_BURST: Final = 100.0
_VIOLATIONS_READ: Final = 20

_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?", re.ASCII)


class _Violation(msgspec.Struct):
    """A violation, as report-uri and as the Reporting API name it. Source: CSP Level 3 §5.1, §5.3."""

    old: object = msgspec.field(default="", name="blocked-uri")
    new: object = msgspec.field(default="", name="blockedURL")


class _OldReport(msgspec.Struct):
    violation: _Violation = msgspec.field(name="csp-report")


class _Report(msgspec.Struct):
    type: str = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


class ReportDesk:
    """Take reports and count the hosts in them.

    Args:
        services: whose hosts are told from invented ones.
        seen: counts.
    """

    def __init__(self, services: Iterable[Service], seen: Seen) -> None:
        self._declared = tuple(dict.fromkeys(host for service in services for host in service.hosts))
        self._seen = seen
        self._room = _BURST
        self._filled_at = time.monotonic()

    def has_room(self) -> bool:
        """Tell whether one more report may be read now, and count it."""
        now = time.monotonic()
        self._room = min(_BURST, self._room + (now - self._filled_at) * _REPORTS_A_SECOND)
        self._filled_at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def take(self, body: bytes) -> None:
        """Count the hosts in a report.

        Args:
            body: JSON of either form; hostile, `MAX_REPORT_BYTES` at most.

        Raises:
            ValueError: it is no such report.
        """
        for host in blocked_hosts(body):
            pattern = next((known for known in self._declared if _covers(known, host)), None)
            self._seen.block(pattern or host, is_declared=pattern is not None)


def blocked_hosts(body: bytes) -> list[str]:
    """Return the hosts that a report says were not loaded from, each once.

    What is blocked without a host, as inline code, is left out.

    Raises:
        ValueError: the body is no report.
    """
    try:
        if body.lstrip()[:1] == b"[":
            found = _new_violations(body)
        else:
            found = [msgspec.json.decode(body, type=_OldReport).violation]
    except msgspec.MsgspecError as exc:
        raise ValueError("no report of a policy") from exc
    hosts = (_host_of(each.old) or _host_of(each.new) for each in found)
    return list(dict.fromkeys(filter(None, hosts)))


def _new_violations(body: bytes) -> list[_Violation]:
    reports = msgspec.json.decode(body, type=list[_Report])[:_VIOLATIONS_READ]
    return [msgspec.json.decode(each.body, type=_Violation) for each in reports if each.type == "csp-violation"]


def _host_of(blocked: object) -> str:
    if not isinstance(blocked, str):
        return ""
    try:
        host = urlsplit(blocked[:MAX_REPORT_BYTES]).hostname or ""
    except ValueError:
        return ""
    return host if _HOST.fullmatch(host) else ""


def _covers(declared: str, host: str) -> bool:
    return host.endswith(declared[1:]) if declared.startswith("*.") else host == declared
