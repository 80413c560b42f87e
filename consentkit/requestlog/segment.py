"""The format of a spool segment: a file of sealed frames, written by one worker, read by the archive.

Owns bytes, nothing else: opening files and deciding when is `spool`'s job, applying is the archive's.

    segment = frame*
    frame   = magic "CKf1" | length u32 | sequence u32 | AES-256-GCM(payload)     (big endian)
    nonce   = segment number u64 | sequence u32;  a number is never used twice by a worker's key
    bound   = worker and the frame's header, so that no frame opens in another place
    key     = HKDF(the worker's random key, segment number)
    payload = msgpack of `record.Entry`
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentkit.crypto import hkdf
from consentkit.requestlog.record import Entry, Gap, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC: Final = b"CKf1"
_HEADER: Final = struct.Struct(">4sII")
_NONCE: Final = struct.Struct(">QI")
_NUMBER: Final = struct.Struct(">Q")
HEADER_BYTES: Final = _HEADER.size
TAG_BYTES: Final = 16

# A record is at most a 2 KB URL, a 512-byte agent and short fields; a length beyond this is damage.
MAX_FRAME_BYTES: Final = 16 * 1024


class FrameId(NamedTuple):
    """Where a frame stands: unique over the installation, and what a request's id is made from."""

    worker: str
    segment: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.worker}-{self.segment}-{self.sequence}"


class SegmentSealer:
    """Seal entries for one segment, in order."""

    def __init__(self, worker: str, segment: int, worker_key: bytes) -> None:
        self._aead = _segment_aead(worker_key, segment)
        self._worker = worker.encode()
        self._segment = segment
        self._encode = msgspec.msgpack.Encoder().encode
        self.sequence = 0

    def seal(self, entry: Entry) -> bytes:
        """Return the next frame. Each call uses up a sequence number, written or not."""
        payload = self._encode(entry)
        header = _HEADER.pack(MAGIC, len(payload) + TAG_BYTES, self.sequence)
        nonce = _NONCE.pack(self._segment, self.sequence)
        self.sequence += 1
        return header + self._aead.encrypt(nonce, payload, self._worker + header)


class SegmentOpener:
    """Read the frames of one segment as it grows.

    Where frames are missing, which their sequence shows, a `Gap` stands in their place.

    Args:
        worker, segment: where it stands; a frame opens nowhere else.
        worker_key: the worker's random key.
        time_us: of the gap in a segment of which nothing opens; microseconds since 1970 UTC.

    Attributes:
        offset: bytes consumed so far; where the next read starts.
        damaged: places at which bytes had to be passed over.
    """

    def __init__(self, worker: str, segment: int, worker_key: bytes, *, time_us: int = 0) -> None:
        self._aead = _segment_aead(worker_key, segment)
        self._worker = worker.encode()
        self._segment = segment
        self._decoder = msgspec.msgpack.Decoder(Entry)
        self._sequence = 0  # of the next frame
        self._time_us = time_us  # of the last one that opened
        self.offset = 0
        self.damaged = 0

    def frames(self, data: bytes, *, complete: bool) -> Iterator[tuple[int, Entry]]:
        """Yield (sequence, entry) for each whole frame in `data`, which starts at `offset`.

        A frame that does not open, or comes again, is passed over to the next magic that does. An unfinished
        frame at the end is left for the next read, or, where the segment is `complete`, counted as damage but
        not as a lost record: who wrote it knew, or ended before his client had the answer.
        """
        base, position = self.offset, 0
        unpack, decrypt, decode, worker, size = (
            _HEADER.unpack_from, self._aead.decrypt, self._decoder.decode, self._worker, len(data),
        )  # fmt: skip
        segment = _NUMBER.pack(self._segment)
        while True:
            # The next frame, whole and in its place: the common case, without a call of our own.
            start = position + HEADER_BYTES
            if start <= size:
                magic, length, sequence = unpack(data, position)
                end = start + length
                if magic == MAGIC and sequence == self._sequence and end <= size and length <= MAX_FRAME_BYTES:
                    header = data[position:start]
                    try:
                        entry = decode(decrypt(segment + header[8:], data[start:end], worker + header))
                    except (InvalidTag, ValueError):
                        pass  # looked at again below
                    else:
                        self._time_us = entry.time_us if type(entry) is Record else entry.until_us
                        self._sequence = sequence + 1
                        self.offset = base + end
                        position = end
                        yield sequence, entry
                        continue
            frame = self._next(data, position, complete=complete)
            if frame is None:
                return
            end, opened = frame
            self.offset = base + end
            if opened is not None:
                yield from self._in_order(*opened)
            elif end == len(data) and (lost := self._count_damaged(data, position)):
                yield self._gap(lost, self._time_us)
            position = end

    def _in_order(self, sequence: int, entry: Entry) -> Iterator[tuple[int, Entry]]:
        time_us = entry.time_us if isinstance(entry, Record) else entry.until_us
        if sequence > self._sequence:
            yield self._gap(sequence - self._sequence, time_us)
        self._sequence, self._time_us = sequence + 1, time_us
        yield sequence, entry

    def _gap(self, lost: int, until_us: int) -> tuple[int, Gap]:
        since_us = self._time_us if self._sequence else until_us
        self._sequence += lost
        return self._sequence - 1, Gap(min(since_us, until_us), max(since_us, until_us), lost, "damaged")

    def _count_damaged(self, data: bytes, position: int) -> int:
        """Return how many frames that do not open stand from a position to the end.

        A copy of one that opened is none, nor is a last one whose writing was cut short.
        """
        is_torn = MAGIC.startswith(data[position : position + len(MAGIC)])
        lost = 0
        while (position := data.find(MAGIC, position)) != -1:
            header = data[position : position + HEADER_BYTES]
            if length := _frame_length(header):
                is_whole = length <= len(data) - position - HEADER_BYTES
                lost += is_whole and _HEADER.unpack(header)[2] >= self._sequence
            position += HEADER_BYTES + length if length else 1
        return lost or (0 if is_torn else 1)

    def _next(self, data: bytes, position: int, *, complete: bool) -> tuple[int, tuple[int, Entry] | None] | None:
        """Return (end, frame), (end, None) past damage, or None when `data` has no further whole frame."""
        if position >= len(data):
            return None
        header = data[position : position + HEADER_BYTES]
        end = position + HEADER_BYTES + _frame_length(header)
        unfinished = len(header) < HEADER_BYTES or end > len(data)
        if not unfinished and (opened := self._open(header, data[position + HEADER_BYTES : end])) is not None:
            return end, opened
        if unfinished and not complete:
            return None
        resumed = self._resume(data, position)
        if resumed == len(data) and not complete:
            resumed -= HEADER_BYTES + MAX_FRAME_BYTES  # what begins later may still open, with what comes
            if resumed <= position:
                return None
        self.damaged += 1
        return resumed, None

    def _open(self, header: bytes, sealed: bytes) -> tuple[int, Entry] | None:
        if not _frame_length(header):
            return None
        sequence = _HEADER.unpack(header)[2]
        if sequence < self._sequence:
            return None  # a copy: what it says was said
        try:
            payload = self._aead.decrypt(_NONCE.pack(self._segment, sequence), sealed, self._worker + header)
            return sequence, self._decoder.decode(payload)
        except (InvalidTag, ValueError):
            return None

    def _resume(self, data: bytes, position: int) -> int:
        """Find the next magic from which a frame opens; the end of `data` if there is none."""
        while (position := data.find(MAGIC, position + 1)) != -1:
            header = data[position : position + HEADER_BYTES]
            end = position + HEADER_BYTES + _frame_length(header)
            if self._open(header, data[position + HEADER_BYTES : end]) is not None:
                return position
        return len(data)


def _frame_length(header: bytes) -> int:
    """Return the length a header gives, or 0 where it is no header."""
    if len(header) < HEADER_BYTES:
        return 0
    magic, length, _ = _HEADER.unpack(header)
    return length if magic == MAGIC and TAG_BYTES < length <= MAX_FRAME_BYTES else 0


def _segment_aead(worker_key: bytes, segment: int) -> AESGCM:
    return AESGCM(hkdf(worker_key, f"segment/{segment}/v1"))
