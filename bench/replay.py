"""Replay an access log over real HTTP against a running site, then compare the request log with it.

    python -m bench.replay access.log http://127.0.0.1:8000 --config consentkit.toml

Owns the command: its options, what it prints and its exit codes. Exit 0: everything was answered and the
store agrees; 1: something is missing, doubled or different; 2: wrong use.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if not __package__:  # run as a file: its own folder is on the path, the project's is not
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from typing import TYPE_CHECKING

from bench.combined import read_lines
from bench.comparison import Comparison, Expected, StoreUnreadable, compare
from bench.playback import Playback, Unusable, WrongUse, parse_site
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Report(msgspec.Struct, frozen=True):
    """What a replay did.

    Attributes:
        lines: lines read from the log.
        unusable: those that no request was made from.
        answered: answers by status.
        unanswered: requests without a whole answer, by the kind of failure.
        in_time: the whole log was sent before --timeout.
        seconds: from the first connection to the last answer.
        comparison: the store against what was sent; none without --config.
    """

    lines: int
    unusable: Unusable
    answered: dict[int, int]
    unanswered: dict[str, int]
    in_time: bool
    seconds: float
    comparison: Comparison | None

    def is_good(self) -> bool:
        """Tell whether everything was sent and answered once, and the store agrees."""
        agrees = self.comparison is None or self.comparison.is_equal()
        return self.in_time and not self.unanswered and agrees


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(argv)
    try:
        report = _replay(options)
    except (ConsentKitError, OSError) as exc:
        # A driver's or system's text may name more than the fault: of these the kind alone is told.
        reason = str(exc) if isinstance(exc, ConsentKitError) else f"{options.log}: {exc.strerror}"
        Console(stderr=True).print(f"replay: {reason}", style="red", markup=False, highlight=False)
        return 1 if isinstance(exc, StoreUnreadable) else 2
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    else:
        _print(report)
    return 0 if report.is_good() else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="replay", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("log", type=Path, metavar="LOG", help="an access log in Apache's combined format")
    add("url", metavar="URL", help="root of the running site, on the loopback")
    add("--connections", type=int, default=8, metavar="N", help="connections at once, 1 to 256 (default 8)")
    add("--limit", type=int, default=0, metavar="N", help="send the first N lines alone (default 0: all)")
    add("--timeout", type=float, default=600.0, metavar="S", help="seconds for the whole replay (default 600)")
    add("--send-status", action="store_true", help="ask bench.echo_app for each line's own status")
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="the site's consentkit.toml: compare its store with the log",
    )
    add("--settle", type=float, default=60.0, metavar="S", help="seconds to wait for the store (default 60)")
    add("--show", type=int, default=0, metavar="N", help="name the first N differing values of each kind")
    add("--json", action="store_true", help="print one JSON object")
    return parser


def _replay(options: argparse.Namespace) -> Report:
    if not 1 <= options.connections <= 256:
        raise WrongUse("--connections must be from 1 to 256")
    site = parse_site(options.url)
    expected = Expected.from_settings(options.config, send_status=options.send_status) if options.config else None
    total = sum(1 for _ in _lines(options))
    since, started = datetime.now(UTC), time.monotonic()
    with _progress(quiet=options.json) as progress:
        task = progress.add_task("replay", total=total)
        playback = Playback(
            site,
            send_status=options.send_status,
            on_answer=expected.add if expected is not None else lambda _request, _status: None,
            on_line=lambda: progress.advance(task),
        )
        sending = playback.run(_lines(options), connections=options.connections, timeout_seconds=options.timeout)
        in_time = asyncio.run(sending)
    seconds = time.monotonic() - started
    comparison = None
    if expected is not None:
        comparison = compare(
            expected.rows,
            config=options.config,
            since=since,
            settle_seconds=options.settle,
            show=options.show,
        )
    return Report(
        lines=total,
        unusable=playback.unusable,
        answered=dict(sorted(playback.answered.items())),
        unanswered=dict(playback.unanswered),
        in_time=in_time,
        seconds=round(seconds, 3),
        comparison=comparison,
    )


def _lines(options: argparse.Namespace) -> Iterator[bytes]:
    return itertools.islice(read_lines(options.log), options.limit or None)


class _Rate(ProgressColumn):
    """Requests a second, since the start."""

    def render(self, task: Task) -> Text:
        seconds = task.finished_time or task.elapsed
        rate = f"{task.completed / seconds:,.0f} requests/s" if seconds else ""
        return Text(rate, style="progress.data.speed")


def _progress(*, quiet: bool) -> Progress:
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=quiet)


def _print(report: Report) -> None:
    console = Console()
    answers = sum(report.answered.values())
    rate = answers / report.seconds if report.seconds else 0
    console.print(f"{answers:,} answers of {report.lines:,} lines in {report.seconds:.1f} s ({rate:,.0f}/s)")
    if report.unusable.count:
        where = ", ".join(map(str, report.unusable.first_lines))
        more = ", …" if report.unusable.count > len(report.unusable.first_lines) else ""
        console.print(f"{report.unusable.count:,} lines not sent (line {where}{more}):")
        for reason, count in report.unusable.reasons.items():
            console.print(f"  {count:,}  {reason}")
    for reason, count in report.unanswered.items():
        console.print(f"{count:,} requests without an answer: {reason}", style="red")
    if not report.in_time:
        console.print("the time was up before the end of the log", style="red")
    if report.comparison is not None:
        _print_comparison(console, report.comparison)


def _print_comparison(console: Console, comparison: Comparison) -> None:
    table = Table(title="Store against log")
    table.add_column("compared by")
    for heading in ("distinct in log", "distinct in store", "differing"):
        table.add_column(heading, justify="right")
    for kind in comparison.kinds:
        style = "red" if kind.differing else ""
        numbers = (kind.sent_distinct, kind.stored_distinct, kind.differing)
        table.add_row(kind.kind, *(f"{number:,}" for number in numbers), style=style)
    console.print(table)
    console.print(
        f"{comparison.sent:,} sent, {comparison.stored:,} stored, {comparison.doubled:,} doubled; "
        f"the store was waited for {comparison.settled_seconds:.1f} s",
        style="green" if comparison.is_equal() else "red",
        highlight=False,
    )
    for kind in comparison.kinds:
        for value, sent, stored in kind.first:
            console.print(f"  {kind.kind}: sent {sent}, stored {stored}: {value}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
