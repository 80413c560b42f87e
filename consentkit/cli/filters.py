"""The filters of every command that searches, and what their values mean.

Owns parsing: a value that can't be meant is refused with what is allowed. Applying a filter is the
archive's job.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import click

from consentkit.archive.store import Cursor, Filters
from consentkit.errors import BadSearch
from consentkit.requestlog.record import OUTCOMES
from consentkit.requestlog.redact import QUERY_FLAGS, flag_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

P = ParamSpec("P")
R = TypeVar("R")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_STATUS: Final = re.compile(r"([0-9]{3})|([0-9])xx", re.ASCII)
_DEVICE_TYPES: Final = ("pc", "mobile", "tablet", "bot", "other")

_OPTIONS: Final = (
    click.option("--since", metavar="TIME", help="From this time: ISO 8601, or 2h, 7d ago."),
    click.option("--until", metavar="TIME", help="Before this time."),
    click.option("--address", multiple=True, metavar="ADDRESS|CIDR", help="Of these clients; may be repeated."),
    click.option("--path", default="", metavar="GLOB", help="Glob over the path, as '/admin/*'."),
    click.option("--host", default="", help="Of this host."),
    click.option("--method", default="", help="With this method."),
    click.option("--status", multiple=True, metavar="404|4xx", help="With this status; may be repeated."),
    click.option("--outcome", default="", type=click.Choice(["", *OUTCOMES]), metavar="|".join(OUTCOMES)),
    click.option(
        "--flag", multiple=True, type=click.Choice(QUERY_FLAGS), help="With suspicious queries of this kind."
    ),
    click.option(
        "--device-type", default="", type=click.Choice(["", *_DEVICE_TYPES]), metavar="|".join(_DEVICE_TYPES)
    ),
    click.option("--browser", default="", help="With this browser, as Firefox."),
    click.option("--country", default="", metavar="CODE", help="From this country, as LV."),
    click.option("--bot/--no-bot", default=None, help="Bots alone, or none."),
    click.option("--text", default="", help="With this text in URL, user agent or referrer's host."),
)


def filter_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add every filter to a command, which gets them as keywords for `make_filters`."""
    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def make_filters(
    *,
    since: str | None,
    until: str | None,
    address: Sequence[str],
    path: str,
    host: str,
    method: str,
    status: Sequence[str],
    outcome: str,
    flag: Sequence[str],
    device_type: str,
    browser: str,
    country: str,
    bot: bool | None,
    text: str,
) -> Filters:
    """Return the filters that the options ask for.

    Raises:
        BadSearch: names the option and what is allowed.
    """
    return Filters(
        since_us=parse_time("since", since) if since else 0,
        until_us=parse_time("until", until) if until else Filters().until_us,
        networks=tuple(_network(one) for one in address),
        path=path,
        host=host,
        method=method,
        statuses=tuple(_statuses(one) for one in status),
        outcome=outcome,
        flags=flag_bits(flag),
        device_type=device_type,
        browser=browser,
        country=country,
        is_bot=bot,
        text=text,
    )


def parse_time(name: str, text: str, *, now: datetime | None = None) -> int:
    """Return an instant in microseconds since 1970 UTC.

    A date or time without a zone is in UTC, as everything that is shown.

    Args:
        name: the option, for the error.
        text: ISO 8601, or a number and s, m, h, d or w: so long ago.
        now: the clock.

    Raises:
        BadSearch: it is neither.
    """
    if ago := _AGO.fullmatch(text):
        past = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return (max((now or datetime.now(UTC)) - past, _EPOCH) - _EPOCH) // timedelta(microseconds=1)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadSearch(f"--{name}", "is no time; write 2026-11-23, 2026-11-23T14:05Z, or 2h or 7d ago") from exc
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def parse_cursor(name: str, text: str | None) -> Cursor | None:
    """Return the place in the log that an option names; None where it was not given.

    Args:
        name: the option, for the error.
        text: as a search printed it, or a time in ISO 8601.

    Raises:
        BadSearch: it is neither.
    """
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except (ValueError, OverflowError) as exc:
        raise BadSearch(f"--{name}", "is no place; write what a search printed, or 2026-11-23T14:05Z") from exc


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as exc:
        raise BadSearch("--address", "is no address and no network; write 192.0.2.7 or 2001:db8::/32") from exc


def _statuses(text: str) -> tuple[int, int]:
    match = _STATUS.fullmatch(text.lower())
    if match is None:
        raise BadSearch("--status", "is no status; write 404 or 4xx")
    if match[1]:
        return int(match[1]), int(match[1])
    return int(match[2]) * 100, int(match[2]) * 100 + 99
