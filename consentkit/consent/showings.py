"""On how many pages the banner was shown: a worker's own counts, and the file in which it leaves them.

Owns the counting on a request's way, and ``showings/<worker>.json`` in the data directory. The counts only grow,
so that who adds them up elsewhere needs to remember how far it came. They hold days, languages and numbers.

Pages are counted, not people: a visitor who goes on without an answer is shown the banner again, and robots
are shown it too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from threading import get_ident
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("consentkit")

FOLDER: Final = "showings"

# A worker forgets days that nobody has added up by then. Whoever adds up must remember a worker for longer.
KEPT_DAYS: Final = 31

_SECONDS_A_DAY: Final = 86_400


class Showing(msgspec.Struct, frozen=True):
    """How many pages went out on one day, in one language.

    Attributes:
        day: days since 1970, UTC.
        language: of the banner, one of the site's.
        is_shared: False: pages for a visitor who has not answered, who saw the banner. True: pages whose markup
            is the same for all since a cache may keep them; to whom they showed it is not known.
        count: pages since the worker's start.
    """

    day: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    language: Annotated[str, msgspec.Meta(min_length=1, max_length=35)]
    is_shared: bool
    count: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Shown(msgspec.Struct, frozen=True):
    """What one worker has counted.

    Attributes:
        categories: that its banner asks about, all of them on each page.
        showings: one a day, language and kind.
    """

    categories: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=16)], ...]
    showings: tuple[Showing, ...]


class Showings:
    """Count pages with the banner.

    Bounded by days, languages and threads; the languages are the site's own.

    Args:
        clock: seconds since 1970.
    """

    __slots__ = ("_clock", "_counts")

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # Templates may be rendered in threads. Each adds to counts of its own, so that none needs a lock.
        self._counts: dict[tuple[int, str, bool, int], int] = {}

    def show(self, language: str, *, is_shared: bool = False) -> None:
        """Count one page."""
        key = (int(self._clock() // _SECONDS_A_DAY), language, is_shared, get_ident())
        self._counts[key] = self._counts.get(key, 0) + 1

    def counts(self) -> tuple[Showing, ...]:
        """Return what was counted so far, and forget days that are too old to be kept."""
        oldest = int(self._clock() // _SECONDS_A_DAY) - KEPT_DAYS
        sums: dict[tuple[int, str, bool], int] = {}
        for key, count in self._counts.copy().items():
            if key[0] < oldest:
                self._counts.pop(key, None)
            else:
                sums[key[:3]] = sums.get(key[:3], 0) + count
        return tuple(Showing(*key, count) for key, count in sorted(sums.items()))

    def forget(self) -> None:
        """Begin anew, under another name."""
        self._counts.clear()


class ShowingsFile:
    """Leave a worker's counts for others, about once a second while they grow.

    A worker that is killed takes with it what it counted since.

    Args:
        directory: the data directory.
        worker: its name, which no other ever has.
        showings: its counts.
        categories: that its banner asks about.
    """

    def __init__(self, directory: Path, worker: str, showings: Showings, categories: tuple[str, ...]) -> None:
        self._path = directory / FOLDER / f"{worker}.json"
        self._showings = showings
        self._categories = categories
        self._written: tuple[Showing, ...] = ()
        self._is_told = False
        self._lock = threading.Lock()  # the last write may meet one of the rounds

    def round(self) -> None:
        """Write if there is something new; called about once a second."""
        with self._lock:
            counts = self._showings.counts()
            if counts == self._written:
                return
            try:
                self._write(Shown(self._categories, counts))
            except OSError as exc:  # the site comes first; all of it is written when it can be again
                if not self._is_told:
                    logger.warning("how often the banner is shown can't be written (%s)", exc.strerror)
                self._is_told = True
            else:
                self._written = counts

    def close(self) -> None:
        """Write what is left, and begin anew. The file stays until it is added up."""
        self.round()
        self._showings.forget()

    def _write(self, shown: Shown) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(shown))
            draft.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):  # what is told is why it could not be written
                draft.unlink(missing_ok=True)
            raise
