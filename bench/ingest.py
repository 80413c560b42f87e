"""How fast the ingester stores what workers spooled, how large that is, and how much memory it takes.

The real ingester is run, as a worker runs it: a process of its own that drains the spool and ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
import statistics
import subprocess
import sys
import time
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from bench.figures import Figure, by_ratio, by_value
from bench.process import peak_resident_bytes
from bench.traffic import HOST, traffic
from consentkit.archive.child import IngestOrder
from consentkit.crypto import Keyring
from consentkit.errors import ConsentKitError
from consentkit.requestlog.record import Record
from consentkit.requestlog.redact import Redactor
from consentkit.requestlog.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.traffic import Sample

MANY_RECORDS: Final = 1_000_000
FEW_RECORDS: Final = 100_000
_ROUNDS: Final = 3
_LEAST_RATE: Final = 80_000
_MOST_SIZE_OF_FEW: Final = 3.0
_MOST_SIZE_OF_MANY: Final = 2.5
_MOST_MEMORY_MB: Final = 120.0
_RUN_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.01

# Where the documentation networks lie, so that places are resolved. Source: RFC 5737, RFC 3849.
_PLACES: Final = {
    "192.0.2.0/24": "LV",
    "198.51.100.0/24": "EE",
    "203.0.113.0/24": "LT",
    "2001:db8::/32": "DE",
}


class IngesterFailed(ConsentKitError):
    """Report that the ingester did not store all that was spooled."""


class Run(msgspec.Struct, frozen=True):
    """One run of the ingester.

    Attributes:
        cpu_seconds: processor time, its start included.
        peak_mb: the largest resident set.
        stored_bytes: of the files it left.
    """

    cpu_seconds: float
    peak_mb: float
    stored_bytes: int


def measure(folder: Path, *, few: int = FEW_RECORDS, many: int = MANY_RECORDS) -> list[Figure]:
    """Measure rate and memory at `many` records a period, size at that and at `few`.

    The rate is by processor time without the start's: other processes and a slow disk don't count.
    """
    geo_database = make_geo_database(folder / "places.mmdb")
    start = statistics.median(_ingest(folder, [], geo_database).cpu_seconds for _ in range(_ROUNDS))
    sizes = []
    for count, bar in ((few, _MOST_SIZE_OF_FEW), (many, _MOST_SIZE_OF_MANY)):
        samples = traffic(count, start=today())
        run = _ingest(folder, samples, geo_database)
        sizes.append(
            by_ratio(
                f"size at {count:,} a period",
                run.stored_bytes / count,
                "bytes a record",
                baseline=_compressed_bytes(samples) / count,
                against="gzip -6 of the combined text",
                at_most=bar,
            )
        )
    rate = many / (run.cpu_seconds - start)
    return [
        by_value(f"ingest at {many:,} a period", rate, "records/s", bar=_LEAST_RATE, bar_is="least"),
        *sizes,
        by_value("memory of the ingester", run.peak_mb, "MB", bar=_MOST_MEMORY_MB),
    ]


def today() -> datetime:
    """Return the day's beginning: records of another day could be taken for those of a wrong clock."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _compressed_bytes(samples: list[Sample]) -> int:
    compressor = zlib.compressobj(6, wbits=31)  # gzip's form
    return sum(len(compressor.compress(f"{one.combined()}\n".encode("ascii"))) for one in samples) + len(
        compressor.flush()
    )


def as_record(sample: Sample, redactor: Redactor) -> Record:
    """Return the record that a worker would have written of a sample."""
    path, _, query = sample.target.partition("?")
    url = redactor.url(path.encode("ascii"), query.encode("ascii"))
    return Record(
        time_us=sample.time_us,
        client_address=sample.address,
        peer_address="127.0.0.1",
        address_source="x-forwarded-for",
        method="GET",
        scheme="https",
        host=HOST,
        url=url.url,
        query_flags=url.flags,
        status=sample.status,
        outcome="complete",
        bytes_sent=sample.bytes_sent,
        duration_us=sample.duration_us,
        user_agent=sample.user_agent,
        referrer_host=urlsplit(sample.referrer).netloc,
    )


def _ingest(folder: Path, samples: list[Sample], geo_database: Path) -> Run:
    """Spool the samples into a fresh installation, run the ingester on them, and remove it all again."""
    directory, keys, secret = folder / "data", folder / "data-keys", secrets.token_urlsafe(32)
    order = IngestOrder(
        directory=str(directory),
        keys=str(keys),
        secrets=(secret,),
        rotate="day",
        geo_database=str(geo_database),
        geo_precision="country",
    )
    try:
        fill_spool(directory, Keyring.open(keys, (secret,)), samples)
        cpu_seconds, peak_mb = _run_ingester(order)
        if list(directory.glob("spool/*/[0-9]*")):
            raise IngesterFailed("the ingester left frames in the spool")
        stored_bytes = sum(path.stat().st_size for path in directory.glob("requests/*"))
        return Run(cpu_seconds, peak_mb, stored_bytes)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(keys, ignore_errors=True)


def make_geo_database(path: Path) -> Path:
    """Write a geo database of the documentation networks, and return its path."""
    writer = MMDBWriter(ip_version=6, database_type="Country", ipv4_compatible=True)
    for network, country in _PLACES.items():
        writer.insert_network(IPSet([network]), {"country": {"iso_code": country}})
    writer.to_db_file(str(path))
    return path


def fill_spool(directory: Path, keyring: Keyring, samples: list[Sample]) -> None:
    """Spool the samples as a worker would have, which has ended."""
    directory.mkdir(mode=0o700, exist_ok=True)
    redactor = Redactor(("page",))
    spool = Spool(directory, keyring, max_bytes=1 << 40)
    for sample in samples:
        spool.append(as_record(sample, redactor))
    spool.close()
    if spool.lost:
        raise IngesterFailed(f"{spool.lost} records did not fit into the spool")


@contextmanager
def ingester(order: IngestOrder) -> Iterator[subprocess.Popen[bytes]]:
    """Run the ingester until it has stored what is spooled; it is ended with the block."""
    command = [sys.executable, "-m", "consentkit.archive.ingest"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        if process.stdin is not None:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.close()  # the end of its input tells it to apply what there is, and to end
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


def _run_ingester(order: IngestOrder) -> tuple[float, float]:
    """Run it until the spool is empty; return its processor time and its peak of resident memory in MB."""
    deadline = time.monotonic() + _RUN_SECONDS
    peak_bytes, ended = 0, 0
    with ingester(order) as process:
        while not ended:
            if time.monotonic() > deadline:
                process.kill()
            peak_bytes = max(peak_bytes, peak_resident_bytes(process.pid))
            time.sleep(_POLL_SECONDS)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise IngesterFailed(f"the ingester ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, peak_bytes / 1e6
