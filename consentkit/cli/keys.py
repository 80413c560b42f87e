"""``consentkit keys``: replace the secret, the root key and the signing key.

Owns what is asked and printed, the audit's entries, and the order of the three. How the root is replaced is
`crypto.rotation`'s job, how the signing key is, `signing`'s.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from consentkit import audit, signing
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session
from consentkit.crypto import BEGUN, Rotation
from consentkit.settings import read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consentkit.audit import AuditEntry

# Workers look once a second: after this time all of them accept what the coming root signs.
_WORKERS_LOOK_SECONDS: Final = 3.0

_WAY_OUT: Final = (
    "CONSENTKIT_SECRET is not set. Set it to the present secret and the new one, comma-separated, newest last; "
    "where the site has run without one so far, to the new one alone."
)


@click.group()
def keys() -> None:
    """Care for the keys that everything stored is encrypted under."""


@keys.command()
@config_option
@json_option
@click.option("--new-root", is_flag=True, help="Make a new root key and destroy the old one: after a leak.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def rotate(context: click.Context, *, config: Path | None, as_json: bool, new_root: bool, yes: bool) -> None:
    """Wrap the root key by the newest secret, so that older ones open nothing, and sign with a new key.

    The site goes on meanwhile, and no stored data is touched. Where it was interrupted, run it again.
    Exit 1 when key files were found that do not open.
    """
    given = len(read_secrets())
    if not given:
        raise click.UsageError(_WAY_OUT)
    session = Session(config, also_own_secret=True)
    if new_root and not yes:
        _ask()
    rotation = Rotation(session.keyring, new_root=new_root)
    audit.record(session.control, session.actor, "keys.rotating", detail={"new_root": new_root})
    with _progress(rotation.total, as_json=as_json) as tell:
        for step in rotation.steps():
            tell(step)
            if step == BEGUN and new_root:
                time.sleep(_WORKERS_LOOK_SECONDS)
    signing_key = signing.replace_key(session.control, session.keyring)
    detail = {
        "new_root": rotation.replaced_root,
        "finished_earlier": rotation.was_unfinished,
        "keys_rewrapped": rotation.rewrapped,
        "keys_unreadable": rotation.unreadable,
        "left_development_secret": rotation.left_own_secret,
        "signing_key": signing_key.key_id,
    }
    entry = audit.record(session.control, session.actor, "keys.rotated", detail=detail)
    if as_json:
        print_json({"kind": "rotation", **detail, "next": _next(rotation, given), "entry": entry.number})
    else:
        _print(rotation, given, signing_key.key_id, entry)
    if rotation.unreadable:
        context.exit(1)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("--new-root destroys the old root key, which can't be undone: add --yes")
    question = (
        "Destroy the old root key? Older copies of single key files open nothing then; one of the whole folder "
        "needs the secret of its time. It can't be undone"
    )
    click.confirm(question, abort=True, err=True)


def _print(rotation: Rotation, given: int, signing_key: str, entry: AuditEntry) -> None:
    if rotation.was_unfinished:
        click.echo("An earlier rotation had been interrupted; it is finished.")
    if rotation.replaced_root:
        click.echo(
            f"The root key is a new one, {rotation.rewrapped:,} keys are wrapped by it, the old is destroyed."
        )
    which = "the newest of the secrets given, which alone opens it" if given > 1 else "the secret given"
    click.echo(f"The root key is wrapped by {which}.")
    if rotation.left_own_secret:
        click.echo("The secret that was made for development is destroyed.")
    click.echo(f"Signatures are made with a new key, {signing_key}; older ones can still be checked.")
    for name in rotation.unreadable:
        click.secho(f"{name}: did not open before either, and was left as it is", fg="red", err=True)
    for number, step in enumerate(_next(rotation, given), start=1):
        click.echo(f"Next {number}. {step}")
    click.echo(f"Recorded as entry {entry.number} of the audit.")


def _next(rotation: Rotation, given: int) -> list[str]:
    """Say what the operator has to do now."""
    steps = []
    if given > 1:
        steps.append(
            "Take the older secrets out of CONSENTKIT_SECRET, and restart the site with the newest alone."
        )
    elif rotation.left_own_secret:
        steps.append("Restart the site with this CONSENTKIT_SECRET: without it nothing opens any more.")
    else:
        steps.append("To replace the secret too, add a new one after it (old,new), restart, and run this again.")
    if rotation.replaced_root:
        steps.append("Copy the keys folder anew.")
    steps.append("Destroy its older copies: with the secret of their time the keys in them still open.")
    return steps


@contextlib.contextmanager
def _progress(total: int, *, as_json: bool) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done; each key is made durable by itself."""
    if as_json or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - most runs have no terminal
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda step: progress.update(task, advance=1, description=step)
