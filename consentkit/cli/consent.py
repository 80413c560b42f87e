"""``consentkit consent``: look at what visitors chose, hand them their receipts, and check one.

Owns what is printed; the rows are the ledger's, the receipt's format `consent.receipt`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import msgspec

from consentkit import audit, signing
from consentkit.cli.consent_stats import stats
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session, look_options, make_look
from consentkit.consent.consentid import is_consent_id
from consentkit.consent.ledger import decisions_of
from consentkit.consent.receipt import MAX_RECEIPT_BYTES, BadReceipt, verify_receipt
from consentkit.consent.receipts import make_receipt
from consentkit.consent.statement import Statement, minute_text, signed_bytes, statement_of
from consentkit.crypto.signatures import (
    MAX_KEY_SET_BYTES,
    BadKeySet,
    BadSignature,
    KeySet,
    Signature,
    read_key_set,
)
from consentkit.errors import BadSearch, StorageError

if TYPE_CHECKING:
    from consentkit.audit import Purpose
    from consentkit.consent.decision import Decision
    from consentkit.consent.receipt import Receipt


@click.group()
def consent() -> None:
    """Look at what visitors chose. Each look is recorded before anything is shown."""


consent.add_command(stats)


@consent.command()
@click.argument("consent_id", metavar="ID")
@config_option
@look_options
@click.option(
    "--receipt",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the visitor's signed receipt there, to be handed over.",
)
@json_option
def show(
    *,
    consent_id: str,
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    receipt: Path | None,
    as_json: bool,
) -> None:
    """Show every decision under one consent id, oldest first.

    The id is the value of the visitor's cookie consentkit_id. Who never agreed to anything has none.
    """
    if not is_consent_id(consent_id):
        raise BadSearch("ID", "is no consent id: 22 letters, digits, - and _, the first no dash")
    session = Session(config)
    decisions = decisions_of(session.control, consent_id)
    audit.record(
        session.control,
        session.actor,
        "consent.show",
        look=make_look(purpose, reason, case),
        detail={"consent_id": consent_id, **({"receipt": True} if receipt else {})},
        rows=len(decisions),
    )
    keys = _own_keys(session)
    for decision in decisions:
        state = _signature_state(decision, keys)
        if as_json:
            print_json({**_fields(decision, keys.installation), "signature": state})
        else:
            click.echo(_lines(decision, state))
    if not decisions and not as_json:
        click.echo("No decision is kept under this id.", err=True)
    if receipt is not None:
        _write(session, consent_id, receipt)


@consent.command()
@click.argument("file", type=click.File("rb"))
@click.option("--keys", "keys_file", type=click.File("rb"), metavar="FILE", help="The site's keys.json, as saved.")
@config_option
@json_option
@click.pass_context
def verify(
    context: click.Context, *, file: BinaryIO, keys_file: BinaryIO | None, config: Path | None, as_json: bool
) -> None:
    """Check a visitor's receipt: who signed it, and that no byte of it was changed. Exit 1 where it does not hold.

    With --keys nothing of this installation is asked: anyone can check it, years and rotations later.
    """
    try:
        keys = _own_keys(Session(config)) if keys_file is None else _given_keys(keys_file)
        receipt = verify_receipt(file.read(MAX_RECEIPT_BYTES + 1), keys)
    except (BadReceipt, BadKeySet) as exc:
        if as_json:
            print_json({"good": False, "fault": str(exc)})
        else:
            click.secho(f"It does not hold: {exc}.", fg="red", err=True)
        context.exit(1)
    if as_json:
        print_json({"good": True, "receipt": msgspec.to_builtins(receipt.receipt)})
    else:
        _print_receipt(receipt, keys)


def _own_keys(session: Session) -> KeySet:
    with session.control.transaction() as connection:
        return signing.key_set(connection, session.keyring, session.settings.site.operator)


def _given_keys(file: BinaryIO) -> KeySet:
    try:
        return read_key_set(file.read(MAX_KEY_SET_BYTES + 1))
    except BadKeySet as exc:
        raise BadKeySet(f"the file of keys can't be used: {exc}") from exc


def _write(session: Session, consent_id: str, path: Path) -> None:
    made = make_receipt(session.control, consent_id, operator=session.settings.site.operator)
    if made is None:
        return
    try:
        path.write_bytes(made)
    except OSError as exc:
        raise StorageError(str(path), f"the receipt can't be written ({exc.strerror})") from exc
    click.echo(f"The receipt is in {path}.", err=True)


def _signature_state(decision: Decision, keys: KeySet) -> str:
    signed = signed_bytes(statement_of(decision, keys.installation))
    try:
        signing.verify(signed, Signature(key_id=decision.key_id, value=decision.signature), keys.keys)
    except BadSignature:
        return "bad"
    return "good"


def _fields(decision: Decision, installation: str) -> dict[str, object]:
    said: dict[str, object] = msgspec.to_builtins(statement_of(decision, installation))
    return {**said, "hash": decision.hash, "key_id": decision.key_id}


def _lines(decision: Decision, signature: str) -> str:
    granted, denied = decision.granted or "nothing", decision.denied or "nothing"
    late = f", written {minute_text(decision.written)}" if decision.written != decision.minute else ""
    return (
        f"{decision.number:>6}  {minute_text(decision.minute)}  granted {granted}; denied {denied}  "
        f"({decision.method}, {decision.locale}, policy {decision.revision}, "
        f"{'script' if decision.script else 'form'}{late})\n"
        f"        policy {decision.policy_hash or 'unknown'}\n        text   {decision.text_hash or 'unknown'}\n"
        f"        signature {signature}, by key {decision.key_id}"
    )


def _print_receipt(receipt: Receipt, keys: KeySet) -> None:
    record = receipt.receipt
    click.echo(
        f"It holds: {len(record.decisions)} decisions under {record.consent_id}, handed out {record.made} by"
        f" {keys.operator or 'the operator'} (installation {record.site.installation}),"
        f" signed with key {receipt.signature.key_id}."
    )
    for each in record.decisions:
        click.echo(f"{each.statement.number:>6}  {each.statement.time}  {_said(each.statement)}")


def _said(statement: Statement) -> str:
    granted, denied = (", ".join(names) or "nothing" for names in (statement.granted, statement.denied))
    return f"granted {granted}; denied {denied}  ({statement.method}, {statement.locale})"
