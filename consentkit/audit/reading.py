"""Reading the audit: one action's entries, the whole chain, or what a person asks for.

Owns the statements. Long reads go in pages, each a transaction of its own, so that nobody who writes waits
for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import ColumnElement, func, select

from consentkit.audit.entry import BEFORE_FIRST, AuditEntry, BrokenChain, Link, link_fault
from consentkit.control import Control, audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

PRUNED: Final = "audit.pruned"

_PAGE_ROWS: Final = 1000


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for; an empty field asks nothing.

    Attributes:
        since_us, until_us: from, and before; microseconds since 1970 UTC.
        actor, purpose, case: exact.
        action: glob with ``*`` and ``?``, as in ``log.*``.
    """

    since_us: int = 0
    until_us: int = 2**62
    actor: str = ""
    action: str = ""
    purpose: str = ""
    case: str = ""


class Pruned(msgspec.Struct, frozen=True):
    """The detail of ``audit.pruned``: after which entry what is kept begins.

    Attributes:
        last_number, last_hash: the last entry that was let go.
        entries: how many went with it.
        kept_days: the setting by which they went.
    """

    last_number: int
    last_hash: str
    entries: int
    kept_days: int


def newest_first(connection: Connection, action: str) -> Iterator[AuditEntry]:
    """Yield the entries of one action, newest first. The chain is not checked: that is `entries`' job."""
    of_action = select(audit).where(audit.c.action == action).order_by(audit.c.number.desc())
    for row in connection.execute(of_action):
        yield AuditEntry(**row._asdict())


def last_number(connection: Connection) -> int:
    """Return the number of the newest entry; 0 = there is none."""
    return newest_link(connection).number


def newest_link(connection: Connection) -> Link:
    """Return where the chain ends."""
    newest = select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Link(row.number, row.hash) if row else BEFORE_FIRST


def begin_link(connection: Connection) -> Link:
    """Return the entry after which the chain begins: the last one that was pruned, or none."""
    first = connection.execute(select(func.min(audit.c.number))).scalar()
    if first is None or first == 1:
        return BEFORE_FIRST
    newest = next(newest_first(connection, PRUNED), None)
    if newest is None:
        return BEFORE_FIRST
    try:
        pruned = msgspec.json.decode(newest.detail, type=Pruned)
    except msgspec.DecodeError:
        return BEFORE_FIRST
    return Link(pruned.last_number, pruned.last_hash)


def entries(connection: Connection) -> Iterator[AuditEntry]:
    """Yield every entry, oldest first.

    Raises:
        BrokenChain: an entry was changed, removed, added or moved; names the first.
    """
    before = begin_link(connection)
    for row in connection.execute(select(audit).order_by(audit.c.number)):
        entry = AuditEntry(**row._asdict())
        if fault := link_fault(entry, before):
            raise BrokenChain(before.number + 1, fault)
        yield entry
        before = Link(entry.number, entry.hash)


def after(control: Control, number: int) -> Iterator[AuditEntry]:
    """Yield the entries after one, oldest first and as they are: the chain is not checked.

    Raises:
        StorageError: the control database can't be read.
    """
    while True:
        with control.reading() as connection:
            page = select(audit).where(audit.c.number > number).order_by(audit.c.number).limit(_PAGE_ROWS)
            found = [AuditEntry(**row._asdict()) for row in connection.execute(page)]
        yield from found
        if len(found) < _PAGE_ROWS:
            return
        number = found[-1].number


def listed(
    control: Control, listing: Listing, *, limit: int = 0, before: int | None = None
) -> Iterator[AuditEntry]:
    """Yield the entries that are asked for, newest first.

    Args:
        control: the control database.
        listing: which.
        limit: at most so many; 0 = all.
        before: go on after this entry.

    Raises:
        StorageError: the control database can't be read.
    """
    wanted, shown = conditions(listing), 0
    while True:
        size = min(_PAGE_ROWS, limit - shown) if limit else _PAGE_ROWS
        page = select(audit).where(*wanted).order_by(audit.c.number.desc()).limit(size)
        if before is not None:
            page = page.where(audit.c.number < before)
        with control.reading() as connection:
            found = [AuditEntry(**row._asdict()) for row in connection.execute(page)]
        yield from found
        shown += len(found)
        if len(found) < size or shown == limit:
            return
        before = found[-1].number


def conditions(listing: Listing) -> list[ColumnElement[bool]]:
    """Return what an entry must fulfil to be among those asked for."""
    found = [audit.c.time_us >= listing.since_us, audit.c.time_us < listing.until_us]
    for column, wanted in ((audit.c.actor, listing.actor), (audit.c.case_id, listing.case)):
        if wanted:
            found.append(column == wanted)
    if listing.purpose:
        found.append(audit.c.purpose == listing.purpose)
    if listing.action:
        found.append(audit.c.action.ilike(_like(listing.action), escape="\\"))
    return found


def _like(glob: str) -> str:
    """Return SQL's form of a glob that knows ``*`` and ``?`` alone."""
    for char in "\\%_":
        glob = glob.replace(char, f"\\{char}")
    return glob.replace("*", "%").replace("?", "_")
