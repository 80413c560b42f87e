"""What was not kept and is not yet told: one sum for each reason and network.

Owns the sums between two tellings. When they are told, and that they reach the disk, is `spool`'s job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.requestlog.record import Gap

if TYPE_CHECKING:
    from consentkit.requestlog.record import GapReason

# Beyond so many, while a disk refuses, what else is lost is summed up without its network.
MAX_GAPS: Final = 1024


class Losses:
    """Sum up lost records. Not safe for several threads: the spool's lock is around it."""

    def __init__(self) -> None:
        self._gaps: dict[tuple[GapReason, str], list[int]] = {}

    def __len__(self) -> int:
        """Return of how many gaps there is something to tell."""
        return len(self._gaps)

    def add(self, reason: GapReason, time_us: int, network: str = "", *, count: int = 1) -> None:
        """Count `count` records of one time; requests end in another order than they began."""
        known = self._gaps.get((reason, network))
        if known is None and network and len(self._gaps) >= MAX_GAPS:
            network = ""
            known = self._gaps.get((reason, network))
        if known is None:
            self._gaps[reason, network] = [time_us, time_us, count]
            return
        known[0] = min(known[0], time_us)
        known[1] = max(known[1], time_us)
        known[2] += count

    def gaps(self) -> list[Gap]:
        """Return what there is to tell, the first loss first."""
        return [
            Gap(since_us, until_us, lost, reason, network)
            for (reason, network), (since_us, until_us, lost) in self._gaps.items()
        ]

    def told(self, gap: Gap) -> None:
        """Forget one of `gaps`, which is on the disk."""
        del self._gaps[gap.reason, gap.network]
