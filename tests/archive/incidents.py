"""Incidents opened for tests over an installation's rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec

from consentkit.archive.incident.begun import finish_begun
from consentkit.archive.incident.listing import Incident, incidents, today_utc
from consentkit.archive.incident.opening import Opening
from consentkit.archive.incident.reading import reading
from consentkit.archive.incident.terms import Terms
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive
from consentkit.archive.store import Cursor, Filters, FoundRequest
from tests.archive.installation import DAY_US, DAYS, MONDAY, RESOLVERS, WORKER, Installation, request

TODAY = today_utc()
ATTACKER = "203.0.113.66"


def terms(**changes: object) -> Terms:
    given = Terms(
        case="2026-7",
        reason="guessing of passwords",
        owner="Anna",
        review=TODAY + timedelta(days=90),
        filters=Filters(since_us=1),
        asked={"since": "1970-01-01"},
    )
    return msgspec.structs.replace(given, **changes)


def archive(installation: Installation) -> Archive:
    return Archive(installation.settings, installation.holdings, resolvers=RESOLVERS)


def opening(installation: Installation, **changes: object) -> Opening:
    return Opening(archive(installation), installation.holdings, WORKER, "incident", terms(**changes))


def opened(installation: Installation, **changes: object) -> Incident:
    one = opening(installation, **changes)
    for _ in one.run():
        pass
    assert one.incident is not None
    return one.incident


def searched(installation: Installation, filters: Filters = Filters()) -> list[tuple[Cursor, FoundRequest]]:  # noqa: B008
    return list(archive(installation).search(filters, limit=0))


def held(
    installation: Installation,
    number: int = 1,
    filters: Filters = Filters(),  # noqa: B008
) -> list[tuple[Cursor, FoundRequest]]:
    with reading(installation.holdings, number) as kept:
        return list(kept.rows(filters))


def listed(installation: Installation) -> list[Incident]:
    with installation.control.transaction() as connection:
        return incidents(connection)


def names(installation: Installation) -> list[str]:
    place = installation.directory / "incidents"
    return (
        sorted(path.name for path in place.iterdir() if not path.name.endswith("-lock")) if place.exists() else []
    )


def finish(installation: Installation) -> list[tuple[str, str]]:
    return finish_begun(installation.holdings, WORKER, wait_seconds=1)


def days(folder: Path) -> Path:
    """Make three days of requests: the first sealed, the second open, the third still in the spool."""
    made = Installation(folder)
    made.fill(2)
    seal(made.holdings, made.period(DAYS[0]), WORKER)
    made.spool(
        request(MONDAY + 2 * DAY_US, "/admin?q=REDACTED", address=ATTACKER),
        request(MONDAY + 2 * DAY_US, "/admin?", address=ATTACKER),
        request(MONDAY + 2 * DAY_US + 1, "/", address="2001:db8::7"),
    )
    return folder
