"""What holds when a process is killed under load: every answered request is in the log, exactly once."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.conftest import Rows
from tests.serving import Server, serving

pytestmark = pytest.mark.server


# Words of their command lines: uvicorn starts its workers by multiprocessing's "spawn".
MARKS = {"worker": "spawn_main", "ingester": "consentkit.archive.ingest"}


class Load:
    """Clients that ask for numbered pages, and remember which were answered whole."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._next = 0
        self.answered: list[int] = []

    async def run(self, seconds: float, *, clients: int = 8) -> None:
        deadline = time.monotonic() + seconds
        await asyncio.gather(*(self._client(deadline) for _ in range(clients)))

    async def _client(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient(base_url=self._url, timeout=5) as client:
                    await self._ask(client, deadline)

    async def _ask(self, client: httpx.AsyncClient, deadline: float) -> None:
        while time.monotonic() < deadline:
            number, self._next = self._next, self._next + 1
            if (await client.get(f"/page/{number}")).status_code == 200:
                self.answered.append(number)


async def kill_while_loaded(load: Load, *, kills: int, each_s: float, victims: Callable[[], set[int]]) -> int:
    """Kill one process at a time under load, and return how many were killed."""
    killed = 0

    async def killer() -> None:
        nonlocal killed
        for _ in range(kills):
            await asyncio.sleep(each_s)
            for victim in sorted(victims())[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    killed += 1

    await asyncio.gather(load.run(each_s * kills + 1.5), killer())
    return killed


def processes_below(server: Server, mark: str) -> set[int]:
    """Return the processes below a server whose command line holds a mark."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
            # The name in brackets may hold anything; after it come the state and the parent (proc(5)).
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            )

    def is_below(pid: int) -> bool:
        while pid in parents:
            if pid == server.process.pid:
                return True
            pid = parents[pid]
        return False

    return {pid for pid, name in names.items() if mark in name and is_below(pid)}


def stored_numbers(search: Callable[..., Rows]) -> collections.Counter[int]:
    rows = search("--path", "/page/*")
    assert len({row["request_id"] for row in rows}) == len(rows)
    return collections.Counter(int(row["url"].removeprefix("/page/")) for row in rows)


def check(victim: str, each_s: float, kills: int, config: Path, folder: Path, search: Callable[..., Rows]) -> None:
    with serving("tests.server.sites:plain", folder, config=config, workers=2) as running:
        load = Load(running.url)
        victims = partial(processes_below, running, MARKS[victim])
        killed = asyncio.run(kill_while_loaded(load, kills=kills, each_s=each_s, victims=victims))
    assert killed >= kills * 3 // 4
    assert len(load.answered) > 50 * kills
    before_restart = stored_numbers(search)
    with serving("tests.server.sites:plain", folder, config=config):
        time.sleep(2)
    counts = stored_numbers(search)
    assert counts == before_restart  # a search sees the spool as well, so a restart changes nothing
    assert {number for number, times in counts.items() if times > 1} == set()
    assert set(load.answered) - set(counts) == set()
    assert list((config.parent / "data" / "spool").glob("*/[0-9]*")) == []


@pytest.mark.parametrize(("victim", "each_s"), [("worker", 2.0), ("ingester", 3.5)], ids=["worker", "ingester"])
def test_every_answered_request_is_found_exactly_once_after_kill_9(
    victim: str, each_s: float, config: Path, tmp_path: Path, search: Callable[..., Rows]
) -> None:
    check(victim, each_s, 4, config, tmp_path, search)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("victim", "each_s"), [("worker", 2.0), ("ingester", 3.5)], ids=["worker", "ingester"])
def test_the_same_holds_after_a_hundred_kills_together(
    victim: str, each_s: float, config: Path, tmp_path: Path, search: Callable[..., Rows]
) -> None:
    check(victim, each_s, 50, config, tmp_path, search)
