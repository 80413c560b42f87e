"""Reading one period's file for a moment: under its lock, as it is now, as of one instant.

Owns finding the present generation and opening it. What is read of it is the caller's business; that nobody stays
long enough to be in the way of a seal or a destruction is the caller's duty.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import sqlcipher3.dbapi2 as sqlcipher

from consentkit.archive.periodlock import READER_SECONDS, PeriodBusy, PeriodLock
from consentkit.control import open_sqlcipher
from consentkit.errors import KeyUnavailable, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consentkit.archive.period import Catalogue, Period
    from consentkit.archive.search.deadline import Deadline
    from consentkit.crypto import Keyring

T = TypeVar("T")
Work: TypeAlias = "Callable[[sqlcipher.Connection | None, Period], T]"

# A change shortly after a seal could have the seal's own time: the clock of a file has steps of 10 ms.
_SETTLED_NS: Final = 1_000_000_000


class Stored:
    """The periods' files of one installation, for readers.

    Args:
        requests: the folder of the periods.
        keyring: opens them.
        catalogue: lists them.
    """

    def __init__(self, requests: Path, keyring: Keyring, catalogue: Catalogue) -> None:
        self._requests = requests
        self._keyring = keyring
        self._catalogue = catalogue

    def read(
        self,
        period: Period,
        work: Work[T],
        *,
        deadline: Deadline,
    ) -> T | None:
        """Do some work with a period's present file, and let go of it.

        Args:
            period: as it was listed.
            work: gets the open file, None where there is none yet, and the period as it is now. It may be called
                twice, where the file changed under it.
            deadline: how long others may take to leave.

        Returns:
            What the work returned; None where the period is destroyed.

        Raises:
            TimeIsUp: the deadline passed, in the work or before it.
            PeriodBusy: somebody is alone in it for longer than `READER_SECONDS`.
            StorageError: it can't be read.
            KeyUnavailable: the key of a period that should be readable is missing.
        """
        present = self._present(period)
        while present is not None:
            path = self._requests / present.file_name
            done = self._locked(present, path, work, deadline) if path.exists() else None
            if done is not None:
                return done
            again = self._relisted(present)  # destroyed or written anew since it was listed, or not there yet
            if again is not None and again.generation == present.generation and not path.exists():
                return work(None, again)
            present = again
        return None

    def _locked(self, period: Period, path: Path, work: Work[T], deadline: Deadline) -> T | None:
        """Return what the work came to; None where the file or its key went before it was locked."""
        try:
            lock = PeriodLock(path, exclusive=False, wait_seconds=min(READER_SECONDS, deadline.remaining))
        except PeriodBusy:
            deadline.check()
            raise
        with lock:
            try:
                key = self._keyring.load(period.key_name)
            except KeyUnavailable:
                if self._keyring.was_destroyed(period.key_name):
                    return None
                raise
            if not path.exists():
                return None
            try:
                return _work(path, key, period, work)
            except sqlcipher.Error as exc:
                raise StorageError(period.file_name, f"the period can't be read ({exc})") from exc

    def _present(self, period: Period) -> Period | None:
        """Return a listed period; None where it is destroyed.

        A catalogue restored from before a destruction doesn't know of it; the keys folder does.
        """
        if not period.is_gone and self._keyring.was_destroyed(period.key_name):
            return self._relisted(period)
        return None if period.is_gone else period

    def _relisted(self, period: Period) -> Period | None:
        found = next((known for known in self._catalogue.list() if known.name == period.name), period)
        return None if found.is_gone or self._keyring.was_destroyed(found.key_name) else found


def _work(path: Path, key: bytes, period: Period, work: Work[T]) -> T:
    """Work on what nobody changes, if that is so before and after; else on one transaction's view of it."""
    before = _sealed_state(path) if period.state == "sealed" else None
    if before is not None:
        try:
            outcome = _with(open_sqlcipher(path, key, immutable=True), period, work)
        except sqlcipher.Error:
            if _sealed_state(path) == before:
                raise
        else:
            if _sealed_state(path) == before:
                return outcome
    connection = open_sqlcipher(path, key, read_only=True)
    return _with(connection, period, work, begin=True)


def _with(connection: sqlcipher.Connection, period: Period, work: Work[T], *, begin: bool = False) -> T:
    try:
        if begin:
            connection.execute("BEGIN")  # marks and rows as of one instant
            if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
                return work(None, period)  # just made, and nothing is in it yet
        return work(connection, period)
    finally:
        connection.close()


def _sealed_state(path: Path) -> tuple[int, int, int] | None:
    """Return what tells whether a sealed file was changed; None where a late record may just be coming in."""
    if os.path.exists(f"{path}-wal"):  # noqa: PTH110 - twice a period: a Path costs as much as the call
        return None
    status = os.stat(path)  # noqa: PTH116
    if time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
