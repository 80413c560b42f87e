"""The hosts that share a server: who leads, who writes, and whether the next period is ready for all of them.

Owns the judgement, and reading from the audit who led and wrote. An embedded installation has one host, and
nothing here.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import select

from consentkit.archive.evidence.heads import ACTION as HEAD
from consentkit.archive.health.finding import Finding, Patient, bad, good, unknown
from consentkit.archive.leading import LEADS
from consentkit.archive.period import Catalogue
from consentkit.archive.schedule import DAY_US
from consentkit.archive.store.lane import own_lane
from consentkit.audit import newest_first
from consentkit.control import audit as entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consentkit.archive.store.condition import Condition
    from consentkit.control import Control

# A host notes the heads of what it wrote once a minute.
_MAX_NOTES: Final = 20_000
_MAX_SHOWN: Final = 20
_HOUR_US: Final = 3_600_000_000


class _Head(msgspec.Struct, frozen=True):
    lane: str = ""


class _Noted(msgspec.Struct, frozen=True):
    heads: tuple[_Head, ...] = ()


class Led(NamedTuple):
    """Which host began to lead last, and when."""

    lane: str
    since_us: int


def examine_hosts(patient: Patient, servers: Iterable[Condition]) -> Iterator[Finding]:
    """Yield what is found of the hosts.

    Args:
        patient: what is examined.
        servers: as they were when they were asked.
    """
    control = patient.holdings.control
    if control.is_shared:
        yield _keys(patient)
        for server in servers:
            if server.kind == "postgresql" and not server.fault and server.tables == "good":
                yield _leader(patient, server)
        yield _written(patient)
    if patient.holdings.rows.is_shared and patient.settings.site.service_ended is None:
        yield from _next_period(patient)


def last_written(control: Control, now_us: int) -> dict[str, int]:
    """Return when each host last noted what it had stored, of those that did within a day.

    Args:
        control: the control database.
        now_us: the clock; microseconds since 1970 UTC, as the times that are returned.
    """
    query = (
        select(entries.c.time_us, entries.c.detail)
        .where(entries.c.action == HEAD, entries.c.time_us > now_us - DAY_US)
        .order_by(entries.c.number.desc())
        .limit(_MAX_NOTES)
    )
    found: dict[str, int] = {}
    with control.reading() as connection:
        for time_us, detail in connection.execute(query):
            for head in msgspec.json.decode(detail, type=_Noted).heads:
                if head.lane:
                    found[head.lane] = max(time_us, found.get(head.lane, time_us))
    return found


def _last_leader(control: Control) -> Led | None:
    with control.reading() as connection:
        entry = next(newest_first(connection, LEADS), None)
    return None if entry is None else Led(msgspec.json.decode(entry.detail, type=_Head).lane, entry.time_us)


def _leader(patient: Patient, server: Condition) -> Finding:
    check = "hosts.leader"
    if server.leader is None:
        text = "No ingester leads: nothing is sealed, counted or destroyed on its day."
        if not server.hosts:
            return unknown(check, text, "Start the site, or `consentkit ingest`, on one of the hosts.")
        return bad(check, text, "One takes the lead within a minute; log.housekeeping of each host says why not.")
    led = _last_leader(patient.holdings.control)
    # Between having the lock and saying so, an older entry is the newest.
    who = "An ingester leads" if led is None else f"{_called(led.lane, patient)} leads since {_time(led.since_us)}"
    if not server.leader.may_make_places:
        text = f"{who}, and its role may not make or drop places: nothing is destroyed on its day."
        return bad(check, text, "Run `consentkit ingest` there as the owner, or stop it: another leads then.")
    return good(check, f"{who}; ingesters on all hosts: {server.hosts}.")


def _written(patient: Patient) -> Finding:
    check, now_us = "hosts.written", patient.now_us
    found = sorted(last_written(patient.holdings.control, now_us).items(), key=lambda one: -one[1])
    if not found:
        return good(check, "No host has stored a request within a day.")
    told = [f"{_called(lane, patient)} {_ago(now_us - time_us)} ago" for lane, time_us in found[:_MAX_SHOWN]]
    more = f" and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
    return good(check, f"Hosts that stored requests within a day: {len(found)}; {', '.join(told)}{more}.")


def _keys(patient: Patient) -> Finding:
    check, folder = "hosts.keys", patient.settings.storage.keys
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        text = "The keys folder, which all hosts share, can't be written from here: no period can be begun."
        return bad(check, text, "Mount it so that the site's user may write it, on every host.")
    return good(check, "The keys folder can be written, and holds the key that this database was made with.")


def _next_period(patient: Patient) -> Iterator[Finding]:
    check, holdings = "periods.next", patient.holdings
    catalogue = Catalogue(holdings.control, patient.settings.requestlog.rotate)
    present = catalogue.known_period(patient.now_us)
    if present is None:
        return
    coming = catalogue.known_period(present.until_us)
    if coming is not None and (coming.state != "open" or holdings.rows.exists(coming.place)):
        yield good(check, f"The next period, {coming.name}, is made already.")
        return
    text, way_out = "The next period is not made yet.", "The ingester that leads makes it; see hosts.leader."
    soon_us = min(_HOUR_US, (present.until_us - present.since_us) // 6)
    is_soon = patient.now_us > present.until_us - soon_us
    yield bad(check, text, way_out) if is_soon else unknown(check, text, way_out)


def _called(lane: str, patient: Patient) -> str:
    return f"Host {lane} (this one)" if lane == own_lane(patient.settings.storage.directory) else f"Host {lane}"


def _time(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _ago(span_us: int) -> str:
    minutes = max(span_us, 0) // 60_000_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
