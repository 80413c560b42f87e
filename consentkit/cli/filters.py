"""The filters of every command that searches, as options.

Owns the options and their names in errors. What their values mean is `archive.search.typed`'s matter, applying
them the store's.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import click

from consentkit.archive.search import typed
from consentkit.archive.search.typed import DEVICE_TYPES, Typed, understand
from consentkit.errors import BadSearch
from consentkit.requestlog.record import OUTCOMES
from consentkit.requestlog.redact import QUERY_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from consentkit.archive.store import Cursor, Filters

P = ParamSpec("P")
R = TypeVar("R")

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
        "--device-type", default="", type=click.Choice(["", *DEVICE_TYPES]), metavar="|".join(DEVICE_TYPES)
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
    understood = understand(
        Typed(
            since=since or "",
            until=until or "",
            address=tuple(address),
            path=path,
            host=host,
            method=method,
            status=tuple(status),
            outcome=outcome,
            flag=tuple(flag),
            device_type=device_type,
            browser=browser,
            country=country,
            bot=bot,
            text=text,
        )
    )
    with _as_option():
        for fault in understood.faults.values():
            raise fault
    return understood.filters


def parse_time(name: str, text: str, *, now: datetime | None = None) -> int:
    """Return the instant that an option names, in microseconds since 1970 UTC, as `typed.parse_time`.

    Raises:
        BadSearch: it is none; names the option.
    """
    with _as_option():
        return typed.parse_time(name, text, now=now)


def parse_cursor(name: str, text: str | None) -> Cursor | None:
    """Return the place in the log that an option names; None where it was not given.

    Raises:
        BadSearch: it is none; names the option.
    """
    if text is None:
        return None
    with _as_option():
        return typed.parse_cursor(name, text)


@contextlib.contextmanager
def _as_option() -> Iterator[None]:
    try:
        yield
    except BadSearch as exc:
        raise BadSearch(f"--{exc.name}", exc.reason) from exc
