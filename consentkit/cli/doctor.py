"""``consentkit doctor``: is all well, and what to do where it is not.

Owns what is printed. What is looked at is the archive's job; no row is read, so no purpose is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import msgspec

from consentkit.archive.health import examine, examine_closed
from consentkit.cli.options import config_option, json_option, load_settings, print_json
from consentkit.cli.session import Session
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.archive.health import Finding

_SIGNS: Final = {"good": ("ok", "green"), "unknown": ("?", "yellow"), "bad": ("BAD", "red")}


@click.command()
@config_option
@json_option
@click.option("--all", "with_good", is_flag=True, help="Show also what is well.")
@click.pass_context
def doctor(context: click.Context, *, config: Path | None, as_json: bool, with_good: bool) -> None:
    """Look whether all is well, and say what to do where it is not. Exit 1 if anything is wrong."""
    wrong = well = 0
    for finding in _findings(config):
        wrong += finding.level == "bad"
        well += finding.level == "good"
        if as_json:
            print_json(msgspec.structs.asdict(finding))
        elif with_good or finding.level != "good":
            _print(finding)
    if not as_json:
        click.echo(f"{well} well, {wrong} wrong." if wrong else f"All is well: {well} things were looked at.")
    if wrong:
        context.exit(1)


def _findings(config: Path | None) -> Iterator[Finding]:
    """Yield what is found; where a server is away, so that nothing opens, what can be told of it all the same.

    Raises:
        StorageError: an embedded installation does not open.
    """
    try:
        session = Session(config)
        holdings = session.holdings
    except StorageError as exc:
        settings = load_settings(config).settings
        if not settings.storage.url:
            raise
        yield from examine_closed(settings, str(exc))
        return
    yield from examine(session.settings, holdings)


def _print(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.level]
    click.echo(f"{click.style(f'{sign:<4}', fg=colour)}{finding.check:<22}{finding.text}")
    if finding.way_out:
        click.echo(f"{'':<26}{finding.way_out}")
