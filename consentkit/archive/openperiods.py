"""The periods' files that the ingester has open for writing, each under a shared lock.

Owns how many are open, that none is opened that is destroyed, and that what was added to all of them becomes
durable together. What is added is `ingest`'s job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.evidence.heads import WrittenHead
from consentkit.archive.periodlock import PeriodLock
from consentkit.archive.store.periodfile import PeriodFile
from consentkit.audit import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consentkit.archive.period import Catalogue, Period
    from consentkit.archive.resolve import Resolvers
    from consentkit.crypto import Keyring

# How long a seal or a destruction may keep the ingester waiting; past it the spool keeps the records.
_LOCK_SECONDS: Final = 5.0

# The present period, and one for what arrives late.
_MOST: Final = 2


class OpenPeriods:
    """Open the periods' files as they are needed, and let the longest unused go.

    Args:
        folder: where they lie.
        keyring: opens periods' keys, and makes those of new periods.
        catalogue: the periods.
        resolvers: agents and places.

    Attributes:
        written: by the period's name, how its digest stands; who notes it takes it out.
    """

    def __init__(self, folder: Path, keyring: Keyring, catalogue: Catalogue, resolvers: Resolvers) -> None:
        self._folder = folder
        self._keyring = keyring
        self._catalogue = catalogue
        self._resolvers = resolvers
        self._open: dict[str, _Writing] = {}
        self._added = 0
        self.written: dict[str, WrittenHead] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def file(self, period: Period) -> PeriodFile | None:
        """Return a period's file, open for writing; None for a period that is destroyed.

        Raises:
            PeriodBusy: another holds it for himself.
            KeyUnavailable, StorageError: it can't be opened.
        """
        if period.is_gone:
            return None
        writing = self._open.pop(period.name, None)
        if writing is None:
            while len(self._open) >= _MOST:
                self._commit(next(iter(self._open.values())).file)  # earlier than the others, which hurts nobody
                self._open.pop(next(iter(self._open))).close()
            lock = PeriodLock(self._folder / period.file_name, exclusive=False, wait_seconds=_LOCK_SECONDS)
            try:
                # As it is under the lock, not as it was when it was listed.
                present = self._catalogue.reopen(period, SYSTEM)
                file = self._open_locked(present) if present.generation == period.generation else None
            except BaseException:
                lock.release()
                raise
            if file is None:
                lock.release()
                return None if present.generation == period.generation else self.file(present)
            writing = _Writing(file, lock)
        self._open[period.name] = writing  # the last used stands last
        return writing.file

    def commit(self) -> int:
        """Make durable what was added to all of them; return how many requests that are.

        Raises:
            StorageError: one refused; what was added to the others is durable or gone, as their marks tell.
        """
        for writing in self._open.values():
            self._commit(writing.file)
        added, self._added = self._added, 0
        return added

    def roll_back(self) -> None:
        """Drop what was added and not committed."""
        for writing in self._open.values():
            writing.file.roll_back()
        self._added = 0

    def let_go(self, of: Callable[[Period], bool]) -> None:
        """Close those that the caller tells, so that others can seal, rewrite or destroy them."""
        for name, writing in list(self._open.items()):
            if of(writing.file.period):
                self._open.pop(name).close()

    def _commit(self, file: PeriodFile) -> None:
        before = file.head
        self._added += file.commit()
        if file.head != before:
            self.written[file.period.name] = WrittenHead(file.period.generation, file.head)

    def _open_locked(self, period: Period) -> PeriodFile | None:
        # A directory restored from before lists a period as live whose key is destroyed.
        if period.is_gone or self._keyring.was_destroyed(period.key_name):
            return None
        path = self._folder / period.file_name
        key = self._keyring.load(period.key_name) if path.exists() else self._keyring.make(period.key_name)
        return PeriodFile.open(path, key, period, self._resolvers)


class _Writing(NamedTuple):
    """A period's file that is written, and the lock that keeps it from being sealed or destroyed."""

    file: PeriodFile
    lock: PeriodLock

    def close(self) -> None:
        self.file.close()
        self.lock.release()
