"""``consentkit move``: an embedded installation into PostgreSQL, ClickHouse or both.

Owns what is asked and printed. The order of things is `archive.moving`'s. A URL may hold a password, so it is
never printed, and may come from the environment: command lines can be read by others of the machine.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click
import msgspec

from consentkit.archive.farewell.stillness import alone
from consentkit.archive.holdings import Holdings
from consentkit.archive.moving import Move, finish
from consentkit.archive.store.opening import open_store
from consentkit.cli.evidence import progress_bar
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session
from consentkit.control import Control
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.moving import Moved
    from consentkit.settings import Storage

_CLICKHOUSE: Final = "clickhouse://"
_DESTROYED: Final = "The old copy is destroyed."
_WAITS: Final = (
    "The old copy's keys go with the next run of retention; `consentkit move --clean-up` destroys it now."
)


@click.command()
@config_option
@json_option
@click.option(
    "--to",
    "to",
    default="",
    metavar="URL",
    envvar="CONSENTKIT_MOVE_TO",
    help="postgresql://… for all, or clickhouse://… for requests alone. Or $CONSENTKIT_MOVE_TO.",
)
@click.option(
    "--requests-to",
    default="",
    metavar="URL",
    envvar="CONSENTKIT_MOVE_REQUESTS_TO",
    help="clickhouse://… for requests, beside --to postgresql://…. Or $CONSENTKIT_MOVE_REQUESTS_TO.",
)
@click.option("--yes", is_flag=True, help="Destroy what was left behind without asking.")
@click.option(
    "--clean-up", is_flag=True, help="Destroy what an earlier move left behind; with the new settings in force."
)
@click.pass_context
def move(
    context: click.Context,
    *,
    config: Path | None,
    as_json: bool,
    to: str,
    requests_to: str,
    yes: bool,
    clean_up: bool,
) -> None:
    """Copy all that is kept into another store, verify it there, and then destroy the old copy.

    Stop the site first. Nothing is changed where the data is now until all of it was copied and compared; run it
    again after a break, and it goes on. Exit 1 where the new copy does not hold.
    """
    session = Session(config)
    if clean_up:
        _clean_up(session)
        return
    if not to:
        raise click.UsageError("name where to: --to URL")
    storage = _target(session.settings.storage, to, requests_to)
    source = session.holdings
    control = source.control if storage.url == session.settings.storage.url else _open(session, storage)
    target = Holdings.open(storage, session.keyring, control)
    names = _name(session.settings.storage), _name(storage)
    with alone(session.settings, source):
        work = Move(source, target, session.actor, names)
        with progress_bar(is_shown=not as_json, unit="rows") as bar:
            bar.begin(work.rows())
            moved = work.run(advance=bar.advance)
        _tell(moved, names[1], as_json=as_json)
        if not moved.report.is_good:
            context.exit(1)
        if yes or (not as_json and _asked()):
            finish(source.rows, target, session.actor)
            click.echo(_DESTROYED, err=True)
        else:
            click.echo(_WAITS, err=True)
    click.echo(f"Now set {_settings(storage, session.settings.storage)}, and start the site.", err=True)


def _asked() -> bool:
    """Ask a person at a terminal; who does not answer has not said yes."""
    return sys.stdin.isatty() and click.confirm("Destroy the old copy, its keys first?", err=True)


def _clean_up(session: Session) -> None:
    storage = session.settings.storage
    embedded = msgspec.structs.replace(storage, url="", requests_url="")
    if storage == embedded:
        raise click.UsageError("storage.url or storage.requests_url must say where all went")
    before = [embedded]
    if storage.url and storage.requests_url:  # or requests alone went on from there
        before.insert(0, msgspec.structs.replace(storage, requests_url=""))
    for one in before:
        finish(open_store(one, session.keyring, session.control), session.holdings, session.actor)
    click.echo(_DESTROYED, err=True)


def _target(storage: Storage, to: str, requests_to: str) -> Storage:
    """Return the storage as it is to be.

    Raises:
        StorageError: it would be where it is.
        SettingsError: a URL is none.
    """
    if to.startswith(_CLICKHOUSE):
        if requests_to:
            raise click.UsageError("--requests-to goes with --to postgresql://…")
        url, requests_url = storage.url, to
    else:
        url, requests_url = to, requests_to
    if (url, requests_url) == (storage.url, storage.requests_url):
        raise StorageError(_name(storage), "is where all is kept already")
    return msgspec.structs.replace(storage, url=url, requests_url=requests_url)


def _open(session: Session, storage: Storage) -> Control:
    if session.settings.storage.url:
        raise click.UsageError("choices, audit and people lie in PostgreSQL already; move requests alone")
    return Control(storage.directory, session.keyring, storage.url)


def _name(storage: Storage) -> str:
    """Return what a store is called, without its address."""
    parts = ["postgresql" if storage.url else "embedded"]
    return "+".join(parts + ["clickhouse"] * bool(storage.requests_url))


def _settings(storage: Storage, before: Storage) -> str:
    changed = [key for key in ("url", "requests_url") if getattr(storage, key) != getattr(before, key)]
    return " and ".join(f"CONSENTKIT_STORAGE_{key.upper()}" for key in changed)


def _tell(moved: Moved, name: str, *, as_json: bool) -> None:
    if as_json:
        bad = [f"{fault.place}: {fault.reason}" for fault in moved.report.bad]
        print_json(
            {"periods": moved.periods, "incidents": moved.incidents, "rows": moved.rows, "to": name, "bad": bad}
        )
        return
    places = f"{_counted(moved.periods, 'period')} and {_counted(moved.incidents, 'incident')}"
    click.echo(f"In {name} now: {_counted(moved.rows, 'request')} of {places}.")
    for fault in moved.report.bad:
        click.secho(f"{fault.place}: {fault.reason}", fg="red", err=True)
    click.echo("Verified there: every row, and the audit." if moved.report.is_good else "It does not hold there.")


def _counted(number: int, of_what: str) -> str:
    return f"{number:,} {of_what}{'' if number == 1 else 's'}"
