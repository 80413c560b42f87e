"""Which requests of a flood are kept: of the busiest networks one in N, of everyone else all.

Owns the judgement. Nothing here runs while there is no flood; what is left out is counted by `losses`, and
`spool` tells it.

The table is Misra and Gries' of frequent elements (Science of Computer Programming 2, 1982): of `NETWORKS`
counters none is ever too high, and none lower than the truth by more than one in `NETWORKS` of all requests
counted. So who asked for little is never taken for busy, however many addresses a flood comes from.
"""

from __future__ import annotations

from typing import Final

NETWORKS: Final = 1024

# Busy is a network with one in so many of the requests that were counted, and with so many of them by itself.
SHARE: Final = 100
FLOOR: Final = 100

# (percent of the spool's limit from which it holds, one in how many of a busy network is kept)
_STEPS: Final = ((90, 100), (80, 10))


def one_in(waiting_bytes: int, max_bytes: int) -> int:
    """Return how many requests of a busy network one is kept of: 1 below 80 % of the limit, 10, from 90 % 100."""
    return next((number for percent, number in _STEPS if waiting_bytes * 100 >= percent * max_bytes), 1)


class Flood:
    """Count requests by network, and judge each.

    Attributes:
        one_in: one in so many requests of a busy network is kept.
    """

    def __init__(self, one_in: int) -> None:
        self.one_in = one_in
        self._counts: dict[str, int] = {}
        self._total = 0

    def leaves_out(self, network: str) -> bool:
        """Count one request; tell whether it is left out. Costs constant time, taken over many calls.

        Args:
            network: as `network_of` gives it; empty for clients without address, which are one network.
        """
        self._total += 1
        count = self._counts.get(network, 0) + 1
        if count == 1 and len(self._counts) >= NETWORKS:
            self._make_room()
            return False
        self._counts[network] = count
        return count > FLOOR and count * SHARE >= self._total and count % self.one_in != 0

    def age(self) -> None:
        """Halve what was counted so far, so that who was busy and is no more is kept whole again."""
        self._total //= 2
        self._counts = {network: count // 2 for network, count in self._counts.items() if count > 1}

    def _make_room(self) -> None:
        """Take one from each count. Each time, `NETWORKS` earlier requests have paid for it."""
        self._counts = {network: count - 1 for network, count in self._counts.items() if count > 1}
