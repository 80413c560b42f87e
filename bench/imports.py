"""What consentkit costs a worker that has not served anything yet, and one that has: time and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.figures import Figure, by_value, interleaved
from bench.installation import environ_of, make_installation
from bench.load import send_load
from bench.process import resident_bytes
from bench.traffic import HOST, traffic
from bench.workers import worker

if TYPE_CHECKING:
    from pathlib import Path

_ROUNDS: Final = 10
_REQUESTS: Final = 1_000
_MOST_IMPORT_MS: Final = 150.0
_MOST_MEMORY_MB: Final = 30.0


def measure(folder: Path) -> list[Figure]:
    """Measure the import in fresh interpreters, and the memory of a worker after 1,000 requests.

    The first worker of an installation enters the policy, and so loads SQLAlchemy as each does that takes a
    visitor's choice; one that starts under a known policy does without.
    """
    times = interleaved(
        {"none": partial(_run_ms, "pass"), "ours": partial(_run_ms, "from consentkit import ConsentKit")},
        rounds=_ROUNDS,
    )
    bare = _resident_mb("bench.bare_app:make", folder, {})
    environ = environ_of(make_installation(folder / "memory"))
    entering = _resident_mb("bench.wrapped_app:whole", folder, environ)
    knowing = _resident_mb("bench.wrapped_app:whole", folder, environ)
    return [
        by_value("import of ConsentKit", times["ours"] - times["none"], "ms", bar=_MOST_IMPORT_MS),
        by_value("memory a worker gains, its policy known", knowing - bare, "MB", bar=_MOST_MEMORY_MB),
        by_value("memory a worker gains that writes the ledger", entering - bare, "MB", bar=_MOST_MEMORY_MB),
    ]


def _run_ms(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def _resident_mb(app: str, folder: Path, environ: dict[str, str]) -> float:
    samples = traffic(_REQUESTS, start=datetime(2026, 11, 23, tzinfo=UTC))
    messages = [
        f"GET {sample.target} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {sample.user_agent}\r\n\r\n".encode("ascii")
        for sample in samples
    ]
    with worker(app, folder, environ=environ) as served:
        send_load(served.port, messages, count=_REQUESTS)
        return resident_bytes(served.pid) / 1e6
