"""The running digest of a lane: one keyed hash over all batches that a host wrote to a place, in their order.

Owns what is hashed. A row names its words by keyed hashes of them, so the chain stands for the words too.

    head of batch n = BLAKE2b-256, keyed, over  head of batch n-1 | batch | contents of the batch
    contents        = BLAKE2b-256, keyed, over  rows in order of sequence | gaps likewise

Contents have a digest of their own so that rows can be read by segment and held against lanes afterwards.
Keeping the chain is `writer`'s business, recomputing it `checking`'s.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from consentkit.archive.store.server.engine import Addition, BatchRow
from consentkit.archive.store.server.words import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.store.server.engine import GapRow, Row, Word

START: Final = bytes(32)


def contents_digest(key: bytes, rows: Sequence[Row], gaps: Sequence[GapRow]) -> bytes:
    """Return the digest of what came by one batch; both by sequence."""
    digest = blake2b(encode(rows), key=key, digest_size=len(START), person=b"contents")
    digest.update(encode(gaps))
    return digest.digest()


def extend(key: bytes, head: bytes, batch: BatchRow, contents: bytes) -> bytes:
    """Return the head after one more batch, whatever digest it names itself."""
    digest = blake2b(head, key=key, digest_size=len(START), person=b"batch")
    digest.update(encode(batch[:-1]))
    digest.update(contents)
    return digest.digest()


class Lane:
    """Chain batches to the end of a lane.

    Args:
        key: `Words.digest_key`.
        name: the lane's.
        last: its last batch; None = it has none.

    Attributes:
        number, head: of the last batch.
    """

    def __init__(self, key: bytes, name: str, last: BatchRow | None = None) -> None:
        self._key = key
        self._name = name
        self.number, self.head = (last.number, last.digest) if last is not None else (0, START)

    def chained(
        self, batch: BatchRow, words: Sequence[Word], rows: Sequence[Row], gaps: Sequence[GapRow]
    ) -> Addition:
        """Return a batch with its lane, number, counts and digest filled in, and take it for the last."""
        self.number += 1
        counted = batch._replace(lane=self._name, number=self.number, requests=len(rows), gaps=len(gaps))
        self.head = extend(self._key, self.head, counted, contents_digest(self._key, rows, gaps))
        return Addition(counted._replace(digest=self.head), words, rows, gaps)


def unchained(worker: str, segment_number: int, segment: int, first_sequence: int, next_sequence: int) -> BatchRow:
    """Return a batch of some frames before it has a place in a lane."""
    return BatchRow("", 0, worker, segment_number, segment, first_sequence, next_sequence, 0, 0, b"")
