"""Processor time that a request costs a worker more, against what uvicorn's own access log costs more.

Owns the comparison of four workers under one load: bare, bare with uvicorn's access log, with our log
alone, and wrapped whole, for a visitor who has chosen. The bars are for answers that are no page. What a page
gets its markup for is told beside them without a bar: `injection` has that one.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from bench.client import Connection
from bench.figures import Figure, by_ratio, interleaved
from bench.installation import environ_of, make_installation
from bench.load import send_load
from bench.process import cpu_seconds
from bench.traffic import HOST, traffic
from bench.workers import Worker, WorkerFailed, worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.traffic import Sample

REQUESTS_A_ROUND: Final = 4_000
ROUNDS: Final = 6
_WARM_UP: Final = 1_000
_DISTINCT: Final = 2_000
_AGAINST: Final = "uvicorn's access log to a file"
_BARS: Final = {"log alone": 0.35, "log and gate": 0.5}

_FORM: Final = b"decision=accept"


class Kind(msgspec.Struct, frozen=True):
    """A kind of request, and of answer.

    Attributes:
        name: shown with the figure.
        prefix: of the path; the site answers by it.
        fields: what a browser says of the purpose of such a request, and of codings.
        has_bar: it is of those that the bars are for.
    """

    name: str
    prefix: str
    fields: tuple[str, ...]
    has_bar: bool = True


_NAVIGATION: Final = (
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Dest: document",
)
_CODINGS: Final = "Accept-Encoding: gzip, deflate, br"
_KINDS: Final = (
    Kind(
        "a script's fetch, 70 bytes of JSON",
        "/api",
        ("Accept: application/json", "Sec-Fetch-Dest: empty", _CODINGS),
    ),
    Kind("a navigation answered with text, no page", "", (*_NAVIGATION, _CODINGS)),
    # Uncompressed, as behind a proxy that compresses: else gzip would be most of what is measured.
    Kind(
        "a navigation to a 30 KB page that gets markup",
        "/page",
        (*_NAVIGATION, "Accept-Encoding: identity"),
        has_bar=False,
    ),
)


def measure(folder: Path) -> list[Figure]:
    """Measure both wrappings for each kind of request."""
    alone, whole = (environ_of(make_installation(folder / name)) for name in ("alone", "whole"))
    with ExitStack() as running:
        start = running.enter_context
        workers = {
            "bare": start(worker("bench.bare_app:make", folder)),
            "access log": start(worker("bench.bare_app:make", folder, access_log=True)),
            "log alone": start(worker("bench.wrapped_app:log_alone", folder, environ=alone)),
            "log and gate": start(worker("bench.wrapped_app:whole", folder, environ=whole)),
        }
        cookies = asyncio.run(_accept_all(workers["log and gate"].port))
        samples = traffic(_DISTINCT, start=datetime(2026, 11, 23, tzinfo=UTC))
        figures: list[Figure] = []
        for kind in _KINDS:
            figures += _compare(kind, workers, _messages(samples, kind, cookies))
        return figures


def _compare(kind: Kind, workers: dict[str, Worker], messages: Sequence[bytes]) -> list[Figure]:
    for each in workers.values():
        _cpu_us_a_request(each, messages, count=_WARM_UP)
    rounds: dict[str, Callable[[], float]] = {
        name: partial(_cpu_us_a_request, each, messages, count=REQUESTS_A_ROUND) for name, each in workers.items()
    }
    costs = interleaved(rounds, rounds=ROUNDS)
    baseline = costs["access log"] - costs["bare"]
    return [
        by_ratio(
            f"CPU a request adds: {name} ({kind.name})",
            costs[name] - costs["bare"],
            "µs",
            baseline=baseline,
            against=_AGAINST,
            at_most=bar if kind.has_bar else None,
        )
        for name, bar in _BARS.items()
    ]


def _cpu_us_a_request(served: Worker, messages: Sequence[bytes], *, count: int) -> float:
    before = cpu_seconds(served.pid)
    statuses = send_load(served.port, messages, count=count)
    spent = cpu_seconds(served.pid) - before
    if statuses != {200: count}:
        raise WorkerFailed(f"a worker answered other than 200: {statuses}")
    return spent / count * 1e6


def _messages(samples: Sequence[Sample], kind: Kind, cookies: bytes) -> list[bytes]:
    """Return requests as a browser sends them; all workers get the same bytes."""
    messages = []
    for sample in samples:
        fields = [
            f"GET {kind.prefix}{sample.target} HTTP/1.1",
            f"Host: {HOST}",
            f"User-Agent: {sample.user_agent}",
            "Accept-Language: lv,en;q=0.8",
            *kind.fields,
            f"Cookie: {cookies.decode('ascii')}; session=c2Vzc2lvbg; theme=dark; visits_1=4",
        ]
        if sample.referrer != "-":
            fields.append(f"Referer: {sample.referrer}")
        messages.append("\r\n".join((*fields, "", "")).encode("ascii"))
    return messages


async def _accept_all(port: int) -> bytes:
    """Accept everything, as a visitor does, and return the choice cookie as a browser would send it."""
    head = (
        f"POST /consentkit/choice HTTP/1.1\r\nHost: {HOST}\r\nOrigin: http://{HOST}\r\n"
        "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(_FORM)}\r\n\r\n"
    )
    connection = Connection("127.0.0.1", port)
    answer = await connection.exchange(head.encode("ascii") + _FORM, method=b"POST")
    await connection.close()
    pairs = [value.partition(b";")[0] for value in answer.values(b"set-cookie")]
    # The consent id is for the mount's path alone, so no browser sends it with these requests.
    choice = [pair for pair in pairs if pair.startswith(b"consentkit=")]
    if not choice:
        raise WorkerFailed(f"the choice was not taken: status {answer.status}")
    return choice[0]
