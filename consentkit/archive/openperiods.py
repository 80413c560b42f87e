"""The periods that the ingester has open for writing, each under a shared lock.

Owns how many are open, that none is opened that is destroyed, and that what was added to all of them becomes
durable together. What is added is `ingest`'s job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from consentkit.archive.evidence.heads import WrittenHead
from consentkit.audit import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Catalogue, Period
    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.requeststore import Held, Writer

# How long a seal or a destruction may keep the ingester waiting; past it the spool keeps the records.
_LOCK_SECONDS: Final = 5.0

# The present period, and one for what arrives late.
_MOST: Final = 2

# How long a host may keep a place that others share: less than they wait who need it alone.
_SHARED_SECONDS: Final = 5.0


class OpenPeriods:
    """Open periods for writing as they are needed, and let the longest unused go.

    Args:
        holdings: the store; keys of new periods are made in its keyring.
        catalogue: the periods.
        resolvers: agents and places.

    Attributes:
        written: by the period's name, how its digest stands; who notes it takes it out.
    """

    def __init__(self, holdings: Holdings, catalogue: Catalogue, resolvers: Resolvers) -> None:
        self._rows = holdings.rows
        self._keyring = holdings.keyring
        self._catalogue = catalogue
        self._resolvers = resolvers
        self._open: dict[str, _Writing] = {}
        self._added = 0
        self.written: dict[str, WrittenHead] = {}

    def writer(self, period: Period) -> Writer | None:
        """Return a period, open for writing; None for a period that is destroyed.

        Raises:
            PeriodBusy: another holds it for himself.
            KeyUnavailable, StorageError: it can't be opened.
        """
        if period.is_gone:
            return None
        writing = self._open.pop(period.name, None)
        if writing is None:
            while len(self._open) >= _MOST:
                self._commit(next(iter(self._open.values())))  # earlier than the others, which hurts nobody
                self._open.pop(next(iter(self._open))).close()
            lock = self._rows.lock(period.place, exclusive=False, wait_seconds=_LOCK_SECONDS)
            try:
                # As it is under the lock, not as it was when it was listed.
                present = self._catalogue.reopen(period, SYSTEM)
                writer = self._open_locked(present) if present.generation == period.generation else None
            except BaseException:
                lock.release()
                raise
            if writer is None:
                lock.release()
                return None if present.generation == period.generation else self.writer(present)
            writing = _Writing(present, writer, lock, time.monotonic())
        self._open[period.name] = writing  # the last used stands last
        return writing.writer

    def commit(self) -> int:
        """Make durable what was added to all of them; return how many requests that are.

        Raises:
            StorageError: one refused; what was added to the others is durable or gone, as their marks tell.
        """
        for writing in self._open.values():
            self._commit(writing)
        added, self._added = self._added, 0
        return added

    def roll_back(self) -> None:
        """Drop what was added and not committed."""
        for writing in self._open.values():
            writing.writer.roll_back()
        self._added = 0

    def let_go(self, of: Callable[[Period], bool]) -> None:
        """Close those that the caller tells, so that others can seal, rewrite or destroy them."""
        for name, writing in list(self._open.items()):
            if of(writing.period):
                self._open.pop(name).close()

    def let_others_in(self) -> None:
        """Close what was committed and is open for a while, where other hosts may wait for it: they can't ask."""
        if self._rows.is_shared:
            before = time.monotonic() - _SHARED_SECONDS
            for name, writing in list(self._open.items()):
                if writing.since_seconds <= before:
                    self._open.pop(name).close()

    def _commit(self, writing: _Writing) -> None:
        before = writing.writer.head
        self._added += writing.writer.commit()
        if writing.writer.head != before:
            self.written[writing.period.name] = WrittenHead(writing.period.generation, writing.writer.head)

    def _open_locked(self, period: Period) -> Writer | None:
        # A directory restored from before lists a period as live whose key is destroyed.
        if period.is_gone or self._keyring.was_destroyed(period.key_name):
            return None
        if not self._rows.exists(period.place):  # where it does, its key must be there too
            self._keyring.make(period.key_name)
        return self._rows.writer(period.place, self._resolvers)


class _Writing(NamedTuple):
    """A period that is written, the lock that keeps it from being sealed or destroyed, and since when."""

    period: Period
    writer: Writer
    lock: Held
    since_seconds: float

    def close(self) -> None:
        self.writer.close()
        self.lock.release()
