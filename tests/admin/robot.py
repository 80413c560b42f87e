"""A member of staff who fills in every form there is: with what fits, or with anything at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit.control.tables import metadata
from tests.admin.area import PASSWORD, Client
from tests.admin.forms import Field, Form, Walk

if TYPE_CHECKING:
    import httpx

    from tests.archive.installation import Installation

# What would end the robot's own way in, or bar others from it; tested by name elsewhere.
_LEFT_OUT: Final = re.compile(r"/(sign-out|account|staff)\b")

WILD: Final = (
    "\x00",
    "9" * 400,
    "-1",
    "../../../etc/passwd",
    "%00%2e%2e%2f",
    "a\r\nSet-Cookie: x=1",
    "\u202e\u2066\ufeff\ud7ff",
    "🧨" * 300,
    "'; DROP TABLE audit; --",
    "0001-01-01T00:00",
    "~AAAA",
    "*" * 200,
    "{{ 7 * 7 }}",
    "1e309",
    "٣",
)

# What looking at pages may change: that it was done, and that somebody is there.
_OF_LOOKING: Final = frozenset({"audit", "session", "throttle", "heartbeat"})


class Sent(msgspec.Struct):
    """A form that was sent, and its answer."""

    path: str
    form: dict[str, str]
    answer: httpx.Response


async def fill_in(client: Client, walk: Walk, text: str) -> list[Sent]:
    """Send each POST form once, with `text` where words are asked for and what fits elsewhere."""
    sent = []
    for _, form in walk.forms():
        if form.method == "POST" and not _LEFT_OUT.match(form.path):
            values = {**{one.name: _fitting(one, text) for one in _chosen(form)}, "confirm-password": PASSWORD}
            sent.append(Sent(form.path, values, await client.post(form.path, values)))
    return sent


def wild_values(form: Form, turn: int) -> dict[str, str]:
    """Return anything at all for each field of a form, something else with each turn."""
    names = list(dict.fromkeys(one.name for one in form.fields if one.name))
    return {name: WILD[(turn + number) % len(WILD)] for number, name in enumerate(names)}


def rows(installation: Installation) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of the control database that looking does not change."""
    with installation.control.transaction() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table)).all()]
            for table in metadata.sorted_tables
            if table.name not in _OF_LOOKING
        }


def _chosen(form: Form) -> list[Field]:
    """Return the fields that are sent: one radio button of each name, every box ticked."""
    radios: dict[str, Field] = {}
    for one in form.fields:
        if one.kind == "radio":
            radios.setdefault(one.name, one)
    return [*(one for one in form.fields if one.kind != "radio" and one.name), *radios.values()]


def _fitting(field: Field, text: str) -> str:
    today = datetime.now(UTC).date()
    if field.kind == "date" and not field.value:
        is_past = field.name in ("received", "since")
        return (today if is_past else today + timedelta(days=20)).isoformat()
    if field.kind in ("text", "textarea", "search") and not field.value:
        return text
    return field.value
