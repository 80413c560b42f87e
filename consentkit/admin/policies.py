"""The policies there were, what changed from one to the next, and the texts that visitors were shown.

Owns reading them in pages. What a policy holds is `consent.canonical`'s, what is new in one `consent.news`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select, tuple_

from consentkit.consent.canonical import Holdings, holdings, renewals
from consentkit.consent.declared import OPTIONAL
from consentkit.consent.news import Addition, added_since
from consentkit.consent.shown import ShownText
from consentkit.control import policy as policy_table
from consentkit.control import shown_text

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from consentkit.control import Control

PAGE_ROWS: Final = 20
HASH: Final = re.compile(r"[0-9a-f]{64}")


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One policy.

    Attributes:
        number: counts policies, from 1.
        hash: SHA-256 of its canonical text.
        is_whole: the text that is kept has this hash.
        time_us: from when it was in force.
        until_us: to when; None = it still is.
        added, removed: what changed from the one before; both empty for the first, and where one can't be read.
        renewed: for which visitors are asked again: categories, and services as ``+vimeo``.
        held: what it holds, by category and by service; None where it can't be read.
    """

    number: int
    hash: str
    is_whole: bool
    time_us: int
    until_us: int | None
    added: tuple[Addition, ...] = ()
    removed: tuple[Addition, ...] = ()
    renewed: tuple[str, ...] = ()
    held: Mapping[str, Holdings] | None = None


class Revisions(msgspec.Struct, frozen=True, kw_only=True):
    """A page of policies, newest first; `before` leads to older ones, 0 = there are none."""

    rows: tuple[Revision, ...]
    before: int


class TextRow(msgspec.Struct, frozen=True, kw_only=True):
    """A text in a list: its hash, its language, and when it was first decided under."""

    hash: str
    locale: str
    time_us: int


class TextRows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of texts, newest first; `before` names the last of them where older ones follow, else empty."""

    rows: tuple[TextRow, ...]
    before: str


class KeptText(msgspec.Struct, frozen=True, kw_only=True):
    """A text as it stood.

    Attributes:
        hash: by which decisions name it.
        is_whole: what is kept has this hash.
        time_us: when it was first decided under.
        text: what visitors read; None where it can't be read.
    """

    hash: str
    is_whole: bool
    time_us: int
    text: ShownText | None


def revisions(control: Control, *, before: int = 0) -> Revisions:
    """Return a page of policies.

    Args:
        control: the control database.
        before: number of the revision after the page; 0 = from the newest on.

    Raises:
        StorageError: the control database refuses.
    """
    wanted = select(policy_table).order_by(policy_table.c.revision.desc()).limit(PAGE_ROWS + 1)
    if before:
        wanted = wanted.where(policy_table.c.revision < before)
    with control.transaction() as connection:
        rows = connection.execute(wanted).all()
        following = _following(connection, rows[0].revision) if rows else None
    found = []
    for index, row in enumerate(rows[:PAGE_ROWS]):
        older = rows[index + 1] if index + 1 < len(rows) else None
        found.append(_revision(row, older, following))
        following = row
    return Revisions(rows=tuple(found), before=rows[PAGE_ROWS - 1].revision if len(rows) > PAGE_ROWS else 0)


def revision(control: Control, number: int) -> Revision | None:
    """Return one policy; None where there is none of this number.

    Raises:
        StorageError: the control database refuses.
    """
    is_asked = policy_table.c.revision.in_((number - 1, number, number + 1))
    with control.transaction() as connection:
        rows = {row.revision: row for row in connection.execute(select(policy_table).where(is_asked))}
    if number not in rows:
        return None
    return _revision(rows[number], rows.get(number - 1), rows.get(number + 1))


def texts(control: Control, *, before: str = "") -> TextRows:
    """Return a page of texts.

    Args:
        control: the control database.
        before: hash of the text before the page; empty, or one that is gone = from the newest on.

    Raises:
        StorageError: the control database refuses.
    """
    cell = shown_text.c
    wanted = select(cell.hash, cell.locale, cell.time).order_by(cell.time.desc(), cell.hash.desc())
    with control.transaction() as connection:
        last = connection.execute(select(cell.time).where(cell.hash == before)).scalar() if before else None
        if last is not None:
            wanted = wanted.where(tuple_(cell.time, cell.hash) < tuple_(last, before))
        rows = connection.execute(wanted.limit(PAGE_ROWS + 1)).all()
    found = [TextRow(hash=row.hash, locale=row.locale, time_us=_us(row.time)) for row in rows[:PAGE_ROWS]]
    return TextRows(rows=tuple(found), before=found[-1].hash if len(rows) > PAGE_ROWS else "")


def text(control: Control, name: str) -> KeptText | None:
    """Return the text of a hash as it stood; None where there is none.

    Raises:
        StorageError: the control database refuses.
    """
    if not HASH.fullmatch(name):
        return None
    with control.transaction() as connection:
        row = connection.execute(select(shown_text).where(shown_text.c.hash == name)).one_or_none()
    if row is None:
        return None
    snapshot = bytes(row.snapshot)
    try:
        shown = msgspec.json.decode(snapshot, type=ShownText)
    except (ValueError, RecursionError):  # msgspec's faults, and that of text that is no UTF-8
        shown = None
    return KeptText(hash=row.hash, is_whole=_has_hash(snapshot, row.hash), time_us=_us(row.time), text=shown)


def _following(connection: Connection, number: int) -> Row[tuple[object, ...]] | None:
    newer = select(policy_table).where(policy_table.c.revision > number).order_by(policy_table.c.revision)
    return connection.execute(newer.limit(1)).one_or_none()


def _revision(
    row: Row[tuple[object, ...]], older: Row[tuple[object, ...]] | None, newer: Row[tuple[object, ...]] | None
) -> Revision:
    snapshot = bytes(row.snapshot)
    held = holdings(snapshot)
    found = Revision(
        number=row.revision,
        hash=row.hash,
        is_whole=_has_hash(snapshot, row.hash),
        time_us=_us(row.time),
        until_us=_us(newer.time) if newer is not None else None,
        held=held,
    )
    before = bytes(older.snapshot) if older is not None else b""
    if held is None or holdings(before) is None:
        return found
    return msgspec.structs.replace(
        found,
        added=added_since(before, snapshot),
        removed=added_since(snapshot, before),
        renewed=tuple(sorted(renewals(before, snapshot), key=_rank)),
    )


def _rank(name: str) -> tuple[int, str]:
    """Put categories in the order in which visitors are asked, and services behind them."""
    return OPTIONAL.index(name) if name in OPTIONAL else len(OPTIONAL), name


def _has_hash(snapshot: bytes, name: str) -> bool:
    return hashlib.sha256(snapshot).hexdigest() == name


def _us(seconds: int) -> int:
    return seconds * 1_000_000
