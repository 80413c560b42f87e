"""How long the first page of one address takes over 90 periods, beside zgrep over the same requests as text.

The address is one that was there on the oldest day alone: every period must be asked for it. Cold means a new
process and no page of any file in memory; its time begins when its modules are loaded, and holds the opening of
the keys and of the control database.
"""

from __future__ import annotations

import gzip
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.figures import Figure, by_ratio, by_value
from bench.ingest import as_record
from bench.traffic import traffic
from consentkit.archive.holdings import Holdings
from consentkit.archive.period import Catalogue
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive
from consentkit.archive.store import Batch, Filters
from consentkit.audit import SYSTEM
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import ConsentKitError
from consentkit.requestlog.redact import Redactor
from consentkit.settings import Settings, read_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.traffic import Sample
    from consentkit.requestlog.record import Entry

PERIODS: Final = 90
ROWS: Final = 10_000
FULL_ROWS: Final = 100_000
_PAGE_ROWS: Final = 50
_FIRST_DAY: Final = datetime(2026, 8, 26, tzinfo=UTC)
_BATCH_ROWS: Final = 20_000
_ROUNDS: Final = 5
_MOST_WARM_MS: Final = 100.0
_MOST_COLD_MS: Final = 250.0
_MOST_OF_ZGREP: Final = 0.01
_RUN_SECONDS: Final = 600.0


class SearchFailed(ConsentKitError):
    """Report that a search did not find what is there."""


def measure(folder: Path, *, rows: int = ROWS) -> list[Figure]:
    """Measure with so many rows a period; the bar against zgrep is for `FULL_ROWS`."""
    if shutil.which("zgrep") is None:
        raise SearchFailed("zgrep is not installed")
    address, expected = _build(folder, rows)
    warm = statistics.median(list(_warm_ms(folder, address, expected))[1:])
    cold = statistics.median(_cold_ms(folder, address, expected) for _ in range(_ROUNDS))
    zgrep = _zgrep_ms(folder, address, expected)
    at_most = _MOST_OF_ZGREP if rows >= FULL_ROWS else None
    what = f"first page of one address, {PERIODS} x {rows:,}"
    return [
        by_value(f"{what}, warm", warm, "ms", bar=_MOST_WARM_MS),
        by_value(f"{what}, cold", cold, "ms", bar=_MOST_COLD_MS),
        by_ratio(f"{what}, of zgrep", warm, "ms", baseline=zgrep, against="zgrep -F", at_most=at_most),
    ]


def first_page_ms(folder: Path, address: str, expected: int) -> float:
    """Open an installation, find the newest requests of an address, and return how long that took.

    Raises:
        SearchFailed: it found other than the expected number.
    """
    settings = _settings(folder)
    started = time.perf_counter()
    keyring = Keyring.open(settings.storage.keys, read_secrets(os.environ))
    holdings = Holdings.open(settings.storage, keyring, Control(settings.storage.directory, keyring))
    page = list(Archive(settings, holdings).search(Filters(networks=(address,)), limit=_PAGE_ROWS))
    took_ms = (time.perf_counter() - started) * 1000
    if len(page) != expected:
        raise SearchFailed(f"the search found {len(page)} requests where {expected} are")
    return took_ms


def _settings(folder: Path) -> Settings:
    return Settings.from_mapping({"storage": {"directory": str(folder / "data")}}, base=folder)


def _build(folder: Path, rows: int) -> tuple[str, int]:
    """Make sealed periods and the same requests as text; return an address of the oldest day, and how often."""
    settings = _settings(folder)
    directory = settings.storage.directory
    (directory / "requests").mkdir(mode=0o700, parents=True)
    keyring = Keyring.open(settings.storage.keys, read_secrets(os.environ))
    holdings = Holdings.open(settings.storage, keyring, Control(directory, keyring))
    resolvers = Resolvers(AgentResolver(), PlaceResolver(None, "country"))
    wanted: tuple[str, int] | None = None
    for day in range(PERIODS):
        samples = traffic(rows, start=_FIRST_DAY + timedelta(days=day), seed=day + 1)
        # Those of RFC 3849 are drawn from so many that another day has others.
        of_day = Counter(sample.address for sample in samples if ":" in sample.address)
        wanted = wanted or of_day.most_common(1)[0]
        _store(holdings, resolvers, day, samples)
        text = "\n".join(sample.combined() for sample in samples)
        (folder / f"access-{day:02}.log.gz").write_bytes(gzip.compress(text.encode("ascii"), 6))
    if wanted is None or wanted[1] > _PAGE_ROWS:
        raise SearchFailed("the traffic has no address that fits on a page")
    return wanted


def _store(holdings: Holdings, resolvers: Resolvers, day: int, samples: list[Sample]) -> None:
    redactor = Redactor(("page",))
    period = Catalogue(holdings.control, "day").period_of(samples[0].time_us)
    holdings.keyring.make(period.key_name)
    writer = holdings.rows.writer(period.place, resolvers)
    for first in range(0, len(samples), _BATCH_ROWS):
        entries: list[tuple[int, Entry]] = [
            (first + number, as_record(sample, redactor))
            for number, sample in enumerate(samples[first : first + _BATCH_ROWS])
        ]
        writer.add(Batch(f"{day:016x}", 1, entries))
        writer.commit()
    writer.close()
    seal(holdings, period, SYSTEM)


def _warm_ms(folder: Path, address: str, expected: int) -> Iterator[float]:
    """Yield how long a page takes in a process that has found it before, keys and database open."""
    settings = _settings(folder)
    keyring = Keyring.open(settings.storage.keys, read_secrets(os.environ))
    holdings = Holdings.open(settings.storage, keyring, Control(settings.storage.directory, keyring))
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        found = Archive(settings, holdings).search(Filters(networks=(address,)), limit=_PAGE_ROWS)
        if len(list(found)) != expected:
            raise SearchFailed("the search found another number of requests than there are")
        yield (time.perf_counter() - started) * 1000


def _cold_ms(folder: Path, address: str, expected: int) -> float:
    for path in (*(folder / "data").rglob("*"), *_settings(folder).storage.keys.rglob("*")):
        if path.is_file():
            drop_from_memory(path)
    command = [sys.executable, "-m", "bench.search", str(folder), address, str(expected)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_SECONDS, check=False)
    if done.returncode:
        raise SearchFailed(f"the search in a new process ended with exit code {done.returncode}")
    return float(done.stdout)


def drop_from_memory(path: Path) -> None:
    """Let the machine forget what it has read of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # pages that are not on the disk yet stay
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _zgrep_ms(folder: Path, address: str, expected: int) -> float:
    """Return how long zgrep takes over all days, whose files are in memory."""
    command = ["zgrep", "-F", "-h", f"{address} ", *map(str, sorted(folder.glob("access-*.log.gz")))]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, timeout=_RUN_SECONDS, check=False)
    took_ms = (time.perf_counter() - started) * 1000
    if done.stdout.count(b"\n") != expected:
        raise SearchFailed("zgrep found another number of lines than there are")
    return took_ms


if __name__ == "__main__":
    print(first_page_ms(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
