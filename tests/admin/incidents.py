"""Incidents for tests of the admin area."""

from __future__ import annotations

import re
import time
from datetime import date, timedelta

from consentkit.archive.incident.listing import Incident, change, find, today_utc
from consentkit.archive.incident.opening import Opening
from consentkit.archive.incident.terms import Terms
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.requestlog.record import Record
from tests.admin.area import PASSWORD, Area, Client
from tests.archive.installation import RESOLVERS, WORKER, Installation, request

NOW = time.time_ns() // 1000
MINUTE_US = 60_000_000

# What a form carries where the password is asked for with it.
CONFIRMED = {"confirm-password": PASSWORD}


def requests(count: int, *, address: str = "203.0.113.66", url: str = "/page/{n}") -> list[Record]:
    """One request a minute, the last a minute ago."""
    return [request(NOW - (n + 1) * MINUTE_US, url.format(n=n), address=address) for n in range(count)]


def hold(
    installation: Installation,
    *,
    case: str = "2026-7",
    reason: str = "guessing of passwords",
    owner: str = "liga",
    filters: Filters | None = None,
) -> Incident:
    """Open an incident of all rows there are, or of those that filters leave."""
    terms = Terms(
        case=case,
        reason=reason,
        owner=owner,
        review=today_utc() + timedelta(days=30),
        filters=filters or Filters(),
        asked={"address": ["203.0.113.0/24"]},
        is_all=filters is None,
    )
    archive = Archive(installation.settings, installation.holdings, resolvers=RESOLVERS)
    opening = Opening(archive, installation.holdings, WORKER, "incident", terms)
    for _ in opening.run():
        pass
    assert opening.incident is not None
    return opening.incident


def set_review(installation: Installation, number: int, review: date) -> None:
    """Set a review date, whatever it is."""
    with installation.control.transaction() as connection:
        assert change(connection, find(connection, number), review=review.isoformat())


def state_of(installation: Installation, number: int) -> str:
    """The state in which an incident is listed."""
    with installation.control.transaction() as connection:
        return find(connection, number).state


async def looking(area: Area, name: str) -> Client:
    client = await area.client(name)
    await client.look("security", case="99")
    return client


async def shown_of(client: Client, number: int) -> dict[str, str]:
    """What the page that closes an incident would confirm."""
    page = await client.get(f"/incidents/{number}/close")
    found = re.search(r'name="shown" value="([^"]+)"', page.text)
    return {"shown": found[1]} if found else {}
