"""The options that say whom a command is about.

Owns that one of an address with its time and a consent id is named.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from consentkit.archive.subject import Person
from consentkit.cli.filters import parse_time
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_WHO = (
    click.option("--address", default="", metavar="ADDRESS", help="The address; one, no network."),
    click.option("--since", default="", metavar="TIME", help="From when it was theirs: ISO 8601, or 7d ago."),
    click.option("--until", default="", metavar="TIME", help="Until when.  [default: now]"),
    click.option("--consent-id", default="", metavar="ID", help="Or the value of their cookie consentkit_id."),
)


def who_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add the options that say whom it is about."""
    return functools.reduce(lambda made, option: option(made), reversed(_WHO), command)


def make_person(address: str, since: str, until: str, consent_id: str) -> Person:
    """Return whom it is about.

    Raises:
        BadSearch: both or neither is named, or one can't be meant.
    """
    if bool(address) == bool(consent_id):
        raise BadSearch("--address", "or --consent-id: name one of the two")
    if consent_id:
        if since or until:
            raise BadSearch("--since", "is for an address: a consent id is theirs at all times")
        return Person.of_consent(consent_id)
    if not since:
        raise BadSearch("--since", "is missing: from when was the address theirs? Others had it before")
    now_us = time.time_ns() // 1000
    return Person.at(address, parse_time("since", since), parse_time("until", until) if until else now_us)
