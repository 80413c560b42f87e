"""How long a search may take.

Owns the clock. How what runs too long is ended is its store's matter, to which a deadline is a `Limit`.
"""

from __future__ import annotations

import time

from consentkit.archive.store.places import TimeIsUp


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
