"""What people type into the filters of a search, and what it means.

Owns the spelling, for the command line and the admin area alike: a value that can't be meant is a fault that names
its filter and what is allowed. Applying a filter is the store's job.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from consentkit.archive.store.interface import Cursor, Filters
from consentkit.errors import BadSearch
from consentkit.requestlog.record import OUTCOMES
from consentkit.requestlog.redact import flag_bits

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEVICE_TYPES: Final = ("pc", "mobile", "tablet", "bot", "other")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_STATUS: Final = re.compile(r"([0-9]{3})|([0-9])xx", re.ASCII)


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """Filters as they were typed; an empty one asks nothing.

    Attributes:
        since, until: from, and before: ISO 8601, or ``2h``, ``7d`` ago.
        address: addresses or networks, any of which is meant.
        path: glob over the path.
        status: ``404`` or ``4xx``, any of which is meant.
        flag: names of `QUERY_FLAGS`, all of which are meant.
        bot: bots alone, or none.
        host, method, outcome, device_type, browser, country, text: as in `Filters`.
    """

    since: str = ""
    until: str = ""
    address: tuple[str, ...] = ()
    path: str = ""
    host: str = ""
    method: str = ""
    status: tuple[str, ...] = ()
    outcome: str = ""
    flag: tuple[str, ...] = ()
    device_type: str = ""
    browser: str = ""
    country: str = ""
    bot: bool | None = None
    text: str = ""


class Understood(msgspec.Struct, frozen=True):
    """What typed filters mean: those that could be read, and the faults of the others by the filter's name."""

    filters: Filters
    faults: dict[str, BadSearch]


def understand(typed: Typed, *, now: datetime | None = None) -> Understood:
    """Return what typed filters mean.

    Args:
        typed: as it was typed.
        now: the clock, for times that are so long ago.
    """
    faults: dict[str, BadSearch] = {}

    def read(name: str, reading: Callable[[], T], otherwise: T) -> T:
        try:
            return reading()
        except BadSearch as exc:
            faults[name] = exc
            return otherwise

    now = now or datetime.now(UTC)
    nothing = Filters()
    since, until = typed.since, typed.until
    filters = Filters(
        since_us=read("since", lambda: parse_time("since", since, now=now), 0) if since else 0,
        until_us=read("until", lambda: parse_time("until", until, now=now), nothing.until_us)
        if until
        else nothing.until_us,
        networks=read("address", lambda: tuple(map(_network, typed.address)), ()),
        path=typed.path,
        host=typed.host,
        method=typed.method,
        statuses=read("status", lambda: tuple(map(_statuses, typed.status)), ()),
        outcome=read("outcome", lambda: _one_of("outcome", typed.outcome, OUTCOMES), ""),
        flags=read("flag", lambda: flag_bits(typed.flag), 0),
        device_type=read("device_type", lambda: _one_of("device-type", typed.device_type, DEVICE_TYPES), ""),
        browser=typed.browser,
        country=typed.country,
        is_bot=typed.bot,
        text=typed.text,
    )
    return Understood(filters, faults)


def parse_time(name: str, text: str, *, now: datetime | None = None) -> int:
    """Return an instant in microseconds since 1970 UTC, not before it for what is so long ago.

    A date or time without a zone is in UTC, as everything that is shown.

    Args:
        name: the filter, for the error.
        text: ISO 8601, or a number and s, m, h, d or w: so long ago.
        now: the clock.

    Raises:
        BadSearch: it is neither.
    """
    if ago := _AGO.fullmatch(text):
        past_us = int(ago[1]) * _UNIT_SECONDS[ago[2]] * 1_000_000
        return max(((now or datetime.now(UTC)) - _EPOCH) // _MICROSECOND - past_us, 0)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadSearch(name, "is no time; write 2026-11-23, 2026-11-23T14:05Z, or 2h or 7d ago") from exc
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def parse_cursor(name: str, text: str) -> Cursor:
    """Return the place in the log that a text names.

    Args:
        name: the option, for the error.
        text: as a search gave it, or a time in ISO 8601.

    Raises:
        BadSearch: it is neither.
    """
    try:
        return Cursor.parse(text)
    except (ValueError, OverflowError) as exc:
        raise BadSearch(name, "is no place; write what a search printed, or 2026-11-23T14:05Z") from exc


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as exc:
        raise BadSearch("address", "is no address and no network; write 192.0.2.7 or 2001:db8::/32") from exc


def _statuses(text: str) -> tuple[int, int]:
    match = _STATUS.fullmatch(text.lower())
    if match is None:
        raise BadSearch("status", "is no status; write 404 or 4xx")
    if match[1]:
        return int(match[1]), int(match[1])
    return int(match[2]) * 100, int(match[2]) * 100 + 99


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text and text not in allowed:
        raise BadSearch(name, f"is none of {', '.join(allowed)}")
    return text
