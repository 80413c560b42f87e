"""``consentkit log segments``: what lies in the spool and in the periods, without a word of any request.

Owns the two tables. No one is in them, so no purpose is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from consentkit.archive.search import Archive
from consentkit.archive.search.contents import period_states, waiting_segments
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consentkit.archive.search.contents import PeriodState, WaitingSegment


@click.command()
@config_option
@json_option
def segments(*, config: Path | None, as_json: bool) -> None:
    """List the spool's segments and the periods' files, or places on a server: sizes and states, no request."""
    session = Session(config)
    archive = Archive(session.settings, session.holdings)
    directory = session.settings.storage.directory
    waiting = list(waiting_segments(archive, directory, session.keyring))
    periods = period_states(archive)
    if as_json:
        for segment in waiting:
            print_json({"kind": "segment", **msgspec.structs.asdict(segment)})
        for period in periods:
            print_json({"kind": "period", **msgspec.structs.asdict(period)})
        return
    _print_spool(waiting)
    _print_periods(periods, is_on_server=session.holdings.rows.is_shared)


def _print_spool(waiting: list[WaitingSegment]) -> None:
    if not waiting:
        click.echo("Nothing lies in the spool.")
        return
    workers = {segment.worker for segment in waiting}
    click.echo(f"In the spool: segments {len(waiting)}, workers {len(workers)}.")
    rows = [
        (
            f"{one.worker}/{one.number}",
            f"{one.bytes:,}",
            "-" if one.frames_waiting is None else f"{one.frames_waiting:,} of {one.frames:,}",
            f"{one.damaged}",
            "open" if one.is_open else "closed",
            "alive" if one.is_alive else "gone",
            "missing" if one.frames is None else "there",
        )
        for one in waiting
    ]
    _print_table(("segment", "bytes", "frames waiting", "damaged", "file", "worker", "key"), rows)


def _print_periods(periods: list[PeriodState], *, is_on_server: bool) -> None:
    if not periods:
        click.echo("No period is stored yet.")
        return
    click.echo(f"Periods: {len(periods)}.")
    rows = [
        (
            one.period,
            one.state,
            one.file or one.place or "-",
            f"{one.bytes:,}",
            "-" if one.rows is None else f"{one.rows:,}",
            "there" if one.has_key else "gone",
        )
        for one in periods
    ]
    _print_table(("period", "state", "place" if is_on_server else "file", "bytes", "rows", "key"), rows)


def _print_table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415 (JSON needs none of it)
    from rich.table import Table  # noqa: PLC0415

    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)
