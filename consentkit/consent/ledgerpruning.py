"""Letting go of decisions that were proof for long enough.

Owns when a consent has ended, and the cut: what a row says goes, with a certificate in the audit in the same
transaction; its place in the chain stays until nothing older is kept. Source: GDPR art. 5(1)(e), 7(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from consentkit import audit
from consentkit.consent.decision import Decision
from consentkit.consent.ledgerchain import HEAD, PRUNED, Certificate, Link, begin_link, newest_link, runs
from consentkit.control import decision as decisions
from consentkit.control import shown_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.audit import Actor, AuditEntry
    from consentkit.control import Control

_MINUTES_A_DAY: Final = 1440

# So many numbers an entry of the audit; more follow in the next, so that no one waits long for the database.
_AT_ONCE: Final = 1000

_LEFT: Final = ("number", "previous_hash", "hash", "pruned_in")


def prune_decisions(
    control: Control, actor: Actor, *, now_minute: int, keep_days: int, lifetime_days: int
) -> list[AuditEntry]:
    """Let go of what was kept for `keep_days` after its consent ended, and return the certificates.

    A consent ends when the same visitor decides anew, when nothing is granted any more, or when its lifetime
    has passed. A refusal has ended when it was given: nothing follows from it that must be proved longer.

    Args:
        control: the control database.
        actor: who does it.
        now_minute: minutes since 1970 UTC, by a clock that is trusted.
        keep_days: ``[keep] proof``.
        lifetime_days: of a choice.

    Raises:
        StorageError: what was not certified by then is kept.
    """
    made: list[AuditEntry] = []
    before = now_minute - keep_days * _MINUTES_A_DAY
    while True:
        with control.transaction() as connection:
            numbers = _due(connection, before, lifetime_days * _MINUTES_A_DAY)
            if not numbers:
                return made
            made.append(_let_go(connection, actor, numbers, keep_days))


def note_head(control: Control, actor: Actor) -> AuditEntry | None:
    """Write where the chain ends into the audit, if that is not said there: newer rows can't be cut off unseen.

    Raises:
        StorageError: it can't be made durable.
    """
    with control.transaction() as connection:
        head = newest_link(connection)
        noted = next(audit.newest_first(connection, HEAD), None)
        if head.number == 0 or (noted is not None and noted_link(noted) == head):
            return None
        return audit.append(connection, actor, HEAD, detail=msgspec.structs.asdict(head))


def noted_link(entry: AuditEntry) -> Link | None:
    """Return what an entry ``consent.head`` says; None where it is no such thing."""
    try:
        return msgspec.json.decode(entry.detail, type=Link)
    except msgspec.DecodeError:
        return None


def _due(connection: Connection, before: int, lifetime: int) -> list[int]:
    has_ended = and_(decisions.c.pruned_in == 0, decisions.c.minute <= before, _has_ended(before, lifetime))
    found = select(decisions.c.number).where(has_ended).order_by(decisions.c.number).limit(_AT_ONCE)
    return list(connection.execute(found).scalars())


def _has_ended(before: int, lifetime: int) -> ColumnElement[bool]:
    after = decisions.alias()
    is_replaced = exists().where(
        after.c.previous_number == decisions.c.number,
        after.c.consent_id == decisions.c.consent_id,
        after.c.minute <= before,
    )
    return or_(decisions.c.granted == "", decisions.c.minute <= before - lifetime, is_replaced)


def _let_go(connection: Connection, actor: Actor, numbers: list[int], keep_days: int) -> AuditEntry:
    gone = set(numbers)
    kept = select(func.min(decisions.c.number)).where(decisions.c.pruned_in == 0, decisions.c.number.not_in(gone))
    first = connection.execute(kept).scalar() or newest_link(connection).number + 1
    last = connection.execute(select(decisions.c.hash).where(decisions.c.number == first - 1)).scalar()
    begins_after = Link(first - 1, last) if last else begin_link(connection)
    certificate = Certificate(
        decisions=len(numbers), numbers=runs(numbers), kept_days=keep_days, begins_after=begins_after
    )
    entry = audit.append(connection, actor, PRUNED, detail=msgspec.to_builtins(certificate))
    blank = msgspec.structs.asdict(
        Decision(consent_id="", granted="", denied="", method="api", revision=0, locale="", script=0)
    )
    left = {name: value for name, value in blank.items() if name not in _LEFT}
    connection.execute(
        decisions.update().where(decisions.c.number.in_(gone)).values(**left, pruned_in=entry.number)
    )
    connection.execute(decisions.delete().where(decisions.c.number <= begins_after.number))
    used = select(decisions.c.text_hash)
    connection.execute(shown_text.delete().where(shown_text.c.hash.not_in(used)))
    return entry
