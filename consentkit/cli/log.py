"""``consentkit log``: look at the request log.

Owns what is printed and that each page is in the audit before it is printed. Finding is the archive's job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from consentkit import audit
from consentkit.archive.search import Archive, Found, pages
from consentkit.cli.export import export
from consentkit.cli.filters import filter_options, make_filters
from consentkit.cli.options import config_option, json_option
from consentkit.cli.session import Session, look_options, make_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from consentkit.archive.store import Filters
    from consentkit.audit import Look, Purpose

_FOLLOW_SECONDS: Final = 1.0
_LATE_US: Final = 10_000_000  # a worker that is slow to answer writes a record of an earlier time

_encode = msgspec.json.Encoder().encode


@click.group()
def log() -> None:
    """Look at the request log. Each look is recorded before anything is shown."""


log.add_command(export)


@log.command()
@config_option
@look_options
@filter_options
@click.option("--limit", default=100, show_default=True, type=click.IntRange(0), help="At most so many; 0 = all.")
@json_option
def search(
    *, config: Path | None, purpose: Purpose, reason: str, case: str, limit: int, as_json: bool, **chosen: Any
) -> None:
    """Find requests, newest first: in all periods, and what came in this second."""
    session = Session(config)
    filters, look = make_filters(**chosen), make_look(purpose, reason, case)
    archive = Archive(session.settings, session.keyring, session.control)
    shown = 0
    for page in pages(archive.search(filters, limit=limit)):
        _record(session, "log.search", look, chosen, rows=len(page))
        _print(page, as_json=as_json)
        shown += len(page)
    if not shown:
        _record(session, "log.search", look, chosen, rows=0)
        if not as_json:
            click.echo("No request matches.", err=True)


@log.command()
@config_option
@look_options
@filter_options
@click.option("--lines", "-n", default=10, show_default=True, type=click.IntRange(0), help="Begin with so many.")
@click.option("--follow", "-f", is_flag=True, help="Go on showing what comes in, until interrupted.")
@json_option
def tail(
    *,
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    lines: int,
    follow: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Show the latest requests, oldest first, and with --follow those that come in."""
    session = Session(config)
    filters, look = make_filters(**chosen), make_look(purpose, reason, case)
    archive = Archive(session.settings, session.keyring, session.control)
    since_us = time.time_ns() // 1000
    latest = list(archive.search(filters, limit=lines)) if lines else []
    _record(session, "log.tail", look, {**chosen, "follow": follow}, rows=len(latest))
    _print(reversed(latest), as_json=as_json)
    seen = {found.request_id: cursor.time_us for cursor, found in latest}
    while follow:
        time.sleep(_FOLLOW_SECONDS)
        fresh = _fresh(archive, filters, since_us, seen)
        if fresh:
            _record(session, "log.tail", look, chosen, rows=len(fresh))
            _print(fresh, as_json=as_json)
        horizon = time.time_ns() // 1000 - 2 * _LATE_US
        seen = {request_id: at for request_id, at in seen.items() if at > horizon}


def _fresh(archive: Archive, filters: Filters, since_us: int, seen: dict[str, int]) -> list[Found]:
    """Return what came in and was not yet seen, oldest first, and note it as seen."""
    from_us = max(filters.since_us, since_us, time.time_ns() // 1000 - _LATE_US)
    found = archive.search(msgspec.structs.replace(filters, since_us=from_us), limit=0)
    fresh = [row for row in found if row[1].request_id not in seen]
    seen.update({row.request_id: cursor.time_us for cursor, row in fresh})
    return fresh[::-1]


def _record(session: Session, action: str, look: Look, chosen: Mapping[str, object], *, rows: int) -> None:
    """Write the look into the audit; only then may the rows be printed."""
    filters = {name: value for name, value in chosen.items() if value is not None and value not in ("", ())}
    audit.record(session.control, session.actor, action, look=look, detail={"filters": filters}, rows=rows)


def _print(rows: Iterable[Found], *, as_json: bool) -> None:
    for _, found in rows:
        if as_json:
            click.echo(_encode(found))
        else:
            device = " ".join(
                filter(None, [found.browser, found.browser_version.partition(".")[0], "·", found.os])
            )
            click.echo(
                f"{found.time[:19].replace('T', ' ')}  {found.client_address or '-':<15}  {found.status:>3}  "
                f"{found.method or found.scheme.upper():<6} {found.host}{found.url}  "
                f"[{found.duration_us / 1000:.1f} ms, {found.bytes_sent:,} B]  {device}"
            )
