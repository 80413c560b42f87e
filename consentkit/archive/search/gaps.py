"""What the log lost, so that a silence in it is not read as peace.

Owns the gaps of the spool, and the order of all. Those that are stored a reader gives; which periods are asked is
the archive's job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.requestlog.record import Gap
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from consentkit.archive.search.deadline import Deadline
    from consentkit.archive.spoolreader import SpoolReader
    from consentkit.archive.store.interface import Filters


def waiting_gaps(reader: SpoolReader, filters: Filters, deadline: Deadline) -> Iterator[tuple[FrameId, Gap]]:
    """Yield the gaps in the spool that touch a time, with the frame that tells each; memory does not grow with it.

    Raises:
        TimeIsUp: the deadline passed.
    """
    for segment in reader.segments():
        for frames in segment.stretches(complete=False):
            deadline.check()
            for sequence, entry in frames:
                if isinstance(entry, Gap) and touches(entry, filters):
                    yield FrameId(segment.worker, segment.number, sequence), entry


def touches(gap: Gap, filters: Filters) -> bool:
    """Tell whether a gap lies in the time of a search; what was lost has no address and no path."""
    return gap.since_us < filters.until_us and gap.until_us >= filters.since_us


def in_order(gaps: Mapping[FrameId, Gap]) -> list[Gap]:
    """Return gaps by their beginning, oldest first."""
    return sorted(gaps.values(), key=lambda gap: (gap.since_us, gap.until_us, gap.network))
