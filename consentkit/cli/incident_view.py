"""``consentkit incident show``, ``export`` and ``verify``: looking into what is held, and handing it over.

Owns what is printed and where a bundle goes. Each page of rows is in the audit before it is printed or written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consentkit import audit
from consentkit.archive.export import NewFile
from consentkit.archive.export.formats import json_line
from consentkit.archive.exposure import page_detail
from consentkit.archive.incident.evidence import EvidenceExport, EvidenceOrder
from consentkit.archive.incident.journal import journal
from consentkit.archive.incident.listing import find, today_utc
from consentkit.archive.incident.reading import reading
from consentkit.archive.search import pages
from consentkit.audit import PURPOSES, Look, Purpose
from consentkit.cli.bundles import OWN_HELP, verify_bundle
from consentkit.cli.filters import filter_options, make_filters
from consentkit.cli.incident_words import (
    counts_fields,
    incident_fields,
    print_counts,
    print_incident,
    print_journal,
    row_line,
    rows_progress,
)
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session
from consentkit.errors import BadSearch, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.incident.listing import Incident
    from consentkit.archive.incident.reading import Kept

_TOP = 10


@click.command()
@config_option
@click.argument("number", type=click.IntRange(1))
@click.option("--rows", is_flag=True, help="Show the rows, newest first, instead of what they add up to.")
@click.option(
    "--purpose", type=click.Choice(PURPOSES), help="Why; without it addresses are masked. --rows needs it."
)
@click.option("--reason", default="", help="The same in words.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(0), help="At most so many; 0 = all.")
@filter_options
@json_option
def show(
    *,
    config: Path | None,
    number: int,
    rows: bool,
    purpose: Purpose | None,
    reason: str,
    limit: int,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Show what an incident holds and what was done for its case, or with --rows the rows."""
    session = Session(config)
    holdings = session.holdings
    with session.control.transaction() as connection:
        listed = find(connection, number)
    look = Look(purpose, listed.case_id, reason) if purpose else None
    if rows:
        if look is None:
            raise click.UsageError("--rows shows personal data: say why with --purpose")
        with reading(holdings, number) as kept:
            _show_rows(session, kept, look, chosen, limit=limit, as_json=as_json)
        return
    if any(value not in (None, "", ()) for value in chosen.values()):
        raise click.UsageError("filters choose rows: they go with --rows")
    audit.record(session.control, session.actor, "incident.show", look=look, detail={"incident": number})
    _show_all(session, holdings, listed, is_masked=look is None, as_json=as_json)


def _show_rows(
    session: Session, kept: Kept, look: Look, chosen: Mapping[str, Any], *, limit: int, as_json: bool
) -> None:
    filters = make_filters(**chosen)
    asked = {name: value for name, value in chosen.items() if value not in (None, "", ())}
    found = kept.rows(filters, limit=limit)
    shown = 0
    for page in pages(found):
        detail = {"incident": kept.incident.number, "filters": asked, **page_detail(filters, page)}
        audit.record(session.control, session.actor, "incident.show", look=look, detail=detail, rows=len(page))
        for _, row in page:
            click.echo(json_line(row).decode() if as_json else row_line(row), nl=not as_json)
        shown += len(page)
    if not shown:
        detail = {"incident": kept.incident.number, "filters": asked}
        audit.record(session.control, session.actor, "incident.show", look=look, detail=detail)
        if not as_json:
            click.echo("No row matches.", err=True)


def _show_all(session: Session, holdings: Holdings, listed: Incident, *, is_masked: bool, as_json: bool) -> None:
    counts = None
    if listed.state == "open":
        with reading(holdings, listed.number) as kept:
            counts = kept.counts(kept.hours(), limit=_TOP)
    entries = journal(session.control, listed)
    if as_json:
        print_json(incident_fields(listed, today_utc()))
        if counts is not None:
            print_json(counts_fields(counts, is_masked=is_masked))
        print_journal(entries, as_json=True)
        return
    print_incident(listed, today_utc())
    if counts is not None:
        print_counts(counts, is_masked=is_masked)
    print_journal(entries, as_json=False)


def _future(_context: click.Context, _option: click.Parameter, given: datetime | None) -> date | None:
    if given is None:
        return None
    if given.date() < today_utc():
        raise click.BadParameter("that day is over; name one from today on")
    return given.date()


@click.command()
@config_option
@click.argument("number", type=click.IntRange(1))
@click.option("--purpose", required=True, type=click.Choice(PURPOSES), help="Why; it is recorded.")
@click.option("--reason", default="", help="The same in words.")
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), metavar="FILE.zip", help="A new file."
)
@click.option("--for", "recipient", default="", metavar="WHOM", help="Who gets the copy, for the register.")
@click.option(
    "--destroy-by",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_future,
    metavar="DATE",
    help="When the copy must be destroyed.  [default: at the incident's review]",
)
@click.pass_context
def export(
    context: click.Context,
    *,
    config: Path | None,
    number: int,
    purpose: Purpose,
    reason: str,
    output: Path,
    recipient: str,
    destroy_by: date | None,
) -> None:
    """Write an incident's rows, time line, journal and verification into one signed ZIP.

    The file appears when it is complete and in the register of copies. Exit 1 when the incident's own file does
    not hold against the audit: the bundle is made all the same, and says so.
    """
    session = Session(config)
    holdings = session.holdings
    _refuse_inside(output, holdings)
    order = EvidenceOrder(
        operator=session.settings.site.operator,
        output=str(output.absolute()),
        recipient=recipient,
        destroy_by=destroy_by,
    )
    look = Look(purpose, reason=reason)
    with reading(holdings, number) as kept, NewFile(output) as file:
        run = EvidenceExport(holdings, kept, session.actor, look, order)
        with rows_progress() as advance:
            run.write(file, each=advance)
        file.settle()
        copy = run.register()
        file.publish()
    click.echo(f"Copy {copy.number}: {run.rows:,} rows, {run.size_bytes:,} bytes, SHA-256 {run.sha256}", err=True)
    click.echo(f"Destroy it by {run.destroy_by}.", err=True)
    if run.verdict is not None and run.verdict.fault:
        click.secho(f"The incident does not hold: {run.verdict.fault}", fg="red", err=True)
        context.exit(1)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@click.option("--own", is_flag=True, help=OWN_HELP)
@json_option
@click.pass_context
def verify(context: click.Context, *, file: Path, config: Path | None, own: bool, as_json: bool) -> None:
    """Check an incident's bundle: its signature, and every file in it. Exit 1 where something was changed.

    It needs no installation but with --own.
    """
    verify_bundle(context, file, "incident", config=config, own=own, as_json=as_json)


def _refuse_inside(output: Path, holdings: Holdings) -> None:
    """Refuse a place that backups take along, where a copy in plain text would outlive the incident."""
    try:
        place = output.absolute().resolve()
    except (OSError, RuntimeError) as exc:
        raise StorageError(str(output), "is no place for a file: its links lead nowhere") from exc
    for folder in (holdings.directory, holdings.keyring.folder):
        if place.is_relative_to(folder.resolve()):
            raise BadSearch("--output", f"lies in {folder}, where the log is kept; name another place")
