"""``consentkit audit``: who did what to personal data, which rows they saw, and whether the record holds.

Owns what is printed. Reading and checking the audit is its own room's job, finding rows again the archive's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import msgspec

from consentkit import audit as record
from consentkit.archive.destruction import iso_second
from consentkit.archive.exposure import exposures, page_detail
from consentkit.archive.search import Archive, pages
from consentkit.archive.store import Filters
from consentkit.audit import PURPOSES, Listing, Verification
from consentkit.cli.evidence import anchor_option, chain_fields, print_chain, progress_bar, read_anchors
from consentkit.cli.filters import parse_time
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session, look_options, make_look
from consentkit.consent.ledgercheck import count_decisions, verify_decisions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

    from consentkit.archive.exposure import Exposure
    from consentkit.archive.search import Found
    from consentkit.audit import AuditEntry, Look, Purpose
    from consentkit.consent.ledgercheck import LedgerReport

_since_option = click.option("--since", metavar="TIME", help="From this time: ISO 8601, or 2h, 7d ago.")
_until_option = click.option("--until", metavar="TIME", help="Before this time.")
_actor_option = click.option("--actor", default="", metavar="NAME", help="Of this person; consentkit = of itself.")


@click.group()
def audit() -> None:
    """Look at the record of what was done to personal data, and check it."""


@audit.command("list")
@config_option
@_since_option
@_until_option
@_actor_option
@click.option("--action", default="", metavar="GLOB", help="Of these actions, as 'log.*'.")
@click.option("--case", default="", metavar="ID", help="Of this incident or request.")
@click.option("--purpose", default="", type=click.Choice(["", *PURPOSES]), metavar="|".join(PURPOSES))
@click.option("--before", type=click.IntRange(1), metavar="NUMBER", help="Go on before this entry.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(0), help="At most so many; 0 = all.")
@json_option
def list_entries(
    *,
    config: Path | None,
    since: str | None,
    until: str | None,
    actor: str,
    action: str,
    case: str,
    purpose: str,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List entries, newest first. That they were listed is an entry too, written first."""
    session = Session(config)
    since_us, until_us = _times(since, until)
    listing = Listing(since_us=since_us, until_us=until_us, actor=actor, action=action, case=case, purpose=purpose)
    defaults = msgspec.to_builtins(Listing())
    asked = {name: value for name, value in msgspec.to_builtins(listing).items() if value != defaults[name]}
    own = record.record(session.control, session.actor, "audit.list", detail={"asked": asked})
    found = record.listed(session.control, listing, limit=limit, before=before or own.number)
    if as_json:
        for entry in found:
            print_json(_fields(entry))
    else:
        _print_entries(found)


@audit.command()
@click.argument("numbers", metavar="[ENTRY]...", nargs=-1, type=click.IntRange(1))
@config_option
@look_options
@_since_option
@_until_option
@_actor_option
@json_option
def exposed(
    *,
    numbers: tuple[int, ...],
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    since: str | None,
    until: str | None,
    actor: str,
    as_json: bool,
) -> None:
    """List again the rows that a look has shown: of these entries, or of a person's in a time.

    Rows that went with their periods are counted. This is a look of its own: recorded before it is shown.
    """
    if not (numbers or actor or since or until):
        raise click.UsageError("name entries, or --actor, --since or --until")
    session = Session(config)
    look = make_look(purpose, reason, case)
    archive = Archive(session.settings, session.holdings)
    since_us, until_us = _times(since, until)
    listing = Listing(since_us=since_us, until_us=until_us, actor=actor)
    detail = {"entries": numbers, "of": msgspec.to_builtins(listing)}
    own = record.record(session.control, session.actor, "audit.exposed", look=look, detail=detail)
    any_shown = False
    for exposure in exposures(session.control, archive, numbers, listing, before=own.number):
        any_shown = True
        _show(session, look, exposure, as_json=as_json)
    if not any_shown and not as_json:
        click.echo("No such look showed any rows.", err=True)


@audit.command()
@config_option
@anchor_option
@click.option("--accept-restore", is_flag=True, help="Say that the database was put back on purpose.")
@click.option("--reason", default="", help="With --accept-restore: why, in words.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    *,
    config: Path | None,
    anchors: BinaryIO | None,
    accept_restore: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Check that no entry and no decision was changed, removed, added or put back. Exit 1 when one was.

    Held against what is remembered outside the database and, with --anchor, against what you wrote down.
    """
    if accept_restore != bool(reason.strip()):
        raise click.UsageError("--accept-restore and --reason TEXT go together")
    session = Session(config)
    given = read_anchors(anchors)
    if accept_restore:
        _accept(session, reason)
    verification = Verification(session.control, given)
    with progress_bar(is_shown=not as_json, unit="entries") as bar:
        bar.begin(verification.total())
        for _ in verification.walk():
            bar.advance(1)
    report = verification.report()
    with progress_bar(is_shown=not as_json, unit="decisions") as bar:
        bar.begin(count_decisions(session.control))
        ledger = verify_decisions(session.control, advance=bar.advance)
    report = msgspec.structs.replace(report, faults=(*report.faults, *ledger.faults))
    bad = [one.reason for one in report.faults]
    record.record(
        session.control,
        session.actor,
        "audit.verified",
        detail={"result": "bad" if bad else "good", "until": report.end.number, "bad": bad[:20]},
    )
    if as_json:
        told = {"decisions": ledger.decisions, "let_go": ledger.let_go, "unproved": ledger.unproved}
        print_json({**chain_fields(report), **told})
    else:
        print_chain(report)
        _print_ledger(ledger)
    if bad:
        context.exit(1)


def _accept(session: Session, reason: str) -> None:
    entry = record.accept_put_back(session.control, session.actor, reason)
    told = "There is no restore to accept." if entry is None else f"Accepted in entry {entry.number} of the audit."
    click.echo(told, err=True)


def _print_ledger(ledger: LedgerReport) -> None:
    if ledger.is_good:
        let_go = f"; {ledger.let_go:,} were let go after their time" if ledger.let_go else ""
        click.echo(f"The ledger holds: {ledger.decisions:,} decisions{let_go}.")
    if ledger.unproved:
        click.echo(f"Of {ledger.unproved:,} it is not known what was shown.")


def _times(since: str | None, until: str | None) -> tuple[int, int]:
    return (
        parse_time("since", since) if since else Listing().since_us,
        parse_time("until", until) if until else Listing().until_us,
    )


def _fields(entry: AuditEntry) -> dict[str, object]:
    fields = msgspec.structs.asdict(entry)
    fields["time"] = iso_second(fields.pop("time_us"))
    return {**fields, "detail": json.loads(entry.detail)}


def _print_entries(found: Iterable[AuditEntry]) -> None:
    from rich.console import Console  # noqa: PLC0415 - --json and --help do without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for name in ("entry", "time", "who", "action", "rows", "why", "what"):
        table.add_column(name, justify="right" if name in ("entry", "rows") else "left")
    for entry in found:
        why = " ".join(filter(None, (entry.purpose, entry.case_id, entry.reason)))
        who = entry.actor if entry.origin == "system" else f"{entry.actor} ({entry.origin})"
        time = iso_second(entry.time_us)[:16].replace("T", " ")
        cells = (str(entry.number), time, who, entry.action, f"{entry.rows:,}" if entry.rows else "", why)
        table.add_row(*map(Text, map(_line, (*cells, entry.detail))))
    Console(soft_wrap=True).print(table)


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _show(session: Session, look: Look, exposure: Exposure, *, as_json: bool) -> None:
    """Print one look's rows, each page after its own entry."""
    entry = exposure.entry
    if as_json:
        summary = {"entry": entry.number, "shown": exposure.shown, "kept": len(exposure.kept)}
        print_json({"kind": "look", **_fields(entry), **summary, "gone": exposure.gone})
    else:
        click.echo(_summary(exposure))
    for page in pages(iter(exposure.kept)):
        detail = {"entry": entry.number, **page_detail(Filters(), page)}
        record.record(session.control, session.actor, "audit.exposed", look=look, detail=detail, rows=len(page))
        for found in page:
            _print_row(entry, found, as_json=as_json)


def _summary(exposure: Exposure) -> str:
    entry = exposure.entry
    head = f"Entry {entry.number}: {_line(entry.actor)}, {entry.action}, {iso_second(entry.time_us)}"
    if exposure.shown is None:
        return f"{head}: {entry.rows:,} of something else than requests: {_line(entry.detail)}"
    gone = f", {exposure.gone:,} gone with their periods" if exposure.gone else ""
    return f"{head}: {exposure.shown:,} rows shown, {len(exposure.kept):,} still kept{gone}"


def _print_row(entry: AuditEntry, found: Found, *, as_json: bool) -> None:
    _, row = found
    if as_json:
        print_json({"kind": "row", "entry": entry.number, **msgspec.to_builtins(row)})
    else:
        click.echo(
            f"  {row.time[:19].replace('T', ' ')}  {row.client_address or '-':<15}  {row.status:>3}  "
            f"{row.method or row.scheme.upper():<6} {row.host}{row.url}  [{row.request_id}]"
        )
