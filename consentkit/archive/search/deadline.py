"""How long a search may take.

Owns the clock, and the way a statement that runs too long is ended.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

import sqlcipher3.dbapi2 as sqlcipher

if TYPE_CHECKING:
    from collections.abc import Iterator

# Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS: Final = 20_000


class TimeIsUp(Exception):
    """End what runs past its deadline."""


class Deadline:
    """A point in time after which a search ends.

    Args:
        seconds: from now; None = it may take for ever.
    """

    def __init__(self, seconds: float | None) -> None:
        self._at = float("inf") if seconds is None else time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left; 0 where it has passed."""
        return max(self._at - time.monotonic(), 0.0)

    @property
    def has_passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._at

    def within(self, seconds: float) -> Deadline:
        """Return the sooner of this one and one in so many seconds."""
        return Deadline(min(seconds, self.remaining))

    def check(self) -> None:
        """Raise TimeIsUp where it has passed."""
        if self.has_passed:
            raise TimeIsUp

    @contextlib.contextmanager
    def over(self, connection: sqlcipher.Connection) -> Iterator[None]:
        """End the connection's statements in the block when it passes.

        Raises:
            TimeIsUp: it did.
        """
        connection.set_progress_handler(lambda: self.has_passed, _STEPS)
        try:
            yield
        except sqlcipher.OperationalError:
            if self.has_passed:
                raise TimeIsUp from None
            raise
        finally:
            connection.set_progress_handler(None, 0)
