"""``consentkit retention``: what is kept until when, and destroying what is due.

Owns what is printed and asked. What goes, and how, is the archive's job. No row is read, so no purpose is
asked for; what is destroyed is in the audit.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from consentkit.archive.destruction import iso_second
from consentkit.archive.retention import Retention
from consentkit.archive.schedule import policy_sentence
from consentkit.archive.standing import Standing, standings
from consentkit.cli.filters import parse_time
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from consentkit.archive.retention import Outcome
    from consentkit.archive.schedule import Going
    from consentkit.audit import AuditEntry

_BYTES_A_KILOBYTE: Final = 1000


@click.group()
def retention() -> None:
    """See what is kept until when, and destroy what is due."""


@retention.command()
@config_option
@json_option
@click.pass_context
def status(context: click.Context, *, config: Path | None, as_json: bool) -> None:
    """Show each period: what it holds, and when it goes or went. Exit 1 when one is overdue."""
    session = Session(config)
    days = session.settings.requestlog.retention_days
    found = standings(session.holdings, days, _now_us())
    if as_json:
        print_json({"kind": "policy", "text": policy_sentence(days), "retention_days": days})
        for standing in found:
            print_json(_standing_fields(standing))
    else:
        _print_standings(found)
        click.echo(policy_sentence(days))
    overdue = [standing.period for standing in found if standing.is_overdue]
    if overdue:
        click.secho(f"overdue: {', '.join(overdue)}; see `consentkit retention run`", fg="red", err=True)
        context.exit(1)


@retention.command()
@config_option
@json_option
@click.option("--dry-run", is_flag=True, help="Show what would go and why; destroy nothing.")
@click.option("--now", metavar="TIME", help="Act as if it were this time; what its day has not come for is early.")
@click.option("--yes", is_flag=True, help="Destroy without asking, also what goes early.")
@click.pass_context
def run(
    context: click.Context, *, config: Path | None, as_json: bool, dry_run: bool, now: str | None, yes: bool
) -> None:
    """Destroy what is due, key first, and print the certificates.

    A person at a terminal is asked. Without one, what is due goes, and what would go earlier than what was in
    force so far waits for --yes. Exit 1 when something could not be destroyed.
    """
    session = Session(config)
    of_site = Retention(session.holdings, session.settings.requestlog.retention_days, session.actor)
    acting_as_us = parse_time("now", now) if now else None
    plan = of_site.plan(_now_us(), acting_as_us=acting_as_us)
    _print_plan(plan, as_json=as_json)
    if dry_run:
        return
    is_let, confirmed_by = True, session.actor.name if yes else ""
    if not yes and not as_json and sys.stdin.isatty():
        is_let, confirmed_by = _ask(plan, session.actor.name)
    if not is_let:
        click.echo("Nothing was destroyed.")
        return
    with _progress(len(plan), as_json=as_json) as each:
        outcome = of_site.run(_now_us(), acting_as_us=acting_as_us, confirmed_by=confirmed_by, each=each)
    _print_outcome(outcome, as_json=as_json)
    if outcome.failures:
        context.exit(1)


def _now_us() -> int:
    return time.time_ns() // 1000


def _ask(plan: Sequence[Going], name: str) -> tuple[bool, str]:
    """Return whether to go on, and who confirms what goes early: nobody, if that was refused."""
    early = sum(bool(going.early) and not going.is_begun for going in plan)
    on_time = len(plan) - early
    is_let = not on_time or click.confirm(f"Destroy {_periods(on_time)}? It can't be undone", err=True)
    if is_let and early and click.confirm(f"Destroy {_periods(early)} EARLY? It can't be undone", err=True):
        return True, name
    return is_let and bool(on_time or not early), ""


def _periods(count: int) -> str:
    return "1 period" if count == 1 else f"{count} periods"


def _print_plan(plan: Sequence[Going], *, as_json: bool) -> None:
    for going in plan:
        if as_json:
            print_json(
                {
                    "kind": "going",
                    "period": going.period.name,
                    "due": iso_second(going.due_us),
                    "early": bool(going.early),
                    "early_reason": going.early,
                    "begun": going.is_begun,
                }
            )
        else:
            click.echo(f"{going.period.name}  {_why(going)}")
    if not plan and not as_json:
        click.echo("Nothing is due.")


def _why(going: Going) -> str:
    if going.is_begun:
        return "its destruction was begun and is finished now"
    if going.early:
        return f"EARLY: {going.early}"
    return f"due since {_minute(going.due_us)}"


def _print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    for certificate in outcome.certificates:
        _print_certificate(certificate, as_json=as_json)
    for going in outcome.waiting:
        if as_json:
            print_json({"kind": "waiting", "period": going.period.name, "reason": going.early})
        else:
            click.echo(f"{going.period.name}  waits to be confirmed (--yes), or for a day of steady time")
    for failure in outcome.failures:
        if as_json:
            print_json({"kind": "failure", "period": failure.period, "reason": failure.reason})
        else:
            click.secho(f"{failure.period}  is not destroyed: {failure.reason}", fg="red", err=True)


def _print_certificate(certificate: AuditEntry, *, as_json: bool) -> None:
    said = json.loads(certificate.detail)
    if as_json:
        time_text = iso_second(certificate.time_us)
        entry = {"entry": certificate.number, "time": time_text, "actor": certificate.actor}
        print_json({"kind": "certificate", **said, **entry, "hash": certificate.hash})
        return
    rows = "rows unknown" if said["rows"] is None else f"{said['rows']:,} rows"
    early = f", early: {said['early_reason']}" if said["early"] else ""
    click.echo(
        f"{said['period']}  destroyed: {rows}{early}. Certificate: entry {certificate.number} of the audit,"
    )
    click.echo(f"  {certificate.hash}")


def _standing_fields(standing: Standing) -> dict[str, object]:
    return {
        "kind": "period",
        "period": standing.period,
        "state": standing.state,
        "rows": standing.rows,
        "bytes": standing.bytes,
        "oldest": None if standing.oldest_us is None else iso_second(standing.oldest_us),
        "truncated": standing.is_truncated,
        "due": iso_second(standing.due_us),
        "destroyed": None if standing.destroyed_us is None else iso_second(standing.destroyed_us),
        "overdue": standing.is_overdue,
        "waits": standing.waits,
        "late_dropped": standing.late_dropped,
        "fault": standing.fault,
    }


def _print_standings(found: Sequence[Standing]) -> None:
    from rich.console import Console  # noqa: PLC0415 - --json and --help do without
    from rich.table import Table  # noqa: PLC0415

    table = Table("period", "state", box=None, pad_edge=False)
    for name in ("rows", "size"):
        table.add_column(name, justify="right")
    for name in ("oldest", "goes", ""):
        table.add_column(name)
    for one in found:
        table.add_row(
            one.period,
            one.state,
            "" if one.rows is None else f"{one.rows:,}",
            "" if one.bytes is None else _size(one.bytes),
            "" if one.oldest_us is None else _minute(one.oldest_us),
            f"went {_minute(one.destroyed_us)}" if one.destroyed_us else _minute(one.due_us),
            _remark(one),
        )
    Console(soft_wrap=True).print(table)


def _remark(standing: Standing) -> str:
    remarks = (
        "addresses cut" if standing.is_truncated else "",
        "OVERDUE" if standing.is_overdue else "",
        f"waits: {standing.waits}" if standing.waits else "",
        f"{standing.late_dropped:,} late records dropped" if standing.late_dropped else "",
        standing.fault,
    )
    return "; ".join(filter(None, remarks))


def _minute(time_us: int) -> str:
    return iso_second(time_us)[:16].replace("T", " ")


def _size(count: int) -> str:
    size, units = float(count), ["B", "kB", "MB", "GB"]
    while size >= _BYTES_A_KILOBYTE and len(units) > 1:
        size /= _BYTES_A_KILOBYTE
        units.pop(0)
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"


@contextlib.contextmanager
def _progress(total: int, *, as_json: bool) -> Iterator[Callable[[Going], None]]:
    """Show on a terminal which period is being destroyed; hashing a large one takes seconds."""
    if as_json or not total or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - most runs have no terminal
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda going: progress.update(task, advance=1, description=going.period.name)
