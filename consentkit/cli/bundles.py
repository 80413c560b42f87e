"""Checking a signed ZIP from the command line, away from the installation that made it.

Owns what is printed. The check is `archive.bundle`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from consentkit import signing
from consentkit.archive import bundle
from consentkit.cli.options import print_json
from consentkit.cli.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.signing import PublicKey

OWN_HELP = "Believe this installation's keys alone, not the one in the file."


def verify_bundle(
    context: click.Context, file: Path, kind: str, *, config: Path | None, own: bool, as_json: bool
) -> None:
    """Check a bundle's signature and every file in it, and say what was found.

    Args:
        context: of the command; it exits with 1 where the bundle does not hold.
        file: the ZIP.
        kind: of which it should be, as its manifest says.
        config: the settings file; read only where `own` is given.
        own: this installation's keys alone are believed.
        as_json: as one line of JSON.
    """
    try:
        manifest = bundle.check(file, _own_keys(config) if own else None)
        if manifest.kind != kind:
            raise bundle.BadBundle(f"its manifest says that it is of another kind, {manifest.kind!r}")
    except bundle.BadBundle as exc:
        if as_json:
            print_json({"kind": "bundle", "holds": False, "fault": str(exc)})
        click.secho(f"It does not hold: {exc}", fg="red", err=True)
        context.exit(1)
    if as_json:
        fields = msgspec.to_builtins(manifest)
        shown = {name: fields[name] for name in ("made", "operator", "about", "files")}
        print_json({"kind": "bundle", "holds": True, "fault": "", "bundle": manifest.kind, "own": own, **shown})
        return
    by_whom = "signed here" if own else "signed by the key that it names"
    click.echo(f"It holds: {len(manifest.files)} files of {manifest.made}, {by_whom}.")


def _own_keys(config: Path | None) -> list[PublicKey]:
    session = Session(config)
    with session.control.transaction() as connection:
        return signing.public_keys(connection)
