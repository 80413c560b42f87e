"""The start page: how retention stands, whether all is well, what was requested, and who looked at what.

Owns what is read for it. What is destroyed by hand is `retention`'s page, what is wrong `health`'s.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import charts
from consentkit.admin.actionnames import action_names
from consentkit.admin.answer import Answer, Entry, Page
from consentkit.admin.checkup import checkup
from consentkit.admin.held import Hold, holds
from consentkit.admin.reads import Reads, since_review
from consentkit.admin.timeline import Row, draw, gone_since, live_rows, outstanding
from consentkit.admin.visit import Route, Visit
from consentkit.admin.writing import Writing
from consentkit.archive.aggregate.reading import Availability, availability_by_day
from consentkit.archive.period import destroyed, oldest_kept_us
from consentkit.archive.schedule import DAY_US
from consentkit.archive.standing import Standing, standings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.admin.office import Office
    from consentkit.settings import RequestLog
    from consentkit.web.texts import Catalogue

# As fresh as health need be for a number on the start page.
_HEALTH_SECONDS: Final = 60.0
_CHART_DAYS: Final = 90
_NEWEST_READS: Final = 5


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept, in figures. Times are microseconds since 1970 UTC.

    Attributes:
        periods, rows, bytes: of what is there.
        oldest_us: the oldest request; None where there is none.
        next_us: when something is destroyed next; None where nothing is kept.
        overdue: names of what should be gone.
        waiting: how many wait to be confirmed.
        certificates: how many periods were destroyed.
    """

    periods: int
    rows: int
    bytes: int
    oldest_us: int | None
    next_us: int | None
    overdue: tuple[str, ...]
    waiting: int
    certificates: int


class OverviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``overview.html`` is given.

    Attributes:
        policy: in force, in sentences.
        sums: all that is kept.
        oldest_seconds: age of the oldest request; None where there is none.
        wrong: how many things are not well; None for who may not see.
        rows: of periods, newest first.
        first: those of them to be seen first.
        is_summed: a row stands for several periods.
        line: the time line; None where nothing was ever kept.
        requests: a chart of requests by day; None where none were counted.
        holds: open incidents that keep rows.
        reads: since the last review; None for who may not see.
        actions: what each is called.
        may_run, may_see_incidents: what the entrant may do.
    """

    policy: tuple[str, ...]
    sums: Sums
    oldest_seconds: float | None
    wrong: int | None
    rows: tuple[Row, ...]
    first: tuple[Row, ...]
    is_summed: bool
    line: charts.TimeLine | None
    requests: charts.Bars | None
    holds: tuple[Hold, ...]
    reads: Reads | None
    actions: dict[str, str]
    may_run: bool
    may_see_incidents: bool


async def get_overview(visit: Visit) -> Answer:
    """Show how all stands."""
    view = await visit.work(_view, visit)
    return Page(template="overview.html", view=view, entry=Entry(action="admin.overview"))


def policy(say: Catalogue, log: RequestLog) -> tuple[str, ...]:
    """Return the policy in force, a sentence each."""
    sentences = [
        say.ngettext(
            "Each request is kept {n} day at most; then its period is destroyed, the key first, so that"
            " copies in backups can't be read any more.",
            "Each request is kept {n} days at most; then its period is destroyed, the key first, so that"
            " copies in backups can't be read any more.",
            log.retention_days,
        )
    ]
    if log.truncate_ip_after_days == 0:
        sentences.append(say.gettext("Addresses are cut to networks before they are stored."))
    elif log.truncate_ip_after_days is not None:
        sentences.append(
            say.ngettext(
                "Addresses are cut to networks after {n} day.",
                "Addresses are cut to networks after {n} days.",
                log.truncate_ip_after_days,
            )
        )
    return tuple(sentences)


def _view(visit: Visit) -> OverviewView:
    office, say, entrant = visit.office, visit.say, visit.entrant
    write, now_us = Writing(say), time.time_ns() // 1000
    days = office.settings.requestlog.retention_days
    # Destroyed periods stay listed for ever: only those that are drawn are read.
    drawn_us = gone_since(oldest_kept_us(office.control), days, now_us)
    found = standings(office.holdings, days, now_us, gone_since_us=drawn_us)
    held = holds(office.control)
    rows = live_rows(say, found, office.keyring.names("period"), held)
    gone = [one for one in found if one.state == "destroyed"]
    sums = _sums(found, certificates=destroyed(office.control)[0])
    return OverviewView(
        policy=policy(say, office.settings.requestlog),
        sums=sums,
        oldest_seconds=None if sums.oldest_us is None else (now_us - sums.oldest_us) / 1e6,
        wrong=checkup(office, fresh_seconds=_HEALTH_SECONDS).wrong if entrant.may("health.view") else None,
        rows=rows,
        first=outstanding(rows),
        is_summed=any(row.periods > 1 for row in rows),
        line=draw(say, write, rows, gone, retention_days=days, now_us=now_us),
        requests=_requests(office, say, write, now_us, days),
        holds=held,
        reads=since_review(office.control, newest=_NEWEST_READS) if entrant.may("audit.view") else None,
        actions=action_names(say),
        may_run=entrant.may("retention.run"),
        may_see_incidents=entrant.may("incident.view"),
    )


def _sums(found: Sequence[Standing], *, certificates: int) -> Sums:
    live = [one for one in found if one.state != "destroyed"]
    return Sums(
        periods=len(live),
        rows=sum(one.rows or 0 for one in live),
        bytes=sum(one.bytes or 0 for one in live),
        oldest_us=min((one.oldest_us for one in live if one.oldest_us is not None), default=None),
        next_us=min((one.due_us for one in live), default=None),
        overdue=tuple(one.period for one in live if one.is_overdue),
        waiting=sum(bool(one.waits) for one in live),
        certificates=certificates,
    )


def _requests(office: Office, say: Catalogue, write: Writing, now_us: int, days: int) -> charts.Bars | None:
    until_us = now_us // DAY_US * DAY_US + DAY_US
    by_day = availability_by_day(office.control, until_us - min(days, _CHART_DAYS) * DAY_US, until_us)
    if not by_day:
        return None
    steps = [(one.day, _parts(one)) for one in by_day]
    names = [say.gettext("Answered"), say.gettext("Failed by the site"), say.gettext("Too few to tell")]
    return charts.bars(
        say.gettext("Requests by day, {first} to {last}", first=by_day[0].day, last=by_day[-1].day),
        say.gettext("Day"),
        names,
        steps,
        write.number,
        classes=("ck-c1", "ck-c-bad", "ck-c5"),
    )


def _parts(one: Availability) -> tuple[int, int, int]:
    return one.answered, one.failed, one.untold


ROUTES: Final = (Route(path="/", action="overview.view", handler=get_overview),)
