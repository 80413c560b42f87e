"""One page of the audit: what its address asks for, the entries, and the addresses of the pages beside it.

Owns the query string and the place in the list. How an entry is shown is `entryview`'s matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec
from sqlalchemy import select

from consentkit.admin.reads import reviewed_until
from consentkit.archive.search.typed import parse_time
from consentkit.audit import PURPOSES, AuditEntry, Listing
from consentkit.audit.reading import conditions
from consentkit.control import audit as entries
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from consentkit.control import Control
    from consentkit.web.texts import Catalogue

ROWS: Final = 50
FIELDS: Final = ("actor", "action", "purpose", "case", "since", "until")
MAX_CHARACTERS: Final = 200
# More than any audit will have, and what JSON's readers take for a whole number.
MAX_NUMBER: Final = 2**53

_OF_LOOKS: Final = "looks"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        typed: the filters as they were typed, by name; empty ones too.
        listing: what they mean; those that can't be read ask nothing.
        faults: what is wrong with the others, in words, by field.
        looks_only: nothing but looks at personal data since the last review.
        before, after: the place in the list; 0 = at the newest.
    """

    typed: Mapping[str, str]
    listing: Listing
    faults: Mapping[str, str]
    looks_only: bool = False
    before: int = 0
    after: int = 0

    def query(self, **place: int) -> str:
        """Return the query string of these filters at a place of the list."""
        pairs = [(name, value) for name, value in self.typed.items() if value]
        looks = [(_OF_LOOKS, "1")] if self.looks_only else []
        return urlencode([*pairs, *looks, *place.items()], errors="replace")

    def given(self) -> dict[str, object]:
        """Return what was asked for, for the audit."""
        looks = {_OF_LOOKS: True} if self.looks_only else {}
        places = {name: value for name, value in (("before", self.before), ("after", self.after)) if value}
        return {**{name: value for name, value in self.typed.items() if value}, **looks, **places}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One page.

    Attributes:
        entries: newest first.
        newer, older: query strings of the pages beside it; empty = there is none.
    """

    entries: tuple[AuditEntry, ...]
    newer: str
    older: str


def asked(values: Mapping[str, str], say: Catalogue) -> Asked:
    """Return what an address, or a form that carries the same fields, asks for."""
    typed = {name: values.get(name, "").strip() for name in FIELDS}
    faults = {
        name: say.gettext("At most {most} characters.", most=MAX_CHARACTERS)
        for name, value in typed.items()
        if len(value) > MAX_CHARACTERS
    }
    times = {}
    for name in ("since", "until"):
        if typed[name] and name not in faults:
            try:
                times[f"{name}_us"] = parse_time(name, typed[name])
            except BadSearch:
                faults[name] = say.gettext("This is no time. Write 2026-11-23, 2026-11-23T14:05, 2h or 7d.")
    if typed["purpose"] and typed["purpose"] not in PURPOSES:
        faults["purpose"] = say.gettext("This is none of the list.")
    texts = {name: typed[name] for name in ("actor", "action", "purpose", "case") if name not in faults}
    before, after = (_number(values.get(name, "")) for name in ("before", "after"))
    return Asked(
        typed=typed,
        listing=msgspec.convert({**texts, **times}, Listing),
        faults=faults,
        looks_only=values.get(_OF_LOOKS) == "1",
        before=before,
        after=0 if before else after,
    )


def find(control: Control, wanted: Asked, *, rows: int = ROWS) -> Found:
    """Return the page that was asked for.

    Raises:
        StorageError: the control database can't be read.
    """
    with control.transaction() as connection:
        fitting = _conditions(wanted, reviewed_until(connection) if wanted.looks_only else 0)
        page = select(entries).where(*fitting).limit(rows + 1)
        if wanted.after:
            page = page.where(entries.c.number > wanted.after).order_by(entries.c.number)
        else:
            page = page.order_by(entries.c.number.desc())
        found = [AuditEntry(**row._asdict()) for row in connection.execute(page)]
    has_more = len(found) > rows
    shown = found[:rows][::-1] if wanted.after else found[:rows]
    has_newer = has_more if wanted.after else bool(wanted.before)
    has_older = has_more or bool(wanted.after)
    return Found(
        entries=tuple(shown),
        newer=wanted.query(after=shown[0].number) if shown and has_newer else "",
        older=wanted.query(before=shown[-1].number) if shown and has_older else "",
    )


def _conditions(wanted: Asked, reviewed: int) -> list[ColumnElement[bool]]:
    fitting = conditions(wanted.listing)
    if wanted.looks_only:
        fitting += [entries.c.number > reviewed, entries.c.purpose != ""]
    if wanted.before:
        fitting.append(entries.c.number < wanted.before)
    return fitting


def _number(text: str) -> int:
    """Return the number of an entry; 0 for what is none."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= 16
    return int(text) if is_number and int(text) < MAX_NUMBER else 0
