"""Being alone with the data: no worker writes, no ingester runs, and the spool is empty.

Owns finding out and keeping it so. What is done then is others' business.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from consentkit.archive.child import take_lock
from consentkit.archive.ingest import Ingester
from consentkit.archive.leading import no_other_host
from consentkit.archive.period import Catalogue
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.spoolreader import is_unlocked
from consentkit.errors import StorageError
from consentkit.requestlog.workerfolder import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.settings import Settings


@contextlib.contextmanager
def alone(settings: Settings, holdings: Holdings) -> Iterator[None]:
    """Keep ingesters away while the block lasts, with all of the spool applied before it begins.

    Raises:
        StorageError: the site runs, or a part of the spool can't be read or stored.
        KeyUnavailable: a key is missing that should be there.
    """
    directory = holdings.directory
    running = [lock.parent.name for lock in (directory / "spool").glob(f"*/{LOCK_NAME}") if not is_unlocked(lock)]
    held = take_lock(directory)
    try:
        if running or held is None:
            raise StorageError(str(directory), "the site runs; stop its servers and ingester first")
        with no_other_host(holdings.control):
            _drain(settings, holdings)
            yield
    finally:
        if held is not None:
            os.close(held)


def _drain(settings: Settings, holdings: Holdings) -> None:
    log = settings.requestlog
    places = PlaceResolver(log.geo_database, log.geo_precision, scratch=holdings.directory)
    catalogue = Catalogue(holdings.control, log.rotate)
    ingester = Ingester(holdings, catalogue, Resolvers(AgentResolver(), places))
    try:
        ingester.drain()
    finally:
        ingester.close()
        places.close()
    left = sum(1 for _ in (holdings.directory / "spool").glob("*/[0-9]*"))
    if left:
        raise StorageError(
            str(holdings.directory / "spool"),
            f"{left} segments can't be read: their keys are missing; put the keys folder back from its backup,"
            " or remove the segments if they are to be given up",
        )
