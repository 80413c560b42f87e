"""The options that commands share, and how the settings file is found.

Owns ``--config`` and ``--json``. Filters of searches are left to the commands that search.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from consentkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE = "consentkit.toml"

config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar="CONSENTKIT_CONFIG",
    metavar="FILE",
    help=f"The settings file.  [default: {DEFAULT_FILE} if there is one]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


class Loaded(NamedTuple):
    """Hold settings, and the file they came from; None = built-in defaults and the environment."""

    settings: Settings
    file: Path | None


def load_settings(config: Path | None) -> Loaded:
    """Load the settings of a command.

    Args:
        config: the file that was named; None = ``consentkit.toml`` in the working directory if there is one,
            else the defaults. A file that was named must be there.

    Raises:
        SettingsError: as `Settings.load`.
    """
    if config is None and Path(DEFAULT_FILE).exists():
        config = Path(DEFAULT_FILE)
    return Loaded(Settings.load(config), config)


def print_json(fields: Mapping[str, object]) -> None:
    """Print one object as a line of JSON, letters of all languages as they are."""
    click.echo(json.dumps(fields, ensure_ascii=False, default=str))
