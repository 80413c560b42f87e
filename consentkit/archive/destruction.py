"""The destruction of one period: five steps, each durable before the next, forward only.

Owns the steps and the certificate. Which periods go is the schedule's business; that one process at a time
is at it, retention's.

A crash between two steps leaves the period in the state ``destroying``; the same steps are then gone
through again, and each of them does nothing where it is done.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.period import change
from consentkit.archive.schedule import policy_sentence
from consentkit.audit import Actor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.archive.schedule import Going
    from consentkit.archive.store.places import Place
    from consentkit.audit import AuditEntry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ANY_STATE: Final = ("open", "sealed", "destroying", "destroyed")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """By whom and by which policy periods are destroyed.

    Attributes:
        actor: in the audit.
        retention_days: in force.
        confirmed_by: who or what let go what goes early.
        wait_seconds: how long readers may take to leave a period.
    """

    actor: Actor
    retention_days: int
    confirmed_by: str
    wait_seconds: float


def destroy(holdings: Holdings, going: Going, order: Order) -> Iterator[str]:
    """Destroy a period, yielding after each step what is durable by then.

    Nothing further is done until the next is asked for; the last is ``certified``.

    Raises:
        PeriodBusy: readers did not leave; what was begun is finished at the next run.
        StorageError: a step failed; likewise.
    """
    period = going.period
    _announce(holdings, going, order)
    yield "announced"
    yield from destroy_place(holdings, period.place, wait_seconds=order.wait_seconds)
    _certify(holdings, going, order)
    yield "certified"


def finish_rewrite(holdings: Holdings, period: Period, actor: Actor, *, wait_seconds: float) -> None:
    """Destroy the generation that a rewrite has left behind, if there is one; tell the audit once.

    Raises:
        PeriodBusy: readers did not leave; tried again at the next run.
        StorageError: a step failed; likewise.
    """
    if period.old_generation is None:
        return
    old = msgspec.structs.replace(period, generation=period.old_generation)
    for _ in destroy_place(holdings, old.place, wait_seconds=wait_seconds):
        pass
    with holdings.control.transaction() as connection:
        if change(connection, period, _ANY_STATE, old_generation=None):
            detail = {"period": old.name, "generation": old.generation}
            audit.append(connection, actor, "period.generation_destroyed", detail=detail)


def destroy_place(holdings: Holdings, place: Place, *, wait_seconds: float) -> Iterator[str]:
    """Destroy a place of rows, its key first, yielding after each step what is durable by then.

    Raises:
        PeriodBusy: readers did not leave.
        StorageError: a step failed; the same steps can be gone through again.
    """
    with holdings.rows.lock(place, exclusive=True, wait_seconds=wait_seconds):
        yield "locked"
        holdings.keyring.destroy(place.key_name, is_remembered=True)
        yield "key destroyed"
        yield from holdings.rows.remove(place)


def remove_remains(holdings: Holdings, place: Place) -> None:
    """Remove what a restored backup has brought back of a place that was destroyed.

    It can't be read: its key is gone.
    """
    for _ in holdings.rows.remove(place):
        pass


def _announce(holdings: Holdings, going: Going, order: Order) -> None:
    early = f"{going.early}; let go by {order.confirmed_by}" if going.early and not going.is_begun else going.early
    with holdings.control.transaction() as connection:
        if change(connection, going.period, ("open", "sealed"), state="destroying", early=early):
            detail = _detail(going.period, early, order)
            audit.append(connection, order.actor, "period.destroying", detail=detail)


def _certify(holdings: Holdings, going: Going, order: Order) -> None:
    with holdings.control.transaction() as connection:
        begun = _announcement(connection, going.period)
        now_us = time.time_ns() // 1000
        if change(connection, going.period, ("destroying",), state="destroyed", destroyed_us=now_us):
            detail = _detail(going.period, going.early, order)
            if begun is not None:  # what it says was found before the file was gone
                detail = msgspec.json.decode(begun.detail, type=dict[str, object])
                detail["announced_in_entry"] = begun.number
            audit.append(connection, order.actor, "period.destroyed", detail=detail)


def _announcement(connection: Connection, period: Period) -> AuditEntry | None:
    for entry in audit.newest_first(connection, "period.destroying"):
        if msgspec.json.decode(entry.detail, type=_Name).period == period.name:
            return entry
    return None


class _Name(msgspec.Struct, frozen=True):
    period: str


def _detail(period: Period, early: str, order: Order) -> dict[str, object]:
    return {
        "period": period.name,
        "generation": period.generation,
        "since": iso_second(period.since_us),
        "until": iso_second(period.until_us),
        "rows": period.rows,  # None where it could not be counted: it was never sealed
        "bytes": period.bytes,
        "file_hash": period.file_hash,
        "policy": policy_sentence(order.retention_days),
        "early": bool(early),
        "early_reason": early,
    }


def iso_second(time_us: int) -> str:
    """Return an instant as ISO 8601 in UTC, to the second."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%SZ")
