"""Batches into a place, each once.

A *block* is what one INSERT brings: consecutive batches of one shard, with their rows and gaps. It is one part of
one partition, which ClickHouse stores whole or not at all; so a batch is there if and only if its rows are, and
nothing has to be counted to know what a broken append left behind. It remains that a block whose answer was lost
may still be under way. The proof that none is stored twice:

1. Every INSERT of a lane into a place runs under one query id, and the server runs no two under the same id.
2. The server answers an INSERT with the columns it expects *after* it has taken note of the id, and no row is sent
   before that answer. So whatever may still be stored is an INSERT that the server counts as running. (A block is
   one packet, which can't be read in part; 18.16 stores one that it has, though the connection ends there.)
3. The lane's end is read between that answer and the first row. By 1 and 2 nothing of the lane is under way then,
   nor begins before this INSERT ends: what is read is what there is, and it stays so.
4. By what was read, batches that are stored (the same number and digest) are passed over, and the rest must follow
   the end; else `Outrun`, and nothing is sent.

Where an earlier INSERT still runs, step 1 refuses ours, and we wait. Words go first, outside of this: the same
word twice is the same as once. A lane's blocks go in order, so a broken append leaves the beginning of what was to
be added. INSERTs go to the shard's own table: through a Distributed one they would queue after the answer.

All hosts must come as the same user, to whom the server's rule of ids is bound; and where a lane's shard is
another since shards were added, an INSERT that runs on the former is not seen: add shards while nothing writes.
"""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

from consentkit.archive.store.clickhouse import ledger
from consentkit.archive.store.clickhouse.conditions import Condition, named
from consentkit.archive.store.clickhouse.ddl import BATCHES, columns_of
from consentkit.archive.store.clickhouse.places import query_id, state_of
from consentkit.archive.store.clickhouse.server import PLACE, StillRunning
from consentkit.archive.store.server.engine import KINDS, Outrun
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consentkit.archive.store.clickhouse.ledger import Line
    from consentkit.archive.store.clickhouse.server import Server
    from consentkit.archive.store.clickhouse.shards import Shards
    from consentkit.archive.store.server.engine import Addition

# Rows of a block; the server holds one in memory, about 120 bytes a row.
_MOST_ROWS: Final = 250_000
_WAIT_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.1
_KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}


class _Noted(NamedTuple):
    number: int
    note: bytes


class _Mark(NamedTuple):
    segment: int
    sequence: int


def append(shards: Shards, place: str, additions: Sequence[Addition]) -> None:
    """Store batches, in order; see above.

    Raises:
        Outrun: they don't follow the end of their lane or segment.
        StorageError: the server refuses or is away, or the place is not made. The same call again completes it.
    """
    _check_made(shards, place)  # before words go: nobody would look for them where it was dropped
    by_lane = [list(of_lane) for _, of_lane in groupby(additions, key=lambda addition: addition.batch.lane)]
    if len(by_lane) > 1:  # what is refused is refused whole, as far as it can be told before
        for of_lane in by_lane:
            _missing(shards, place, of_lane)
    for of_lane in by_lane:
        server = shards.of(place, of_lane[0].batch.lane)
        for block in _blocks(of_lane):
            _insert_words(shards, server, place, block)
            _insert_block(shards, server, place, block)


def _blocks(additions: Iterable[Addition]) -> Iterator[list[Addition]]:
    block: list[Addition] = []
    rows = 0
    for addition in additions:
        size = len(addition.rows) + len(addition.gaps)
        if block and rows + size > _MOST_ROWS:
            yield block
            block, rows = [], 0
        block.append(addition)
        rows += size
    if block:
        yield block


def _insert_words(shards: Shards, server: Server, place: str, block: Sequence[Addition]) -> None:
    words = [(word, addition.batch) for addition in block for word in addition.words]
    if words:
        name, lane = place.encode(), ledger.lane_number(block[0].batch.lane)
        server.insert(
            f"word{shards.suffix}",
            columns_of("word"),
            lambda: [
                (name, _KIND_NUMBERS[word.kind], word.number, word.lookup, lane, batch.number, word.sealed)
                for word, batch in words
            ],
            query_id=query_id(shards.database, place, f"words/{uuid4().hex}"),
        )


def _insert_block(shards: Shards, server: Server, place: str, block: Sequence[Addition]) -> None:
    lane = block[0].batch.lane

    def what_is_missing() -> Iterator[Line]:
        name, stored_us = place.encode(), time.time_ns() // 1000
        for index, addition in enumerate(_missing(shards, place, block)):
            yield from ledger.lines(name, addition, stored_us + index)

    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            server.insert(
                f"request{shards.suffix}",
                columns_of("request"),
                what_is_missing,
                query_id=query_id(shards.database, place, f"lane/{ledger.lane_number(lane):x}"),
            )
        except StillRunning:
            if time.monotonic() > deadline:
                raise StorageError(PLACE, "is still storing what this host sent before") from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _missing(shards: Shards, place: str, block: Sequence[Addition]) -> Sequence[Addition]:
    """Return what of a block is not stored; nobody else writes the lane meanwhile.

    Raises:
        Outrun: what is stored is not the beginning of the block, or the block does not follow it.
    """
    _check_made(shards, place)
    first = block[0].batch
    stored = _numbers_from(shards, place, first.lane, first.number - 1)
    expected = {addition.batch.number: addition.batch for addition in block}
    for number, note in stored.items():
        if number >= first.number and (number not in expected or ledger.batch_of(note) != expected[number]):
            raise Outrun
    missing = [addition for addition in block if addition.batch.number not in stored]
    last = max(stored, default=0)
    if missing and missing[0].batch.number != last + 1:
        raise Outrun
    _check_segments(shards, place, missing)
    return missing


def _check_made(shards: Shards, place: str) -> None:
    if not state_of(shards, place).is_made:
        raise StorageError(PLACE, "is told to write to a place that is not made")


def _numbers_from(shards: Shards, place: str, lane: str, number: int) -> dict[int, bytes]:
    found = shards.first.read(
        f"SELECT time_us, note FROM {shards.database}.request WHERE place = {named(place)}"
        f" AND stretch = {BATCHES} AND client = {ledger.lane_number(lane)} AND time_us >= {number:d}"
        " ORDER BY time_us",
        _Noted,
    )
    return dict(found)


def _check_segments(shards: Shards, place: str, additions: Sequence[Addition]) -> None:
    marks = _marks(shards, place, sorted({addition.batch.segment for addition in additions}))
    for batch in (addition.batch for addition in additions):
        if marks.get(batch.segment, 0) > batch.first_sequence:
            raise Outrun
        marks[batch.segment] = batch.next_sequence


def _marks(shards: Shards, place: str, segments: Sequence[int]) -> dict[int, int]:
    condition = Condition(place)
    condition.and_(f"stretch = {BATCHES}")
    condition.and_(condition.among("segment", segments))
    found = shards.first.read(
        f"SELECT segment, max(sequence) FROM {shards.database}.request WHERE {condition} GROUP BY segment",
        _Mark,
        condition.numbers,
    )
    return dict(found)
