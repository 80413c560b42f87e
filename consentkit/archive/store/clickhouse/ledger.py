"""Requests, gaps and batches as rows of `request`, and back.

Owns which column holds what. A request's `stretch` is that of its time; below zero stand

    batch  stretch -1, client = the lane's number, time_us = its number in the lane, sequence = the segment's mark
           after it, bytes_sent = how many gaps it brought, claimed_us = when it was stored, note = all of it
    gap    stretch -2, time_us and claimed_us = the time it touches, note = what else it says, sealed

so that a lane's end is found by a range, and a segment's mark by reading numbers alone.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from consentkit.archive.store.clickhouse.ddl import BATCHES, GAPS, STRETCH_US
from consentkit.archive.store.clickhouse.server import PLACE
from consentkit.archive.store.server.engine import BatchRow
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.archive.store.server.engine import Addition

Line: TypeAlias = "tuple[int | bytes, ...]"

# As `Row` has them.
ROW: Final = (
    "time_us, segment, sequence, client, agent, resource, referrer, result, bytes_sent, duration_us, claimed_us"
)

_NO_NOTE: Final = b""
# agent, resource, referrer, result, bytes_sent and duration_us of a gap.
_NOTHING: Final = (0, 0, 0, 0, 0, 0)
_decoder: Final = msgspec.msgpack.Decoder(BatchRow)


def lane_number(lane: str) -> int:
    """Return the number that stands for a lane, of 63 bits."""
    return int.from_bytes(blake2b(lane.encode(), digest_size=8).digest()) >> 1


def lines(place: bytes, addition: Addition, stored_us: int) -> Iterator[Line]:
    """Yield all that a batch brings but its words, itself last.

    Args:
        place: its name.
        addition: the batch.
        stored_us: the time now.
    """
    for row in addition.rows:
        yield (place, row.time_us // STRETCH_US, *row, _NO_NOTE)
    for gap in addition.gaps:
        yield (place, GAPS, gap.since_us, gap.segment, gap.sequence, 0, *_NOTHING, gap.until_us, gap.sealed)
    batch = addition.batch
    end = (batch.number, batch.segment, batch.next_sequence, lane_number(batch.lane))
    yield (place, BATCHES, *end, 0, 0, 0, 0, batch.gaps, 0, stored_us, msgspec.msgpack.encode(batch))


def batch_of(note: bytes) -> BatchRow:
    """Return the batch that a note holds.

    Raises:
        StorageError: it holds none.
    """
    try:
        return _decoder.decode(note)
    except msgspec.DecodeError:
        raise StorageError(PLACE, "a batch can't be read") from None
