"""Being the only one, of all processes on all hosts, that destroys or rewrites periods and incidents' copies.

Owns that lock's name, and what is said where it is not to be had. What is done under it is left to who takes it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from consentkit.control import Busy
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.control import Control, Lock

_NAME: Final = "retention"


@contextlib.contextmanager
def custody(control: Control, *, wait_seconds: float) -> Iterator[Lock]:
    """Be the one: the ingester that leads, the command line, or an officer's page.

    Raises:
        StorageError: another is at it for longer than `wait_seconds`.
    """
    try:
        held = control.lock(_NAME, exclusive=True, wait_seconds=wait_seconds)
    except Busy:
        place = str(control.directory / f"{_NAME}.lock")
        raise StorageError(place, "another retention run is under way; try again") from None
    with held:
        yield held


def require(held: Lock) -> None:
    """Make sure that a lock is still held, before what can't be taken back: a server's goes with its connection.

    Raises:
        StorageError: it was lost.
    """
    if not held.is_held:
        raise StorageError(_NAME, "the connection to the database was lost; trying again later")
