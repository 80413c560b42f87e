"""``consentkit incident``: hold rows as evidence, see what is held, and let it go.

Owns what is asked and said. Copying and destroying are the archive's job; looking into one and handing it over,
`incident_view`'s.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import msgspec

from consentkit.archive.incident.closing import certificate, close
from consentkit.archive.incident.listing import find, incidents, overdue_reviews, today_utc
from consentkit.archive.incident.opening import Opening
from consentkit.archive.incident.review import MAX_REVIEW_DAYS, move_review
from consentkit.archive.incident.terms import Terms, check_text
from consentkit.archive.search import Archive
from consentkit.audit import PURPOSES, Look, Purpose
from consentkit.cli.filters import filter_options, make_filters
from consentkit.cli.incident_view import export, show, verify
from consentkit.cli.incident_words import certificate_fields, incident_fields, print_incidents, rows_progress
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consentkit.archive.incident.listing import Incident

_DATE = click.DateTime(["%Y-%m-%d"])


@click.group()
def incident() -> None:
    """Hold requests as evidence after their day has gone, and let them go when they are needed no more."""


incident.add_command(show)
incident.add_command(export)
incident.add_command(verify)


@incident.command("open")
@config_option
@click.option("--purpose", required=True, type=click.Choice(PURPOSES), help="Why; it is recorded.")
@click.option("--case", required=True, metavar="ID", help="Your own number or name of the matter.")
@click.option("--reason", required=True, metavar="TEXT", help="Why the rows are needed, in words.")
@click.option("--review", type=_DATE, metavar="DATE", help="When it is asked again.  [default: in 90 days]")
@click.option("--owner", default="", metavar="NAME", help="Who answers for it.  [default: you]")
@click.option("--all-rows", is_flag=True, help="Hold all rows there are: no filter is meant.")
@filter_options
@json_option
def open_(
    *,
    config: Path | None,
    purpose: Purpose,
    case: str,
    reason: str,
    review: datetime | None,
    owner: str,
    all_rows: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Copy the requests that match under a key of their own.

    The copy stays when their period goes on its day, until it is closed; by the review date its owner says
    whether it is still needed. What comes in later is not in it: open another for the same case.
    """
    session = Session(config)
    after = timedelta(days=min(session.settings.keep.incident_review, MAX_REVIEW_DAYS))
    terms = Terms(
        case=case,
        reason=reason,
        owner=owner or session.actor.name,
        review=review.date() if review else today_utc() + after,
        filters=make_filters(**chosen),
        asked=_asked(chosen),
        is_all=all_rows,
    )
    archive = Archive(session.settings, session.holdings)
    opening = Opening(archive, session.holdings, session.actor, purpose, terms)
    with rows_progress(is_shown=not as_json) as advance:
        for step in opening.run():
            advance(step.rows)
    if opening.incident is None:
        raise click.ClickException("nothing was opened")
    _tell(opening.incident, as_json=as_json)
    if any(msgspec.structs.astuple(opening.losses)):
        click.secho("a part of the spool could not be read, and is not in it; see `consentkit doctor`", err=True)


@incident.command("list")
@config_option
@json_option
@click.pass_context
def list_(context: click.Context, *, config: Path | None, as_json: bool) -> None:
    """List all incidents. Exit 1 when the review of one is overdue."""
    session = Session(config)
    today = today_utc()
    with session.control.transaction() as connection:
        found, overdue = incidents(connection), overdue_reviews(connection, today)
    if as_json:
        for one in found:
            print_json(incident_fields(one, today))
    elif found:
        print_incidents(found, today)
    else:
        click.echo("No incident was ever opened.", err=True)
    if overdue:
        numbers = ", ".join(str(one.number) for one in overdue)
        click.secho(
            f"overdue for review: {numbers}; see `consentkit incident review` and `close`", fg="red", err=True
        )
        context.exit(1)


@incident.command()
@config_option
@click.argument("number", type=click.IntRange(1))
@click.option("--until", required=True, type=_DATE, metavar="DATE", help="The next review.")
@click.option("--reason", required=True, metavar="TEXT", help="Why the rows are still needed.")
@json_option
def review(*, config: Path | None, number: int, until: datetime, reason: str, as_json: bool) -> None:
    """Say that an incident's rows are still needed, and until when."""
    session = Session(config)
    check_text("reason", reason)
    moved = move_review(
        session.holdings,
        number,
        session.actor,
        until=until.date(),
        look=Look("incident", reason=reason),
        today=today_utc(),
    )
    _tell(moved, as_json=as_json)


@incident.command("close")
@config_option
@click.argument("number", type=click.IntRange(1))
@click.option("--reason", required=True, metavar="TEXT", help="Why the rows are needed no more.")
@click.option("--yes", is_flag=True, help="Destroy without asking.")
@json_option
def close_(*, config: Path | None, number: int, reason: str, yes: bool, as_json: bool) -> None:
    """Destroy an incident's rows, key first, and print the certificate.

    Copies that were exported are not reached: the register of copies says who has them, and until when.
    """
    session = Session(config)
    check_text("reason", reason)
    with session.control.transaction() as connection:
        listed = find(connection, number)
    if not yes and not _is_confirmed(listed):
        click.echo("Nothing was destroyed.", err=True)
        return
    for _ in close(session.holdings, number, session.actor, Look("incident", reason=reason)):
        pass
    with session.control.transaction() as connection:
        entry = certificate(connection, number)
    if entry is None:
        raise click.ClickException(f"the certificate of incident {number} can't be found")
    if as_json:
        print_json(certificate_fields(entry))
    else:
        click.echo(f"Incident {number} is closed: {listed.rows:,} rows destroyed.")
        click.echo(f"Certificate: entry {entry.number} of the audit\n  {entry.hash}")


def _is_confirmed(listed: Incident) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("closing destroys; confirm it with --yes where nobody can be asked")
    with contextlib.suppress(click.Abort):
        return click.confirm(
            f"Destroy the {listed.rows:,} rows of incident {listed.number}? It can't be undone", err=True
        )
    return False


def _tell(listed: Incident, *, as_json: bool) -> None:
    if as_json:
        print_json(incident_fields(listed, today_utc()))
    else:
        click.echo(f"Incident {listed.number}: {listed.rows:,} rows, {listed.bytes:,} bytes.")
        click.echo(f"Review it by {listed.review}.")


def _asked(chosen: Mapping[str, object]) -> dict[str, object]:
    """Return the filters that were given; --no-bot is one."""
    given = {name: value for name, value in chosen.items() if value not in (None, "", ())}
    return msgspec.convert(msgspec.to_builtins(given), dict[str, object])
