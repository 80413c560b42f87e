"""The figures of one installation at this moment, for monitoring and the health page.

Owns reading them: cheap ones, from catalogues and folders; no row is read, and nothing in them is of a person.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit import status
from consentkit.archive.evidence import LastVerification, last_verification
from consentkit.archive.period import destroyed, kept
from consentkit.archive.schedule import due_us
from consentkit.archive.standing import OVERDUE_AFTER_US
from consentkit.control import aggregate, consent_rate, heartbeat, total
from consentkit.control import audit as entries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consentkit.admin.office import Office
    from consentkit.control import Control
    from consentkit.status import WorkerStatus

# Workers keep one open segment each; more files than these are not counted one by one.
_MAX_SEGMENTS: Final = 100_000


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """What waits to be stored.

    Attributes:
        bytes, segments: in all.
        oldest_seconds: since the oldest segment was last written; 0 where none waits.
    """

    bytes: int
    segments: int
    oldest_seconds: float


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept. Times are microseconds since 1970 UTC.

    Attributes:
        by_state: number of periods by state.
        rows, bytes: of sealed periods.
        overdue: periods that should be gone.
        waiting: periods that wait to be confirmed.
        next_us: when the next one goes; None where nothing is kept.
        last_destroyed_us: when the last one went; None where none has.
    """

    by_state: dict[str, int]
    rows: int
    bytes: int
    overdue: int
    waiting: int
    next_us: int | None
    last_destroyed_us: int | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of them. Times are microseconds since 1970 UTC; None = never yet.

    Attributes:
        at_us: now.
        spooled, kept: as they say.
        lost, sampled, unrecorded: sums of what the workers that run have said since their start.
        workers: how many run.
        is_ingesting: an ingester runs, and the store takes what it brings.
        beat_us: the last hour in which an ingester was at work; retention is looked at each minute then.
        verified: the last verification of the log.
        counted: requests in the statistics.
        consent: how often a banner was shown and what was answered, by category and kind of answer.
        failed_sign_ins: entries of the audit that tell of one.
    """

    at_us: int
    spooled: Spooled
    kept: Kept
    lost: int
    sampled: int
    unrecorded: int
    workers: int
    is_ingesting: bool
    beat_us: int | None
    verified: LastVerification | None
    counted: int
    consent: tuple[tuple[str, str, int], ...]
    failed_sign_ins: int


# As the audit calls them.
_FAILED_SIGN_INS: Final = ("admin.sign-in-failed", "admin.confirm-failed")


def figures(office: Office) -> Figures:
    """Return the figures of this moment. Blocks: call it in a thread.

    Raises:
        StorageError: the control database refuses.
    """
    now_us, directory = time.time_ns() // 1000, office.settings.storage.directory
    running = status.workers(directory, now_us)
    ingester = status.ingester(directory, now_us)
    rate = consent_rate.c
    with office.control.reading() as connection:
        verified = last_verification(connection)
        beat_us = connection.execute(
            select(heartbeat.c.time_us).order_by(heartbeat.c.number.desc()).limit(1)
        ).scalar()
        counted = connection.execute(
            select(total(aggregate.c.requests)).where(aggregate.c.dimension == "total")
        ).scalar_one()
        by_kind = select(rate.category, rate.kind, total(rate.times)).group_by(rate.category, rate.kind)
        consent = tuple((row[0], row[1], row[2]) for row in connection.execute(by_kind))
        failed = connection.execute(
            select(func.count()).select_from(entries).where(entries.c.action.in_(_FAILED_SIGN_INS))
        ).scalar_one()
    return Figures(
        at_us=now_us,
        spooled=spooled(directory, now_us),
        kept=_kept(office.control, office.settings.requestlog.retention_days, now_us),
        lost=_sum(running, "lost"),
        sampled=_sum(running, "sampled"),
        unrecorded=_sum(running, "unrecorded"),
        workers=len(running),
        is_ingesting=ingester is not None and not ingester.refused,
        beat_us=beat_us,
        verified=verified,
        counted=counted,
        consent=consent,
        failed_sign_ins=failed,
    )


def spooled(directory: Path, now_us: int) -> Spooled:
    """Return what waits in the spool."""
    total = count = 0
    oldest_s = 0.0
    for path in (directory / "spool").glob("*/[0-9]*"):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue  # stored this moment
        total, count = total + found.st_size, count + 1
        oldest_s = max(oldest_s, now_us / 1e6 - found.st_mtime)
        if count >= _MAX_SEGMENTS:
            break
    return Spooled(bytes=total, segments=count, oldest_seconds=oldest_s)


def _kept(control: Control, retention_days: int, now_us: int) -> Kept:
    live, (gone, last_destroyed_us) = kept(control), destroyed(control)
    by_state = {**dict.fromkeys(("open", "sealed", "destroying"), 0), "destroyed": gone}
    for period in live:
        by_state[period.state] += 1
    due = {period.name: due_us(period, retention_days, now_us) for period in live}
    return Kept(
        by_state=by_state,
        rows=sum(period.rows or 0 for period in live),
        bytes=sum(period.bytes or 0 for period in live),
        overdue=sum(due[one.name] + OVERDUE_AFTER_US <= now_us and not one.early for one in live),
        waiting=sum(bool(one.early) and one.state != "destroying" for one in live),
        next_us=min(due.values(), default=None),
        last_destroyed_us=last_destroyed_us,
    )


def _sum(running: Sequence[WorkerStatus], name: str) -> int:
    return sum(int(getattr(worker, name)) for worker in running)
