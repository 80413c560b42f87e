"""Hosts as processes of their own, and what must hold after whatever became of them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import KINDS, Engine
from tests.archive.store.additions import ALL, PLACE
from tests.servers.process import DatabaseServer
from tests.serving import REPOSITORY


@contextlib.contextmanager
def host(url: str, number: int, count: int) -> Iterator[subprocess.Popen[str]]:
    arguments = ["-m", "tests.archive.store.onehost", url, f"lane-{number}", str(number), str(count)]
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def assert_whole(engine: PostgresqlEngine, counts: dict[int, int]) -> None:
    """Each segment has all its frames once, in batches that follow each other, and each row has its words."""
    rows = list(engine.in_order(PLACE))
    expected = [(segment, at) for segment, count in sorted(counts.items()) for at in range(count)]
    assert [(one.segment, one.sequence) for one in rows] == expected
    ends: dict[str, tuple[int, int]] = {}
    for batch in engine.batches(PLACE):
        assert (batch.number - 1, batch.first_sequence) == ends.get(batch.lane, (0, 0))
        ends[batch.lane] = batch.number, batch.next_sequence
    for kind in KINDS:
        assert {word.number for word in engine.words(PLACE, kind)} == {getattr(one, kind) for one in rows}


def assert_nothing_stays_open(engine: Engine, server: DatabaseServer, rows: int) -> None:
    """Read `PLACE`, of so many rows, on after all was closed: what was lent goes, and who asks anew is kept."""
    engine.close()
    before = server.count_connections()
    for _ in range(2):
        stream = engine.in_order(PLACE)
        next(stream)
        engine.close()
        assert sum(1 for _ in stream) == rows - 1
        server.wait_until_connected(before)
        assert engine.count(PLACE, ALL) == rows
        server.wait_until_connected(before + 1)
