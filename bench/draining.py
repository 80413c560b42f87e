"""How much slower the site's slowest answers get while the ingester drains a full spool.

Owns one comparison: a wrapped site under a steady load that leaves both cores time, with the ingester at work
and without it, in turn.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.client import Connection
from bench.figures import Figure, by_ratio
from bench.ingest import IngesterFailed, fill_spool, ingester, make_geo_database, today
from bench.installation import environ_of, make_installation
from bench.traffic import HOST, traffic
from bench.workers import worker
from consentkit.archive.child import IngestOrder
from consentkit.crypto import Keyring

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

RECORDS: Final = 150_000
_ROUNDS: Final = 3
_ALONE_SECONDS: Final = 4.0
_MOST_SECONDS: Final = 15.0
_CONNECTIONS: Final = 8
_PAUSE_SECONDS: Final = 0.02
_MOST: Final = 1.2


def measure(folder: Path) -> list[Figure]:
    """Measure the 99th percentile of the time to an answer, each way `_ROUNDS` times in turn."""
    site = folder / "site"
    settings = make_installation(site)
    with settings.open("a", encoding="utf-8") as file:
        file.write('[requestlog]\ningest = "external"\n')
    environ = environ_of(settings)
    secret = (environ["CONSENTKIT_SECRET"],)
    samples = traffic(RECORDS, start=today())
    order = IngestOrder(
        directory=str(site / "data"),
        keys=str(site / "keys"),
        secrets=secret,
        rotate="day",
        geo_database=str(make_geo_database(folder / "places.mmdb")),
        geo_precision="country",
    )
    alone: list[float] = []
    draining: list[float] = []
    with worker("bench.echo_app:app", folder, is_factory=False, environ=environ) as served:
        asyncio.run(_latencies(served.port, _for_seconds(1.0)))
        for _ in range(_ROUNDS):
            alone.append(_p99(asyncio.run(_latencies(served.port, _for_seconds(_ALONE_SECONDS)))))
            fill_spool(site / "data", Keyring.open(site / "keys", secret), samples)
            with ingester(order) as process:
                is_in_time = _for_seconds(_MOST_SECONDS)
                took = asyncio.run(_latencies(served.port, partial(_is_at_work, process, is_in_time)))
                if process.returncode is None or process.returncode:
                    raise IngesterFailed("the ingester did not end in good order")
            draining.append(_p99(took))
    return [
        by_ratio(
            "the site's p99 while the ingester drains",
            statistics.median(draining) * 1000,
            "ms",
            baseline=statistics.median(alone) * 1000,
            against="without it",
            at_most=_MOST,
        )
    ]


def _is_at_work(process: subprocess.Popen[bytes], is_in_time: Callable[[], bool]) -> bool:
    return process.poll() is None and is_in_time()


def _for_seconds(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


async def _latencies(port: int, goes_on: Callable[[], bool]) -> list[float]:
    took: list[float] = []
    message = f"GET /articles/amber HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: curl/8.5.0\r\n\r\n".encode("ascii")

    async def send_from(delay_seconds: float) -> None:
        connection = Connection("127.0.0.1", port)
        await asyncio.sleep(delay_seconds)
        try:
            while goes_on():
                start = time.perf_counter()
                await connection.exchange(message)
                took.append(time.perf_counter() - start)
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for number in range(_CONNECTIONS):
            group.create_task(send_from(number * _PAUSE_SECONDS / _CONNECTIONS))
    return took


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98]
