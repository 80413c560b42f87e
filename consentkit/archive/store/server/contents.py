"""What a place on a server holds, in figures, and what tells it from any other content.

Owns the file hash that seals name: SHA-256 over the number of rows, all batches, whose heads stand for every row,
and what gaps and words there are. Proving that rows are what the heads say is `checking`'s business.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import TYPE_CHECKING

from consentkit.archive.store.places import Contents
from consentkit.archive.store.server.engine import KINDS
from consentkit.archive.store.server.wanting import ALL
from consentkit.archive.store.server.words import encode

if TYPE_CHECKING:
    from consentkit.archive.store.places import Place
    from consentkit.archive.store.server.engine import BatchRow, Engine


def contents_of(engine: Engine, place: Place) -> Contents:
    """Return what a place holds; one lane that has no name is named with its head."""
    name = place.key_name
    digest = hashlib.sha256(encode([engine.count(name, ALL)]))
    rows = 0
    lanes: dict[str, BatchRow] = {}
    for batch in engine.batches(name):
        digest.update(encode(batch))
        lanes[batch.lane] = batch
        rows += batch.requests
    gaps = engine.gaps(name, ALL.since_us, ALL.until_us)
    digest.update(encode(sorted({(row.segment, row.sequence) for _, _, row in gaps})))
    for kind in KINDS:
        numbers = array("Q", sorted(word.number for word in engine.words(name, kind)))
        digest.update(encode([kind, len(numbers)]))
        digest.update(encode(list(numbers)))
    ends = engine.ends(name, ALL.since_us, ALL.until_us)
    only = lanes.get("") if len(lanes) == 1 else None
    return Contents(
        rows=rows,
        bytes=engine.size_bytes(name),
        oldest_us=None if ends is None else ends[0],
        file_hash=digest.hexdigest(),
        batch=only.number if only else 0,
        head=only.digest.hex() if only else "",
    )
