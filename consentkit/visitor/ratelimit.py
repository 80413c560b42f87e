"""How often one address did something in the last minute, in memory and bounded."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

_MINUTE_S: Final = 60.0
_ADDRESSES_WATCHED: Final = 10_000


class RateLimit:
    """Allow so much a minute to an address; what is watched longest is forgotten first.

    Args:
        a_minute: how often.
    """

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._moments: OrderedDict[str, list[float]] = OrderedDict()

    def allows(self, address: str) -> bool:
        """Count one more of an address, if it may."""
        now = time.monotonic()
        recent = [moment for moment in self._moments.pop(address, []) if now - moment < _MINUTE_S]
        is_allowed = len(recent) < self._a_minute
        self._moments[address] = [*recent, now] if is_allowed else recent
        while len(self._moments) > _ADDRESSES_WATCHED:
            self._moments.popitem(last=False)
        return is_allowed
