"""Ingesters of several hosts as processes: they store at once, one leads, and any may be killed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from consentkit.archive.child import IngestOrder
from consentkit.archive.store.interface import Filters
from consentkit.control.connecting import lock_number
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from tests.archive.installation import DAY_US, request
from tests.serving import REPOSITORY
from tests.stores.conftest import SHARED, Fresh
from tests.stores.corpus import Corpus
from tests.stores.sites import Site

pytestmark = pytest.mark.parametrize("backend", SHARED, indirect=True, scope="session")

ROUND_SECONDS = 0.5
PATIENCE_SECONDS = 60.0

# What a busy machine takes beside the rounds.
SLACK_SECONDS = 5.0


class Fleet:
    """Ingesters of many hosts as processes, over one store and one keys folder.

    Args:
        folder: for all of it.
        first: whose keys and store are shared.
    """

    def __init__(self, folder: Path, first: Site) -> None:
        self._folder = folder
        self.first = first
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def directory(self, name: str) -> Path:
        return self._folder / name / "data"

    def spool(self, name: str, records: list[Record]) -> None:
        """Let two workers of a host spool."""
        self.directory(name).mkdir(parents=True, exist_ok=True)
        spools = [Spool(self.directory(name), self.first.keyring, max_bytes=2**30) for _ in range(2)]
        for number, record in enumerate(records):
            spools[number % 2].append(record)
        for spool in spools:
            spool.close()

    def waiting(self, name: str) -> int:
        return len(list(self.directory(name).glob("spool/*/[0-9]*")))

    def start(self, name: str, *, offset_seconds: float = 0.0) -> None:
        storage = msgspec.structs.replace(self.first.settings.storage, directory=self.directory(name))
        order = IngestOrder.of(msgspec.structs.replace(self.first.settings, storage=storage), ())
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.host", str(offset_seconds), str(ROUND_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.flush()
        self.processes[name] = process

    def await_ready(self) -> None:
        for process in self.processes.values():
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def fleet(fresh: Fresh, corpus: Corpus, tmp_path: Path) -> Iterator[Fleet]:
    with fresh() as where:
        site = Site(tmp_path / "first", corpus, where)
        shutil.rmtree(site.directory / "spool")
        made = Fleet(tmp_path, site)
        try:
            yield made
        finally:
            made.stop()
            site.close()


def until(condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def now_us() -> int:
    return time.time_ns() // 1000


def numbered(host: str, count: int, *, since_us: int = 0) -> list[Record]:
    start = since_us or now_us() - count
    return [request(start + number, f"/{host}/{number}") for number in range(count)]


def urls(site: Site) -> list[str]:
    return sorted(row.url for _, row in site.archive().search(Filters(), limit=0))


def leader_of(fleet: Fleet) -> str:
    """Return which host's process holds the leader's lock; empty where none does."""
    number = lock_number("leader") & (1 << 64) - 1
    with psycopg.connect(fleet.first.where.url) as connection:
        rows = connection.execute(
            "SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s",
            (number >> 32, number & 0xFFFF_FFFF),
        ).fetchall()
    ports = {port for (port,) in rows}
    return next((name for name, process in fleet.processes.items() if ports & ports_of(process.pid)), "")


def ports_of(pid: int) -> set[int]:
    """Return the local TCP ports of a process. Source: proc_pid_net(5)."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
        lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
        return {int(line[1].partition(":")[2], 16) for line in lines if f"socket:[{line[9]}]" in sockets}
    return set()


@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_store_at_once_store_every_row_once(fleet: Fleet, count: int) -> None:
    names = [f"host{number}" for number in range(count)]
    offsets = (0.0, 240.0, -180.0, 60.0)
    for name in names:
        fleet.spool(name, numbered(name, 600))
    for name, offset in zip(names, offsets, strict=False):
        fleet.start(name, offset_seconds=offset)
    fleet.await_ready()
    for name in names:
        fleet.spool(name, [request(now_us(), f"/{name}/later{number}") for number in range(100)])
    until(lambda: not any(fleet.waiting(name) for name in names))
    until(lambda: leader_of(fleet) != "")
    fleet.stop()
    wanted = [f"/{name}/{number}" for name in names for number in range(600)]
    wanted += [f"/{name}/later{number}" for name in names for number in range(100)]
    assert urls(fleet.first) == sorted(wanted)
    assert fleet.first.faults() == {}


def test_one_leads_and_when_it_is_killed_another_does(fleet: Fleet) -> None:
    names = ["a", "b", "c"]
    for name in names:
        fleet.spool(name, numbered(name, 50))
        fleet.start(name)
    fleet.await_ready()
    until(lambda: leader_of(fleet) != "")
    leader = leader_of(fleet)
    time.sleep(3 * ROUND_SECONDS)
    assert leader_of(fleet) == leader
    fleet.kill(leader)
    began = time.monotonic()
    until(lambda: leader_of(fleet) != "")
    assert time.monotonic() - began < 2 * ROUND_SECONDS + SLACK_SECONDS
    (other, *_) = fleet.processes
    fleet.spool(other, [request(now_us(), "/after")])
    fleet.start(leader)  # what it had not stored yet is in its spool
    until(lambda: not any(map(fleet.waiting, names)))
    fleet.stop()
    assert urls(fleet.first) == sorted(
        ["/after", *(f"/{name}/{number}" for name in names for number in range(50))]
    )
    assert fleet.first.faults() == {}


def test_only_the_leader_destroys_what_is_due(fleet: Fleet) -> None:
    fleet.first.now_us = now_us()
    fleet.first.store(request(now_us() - 80 * DAY_US, "/old"))
    (old,) = fleet.first.states()
    for name in ("a", "b", "c"):
        fleet.spool(name, numbered(name, 20))
        fleet.start(name, offset_seconds=11 * 86_400)
    fleet.await_ready()
    until(lambda: fleet.first.states()[old] == "destroyed" and not any(map(fleet.waiting, "abc")))
    time.sleep(4 * ROUND_SECONDS)
    fleet.stop()
    assert fleet.first.actions("period.destr") == ["period.destroying", "period.destroyed"]
    numbers = [entry.number for entry in fleet.first.audited()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert fleet.first.faults() == {}


def test_a_host_that_is_killed_as_it_stores_goes_on_when_it_returns(fleet: Fleet) -> None:
    fleet.spool("a", numbered("a", 30_000))
    fleet.spool("b", numbered("b", 100))
    for name in "ab":
        fleet.start(name)
    fleet.await_ready()
    for _ in range(3):
        time.sleep(0.4)
        fleet.kill("a")
        fleet.start("a")
    until(lambda: not any(map(fleet.waiting, "ab")))
    fleet.stop()
    wanted = [f"/a/{number}" for number in range(30_000)] + [f"/b/{number}" for number in range(100)]
    assert urls(fleet.first) == sorted(wanted)
    assert fleet.first.faults() == {}
