"""``consentkit log top``: who, what and with which answer, counted over the newest requests that match.

Owns the tables. Counting is the archive's job: of rows as far as a bounded look reaches; beside it, where nothing
but a time was asked for, of all hours, from the statistics, which hold no one and outlive the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from consentkit import audit
from consentkit.archive.aggregate import read
from consentkit.archive.search import Archive
from consentkit.archive.search.top import BY, ROWS
from consentkit.archive.search.top import top as count_top
from consentkit.cli.filters import filter_options, make_filters
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session, look_options, make_look
from consentkit.cli.shown import Beside, given, time_words

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.aggregate import Dimension
    from consentkit.archive.search.top import By, Top
    from consentkit.archive.store import Filters
    from consentkit.audit import Purpose

_BAR_CELLS: Final = 24

# What is counted by the hour as well, under its own name there.
_BY_HOUR: Final[dict[By, Dimension]] = {
    "status": "status_class",
    "path": "path_group",
    "country": "country",
    "browser": "browser",
    "device-type": "device_type",
}
_TIMES: Final = frozenset({"since", "until"})

time_limit_option = click.option(
    "--time-limit",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="End after so long, and say how far it came; 0 = never.",
)


@click.command()
@config_option
@look_options
@filter_options
@click.option("--by", required=True, type=click.Choice(BY), help="What to count by.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="So many values.")
@click.option(
    "--rows", default=ROWS, show_default=True, type=click.IntRange(1, 10_000_000), help="Of so many requests."
)
@time_limit_option
@json_option
def top(
    *,
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    by: By,
    limit: int,
    rows: int,
    time_limit: float,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Count the newest requests that match, by one of their values, most frequent first."""
    session = Session(config)
    filters, look = make_filters(**chosen), make_look(purpose, reason, case)
    archive = Archive(session.settings, session.holdings, case=case)
    found = count_top(archive, filters, by, rows=rows, time_limit_seconds=time_limit or None)
    shown = found.counts[:limit]
    detail = {"filters": given(chosen), "by": by, "counted": found.rows, "back_to_us": found.back_to_us}
    audit.record(session.control, session.actor, "log.top", look=look, detail=detail, rows=len(shown))
    beside = Beside(as_json=as_json)
    beside.gap_list(found.gaps)
    beside.losses(found.losses)
    beside.restricted(found.restricted)
    _tell(beside, found)
    if as_json:
        for value, requests in shown:
            print_json({"by": by, "value": value, "requests": requests})
    elif shown:
        _print_table(by, shown, of=found.rows)
    if by in _BY_HOUR and set(given(chosen)) <= _TIMES:
        _print_hours(session, filters, by, limit=limit, as_json=as_json)


def _print_hours(session: Session, filters: Filters, by: By, *, limit: int, as_json: bool) -> None:
    """Show the same over all hours that were counted, the ones whose rows are gone among them."""
    found = read(session.control, filters.since_us, filters.until_us, _BY_HOUR[by])
    shown = [(count.value, count.requests) for count in found.counts[:limit]]
    if not shown:
        return
    if as_json:
        for value, requests in shown:
            print_json({"by": _BY_HOUR[by], "value": value, "requests": requests, "from": "statistics"})
        return
    click.echo(f"\nOf {found.requests:,} requests in {found.hours:,} hours, small groups folded into other:")
    _print_table(_BY_HOUR[by], shown, of=found.requests)


def _tell(beside: Beside, found: Top) -> None:
    """Say what was counted, above the counts: they are never the whole table's."""
    ends = {"": "all that match", "rows": "the row limit", "time": "the time limit"}
    back = f", back to {time_words(found.back_to_us)}" if found.ended_by else ""
    fields = {"rows": found.rows, "back_to_us": found.back_to_us, "ended_by": found.ended_by}
    beside.note("counted", fields, f"Of the newest {found.rows:,} requests{back} ({ends[found.ended_by]}):")


def _print_table(by: str, shown: list[tuple[str, int]], *, of: int) -> None:
    from rich.console import Console  # noqa: PLC0415 (JSON needs none of it)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    table.add_column(by, overflow="fold")
    table.add_column("requests", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    most = shown[0][1]
    for value, requests in shown:
        bar = "█" * max(round(requests / most * _BAR_CELLS), 1)
        table.add_row(Text(value or "-"), f"{requests:,}", f"{requests / of:.1%}", bar)
    Console(highlight=False).print(table)
