"""Real ASGI servers as processes of their own, for tests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import httpx

ServerName: TypeAlias = Literal["uvicorn", "hypercorn", "granian"]

SERVERS: tuple[ServerName, ...] = ("uvicorn", "hypercorn", "granian")
REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 20.0


class Server:
    """A running server process, with what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, scheme: str = "http") -> None:
        self.process = process
        self.port = port
        self.log = log
        self.url = f"{scheme}://127.0.0.1:{port}"

    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def has_ended(self, seconds: float = START_SECONDS) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            return True
        return False

    def stop(self) -> None:
        """End the server as an operator does, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/ready", timeout=2, verify=False)
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the server did not come up:\n{self.output()}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def command(name: ServerName, app: str, port: int, workers: int, options: tuple[str, ...]) -> list[str]:
    python = [sys.executable, "-m"]
    match name:
        case "uvicorn":
            places = ["--port", str(port), "--workers", str(workers), "--no-access-log", "--no-proxy-headers"]
            return [*python, "uvicorn", app, *places, *options]
        case "hypercorn":
            return [
                *python,
                "hypercorn",
                app,
                "--bind",
                f"127.0.0.1:{port}",
                "--workers",
                str(workers),
                *options,
            ]
        case "granian":
            places = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
            return [*python, "granian", "--interface", "asgi", app, *places, *options]


@contextlib.contextmanager
def serving(
    app: str,
    folder: Path,
    *,
    config: Path | None = None,
    server: ServerName = "uvicorn",
    workers: int = 1,
    options: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
    is_awaited: bool = True,
    scheme: Literal["http", "https"] = "http",
) -> Iterator[Server]:
    """Run `app` (``module:name``) under a server until the block ends.

    Args:
        is_awaited: wait until it answers; False where it is expected to end by itself.
        scheme: ``https`` where the options give the server a certificate.
    """
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{server}-{port}.log"
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", **(environment or {})}
    if config is not None:
        variables["CONSENTKIT_CONFIG"] = str(config)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(server, app, port, workers, options),
            stdout=output,
            stderr=output,
            env=variables,
            cwd=REPOSITORY,
        )
    running = Server(process, port, log, scheme)
    try:
        if is_awaited:
            running.wait_until_ready()
        yield running
    finally:
        running.stop()
