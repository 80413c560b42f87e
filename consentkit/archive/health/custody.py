"""What is kept: retention on its day, a steady clock, the spool, and nothing missing from the log."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from consentkit.archive.health.finding import Finding, Patient, bad, good
from consentkit.archive.inforce import HOUR_US, LEAP_US
from consentkit.archive.spoolreader import SpoolReader
from consentkit.archive.standing import standings
from consentkit.control import heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEGABYTE: Final = 1024 * 1024

# A segment is closed after a minute, and applied within seconds after that.
_WAITING_TOO_LONG_S: Final = 600.0
_NEARLY_FULL: Final = 0.8


def examine_custody(patient: Patient) -> Iterator[Finding]:
    """Yield what is found of periods, clock and spool."""
    yield from _retention(patient)
    yield _clock(patient)
    yield from _spool(patient)


def _retention(patient: Patient) -> Iterator[Finding]:
    days = patient.settings.requestlog.retention_days
    found = standings(patient.holdings, days, patient.now_us, gone_since_us=None)
    overdue = [one.period for one in found if one.is_overdue]
    waiting = [one.period for one in found if one.waits]
    unread = [one.period for one in found if one.fault]
    yield (
        bad(
            "retention.overdue",
            f"Should have been destroyed: {_listed(overdue)}.",
            "See `consentkit retention run`, which says what hinders it.",
        )
        if overdue
        else good("retention.overdue", "Nothing that should be gone is there.")
    )
    if waiting:
        yield bad(
            "retention.waiting",
            f"Would go earlier than what was in force so far, and waits: {_listed(waiting)}.",
            "Look why with `consentkit retention status`; let it go with `consentkit retention run --yes`.",
        )
    if unread:
        yield bad("periods.readable", f"Can't be read: {_listed(unread)}.", "See `consentkit log verify`.")
    else:
        yield good("periods.readable", "Every open period can be read.")


def _clock(patient: Patient) -> Finding:
    check = "clock"
    with patient.holdings.control.transaction() as connection:
        newest = connection.execute(
            select(heartbeat.c.time_us).order_by(heartbeat.c.number.desc()).limit(1)
        ).scalar()
    if newest is None:
        return good(check, "No hour was noted yet to hold the clock against.")
    ahead_us = patient.now_us - int(newest)
    if ahead_us < -HOUR_US:
        return bad(
            check, f"The clock is {-ahead_us // HOUR_US} hours behind what it was.", "Set it right, with NTP."
        )
    if ahead_us > LEAP_US:
        return bad(
            check,
            f"The last hour that was noted is {ahead_us // HOUR_US} hours ago: the clock leapt, or nothing ran.",
            "If the clock is right, all is well after a day; what would go meanwhile waits.",
        )
    return good(check, "The clock goes on from the last hour that was noted.")


def _spool(patient: Patient) -> Iterator[Finding]:
    directory = patient.settings.storage.directory
    reader = SpoolReader(directory, patient.holdings.keyring)
    reader.segments()
    waiting, oldest_s = 0, 0.0
    now_s = patient.now_us / 1e6
    for path in (directory / "spool").glob("*/[0-9]*"):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue  # applied this moment
        waiting += found.st_size
        oldest_s = max(oldest_s, now_s - found.st_mtime)
    limit = patient.settings.requestlog.spool_max_mb * _MEGABYTE
    text = f"{waiting / _MEGABYTE:,.1f} MB of at most {limit // _MEGABYTE:,} wait in the spool"
    if waiting >= limit * _NEARLY_FULL:
        yield bad("log.spool", f"{text}: it is nearly full.", "See log.ingester; raise requestlog.spool_max_mb.")
    elif oldest_s > _WAITING_TOO_LONG_S:
        age = str(timedelta(seconds=int(oldest_s)))
        yield bad("log.spool", f"{text}, the oldest since {age}.", "See log.ingester.")
    else:
        yield good("log.spool", f"{text}.")
    if reader.unreadable:
        yield bad(
            "log.spool_keys",
            f"The spool of {len(reader.unreadable)} workers can't be read: their keys are missing or damaged.",
            "Put the keys folder back as it was, from its backup.",
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
