"""``consentkit log``: look at the request log.

Owns searching and following, and that each page is in the audit before it is printed. Finding is the archive's
job, what is printed `shown`'s.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from consentkit.archive.search import PAGE_ROWS, Archive, pages
from consentkit.archive.search.follow import Follow
from consentkit.cli.evidence import anchor, verify
from consentkit.cli.export import export
from consentkit.cli.filters import filter_options, make_filters, parse_cursor
from consentkit.cli.options import config_option, json_option
from consentkit.cli.segments import segments
from consentkit.cli.session import Session, look_options, make_look
from consentkit.cli.shown import Beside, print_rows, record_page
from consentkit.cli.top import time_limit_option, top

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.archive.search import Found, Search
    from consentkit.audit import Purpose

_FOLLOW_SECONDS: Final = 1.0


@click.group()
def log() -> None:
    """Look at the request log. Each look is recorded before anything is shown."""


log.add_command(export)
log.add_command(verify)
log.add_command(anchor)
log.add_command(top)
log.add_command(segments)


@log.command()
@config_option
@look_options
@filter_options
@click.option("--limit", default=100, show_default=True, type=click.IntRange(0), help="At most so many; 0 = all.")
@time_limit_option
@click.option("--before", metavar="PLACE", help="Go on before this place, as a search printed it, or a time.")
@click.option("--after", metavar="PLACE", help="Rows after this place alone.")
@click.option("--oldest-first", is_flag=True, help="In the order in which they came.")
@json_option
def search(
    *,
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    limit: int,
    time_limit: float,
    before: str | None,
    after: str | None,
    oldest_first: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Find requests, newest first: in all periods, and what came in this second.

    Above the rows stands what was lost in their time. A search that ends early says how far it came.
    """
    session = Session(config)
    filters, look = make_filters(**chosen), make_look(purpose, reason, case)
    found = Archive(session.settings, session.holdings, case=case).search(
        filters,
        limit=limit,
        before=parse_cursor("before", before),
        after=parse_cursor("after", after),
        oldest_first=oldest_first,
        time_limit_seconds=time_limit or None,
    )
    beside, shown, last = Beside(as_json=as_json), 0, None
    for page in pages(found):
        record_page(session, "log.search", look, {**chosen, **_ends(before, after)}, filters=filters, page=page)
        _tell(beside, found, page, goes_on=len(page) == PAGE_ROWS or shown + len(page) == limit)
        print_rows(page, as_json=as_json)
        shown, last = shown + len(page), page[-1][0]
    if not shown:
        record_page(session, "log.search", look, {**chosen, **_ends(before, after)}, filters=filters, page=[])
    beside.losses(found.losses)
    beside.restricted(found.restricted)
    if found.reached is not None:
        beside.goes_on(found.reached, oldest_first=oldest_first, time_limit=time_limit)
    elif last is not None and shown == limit:
        beside.goes_on(last, oldest_first=oldest_first)
    else:
        beside.gaps(found.gaps)
    if not (shown or as_json):
        click.echo("No request matches.", err=True)


@log.command()
@config_option
@look_options
@filter_options
@click.option("--lines", "-n", default=10, show_default=True, type=click.IntRange(0), help="Begin with so many.")
@click.option("--follow", "-f", is_flag=True, help="Go on showing what comes in, until interrupted.")
@time_limit_option
@json_option
def tail(
    *,
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    lines: int,
    follow: bool,
    time_limit: float,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Show the latest requests, oldest first, and with --follow those that come in."""
    session = Session(config)
    filters, look = make_filters(**chosen), make_look(purpose, reason, case)
    archive = Archive(session.settings, session.holdings, case=case)
    # Before the first rows are looked for, so that none falls in between.
    coming = Follow(archive, session.settings.storage.directory, session.keyring, filters) if follow else None
    found = archive.search(filters, limit=lines, time_limit_seconds=time_limit or None)
    latest = list(found) if lines else []
    asked = {**chosen, "follow": follow}
    record_page(session, "log.tail", look, asked, filters=filters, page=latest)
    beside = Beside(as_json=as_json)
    _tell(beside, found, latest, goes_on=len(latest) == lines)
    print_rows(reversed(latest), as_json=as_json)
    beside.restricted(found.restricted)
    if found.reached is not None:
        beside.goes_on(found.reached, oldest_first=False, time_limit=time_limit)
    if coming is not None:
        for page in _coming(coming, beside, {row.request_id for _, row in latest}):
            record_page(session, "log.tail", look, asked, filters=filters, page=page)
            print_rows(page, as_json=as_json)


def _coming(coming: Follow, beside: Beside, seen: set[str]) -> Iterator[list[Found]]:
    """Yield what comes in and was not seen, for ever, telling above it what was lost."""
    while True:
        time.sleep(_FOLLOW_SECONDS)
        for page in pages(row for row in coming.fresh() if row[1].request_id not in seen):
            beside.gaps(coming.gaps)
            yield page
        beside.gaps(coming.gaps)
        coming.gaps.clear()
        beside.losses(coming.losses)


def _tell(beside: Beside, found: Search, page: list[Found], *, goes_on: bool) -> None:
    """Tell what was lost in the time of a page, of a last one in all that was searched, and what can't be read."""
    times = [cursor.time_us for cursor, _ in page]
    beside.gaps(found.gaps, since_us=min(times) if times and goes_on else 0)
    beside.losses(found.losses)


def _ends(before: str | None, after: str | None) -> dict[str, object]:
    return {"before": before, "after": after}
