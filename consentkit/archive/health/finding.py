"""The shape of an answer: what was looked at, how it stands, and what to do where it stands badly."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.settings import Settings

Level: TypeAlias = Literal["good", "unknown", "bad"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        check: its name, stable for monitoring, as ``retention.overdue``.
        level: ``good``, ``bad``, or ``unknown`` where it can't be told now.
        text: how it stands, in a sentence; no value from a request.
        way_out: what to do; empty where nothing is to be done.
    """

    check: str
    level: Level
    text: str
    way_out: str = ""


class Patient(NamedTuple):
    """What is examined.

    Attributes:
        settings: in force.
        holdings: the store.
        now_us: the clock, microseconds since 1970 UTC.
    """

    settings: Settings
    holdings: Holdings
    now_us: int

    @property
    def today(self) -> date:
        """The day in UTC."""
        return datetime.fromtimestamp(self.now_us / 1e6, UTC).date()


def good(check: str, text: str) -> Finding:
    """Say that all is well."""
    return Finding(check, "good", text)


def bad(check: str, text: str, way_out: str) -> Finding:
    """Say what is wrong, and what to do."""
    return Finding(check, "bad", text, way_out)


def unknown(check: str, text: str, way_out: str = "") -> Finding:
    """Say why it can't be told."""
    return Finding(check, "unknown", text, way_out)
