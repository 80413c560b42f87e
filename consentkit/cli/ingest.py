"""``consentkit ingest``: store the log under a supervisor of one's own, where ``ingest = "external"``.

Owns the process' signals and its lock; the work is the archive's.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

import click

from consentkit.archive.child import IngestOrder, take_lock
from consentkit.archive.ingest import run
from consentkit.cli.options import config_option, load_settings
from consentkit.errors import StorageError
from consentkit.settings import read_secrets

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@config_option
def ingest(*, config: Path | None) -> None:
    """Move records from the spool into the store, until ended by SIGTERM or Ctrl-C."""
    settings = load_settings(config).settings
    directory = settings.storage.directory
    if not directory.is_dir():
        raise StorageError(str(directory), "nothing is kept here yet; start the site first")
    lock = take_lock(directory)
    if lock is None:
        raise StorageError(
            str(directory), 'another ingester is at work; with a supervisor set requestlog.ingest = "external"'
        )
    logging.basicConfig(format="%(levelname)s:%(name)s: %(message)s", level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(
            IngestOrder.of(settings, read_secrets(os.environ)),
            stop,
            ready=lambda: click.echo(f"Storing the log of {directory}", err=True),
        )
    finally:
        os.close(lock)
