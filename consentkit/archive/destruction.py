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
from consentkit.archive.periodlock import PeriodLock, lock_path
from consentkit.archive.schedule import policy_sentence
from consentkit.audit import Actor
from consentkit.crypto import sync_directory
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.archive.schedule import Going
    from consentkit.audit import AuditEntry
    from consentkit.crypto import Keyring

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# A database, and what SQLite may have left beside it after a crash.
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")

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
    yield from _destroy_generation(holdings, period, order.wait_seconds)
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
    for _ in _destroy_generation(holdings, old, wait_seconds):
        pass
    with holdings.control.transaction() as connection:
        if change(connection, period, _ANY_STATE, old_generation=None):
            detail = {"period": old.name, "generation": old.generation}
            audit.append(connection, actor, "period.generation_destroyed", detail=detail)


def _destroy_generation(holdings: Holdings, period: Period, wait_seconds: float) -> Iterator[str]:
    yield from destroy_file(holdings.keyring, holdings.file(period), period.key_name, wait_seconds=wait_seconds)


def destroy_file(keyring: Keyring, file: Path, key_name: str, *, wait_seconds: float) -> Iterator[str]:
    """Destroy a file of rows, its key first, yielding after each step what is durable by then.

    Raises:
        PeriodBusy: readers did not leave.
        StorageError: a step failed; the same steps can be gone through again.
    """
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with PeriodLock(file, exclusive=True, wait_seconds=wait_seconds):
        yield "locked"
        keyring.destroy(key_name, is_remembered=True)
        yield "key destroyed"
        for suffix in _SUFFIXES:
            _remove(file.with_name(f"{file.name}{suffix}"))
            yield f"file removed{suffix}"
        _remove(lock_path(file))


def remove_remains(holdings: Holdings, period: Period) -> None:
    """Remove the files of a destroyed period, which a restored backup may have brought back.

    They can't be read: their key is gone.
    """
    remove_files(holdings.file(period))


def remove_files(file: Path) -> None:
    """Remove a database with all that lies beside it, durably."""
    for suffix in _SUFFIXES:
        _remove(file.with_name(f"{file.name}{suffix}"))
    _remove(lock_path(file))


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


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise StorageError(str(path), f"can't be removed ({exc.strerror})") from exc
    sync_directory(path.parent)


def iso_second(time_us: int) -> str:
    """Return an instant as ISO 8601 in UTC, to the second."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%SZ")
