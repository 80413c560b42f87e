"""``consentkit subject erase``: show what would go, ask, erase, and print the certificate.

Owns the question and what is printed before and after. The erasing is the archive's job.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from consentkit import audit
from consentkit.archive.erasure import Erasure
from consentkit.archive.subject import Person, Proof, Traces, erase_choices, find_traces, proof_of
from consentkit.archive.subject.certificate import identity, unfinished
from consentkit.archive.subject.choices import REASON
from consentkit.archive.subject.place import ErasureOrder
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session, look_options, make_look
from consentkit.cli.subject_options import make_person, who_options
from consentkit.cli.subject_words import (
    certificate_fields,
    indistinct_words,
    kept_words,
    print_certificate,
    rows,
    told_progress,
)

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.subject import Certificate
    from consentkit.audit import Look, Purpose

_NOT_ASKED = "nothing was erased: say --yes where nobody can be asked"


@click.command()
@config_option
@look_options
@who_options
@click.option(
    "--also-incident",
    "released",
    multiple=True,
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Let go of their rows in this open incident's copy too; may be repeated.",
)
@click.option("--wait", default=90, show_default=True, type=click.IntRange(0), help="Seconds for the spool.")
@click.option("--dry-run", is_flag=True, help="Show what would go; erase nothing.")
@click.option("--yes", is_flag=True, help="Erase without asking.")
@json_option
@click.pass_context
def erase(
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
    released: tuple[int, ...],
    wait: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase a person's requests, and print the certificate with what stays and why.

    What an open incident holds stays until its review, unless it is let go with --also-incident. Choices stay as
    proof. Exit 1 where nothing of the person is kept.
    """
    person = make_person(address, since, until, consent_id)
    session, look = Session(config), make_look(purpose, reason, case)
    planned = {**identity(session.keyring, person), "dry_run": dry_run}
    audit.record(session.control, session.actor, "subject.planned", look=look, detail=planned)
    request = _Request(session, person, look, frozenset(released), wait)
    if not request.show_plan(as_json=as_json):
        click.echo("Nothing of this person is kept for this time.", err=True)
        context.exit(1)
    if dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(_NOT_ASKED)
        if not click.confirm("Erase that? It can't be undone", err=True):
            click.echo("Nothing was erased.")
            return
    certificate = request.erase()
    if as_json:
        print_json(certificate_fields(certificate))
    else:
        print_certificate(certificate)


class _Request:
    """One request for erasure, in one session."""

    def __init__(
        self, session: Session, person: Person, look: Look, released: frozenset[int], wait_seconds: int
    ) -> None:
        self._session = session
        self._person = person
        self._look = look
        self._released = released
        self._wait_seconds = wait_seconds
        self._holdings = session.holdings
        self._proof: Proof | None = None

    def show_plan(self, *, as_json: bool) -> bool:
        """Print what would go and what would stay; return whether there is anything."""
        session = self._session
        if self._person.consent_id:
            now_us = time.time_ns() // 1000
            self._proof = proof_of(session.control, self._person, session.settings, now_us)
            if self._proof is not None:
                self._print_proof(self._proof, as_json=as_json)
            return self._proof is not None
        traces = find_traces(self._holdings, self._person, session.settings.requestlog)
        self._print_traces(traces, as_json=as_json)
        with session.control.transaction() as connection:
            begun = unfinished(connection, identity(session.keyring, self._person))
        return bool(traces.rows or traces.copied_rows or traces.indistinct or begun)

    def erase(self) -> Certificate:
        """Erase, and return the certificate."""
        session = self._session
        if self._proof is not None:
            return erase_choices(
                session.control, session.keyring, self._person, self._proof, actor=session.actor, look=self._look
            )
        order = ErasureOrder(
            person=self._person,
            actor=session.actor,
            look=self._look,
            released=self._released,
            spool_seconds=self._wait_seconds,
        )
        with told_progress() as tell:
            run = Erasure(
                self._holdings,
                session.settings.requestlog,
                order,
                each_wait=lambda found: tell(f"waiting for the spool: {rows(len(found.lying))}"),
            )
            for step in run.run():
                tell(f"{step.place} {step.done}")
        if run.certificate is None:
            raise RuntimeError("an erasure that came to its end has a certificate")
        return run.certificate

    def _print_proof(self, proof: Proof, *, as_json: bool) -> None:
        stays: dict[str, object] = {"choices": len(proof.decisions), "reason": REASON, "until": proof.until}
        if as_json:
            print_json({"kind": "stays", **stays, "in_force": proof.is_in_force})
            return
        click.echo(f"stays: {kept_words(stays)}")
        if proof.is_in_force:
            click.echo("The consent is still in force; the visitor can withdraw it on the site at any time.")

    def _print_traces(self, traces: Traces, *, as_json: bool) -> None:
        for trace in traces.periods:
            _print_going(trace.counted.rows, as_json=as_json, period=trace.period.name)
        _print_going(traces.waiting, as_json=as_json, place="spool")
        for copied in traces.incidents:
            number = copied.incident.number
            stays: dict[str, object] = {
                "incident": number,
                "rows": copied.counted.rows,
                "reason": copied.incident.reason,
                "review": copied.incident.review,
            }
            if number in self._released:
                _print_going(copied.counted.rows, as_json=as_json, incident=number)
            elif copied.counted.rows and as_json:
                print_json({"kind": "stays", **stays})
            elif copied.counted.rows:
                click.echo(f"stays: {kept_words(stays)}")
        if traces.indistinct and as_json:
            print_json({"kind": "indistinct", "rows": traces.indistinct})
        elif traces.indistinct:
            click.echo(f"stays: {indistinct_words(traces.indistinct)}")


def _print_going(count: int, *, as_json: bool, **place: object) -> None:
    if count and as_json:
        print_json({"kind": "going", **place, "rows": count})
    elif count:
        name = f"incident {place['incident']}" if "incident" in place else next(iter(place.values()))
        click.echo(f"goes: {rows(count)} in {name}")
