"""The command line; each group of commands has its own file, loaded when it is asked for."""

from consentkit.cli.main import main as main
