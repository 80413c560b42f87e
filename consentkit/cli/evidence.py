"""``consentkit log verify`` and ``log anchor``: whether the log is what the audit says it is.

Owns what is printed. What is checked, and how, is the archive's job. No row is shown, so no purpose is asked
for; that it was checked, and with what result, is in the audit.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from consentkit import audit
from consentkit.archive.evidence import LogVerification, record_result
from consentkit.cli.heads import check_heads, heads_option, read_noted
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from consentkit.archive.evidence import LogReport
    from consentkit.audit import Anchor, ChainReport

anchor_option = click.option(
    "--anchor",
    "anchors",
    type=click.File("rb"),
    metavar="FILE",
    help="Hold the audit against anchors that were kept elsewhere; - = standard input.",
)


@click.command()
@config_option
@anchor_option
@heads_option
@json_option
@click.pass_context
def verify(
    context: click.Context, *, config: Path | None, anchors: BinaryIO | None, heads: BinaryIO | None, as_json: bool
) -> None:
    """Check that no row, file, key or entry was changed, added, removed, moved or put back.

    Recomputes the digest of every period that is kept, and holds it against what the audit noted while it was
    written; a period that is missing must have its certificate. Exit 1 when something does not hold.
    """
    session = Session(config)
    given, noted = read_anchors(anchors), read_noted(heads)
    holdings = session.holdings
    with progress_bar(is_shown=not as_json, unit="bytes") as bar:
        verification = LogVerification(holdings, given, advance=bar.advance)
        bar.begin(verification.total_bytes())
        report = verification.run()
    record_result(holdings, session.actor, report, anchors=len(given))
    if as_json:
        _print_objects(report)
    else:
        _print_table(report)
    if not check_heads(session.control, noted, as_json=as_json) or not report.is_good:
        context.exit(1)


@click.command()
@config_option
def anchor(*, config: Path | None) -> None:
    """Print the newest entry's number and hash, a line of JSON, to be kept where this machine can't reach.

    On paper, in a mailbox, in another machine's log: whoever writes the audit anew contradicts it. One file
    may hold many such lines; `log verify --anchor FILE` and `audit verify --anchor FILE` check them all.
    """
    session = Session(config)
    with session.control.transaction() as connection:
        present = audit.present_anchor(connection, session.settings.site.operator)
    print_json(msgspec.to_builtins(present))


def read_anchors(file: BinaryIO | None) -> list[Anchor]:
    """Return the anchors that a command was given.

    Raises:
        BadAnchor: a line is none.
        StorageError: the file can't be read.
    """
    if file is None:
        return []
    try:
        return audit.read_anchors(file)
    except OSError as exc:
        raise StorageError("the file of anchors", f"can't be read ({exc.strerror})") from exc


def print_chain(report: ChainReport) -> None:
    """Print what a check of the chain came to, for people."""
    for fault in report.faults:
        click.secho(fault.reason, fg="red")
    if report.unchecked:
        click.echo(f"{report.unchecked:,} anchors are older than what is kept and could not be checked.")
    if report.is_good:
        kept = f", after {report.pruned_to:,} that were let go" if report.pruned_to else ""
        click.echo(f"The audit holds: {report.entries:,} entries{kept}, up to entry {report.end.number:,},")
        click.echo(f"  {report.end.hash}")


def chain_fields(report: ChainReport) -> dict[str, object]:
    """Return what a check of the chain came to, for JSON."""
    return {
        "kind": "chain",
        "good": report.is_good,
        "entries": report.entries,
        "pruned_to": report.pruned_to,
        "until": report.end.number,
        "until_hash": report.end.hash,
        "unchecked_anchors": report.unchecked,
        "faults": [msgspec.to_builtins(fault) for fault in report.faults],
    }


class Bar:
    """A progress bar that may not be there."""

    def __init__(self, begin: Callable[[float], None], advance: Callable[[float], None]) -> None:
        self.begin = begin
        self.advance = advance


@contextlib.contextmanager
def progress_bar(*, is_shown: bool, unit: str) -> Iterator[Bar]:
    """Show progress on standard error while the block runs, if a person is there to see it.

    Args:
        is_shown: False = not in any case.
        unit: ``bytes``, or the name of what is counted.
    """
    if not (is_shown and sys.stderr.isatty()):
        yield Bar(lambda _: None, lambda _: None)
        return
    from rich.console import Console  # noqa: PLC0415 - most runs have no terminal
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = BarColumn(), count, TextColumn("" if unit == "bytes" else unit), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield Bar(
            lambda total: progress.update(task, total=total),
            lambda done: progress.update(task, advance=done),
        )


def _print_objects(report: LogReport) -> None:
    for verdict in report.verdicts:
        fields = msgspec.to_builtins(verdict)
        print_json({"kind": "period", "good": not verdict.fault, **fields})
    print_json(chain_fields(report.chain))


def _print_table(report: LogReport) -> None:
    from rich.console import Console  # noqa: PLC0415 - --json and --help do without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("period", "state", box=None, pad_edge=False)
    table.add_column("rows", justify="right")
    table.add_column("verdict")
    for one in report.verdicts:
        holds = "went, with its certificate" if one.state == "destroyed" else "holds"
        verdict = Text(one.fault, "red") if one.fault else Text(holds)
        table.add_row(Text(one.place), one.state, "" if one.rows is None else f"{one.rows:,}", verdict)
    Console(soft_wrap=True).print(table)
    print_chain(report.chain)
    if report.is_good:
        click.echo(f"All holds, as of entry {report.chain.end.number:,} of the audit.")
    else:
        count = len(report.bad)
        click.secho(f"{count} {'thing does' if count == 1 else 'things do'} not hold.", fg="red", err=True)
