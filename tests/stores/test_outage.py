"""The store's server is away for a while under load: nothing answered is lost, and no visitor notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from tests.conftest import SITE, Rows
from tests.servers import clickhouse, postgresql
from tests.serving import Server, serving

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]

APP = "tests.server.sites:plain"
CLIENTS = 6
EACH_SECONDS = 0.1  # from a client's request to its next one
WARM_SECONDS = 3.0
DRAIN_SECONDS = 90.0

# During an outage the slower ones may take so much of what they take where there is no store at all, both served
# and asked at the same time; a busy machine makes single answers wait. Of a minute's 3,600 answers the slowest
# hundredth is compared, of five seconds' 300 the slowest tenth: three of those would be the machine's. Whoever
# waits for a server that is away waits for seconds; no single answer may.
MOST_OF_NO_STORE = 1.5
TOLERANCE_SECONDS = 0.03
MOST_SECONDS_MORE = 0.5

Command = Callable[..., "subprocess.CompletedProcess[str]"]


class Stopped(Protocol):
    """A server that can go away and come back."""

    def stop(self) -> None: ...
    def start(self) -> None: ...


class Load:
    """Clients of one site that ask for numbered pages at a steady pace.

    Attributes:
        answered: numbers of the pages that came whole.
        took: from when, and how long each took, in seconds.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._next = 0
        self._is_over = asyncio.Event()
        self.answered: list[int] = []
        self.took: list[tuple[float, float]] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    def end(self) -> None:
        self._is_over.set()

    def slow(self, since: float, until: float, percent: int) -> tuple[float, float]:
        """Return that percentile of what answers took that began in a stretch of time, and the slowest."""
        seconds = [took for began, took in self.took if since <= began < until]
        return statistics.quantiles(seconds, n=100)[percent - 1], max(seconds)

    async def _client(self, number: int) -> None:
        await asyncio.sleep(number * EACH_SECONDS / CLIENTS)
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            while not self._is_over.is_set():
                page, self._next = self._next, self._next + 1
                began = time.monotonic()
                assert (await client.get(f"/page/{page}")).status_code == 200
                took = time.monotonic() - began
                self.answered.append(page)
                self.took.append((began, took))
                await asyncio.sleep(max(EACH_SECONDS - took, 0))


@contextlib.contextmanager
def two_sites(config: Path, folder: Path) -> Iterator[tuple[Server, Server]]:
    """Serve the site of a configuration, and beside it the same one with nobody who stores."""
    other = folder / "no-store" / "consentkit.toml"
    other.parent.mkdir(parents=True)
    text = SITE.format(proxies='["127.0.0.1/32"]').replace("[requestlog]", '[requestlog]\ningest = "external"')
    other.write_text(text, "utf-8")
    with (
        serving(APP, folder / "a", config=config, workers=2) as site,
        serving(APP, folder / "b", config=other, workers=2) as bare,
    ):
        yield site, bare


def store_at(config: Path, setting: str) -> None:
    config.write_text(config.read_text("utf-8").replace("[storage]", f"[storage]\n{setting}"), "utf-8")


async def outage(
    sites: tuple[Server, Server], server: Stopped, seconds: float, meanwhile: Callable[[], None]
) -> Load:
    """Load both sites, take the server away for a while, and check that both answered alike."""
    loads = [Load(site.url) for site in sites]
    running = [asyncio.create_task(load.run()) for load in loads]
    await asyncio.sleep(WARM_SECONDS)
    await asyncio.to_thread(server.stop)
    since = time.monotonic()
    await asyncio.to_thread(meanwhile)
    await asyncio.sleep(max(seconds - (time.monotonic() - since), 0))
    until = time.monotonic()
    await asyncio.to_thread(server.start)
    await asyncio.sleep(WARM_SECONDS)
    for load in loads:
        load.end()
    await asyncio.gather(*running)
    percent = 99 if seconds >= 60 else 90
    (slow, slowest), (slow_without, slowest_without) = (load.slow(since, until, percent) for load in loads)
    assert slow <= slow_without * MOST_OF_NO_STORE + TOLERANCE_SECONDS
    assert slowest <= slowest_without + MOST_SECONDS_MORE
    return loads[0]


def check_told(site: Server) -> None:
    """What failed stands in the log of the server in a few lines, and not at each try."""
    told = site.output()
    assert "the log is not being stored" in told
    assert told.count("\n") < 60
    assert "Traceback" not in told


def found(search: Callable[..., Rows]) -> Counter[int]:
    rows = search("--path", "/page/*")
    assert len({row["request_id"] for row in rows}) == len(rows)
    return Counter(int(row["url"].removeprefix("/page/")) for row in rows)


def check(config: Path, folder: Path, load: Load, search: Callable[..., Rows]) -> None:
    """Every answered request is found once, also when all that the workers left in the spool is stored."""
    before = found(search)
    assert set(load.answered) - set(before) == set()
    assert {page for page, times in before.items() if times > 1} == set()
    left = list((config.parent / "data" / "spool").glob("*/[0-9]*"))
    with serving(APP, folder, config=config):
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(segment.exists() for segment in left):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert found(search) == before


def answer(url: str, decision: str) -> int:
    form = {"decision": decision, "via": "banner"}
    headers = {"sec-fetch-site": "same-origin", "accept": "application/json"}
    return httpx.post(f"{url}/consentkit/choice", data=form, headers=headers, timeout=30).status_code


def refused(consentkit: Command) -> int:
    done = consentkit("consent", "stats", "--json")
    assert done.returncode == 0, done.stderr
    return sum(json.loads(line)["refused"] for line in done.stdout.splitlines())


LENGTHS = pytest.mark.parametrize(
    "seconds", [5.0, pytest.param(60.0, marks=pytest.mark.soak)], ids=["five seconds", "a minute"]
)


@LENGTHS
def test_while_postgresql_is_away_records_wait_and_refusals_hold(
    seconds: float, config: Path, tmp_path: Path, search: Callable[..., Rows], consentkit: Command
) -> None:
    with postgresql.serving() as server:
        store_at(config, f'url = "{server.url()}"')
        with two_sites(config, tmp_path) as sites:
            answers: list[int] = []

            def choose() -> None:
                answers.extend(answer(sites[0].url, decision) for decision in ("reject", "accept", "reject"))

            assert answer(sites[0].url, "reject") == 200
            load = asyncio.run(outage(sites, server, seconds, choose))
            assert answers == [200, 503, 200]
            assert answer(sites[0].url, "reject") == 200
            check_told(sites[0])
        check(config, tmp_path, load, search)
        assert refused(consentkit) == 4
        assert consentkit("log", "verify").returncode == 0


@LENGTHS
def test_while_clickhouse_is_away_records_wait_and_choices_go_on(
    seconds: float, config: Path, tmp_path: Path, search: Callable[..., Rows], consentkit: Command
) -> None:
    with clickhouse.serving() as (server,):
        store_at(config, f'requests_url = "{server.url()}"')
        with two_sites(config, tmp_path) as sites:
            answers: list[int] = []

            def choose() -> None:
                answers.extend(answer(sites[0].url, decision) for decision in ("reject", "accept"))

            load = asyncio.run(outage(sites, server, seconds, choose))
            assert answers == [200, 200]
            check_told(sites[0])
        check(config, tmp_path, load, search)
        assert refused(consentkit) == 1
        assert consentkit("log", "verify").returncode == 0
