"""One host's ingester as a process, under a clock of its own and with quicker rounds than a site has.

Run as ``python -m tests.stores.host OFFSET_SECONDS ROUND_SECONDS`` with its orders on standard input; says
``ready`` when it stores. Its end is SIGTERM, or the end of its input.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time

import msgspec

from consentkit.archive import caretaker
from consentkit.archive.child import IngestOrder
from consentkit.archive.ingest import run

_true_ns, _true = time.time_ns, time.time


def set_clock(offset_seconds: float) -> None:
    """Put the clock on the wall forward or back, for this process alone."""
    time.time_ns = lambda: _true_ns() + int(offset_seconds * 1e9)
    time.time = lambda: _true() + offset_seconds


def main(offset_seconds: str, round_seconds: str) -> None:
    logging.basicConfig(format="%(levelname)s:%(name)s: %(message)s")
    set_clock(float(offset_seconds))
    caretaker.ROUND_SECONDS = float(round_seconds)  # type: ignore[misc] # a minute would be the whole test
    stop = threading.Event()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=IngestOrder)

    def await_parent() -> None:
        os.read(sys.stdin.fileno(), 1)  # not the buffered way, whose lock would outlive us
        stop.set()

    threading.Thread(target=await_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run(order, stop, ready=lambda: print("ready", flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
