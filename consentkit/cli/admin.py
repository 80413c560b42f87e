"""``consentkit admin``: who may sign in to the admin area.

Owns the words and the questions. Passwords are read from the terminal or from standard input, and never stand
among a command's arguments, which every user of the machine can see.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

import click

from consentkit.admin import passwords
from consentkit.admin.people import BadPerson, People, Person
from consentkit.admin.roles import ROLES, Role
from consentkit.admin.throttle import Throttle
from consentkit.admin.totp import Codes
from consentkit.cli.options import config_option, json_option, print_json
from consentkit.cli.session import Session

if TYPE_CHECKING:
    from pathlib import Path

_role_option = click.option(
    "--role",
    "roles",
    type=click.Choice(get_args(Role)),
    multiple=True,
    required=True,
    help="What for; give it again for each further role.",
)
_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)
_yes_option = click.option("--yes", is_flag=True, help="Don't ask.")


@click.group()
def admin() -> None:
    """Say who may sign in to the admin area; it is closed while nobody may."""


@admin.command()
@click.argument("name")
@_role_option
@_stdin_option
@config_option
def add(*, name: str, roles: tuple[Role, ...], password_stdin: bool, config: Path | None) -> None:
    """Let NAME sign in."""
    session = Session(config)
    people = People(session.control)
    if people.find(name) is not None:
        raise BadPerson("taken")
    hashed = passwords.hash_password(_read_password(name, from_stdin=password_stdin))
    person = people.add(session.actor, name, roles, hashed)
    _forget_failures(session, person.name)
    click.echo(f"{person.name} may sign in as {_written(person)}.")


@admin.command(name="list")
@config_option
@json_option
def list_people(*, config: Path | None, as_json: bool) -> None:
    """List who may sign in, and who might once."""
    everybody = People(Session(config).control).all()
    for person in everybody:
        if as_json:
            print_json(_fields(person))
        else:
            click.echo(_line(person))
    if not everybody and not as_json:
        click.echo(
            "Nobody may sign in: the admin area is closed. Begin with: consentkit admin add NAME --role admin"
        )


@admin.command()
@click.argument("name")
@_stdin_option
@config_option
def password(*, name: str, password_stdin: bool, config: Path | None) -> None:
    """Give NAME another password, and end all sessions of NAME."""
    session = Session(config)
    person = _require(session, name)
    hashed = passwords.hash_password(_read_password(person.name, from_stdin=password_stdin))
    People(session.control).set_password(session.actor, person.name, hashed)
    _forget_failures(session, person.name)
    click.echo(f"{person.name} has another password; all sessions are ended.")


@admin.command()
@click.argument("name")
@_role_option
@_yes_option
@config_option
def role(*, name: str, roles: tuple[Role, ...], yes: bool, config: Path | None) -> None:
    """Give NAME these roles instead of the present ones."""
    session = Session(config)
    people, person = People(session.control), _require(session, name)
    if "admin" not in roles and people.is_last_admin(person.name):
        _ask_for_last(person, yes=yes)
    people.set_roles(session.actor, person.name, roles)
    click.echo(f"{person.name} may sign in as {_written(_require(session, name))}.")


@admin.command()
@click.argument("name")
@_yes_option
@config_option
def remove(*, name: str, yes: bool, config: Path | None) -> None:
    """Let NAME sign in no more. What NAME did stays in the audit."""
    session = Session(config)
    people, person = People(session.control), _require(session, name)
    if people.is_last_admin(person.name):
        _ask_for_last(person, yes=yes)
    elif not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("add --yes to remove somebody without being asked")
        click.confirm(f"Let {person.name} sign in no more?", abort=True, err=True)
    people.remove(session.actor, person.name)
    click.echo(f"{person.name} may not sign in any more.")


@admin.command(name="totp")
@click.argument("name")
@click.option("--remove", "removes", is_flag=True, required=True, help="Ask for no one-time codes any more.")
@config_option
def codes(*, name: str, removes: bool, config: Path | None) -> None:
    """Take NAME's one-time codes away, as when device and recovery codes are lost.

    They are set up by NAME, in the admin area under Account.
    """
    del removes  # required, so that the command says what it does
    session = Session(config)
    person = _require(session, name)
    Codes(session.control, session.keyring).remove(session.actor, person)
    click.echo(f"{person.name} signs in without one-time codes.")


def _require(session: Session, name: str) -> Person:
    person = People(session.control).find(name)
    if person is None:
        raise BadPerson("unknown")
    return person


def _forget_failures(session: Session, name: str) -> None:
    Throttle(session.control, session.keyring.derive("admin-throttle/v1")).forget(name)


def _read_password(name: str, *, from_stdin: bool) -> str:
    """Read a password and check it.

    Raises:
        BadPassword: it can't be taken.
    """
    if from_stdin:
        text = sys.stdin.readline(8 * passwords.MAX_CHARACTERS).rstrip("\r\n")
    elif sys.stdin.isatty():
        text = click.prompt("Password", hide_input=True, confirmation_prompt="The same once more", err=True)
    else:
        raise click.UsageError("no terminal to ask at: give the password with --password-stdin")
    passwords.require_good(text, name=name)
    return text


def _ask_for_last(person: Person, *, yes: bool) -> None:
    """Warn before nobody is left who can let others in."""
    if not yes:
        raise click.UsageError(
            f"{person.name} is the last with the role admin: without one, people are let in and out by this"
            f" command alone; add --yes to go on"
        )
    click.secho("Nobody has the role admin any more.", fg="yellow", err=True)


def _line(person: Person) -> str:
    parts = [person.name, _written(person)]
    if person.has_codes:
        parts.append("one-time codes")
    if person.is_temporary:
        parts.append("password to be replaced")
    parts.append(f"since {_time(person.created_us)}")
    if person.removed_us is not None:
        parts.append(f"removed {_time(person.removed_us)}")
    return ", ".join(parts)


def _fields(person: Person) -> dict[str, object]:
    return {
        "kind": "person",
        "name": person.name,
        "roles": _ordered(person.roles),
        "one_time_codes": person.has_codes,
        "password_is_temporary": person.is_temporary,
        "created": _time(person.created_us),
        "password_changed": _time(person.password_us),
        "removed": None if person.removed_us is None else _time(person.removed_us),
    }


def _written(person: Person) -> str:
    return " and ".join(_ordered(person.roles))


def _ordered(roles: frozenset[Role]) -> list[str]:
    return [role for role in ROLES if role in roles]


def _time(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
