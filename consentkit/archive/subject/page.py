"""The page of a person's bundle that people read: one HTML file that needs nothing else.

Owns its view and the rendering; the words and the look are the template's. Everything in it is escaped: what
browsers send stands in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.store.interface import FoundRequest
from consentkit.archive.store.select import iso_time
from consentkit.archive.subject.account import Account
from consentkit.archive.subject.choices import Policy, Proof
from consentkit.archive.subject.looks import CopyMade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPLATE = "consentkit/subject.html"

_PIECE_BYTES = 64 * 1024


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows.

    Attributes:
        made: time in UTC, to the minute.
        account: who, why, how long, for whom.
        rows: her requests, or choices.
        days: requests by day, newest first.
        shown: the newest requests.
        proof: choices; None where it is about requests.
        policies: that the choices were made under.
        looks: how often by (date, purpose, how), oldest first.
        copies: registered copies that may hold the rows.
    """

    made: str
    account: Account
    rows: int
    days: tuple[tuple[str, int], ...]
    shown: tuple[FoundRequest, ...]
    proof: Proof | None
    policies: tuple[Policy, ...]
    looks: tuple[tuple[tuple[str, str, str], int], ...]
    copies: tuple[CopyMade, ...]


def render(templates: Path, page: Page) -> Iterator[bytes]:
    """Yield the page as UTF-8, in pieces.

    Args:
        templates: the folder that holds ``consentkit/subject.html``.
        page: what it shows.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - with the first page alone

    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["minute"] = _minute
    stream = environment.get_template(TEMPLATE).generate(page=page)
    waiting = bytearray()
    for piece in stream:
        waiting += piece.encode("utf-8", "replace")
        if len(waiting) >= _PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _minute(minutes: int) -> str:
    """Return minutes since 1970 UTC for people."""
    return iso_time(minutes * 60_000_000)[:16].replace("T", " ")
