"""Hosts as processes of their own, and what must hold after whatever became of them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import KINDS
from tests.archive.store.additions import PLACE
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
