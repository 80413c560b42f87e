"""Where things lie: keys apart from data, for this user alone, under a secret of the operator's, with room."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from consentkit.archive.health.finding import Finding, Patient, bad, good, unknown
from consentkit.archive.period import kept
from consentkit.archive.schedule import DAY_US

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MEGABYTE: Final = 1024 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

# Days of growth from which the need of the days to come is told.
_DAYS_BEHIND: Final = 7


def examine_places(patient: Patient) -> Iterator[Finding]:
    """Yield what is found of folders, keys and the disk."""
    storage = patient.settings.storage
    yield _secret(patient)
    yield _device(storage.directory, storage.keys)
    for name, folder in (("data", storage.directory), ("keys", storage.keys)):
        yield _mode(name, folder)
    yield _room(patient)
    yield _state(patient)


def _state(patient: Patient) -> Finding:
    check = "data.state"
    if not patient.settings.site.storage_region:
        return unknown(
            check,
            "The settings do not say in which state the data is kept, and the privacy notice says so.",
            "Set site.storage_region.",
        )
    return good(check, "The settings say in which state the data is kept.")


def _secret(patient: Patient) -> Finding:
    check = "keys.secret"
    if patient.holdings.keyring.secret_is_own:
        return bad(
            check,
            "The secret that wraps the keys was made by consentkit and lies beside them.",
            "Set CONSENTKIT_SECRET (32 characters or more) for the site and this command, then run"
            " `consentkit keys rotate`.",
        )
    return good(check, "The keys are wrapped by a secret that was given.")


def _device(directory: Path, keys: Path) -> Finding:
    check = "keys.device"
    if directory.stat().st_dev == keys.stat().st_dev:
        return bad(
            check,
            "The keys lie on the same device as the data: a copy of the disk holds both.",
            "Mount another volume at storage.keys, and leave it out of the data's backup.",
        )
    return good(check, "The keys lie on another device than the data.")


def _mode(name: str, folder: Path) -> Finding:
    check = f"{name}.mode"
    status = folder.stat()
    if status.st_mode & _OTHERS:
        return bad(
            check,
            f"Others than the site's user can reach into the folder of the {name}.",
            f"Run: chmod 700 {folder}",
        )
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        return bad(check, f"The folder of the {name} belongs to another user.", f"Run this as its owner: {folder}")
    return good(check, f"The folder of the {name} is its user's alone.")


def _room(patient: Patient) -> Finding:
    """Compare the free space with what the spool may take and the periods will take until the first goes."""
    check = "disk.room"
    found = os.statvfs(patient.settings.storage.directory)
    free = found.f_bavail * found.f_frsize
    log = patient.settings.requestlog
    spool = log.spool_max_mb * _MEGABYTE
    daily, kept_days = _growth(patient)
    to_come = int(daily * max(log.retention_days - kept_days, 0)) + spool
    if free < spool:
        return bad(
            check,
            f"{free // _MEGABYTE:,} MB are free: less than the spool may take ({log.spool_max_mb:,} MB).",
            "Make room, or lower requestlog.spool_max_mb.",
        )
    if patient.holdings.rows.is_shared:
        text = f"{free // _MEGABYTE:,} MB are free, and the spool may take {log.spool_max_mb:,} MB;"
        return good(check, f"{text} requests lie on a server of their own.")
    if free < to_come:
        return bad(
            check,
            f"{free // _MEGABYTE:,} MB are free, and about {to_come // _MEGABYTE:,} MB will be needed"
            f" until the first days are destroyed (some {daily / _MEGABYTE:,.1f} MB a day).",
            "Make room, or shorten requestlog.retention_days.",
        )
    if not daily:
        return unknown(check, f"{free // _MEGABYTE:,} MB are free; no whole day is kept yet to tell the need.")
    return good(
        check, f"{free // _MEGABYTE:,} MB are free; about {to_come // _MEGABYTE:,} MB more will be needed."
    )


def _growth(patient: Patient) -> tuple[float, int]:
    """Return the bytes a day of the last whole days, and for how many days periods are kept now."""
    live = [period for period in kept(patient.holdings.control) if not period.is_gone]
    ended = [period for period in live if period.bytes and period.until_us <= patient.now_us]
    recent = [period for period in ended if period.since_us > patient.now_us - (_DAYS_BEHIND + 1) * DAY_US]
    if not recent:
        return 0.0, 0
    days = (recent[0].until_us - recent[-1].since_us) / DAY_US
    oldest = min(period.since_us for period in live)
    return sum(period.bytes or 0 for period in recent) / days, (patient.now_us - oldest) // DAY_US
