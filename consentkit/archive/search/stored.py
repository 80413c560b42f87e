"""Reading one period for a moment: under its lock, as it is now, as of one instant.

Owns finding the present generation. How it is opened is its store's matter; what is read of it is the caller's
business; that nobody stays long enough to be in the way of a seal or a destruction is the caller's duty.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from consentkit.archive.periodlock import READER_SECONDS, PeriodBusy
from consentkit.errors import KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Catalogue, Period
    from consentkit.archive.search.deadline import Deadline
    from consentkit.archive.store.places import Place
    from consentkit.archive.store.requeststore import Held, Reader

T = TypeVar("T")
Work: TypeAlias = "Callable[[Reader | None, Period], T]"


class Stored:
    """The periods of one installation, for readers.

    Args:
        holdings: the store.
        catalogue: lists them.
    """

    def __init__(self, holdings: Holdings, catalogue: Catalogue) -> None:
        self._rows = holdings.rows
        self._keyring = holdings.keyring
        self._catalogue = catalogue

    def read(
        self,
        period: Period,
        work: Work[T],
        *,
        deadline: Deadline,
    ) -> T | None:
        """Do some work with a period's present generation, and let go of it.

        Args:
            period: as it was listed.
            work: gets a reader, None where nothing is stored yet, and the period as it is now. It may be called
                twice, where the period changed under it.
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
            place = present.place
            done = self._locked(present, work, deadline) if self._may_exist(place) else None
            if done is not None:
                return done
            again = self._relisted(present)  # destroyed or written anew since it was listed, or not there yet
            if again is not None and again.place == place and not self._rows.exists(place):
                return work(None, again)
            present = again
        return None

    def _locked(self, period: Period, work: Work[T], deadline: Deadline) -> T | None:
        """Return what the work came to; None where the place or its key went before it was locked."""

        def in_place(reader: Reader | None) -> T | None:
            is_gone = reader is None and not self._rows.exists(period.place)
            return None if is_gone else work(reader, period)

        lock = self._lock(period.place, deadline)
        if lock is None:
            return None
        with lock:
            try:
                return self._rows.read(period.place, in_place)
            except KeyUnavailable:
                if self._keyring.was_destroyed(period.key_name):
                    return None
                raise

    def _may_exist(self, place: Place) -> bool:
        """Tell whether a place is worth a lock.

        Embedded, a lock is a file, and none is left beside what is gone. On a server it leaves nothing, and the
        reading itself tells whether there is a place.
        """
        return self._rows.is_shared or self._rows.exists(place)

    def _lock(self, place: Place, deadline: Deadline) -> Held | None:
        """Return a place's shared lock; None where somebody is alone in it and the place is gone already."""
        with contextlib.suppress(PeriodBusy):
            return self._rows.lock(place, exclusive=False, wait_seconds=0)
        if not self._rows.exists(place):
            return None  # who destroys it may stay for long after that
        try:
            seconds = min(READER_SECONDS, deadline.remaining)
            return self._rows.lock(place, exclusive=False, wait_seconds=seconds)
        except PeriodBusy:
            deadline.check()
            raise

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
