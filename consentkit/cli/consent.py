"""``consentkit consent``: look at what visitors chose.

Owns what is printed; the rows are the ledger's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from consentkit import audit
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session, look_options, make_look
from consentkit.consent.ledger import decisions_of
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.audit import Purpose
    from consentkit.consent.decision import Decision

_ID = re.compile(r"[A-Za-z0-9_-]{22}")


@click.group()
def consent() -> None:
    """Look at what visitors chose. Each look is recorded before anything is shown."""


@consent.command()
@click.argument("consent_id", metavar="ID")
@config_option
@look_options
@json_option
def show(*, consent_id: str, config: Path | None, purpose: Purpose, reason: str, case: str, as_json: bool) -> None:
    """Show every decision under one consent id, oldest first.

    The id is the value of the visitor's cookie consentkit_id. Who never agreed to anything has none.
    """
    if not _ID.fullmatch(consent_id):
        raise BadSearch("ID", "is no consent id: 22 letters, digits, - and _")
    session = Session(config)
    decisions = decisions_of(session.control, consent_id)
    audit.record(
        session.control,
        session.actor,
        "consent.show",
        look=make_look(purpose, reason, case),
        detail={"consent_id": consent_id},
        rows=len(decisions),
    )
    for decision in decisions:
        if as_json:
            print_json(_fields(decision))
        else:
            click.echo(_line(decision))
    if not decisions and not as_json:
        click.echo("No decision is kept under this id.", err=True)


def _fields(decision: Decision) -> dict[str, object]:
    fields = msgspec.structs.asdict(decision)
    fields["time"] = _time(fields.pop("minute"))
    for key in ("granted", "denied"):
        fields[key] = list(filter(None, fields[key].split(",")))
    fields["script"] = bool(fields["script"])
    return fields


def _line(decision: Decision) -> str:
    granted, denied = decision.granted or "nothing", decision.denied or "nothing"
    return (
        f"{decision.number:>6}  {_time(decision.minute)}  granted {granted}; denied {denied}  "
        f"({decision.method}, {decision.locale}, policy {decision.revision}, "
        f"{'script' if decision.script else 'form'})"
    )


def _time(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
