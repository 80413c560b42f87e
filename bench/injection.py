"""Processor time of a banner put into a 30 KB page, against Starlette's GZipMiddleware on the same page."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.middleware.gzip import GZipMiddleware

from bench.asgi_calls import get
from bench.figures import Figure, by_ratio, interleaved
from bench.installation import make_installation
from bench.pages import page_app
from consentkit import ConsentKit
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

_CALLS: Final = 200
_ROUNDS: Final = 10
_MOST: Final = 0.15


class NothingInjected(ConsentKitError):
    """Report that the measurement would be of nothing: the page came without a banner."""


def measure(folder: Path) -> list[Figure]:
    """Measure a wrapped site with injection and without, and a bare one with compression and without.

    Both differences are taken of whole calls, so what else the wrapping does cancels out.
    """
    page = page_app()
    kits = {
        name: ConsentKit(make_installation(folder / f"inject-{name}", inject=name)) for name in ("auto", "off")
    }
    with asyncio.Runner() as runner:
        for kit in kits.values():
            runner.run(kit.start())
        injecting, plain = (kits[name].wrap(page) for name in ("auto", "off"))
        if b'id="consentkit"' not in runner.run(get(injecting, "/")).body:
            raise NothingInjected("the page came without a banner")
        costs = interleaved(
            {
                "bare": partial(_cpu_us_a_call, runner, page, b"identity"),
                "gzip": partial(_cpu_us_a_call, runner, GZipMiddleware(page), b"gzip"),
                "plain": partial(_cpu_us_a_call, runner, plain, b"identity"),
                "injecting": partial(_cpu_us_a_call, runner, injecting, b"identity"),
            },
            rounds=_ROUNDS,
        )
        for kit in kits.values():
            runner.run(kit.stop())
    return [
        by_ratio(
            "banner injected into a 30 KB page",
            costs["injecting"] - costs["plain"],
            "µs",
            baseline=costs["gzip"] - costs["bare"],
            against="Starlette's GZipMiddleware",
            at_most=_MOST,
        )
    ]


def _cpu_us_a_call(runner: asyncio.Runner, app: ASGIApp, accept_encoding: bytes) -> float:
    async def call() -> None:
        for _ in range(_CALLS):
            await get(app, "/", accept_encoding=accept_encoding)

    started = time.process_time()
    runner.run(call())
    return (time.process_time() - started) / _CALLS * 1e6
