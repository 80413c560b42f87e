"""How often a sign-in may be tried, over processes that share the data directory alone, and their restart."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.archive.installation import Installation

pytestmark = pytest.mark.server

PROGRAM = """
import sys
from pathlib import Path
from consentkit.admin.throttle import Throttle
from consentkit.control import Control
from consentkit.crypto import Keyring
directory, keys, name, address, times = sys.argv[1:]
keyring = Keyring.open(Path(keys), ())
throttle = Throttle(Control(Path(directory), keyring), keyring.derive("admin-throttle/v1"))
print(*(throttle.admit(name, address) for _ in range(int(times))))
"""


def tried(site: Installation, name: str, times: int, address: str = "192.0.2.7") -> list[int]:
    """Try in a process of its own; return how long each attempt has to wait."""
    places = [str(site.directory), str(site.settings.storage.keys)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *places, name, address, str(times)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return [int(wait) for wait in done.stdout.split()]


def test_attempts_of_two_processes_at_once_count_together_and_a_restart_forgets_none(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        waits = [wait for part in pool.map(lambda _: tried(site, "liga", 10), range(2)) for wait in part]
    assert waits.count(0) == pytest.approx(5, abs=2)  # a second may pass between two of them
    with site.control.transaction() as connection:
        connection.exec_driver_sql("UPDATE throttle SET until_us = until_us + 60000000")
    assert tried(site, "liga", 1)[0] > 50
    assert tried(site, "other", 1, "198.51.100.1") == [0]
