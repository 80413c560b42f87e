"""The command ``consentkit``: which commands there are, and how an error ends one.

Owns the group and the exit codes: 0 good, 1 the answer is bad, 2 wrong use or wrong settings. What a command
does is left to its file, which is imported when the command is called: ``consentkit --help`` loads none.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import click

from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Entry(NamedTuple):
    """Say where a command is defined, and what the list of commands says of it.

    Attributes:
        module: below ``consentkit.cli``.
        name: of the click command in that module.
        summary: one line for ``consentkit --help``.
    """

    module: str
    name: str
    summary: str


COMMANDS = {
    "init": Entry("setup", "init", "Write a commented consentkit.toml to begin with."),
    "check": Entry("setup", "check", "Check the settings and say what they mean."),
    "doctor": Entry("doctor", "doctor", "Look whether all is well, and say what to do where it is not."),
    "log": Entry("log", "log", "Look at the request log."),
    "retention": Entry("retention", "retention", "See what is kept until when, and destroy what is due."),
    "subject": Entry("subject", "subject", "Hand over or erase what is kept of a person."),
    "incident": Entry("incident", "incident", "Hold requests as evidence past their day, and let them go."),
    "ingest": Entry("ingest", "ingest", "Store the log under a supervisor of one's own."),
    "keys": Entry("keys", "keys", "Replace the secret, the root key and the signing key."),
    "consent": Entry("consent", "consent", "Look at what visitors chose."),
    "cookies": Entry("cookies", "cookies", "Compare the cookies declared with those in use."),
    "inspect": Entry("inspect", "inspect", "Visit the site as a regulator would, and write a dated report."),
    "admin": Entry("admin", "admin", "Say who may sign in to the admin area."),
    "audit": Entry("audit", "audit", "See who did what to personal data, and check that record."),
    "db": Entry("db", "db", "Make and change the tables on a PostgreSQL server."),
    "move": Entry("move", "move", "Move all that is kept to PostgreSQL or ClickHouse, and verify it there."),
    "destroy": Entry("destroy", "destroy", "Hand everything over, then destroy it: the end of a service."),
}


class Refused(click.ClickException):
    """End a command with an error of ours: one line on stderr, exit 2."""

    exit_code = 2

    def format_message(self) -> str:
        """Return the message as one line, whatever stood in a file's name."""
        return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in self.message)


class LazyGroup(click.Group):
    """List commands by name, and import the file of one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are met in use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for a name that there is not."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(f"consentkit.cli.{entry.module}"), entry.name)
        if not isinstance(command, click.Command):
            raise TypeError(f"consentkit.cli.{entry.module}.{entry.name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the summaries alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error of ours becomes one line on stderr."""
        try:
            return super().invoke(ctx)
        except ConsentKitError as error:
            raise Refused(str(error)) from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good, 1 the answer is bad, 2 wrong use or wrong settings.",
)
@click.version_option(version("consentkit"), "--version", prog_name="consentkit")
def group() -> None:
    """Care for a site's consents and its request log."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments without the program's name; None = those of this process.

    Returns:
        The exit code. click ends the process itself for ``--help``, errors and commands' own exits.
    """
    group.main(args=argv, prog_name="consentkit")
    return 0
