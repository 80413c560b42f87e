"""How long pages of the admin area take over ten million rows in ninety days, and whether a worker grows by them.

Each page is opened by a real sign-in over HTTP, first with no page of any file in memory, then again and again.
Addresses are those of the table of routes, and what the pages found so lead to: a new page is measured without
being named here.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import httpx

from bench.adminstore import NAME, PASSWORD, PERIODS, make_store
from bench.adminwalk import Links, Pages
from bench.figures import Figure, by_value
from bench.process import resident_bytes
from bench.search import drop_from_memory
from bench.workers import worker
from consentkit.errors import ConsentKitError
from consentkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.adminstore import Made

ROWS: Final = 4_000
FULL_ROWS: Final = 111_200
_LOADS: Final = 20
_MOST_MS: Final = 300.0
# A search is given two seconds of reading; what it has by then is shown.
_MOST_SEARCH_MS: Final = 2_500.0
_MEMORY_LOADS: Final = 200
_MOST_GROWTH_MB: Final = 24.0
_LOAD_SECONDS: Final = 120.0
_ROOT: Final = "/consentkit/admin"
# What a browser says of a form of our own page.
_FORM: Final = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


class AdminFailed(ConsentKitError):
    """Report a page that was not shown as it should be."""


def measure(folder: Path, *, rows: int = ROWS) -> list[Figure]:
    """Make a store with so many rows a period, and measure on it; the bars are for `FULL_ROWS`."""
    return measure_store(make_store(folder / "admin", rows=rows, periods=PERIODS), rows=rows)


def measure_store(made: Made, *, rows: int) -> list[Figure]:
    """Measure on a store that was made before."""
    folder = made.settings_file.parent
    _forget(folder)
    environ = {"CONSENTKIT_CONFIG": str(made.settings_file), "CONSENTKIT_SECRET": os.environ["CONSENTKIT_SECRET"]}
    what = f"{PERIODS} x {rows:,}"
    with (
        worker("bench.wrapped_app:whole", folder, environ=environ) as running,
        httpx.Client(base_url=f"http://127.0.0.1:{running.port}", timeout=_LOAD_SECONDS) as client,
    ):
        _sign_in(client)
        pages = Pages(client, _ROOT)
        figures = [
            _page_figure(client, f"admin {route}, {what}", address, folder)
            for route, address in pages.found().items()
        ]
        for name, (query, most_ms) in _searches(made).items():
            figures.append(
                _page_figure(client, f"admin search {name}, {what}", f"/search?{query}", folder, most_ms)
            )
        _check_searches(client, made)
        figures.append(_growth(client, running.pid, list(pages.found().values()), what))
    return figures


def _searches(made: Made) -> Mapping[str, tuple[str, float]]:
    """Return searches by what they ask for: the query, and how long its first page may take."""
    every = {"since": ""}
    return {
        "by an address": (urlencode({**every, "address": made.address}), _MOST_MS),
        "by a network": (urlencode({**every, "address": "192.0.2.0/24"}), _MOST_MS),
        "by a path": (urlencode({**every, "path": made.path}), _MOST_SEARCH_MS),
        "by a rare agent": (urlencode({**every, "text": made.agent}), _MOST_SEARCH_MS),
        "by a status": (urlencode({**every, "status": "5xx"}), _MOST_SEARCH_MS),
        "for what is not there": (urlencode({**every, "text": "nobody-has-this-agent"}), _MOST_SEARCH_MS),
        "for all": (urlencode(every), _MOST_MS),
    }


def _check_searches(client: httpx.Client, made: Made) -> None:
    """See that an address is found whole, and that what ended with the time limit goes on.

    Raises:
        AdminFailed: it is not so.
    """
    found = client.get(f"{_ROOT}/search?{urlencode({'since': '', 'address': made.address})}").text
    if (shown := found.count("<time ")) < made.rows:
        raise AdminFailed(f"the search by an address shows {shown} times where {made.rows} requests are")
    address, seen = f"/search?{urlencode({'since': '', 'text': 'nobody-has-this-agent'})}", set[str]()
    while address:
        if address in seen or len(seen) > PERIODS:
            raise AdminFailed("a search that goes on with the next page does not come to an end")
        seen.add(address)
        address = Links(client.get(_ROOT + address).text, _ROOT + address).older.removeprefix(_ROOT)


def _page_figure(client: httpx.Client, name: str, address: str, folder: Path, most_ms: float = _MOST_MS) -> Figure:
    _forget(folder)
    times = [_load_ms(client, address) for _ in range(_LOADS + 1)]
    warm = sorted(times[1:])
    p95 = warm[math.ceil(0.95 * len(warm)) - 1]
    middle = f"p50 {statistics.median(warm):.0f}, first"
    return by_value(f"{name}, p95", p95, "ms", bar=most_ms, baseline=times[0], against=middle)


def _load_ms(client: httpx.Client, address: str) -> float:
    started = time.perf_counter()
    answer = client.get(_ROOT + address)
    took_ms = (time.perf_counter() - started) * 1000
    if answer.status_code != 200:
        raise AdminFailed(f"{address.partition('?')[0]} was answered with {answer.status_code}")
    return took_ms


def _growth(client: httpx.Client, pid: int, addresses: list[str], what: str) -> Figure:
    """Return by how much a worker grew over so many loads, after each page was there before."""
    for address in addresses:
        _load_ms(client, address)
    before = resident_bytes(pid)
    for number in range(_MEMORY_LOADS):
        _load_ms(client, addresses[number % len(addresses)])
    after = resident_bytes(pid)
    name = f"admin, growth of a worker over {_MEMORY_LOADS} pages, {what}"
    return by_value(
        name, (after - before) / 1e6, "MB", bar=_MOST_GROWTH_MB, baseline=before / 1e6, against="before"
    )


def _sign_in(client: httpx.Client) -> None:
    """Sign in and say what is looked at.

    Raises:
        AdminFailed: it was refused.
    """
    forms = {
        "/sign-in": {"name": NAME, "password": PASSWORD},
        "/look": {"look-purpose": "security", "look-reason": "a measurement", "look-case": "INC-7"},
    }
    for path, form in forms.items():
        answer = client.post(_ROOT + path, data=form, headers=_FORM)
        if answer.status_code != 303:
            raise AdminFailed(f"{path} was answered with {answer.status_code}")


def _forget(folder: Path) -> None:
    """Let the machine forget what it has read of an installation."""
    for path in Settings.load(folder / "consentkit.toml").storage.directory.rglob("*"):
        if path.is_file():
            drop_from_memory(path)
