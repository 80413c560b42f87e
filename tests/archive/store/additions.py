"""Batches as a host makes them, in numbers alone; what a word says stands for what is sealed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from consentkit.archive.store.server.engine import KINDS, Addition, BatchRow, GapRow, Row, Wanted, Word

PLACE = "period/2026-11-23.1"
SHARED = "period/2026-11-20.1"  # which many tests read
DAY_US = 86_400_000_000
SINCE_US = 20_780 * DAY_US
UNTIL_US = SINCE_US + DAY_US
ALL = Wanted(SINCE_US, UNTIL_US)
GREATEST = 2**63 - 1


def row(time_us: int, sequence: int, *, segment: int = 1, client: int = 11, agent: int = 21, **other: int) -> Row:
    """One request; what is not given is the same in each."""
    values = {"resource": 31, "referrer": 41, "result": 801, "bytes_sent": 1200, "duration_us": 3500}
    values |= {"claimed_us": -1, **other}
    return Row(time_us, segment, sequence, client, agent, **values)


def addition(
    rows: Sequence[Row],
    *,
    lane: str = "lane-a",
    number: int = 1,
    segment: int = 1,
    words: Sequence[Word] | None = None,
    gaps: Sequence[GapRow] = (),
) -> Addition:
    """One batch that brings some rows of one segment, with their words."""
    sequences = [one.sequence for one in rows] + [gap.sequence for gap in gaps]
    first, after = (min(sequences), max(sequences) + 1) if sequences else (0, 1)
    digest = random.Random(number).randbytes(32)
    batch = BatchRow(lane, number, f"w{segment}", segment, segment, first, after, len(rows), len(gaps), digest)
    return Addition(batch, words_of(rows) if words is None else words, rows, gaps)


def words_of(rows: Sequence[Row]) -> list[Word]:
    """The words that rows need, each once."""
    return [
        Word(kind, number, f"{kind} {number}".encode())
        for kind in KINDS
        for number in sorted({getattr(one, kind) for one in rows})
    ]


def many(count: int, *, lane: str, segment: int, batch_rows: int = 100, seed: int = 1) -> list[Addition]:
    """A segment's worth of requests, spread over the day, of clients and agents that repeat."""
    chance = random.Random(seed)
    added = []
    for number, first in enumerate(range(0, count, batch_rows), 1):
        rows = [
            row(
                SINCE_US + sequence * DAY_US // count,
                sequence,
                segment=segment,
                client=chance.randrange(50),
                agent=chance.randrange(9),
                resource=chance.randrange(200),
                duration_us=chance.randrange(10**6),
                result=chance.choice((200, 304, 404, 500)) * 4 + chance.randrange(3),
            )
            for sequence in range(first, min(first + batch_rows, count))
        ]
        added.append(addition(rows, lane=lane, number=number, segment=segment))
    return added


def rows_of(added: Sequence[Addition]) -> list[Row]:
    """All rows that batches bring, as they come."""
    return [row for one in added for row in one.rows]


# Each differs from the others in what a search asks for.
ROWS = [
    row(SINCE_US, 0, client=1, agent=1, result=200 * 4),
    row(SINCE_US + 5, 1, client=2, agent=1, result=404 * 4, resource=7),
    row(SINCE_US + 5, 2, client=2, agent=2, result=404 * 4 + 1, referrer=9),
    row(SINCE_US + DAY_US - 1, 3, client=3, agent=2, result=0 * 4 + 2, duration_us=900, claimed_us=0),
    row(SINCE_US + DAY_US // 2, 4, client=1, agent=3, result=599 * 4, duration_us=1000),
]
