"""``consentkit log export``: a copy of the request log for other tools, with its place in the register.

Owns where the copy goes and what the person at the terminal sees. Formats, audit and register are the
archive's job.
"""

from __future__ import annotations

import contextlib
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consentkit.archive.export import FORMATS, Copy, Export, NewFile, Order, write_all
from consentkit.archive.search import Archive
from consentkit.cli.filters import filter_options, make_filters
from consentkit.cli.options import config_option
from consentkit.cli.session import Session, look_options, make_look
from consentkit.cli.shown import Beside
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from consentkit.archive.search import Found
    from consentkit.audit import Purpose


def _future(_context: click.Context, _option: click.Parameter, given: datetime | None) -> date | None:
    if given is None:
        return None
    if given.date() < datetime.now(UTC).date():
        raise click.BadParameter("that day is over; name one from today on")
    return given.date()


@click.command()
@config_option
@look_options
@click.option("--format", "form", required=True, type=click.Choice(list(FORMATS)), help="What the reader wants.")
@click.option(
    "--output",
    "-o",
    default="-",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="A new file, which appears when it is complete.  [default: standard output]",
)
@click.option("--for", "recipient", default="", metavar="WHOM", help="Who gets the copy, for the register.")
@click.option(
    "--destroy-by",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_future,
    metavar="DATE",
    help="When the copy must be destroyed.  [default: when its oldest row would be]",
)
@click.option("--limit", default=0, show_default=True, type=click.IntRange(0), help="At most so many; 0 = all.")
@filter_options
def export(
    *,
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    form: str,
    output: str,
    recipient: str,
    destroy_by: date | None,
    limit: int,
    **chosen: Any,
) -> None:
    """Copy requests, newest first, for another tool, and enter the copy into the register.

    Each page is recorded before it is written. The register keeps the copy's number, SHA-256, size, for whom
    it is and when it must be destroyed.
    """
    session = Session(config)
    filters, look = make_filters(**chosen), make_look(purpose, reason, case)
    order = Order(
        format=form,
        filters=_asked(chosen, limit),
        output=output if output == "-" else str(Path(output).absolute()),
        recipient=recipient,
        destroy_by=destroy_by,
    )
    rows = Archive(session.settings, session.holdings, case=case).search(filters, limit=limit)

    def begin() -> Export:
        days = session.settings.requestlog.retention_days
        return Export(session.control, session.actor, look, order, retention_days=days)

    copy = _to_stream(begin, rows) if output == "-" else _to_file(begin, rows, Path(output))
    _tell(copy)
    Beside(as_json=False).restricted(rows.restricted)


def _asked(chosen: Mapping[str, object], limit: int) -> dict[str, object]:
    """Return the options that were given; --no-bot is one."""
    given = {name: value for name, value in chosen.items() if value not in (None, "", ())}
    return {**given, "limit": limit} if limit else given


def _to_stream(begin: Callable[[], Export], rows: Iterator[Found]) -> Copy:
    """Write to standard output; what was written of a run that broke off is registered too."""
    run = begin()
    try:
        with _progress(is_shown=not sys.stdout.isatty()) as advance:
            for count in run.write(rows, _put):
                advance(count)
    except BaseException:
        run.register(is_whole=False)
        raise
    return run.register()


def _put(data: bytes) -> None:
    """Write to standard output at once: what a buffer holds when a write fails would be written at exit."""
    try:
        write_all(sys.stdout.fileno(), data)
    except BrokenPipeError:
        raise  # click ends the command without a word, as is the custom in a pipe
    except OSError as exc:
        raise StorageError("standard output", f"can't be written ({exc.strerror})") from exc


def _to_file(begin: Callable[[], Export], rows: Iterator[Found], path: Path) -> Copy:
    """Write a new file, which gets its name when it is complete and in the register."""
    with NewFile(path) as file:
        try:
            run = begin()
            with _progress() as advance:
                for count in run.write(rows, file.write):
                    advance(count)
            file.settle()
            copy = run.register()
            file.publish()
        except BaseException:
            click.echo(f"The export broke off; {click.format_filename(path)} was not made.", err=True)
            raise
    return copy


@contextlib.contextmanager
def _progress(*, is_shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show rows and rate on standard error while the block runs, if a person is there to see them."""
    if not (is_shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 (most runs have no terminal)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = SpinnerColumn(), TextColumn("{task.fields[shown]}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, shown="0 rows")
        started, rows = time.monotonic(), 0

        def advance(count: int) -> None:
            nonlocal rows
            rows += count
            rate = rows / max(time.monotonic() - started, 1e-3)
            bar.update(task, advance=count, shown=f"{rows:,} rows, {rate:,.0f} a second")

        yield advance


def _tell(copy: Copy) -> None:
    """Say on standard error what stands in the register."""
    click.echo(f"Copy {copy.number}: {copy.rows:,} rows, {copy.bytes:,} bytes, {copy.format}", err=True)
    click.echo(f"SHA-256 {copy.sha256}", err=True)
    if copy.destroy_by:
        click.echo(f"Destroy it by {copy.destroy_by}.", err=True)
