"""``consentkit subject requests``: people's requests and until when they must be answered.

Owns what is printed. They are entered and answered in the admin area.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from consentkit import audit
from consentkit.archive.subject.requests import count_open, list_requests, today_utc
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.subject.requests import SubjectRequest


@click.command()
@config_option
@click.option("--all", "is_all", is_flag=True, help="Those that are closed, too.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@json_option
@click.pass_context
def requests(context: click.Context, *, config: Path | None, is_all: bool, limit: int, as_json: bool) -> None:
    """List people's requests, newest first. Exit 1 where one of them is overdue.

    No address and no consent id is shown.
    """
    session, today = Session(config), today_utc()
    found = list_requests(session.control, state="" if is_all else "open", limit=limit)
    opened, overdue = count_open(session.control, today)
    audit.record(session.control, session.actor, "subject.requests", detail={"all": is_all, "shown": len(found)})
    for one in found:
        if as_json:
            print_json(_fields(one, is_overdue=one.is_overdue(today)))
        else:
            left = one.days_left(today)
            state = one.state if one.state != "open" else "OVERDUE" if left < 0 else f"{left} days left"
            click.echo(f"{one.number:>5}  {one.kind:<10}  due {one.due}  {state:<13}  {one.reference}")
    if not as_json:
        click.echo(f"{opened} open, {overdue} overdue.", err=True)
    if overdue:
        context.exit(1)


def _fields(one: SubjectRequest, *, is_overdue: bool) -> dict[str, object]:
    shown = ("number", "state", "reference", "received", "due", "identified", "handler")
    return {
        "kind": "request",
        "asked": one.kind,
        **{name: getattr(one, name) for name in shown},
        "overdue": is_overdue,
    }
