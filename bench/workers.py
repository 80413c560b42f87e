"""Real uvicorn workers on the loopback, one process each.

Owns their start, their port and their end. What they serve is in `apps`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROJECT: Final = Path(__file__).resolve().parent.parent
_LISTENING: Final = re.compile(r"running on http://127\.0\.0\.1:(\d+)")
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 15.0


class WorkerFailed(ConsentKitError):
    """Report a worker that did not start; the message ends with what it said."""


class Worker(msgspec.Struct, frozen=True):
    """A running worker.

    Attributes:
        pid: its process.
        port: where it listens, on 127.0.0.1.
    """

    pid: int
    port: int


@contextmanager
def worker(
    app: str,
    folder: Path,
    *,
    access_log: bool = False,
    is_factory: bool = True,
    environ: dict[str, str] | None = None,
) -> Iterator[Worker]:
    """Serve an application until the block ends.

    Its standard output, the access log where that is on, goes to a file, as a supervisor would have it.

    Args:
        app: ``module:name``.
        folder: where its output goes.
        access_log: uvicorn's own, in its default format.
        is_factory: the name is of a function that returns the application.
        environ: added to this process' environment.

    Raises:
        WorkerFailed: it ended, or did not listen in time.
    """
    name = app.rpartition(":")[2] + ("-logged" if access_log else "")
    output, said = folder / f"{name}.out", folder / f"{name}.err"
    command = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-proxy-headers", "--access-log" if access_log else "--no-access-log"]
    command += ["--factory"] if is_factory else []
    with output.open("wb") as stdout, said.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=_PROJECT,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield Worker(process.pid, _await_port(process, said))
    finally:
        _stop(process)


def _await_port(process: subprocess.Popen[bytes], said: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENING.search(said.read_text("utf-8", "replace"))
        if found:
            return int(found[1])
        time.sleep(0.05)
    lines = said.read_text("utf-8", "replace").splitlines()
    raise WorkerFailed("a worker did not start: " + "\n".join(lines[-5:]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
