"""A database server as a process of the tests: started until it answers, stopped, crashed, started again.

Which program that is, how it is set up and what is asked of it is the business of `postgresql` and `clickhouse`.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO, ClassVar

START_SECONDS = 20.0
STOP_SECONDS = 20.0

_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 4 << 30


class DatabaseServer(ABC):
    """A server with all that it writes in one folder.

    Args:
        folder: made.
        port: on 127.0.0.1, where passwords are asked for; the same through all its starts.
    """

    STOP: ClassVar[signal.Signals]
    CRASH: ClassVar[signal.Signals]

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        """Of its process, or of the first of them."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        said = self.folder / "output"
        with said.open("ab") as output:
            self._process = self._run(output)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{type(self).__name__} did not come up:\n{said.read_text('utf-8', 'replace')}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order, whoever is connected."""
        self._end(self.STOP)

    def crash(self) -> None:
        """End it at once, as when its machine goes away; the next start recovers."""
        self._end(self.CRASH)

    def wait_until_connected(self, connections: int) -> None:
        """Wait until there are so many connections, as after somebody has closed his."""
        deadline = time.monotonic() + STOP_SECONDS
        while (found := self.count_connections()) != connections:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found} connections instead of {connections}")
            time.sleep(0.02)

    @abstractmethod
    def count_connections(self) -> int:
        """Count the connections to all its databases, but for the one that asks."""

    def new_name(self) -> str:
        """Return the name of a database that is not there."""
        return f"test_{os.getpid()}_{next(self._names)}"

    @abstractmethod
    def _run(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        """Run the program, with what it says to a file."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether it answers by now."""

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment_of(unpacked: Path) -> dict[str, str]:
    """Return the environment of a program whose libraries lie beside it, where a package was unpacked."""
    libraries = (*unpacked.glob("usr/lib/*-linux-gnu"), *unpacked.glob("lib/*-linux-gnu"))
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}


def make_folder(prefix: str, *, is_durable: bool) -> Path:
    """Make a folder for a server, by a path short enough for a socket.

    It lies in memory where there is enough: a database is hundreds of files, made for one test and removed.

    Args:
        prefix: of its name.
        is_durable: it lies on the disk, whatever that takes.
    """
    return Path(tempfile.mkdtemp(prefix=prefix, dir=None if is_durable or not _is_roomy(_MEMORY) else _MEMORY))


def _is_roomy(folder: Path) -> bool:
    """Tell whether servers find room in a folder, and may run what lies in it."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    is_writable = os.access(folder, os.W_OK) and not found.f_flag & (os.ST_RDONLY | os.ST_NOEXEC)
    return is_writable and found.f_bavail * found.f_frsize >= _MEMORY_BYTES
