"""``consentkit subject``: answer a person who asks what is kept of them, or asks for its erasure.

Owns the options, the question before anything is destroyed, and what is printed. What is found, written and
erased is the archive's job.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentkit.archive.export import NewFile
from consentkit.archive.subject import Person, Proof, SubjectExport, Terms, certificates, proof_of
from consentkit.cli.bundles import OWN_HELP, verify_bundle
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session, look_options, make_look
from consentkit.cli.subject_erase import erase
from consentkit.cli.subject_options import make_person, who_options
from consentkit.cli.subject_requests import requests
from consentkit.cli.subject_words import certificate_fields, print_certificate, rows_progress

if TYPE_CHECKING:
    from consentkit.archive.export import Copy
    from consentkit.audit import Purpose


@click.group()
def subject() -> None:
    """Answer a person who asks what is kept of them, or asks for its erasure."""


subject.add_command(erase)
subject.add_command(requests)


def _future(_context: click.Context, _option: click.Parameter, given: datetime | None) -> date | None:
    if given is not None and given.date() < datetime.now(UTC).date():
        raise click.BadParameter("that day is over; name one from today on")
    return given.date() if given else None


@subject.command()
@config_option
@look_options
@who_options
@click.option("--output", "-o", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--for", "recipient", default="the person", show_default=True, metavar="WHOM", help="Who gets it.")
@click.option(
    "--destroy-by",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_future,
    metavar="DATE",
    help="When your own copy must be destroyed.  [default: when its oldest row would be]",
)
@click.option(
    "--language", default="", metavar="TAG", help="In which the person is answered.  [default: the site's first]"
)
@json_option
@click.pass_context
def export(
    context: click.Context,
    *,
    config: Path | None,
    purpose: Purpose,
    reason: str,
    case: str,
    address: str,
    since: str,
    until: str,
    consent_id: str,
    output: Path,
    recipient: str,
    destroy_by: date | None,
    language: str,
    as_json: bool,
) -> None:
    """Write a signed ZIP of what is kept of a person: a page to read, the data, who looked and why.

    Exit 1 where nothing is kept under the consent id.
    """
    person = make_person(address, since, until, consent_id)
    session = Session(config)
    proof = _proof(session, person)
    if person.consent_id and proof is None:
        click.echo("No choice is kept under this consent id.", err=True)
        context.exit(1)
    terms = Terms(
        actor=session.actor,
        look=make_look(purpose, reason, case),
        output=str(output.absolute()),
        recipient=recipient,
        destroy_by=destroy_by,
        language=language,
    )
    copy = _write(session, person, terms, proof, output)
    _tell(copy, as_json=as_json)


def _proof(session: Session, person: Person) -> Proof | None:
    if not person.consent_id:
        return None
    return proof_of(session.control, person, session.settings, time.time_ns() // 1000)


def _write(session: Session, person: Person, terms: Terms, proof: Proof | None, output: Path) -> Copy:
    """Write a new file, which gets its name when it is complete and in the register."""
    holdings = session.holdings
    with NewFile(output) as file:
        try:
            run = SubjectExport(holdings, session.settings, person, terms, proof=proof)
            with rows_progress() as each:
                run.write(file, each=each)
            file.settle()
            copy = run.register()
            file.publish()
        except BaseException:
            click.echo(f"The export broke off; {click.format_filename(output)} was not made.", err=True)
            raise
    return copy


def _tell(copy: Copy, *, as_json: bool) -> None:
    if as_json:
        fields = {"copy": copy.number, "rows": copy.rows, "bytes": copy.bytes, "sha256": copy.sha256}
        print_json({"kind": "copy", **fields, "destroy_by": copy.destroy_by})
        return
    click.echo(f"Copy {copy.number}: {copy.rows:,} rows, {copy.bytes:,} bytes")
    click.echo(f"SHA-256 {copy.sha256}")
    if copy.destroy_by:
        click.echo(f"Destroy your own copy by {copy.destroy_by}.")


@subject.command()
@config_option
@who_options
@json_option
@click.pass_context
def certified(
    context: click.Context,
    *,
    config: Path | None,
    address: str,
    since: str,
    until: str,
    consent_id: str,
    as_json: bool,
) -> None:
    """Print the certificates of what was erased of a person. Exit 1 where there is none."""
    person = make_person(address, since, until, consent_id)
    session = Session(config)
    found = certificates(session.control, session.keyring, person)
    for certificate in found:
        if as_json:
            print_json(certificate_fields(certificate))
        else:
            print_certificate(certificate)
    if not found:
        click.echo("No certificate is kept for this person and time.", err=True)
        context.exit(1)


@subject.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@click.option("--own", is_flag=True, help=OWN_HELP)
@json_option
@click.pass_context
def verify(context: click.Context, *, file: Path, config: Path | None, own: bool, as_json: bool) -> None:
    """Check a person's ZIP: its signature, and every file in it. Exit 1 where something was changed."""
    verify_bundle(context, file, "subject", config=config, own=own, as_json=as_json)
