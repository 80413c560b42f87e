"""One run of a command over an installation: its keys, its control database, and who acts.

Owns opening them and the options that say why personal data is looked at.
"""

from __future__ import annotations

import functools
import getpass
import os
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from consentkit.archive.holdings import Holdings
from consentkit.audit import PURPOSES, Actor, Look, Purpose
from consentkit.cli.options import load_settings
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import StorageError
from consentkit.settings import Settings, read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

P = ParamSpec("P")
R = TypeVar("R")

_LOOK_OPTIONS = (
    click.option(
        "--purpose",
        required=True,
        type=click.Choice(PURPOSES),
        help="Why you look at personal data; it is recorded.",
    ),
    click.option("--reason", default="", help="The same in words."),
    click.option("--case", "case", default="", metavar="ID", help="Number of the incident or request."),
)


def look_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add the options without which no personal data is shown."""
    return functools.reduce(lambda made, option: option(made), reversed(_LOOK_OPTIONS), command)


def make_look(purpose: Purpose, reason: str, case: str) -> Look:
    """Return why personal data is looked at."""
    return Look(purpose, case, reason)


class Session:
    """An installation, opened for one command.

    Args:
        config: the settings file that was named, if one was.
        also_own_secret: try the secret that consentkit made for development beside those that are given.

    Attributes:
        settings: in force.
        keyring, control: opened.
        holdings: both with the request rows, opened when they are first asked for.
        actor: the system user.
    """

    def __init__(self, config: Path | None, *, also_own_secret: bool = False) -> None:
        self.settings: Settings = load_settings(config).settings
        storage = self.settings.storage
        if not any(storage.keys.glob("**/*.key")):  # with others there and the root gone, it must be told
            raise StorageError(
                str(storage.directory),
                "nothing is kept here yet; start the site first, or name its settings with --config",
            )
        self.keyring = Keyring.open(storage.keys, read_secrets(os.environ), also_own=also_own_secret)
        self.control = Control(storage.directory, self.keyring, storage.url)
        self.actor = Actor(_system_user(), "cli")

    @functools.cached_property
    def holdings(self) -> Holdings:
        """What custody works on."""
        return Holdings.open(self.settings.storage, self.keyring, self.control)


def _system_user() -> str:
    """Return the account's name, and before it who became it by sudo."""
    name = getpass.getuser()
    before = os.environ.get("SUDO_USER", "")
    return f"{before} as {name}" if before and before != name else name
