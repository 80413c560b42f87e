"""How fast the ingester stores what workers spooled, how large that is, and how much memory it takes.

The real ingester is run, as a worker runs it: a process of its own that drains the spool and ends.
"""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import time
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
    from pathlib import Path

    from bench.traffic import Sample

RATE_RECORDS: Final = 200_000
SIZE_RECORDS: Final = 100_000
_ROUNDS: Final = 3
_DAY: Final = datetime(2026, 11, 23, tzinfo=UTC)
_LEAST_RATE: Final = 80_000
_MOST_SIZE: Final = 3.0
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


def measure(folder: Path) -> list[Figure]:
    """Measure rate and memory at `RATE_RECORDS` a period, size at `SIZE_RECORDS`.

    The rate is by processor time without the start's: other processes and a slow disk don't count.
    """
    geo_database = _make_geo_database(folder / "places.mmdb")
    samples = traffic(RATE_RECORDS, start=_DAY)
    start = statistics.median(_ingest(folder, [], geo_database).cpu_seconds for _ in range(_ROUNDS))
    runs = [_ingest(folder, samples, geo_database) for _ in range(_ROUNDS)]
    seconds = statistics.median(run.cpu_seconds for run in runs) - start
    fewer = traffic(SIZE_RECORDS, start=_DAY)
    text = "\n".join(sample.combined() for sample in fewer).encode("ascii")
    stored_bytes = _ingest(folder, fewer, geo_database).stored_bytes
    return [
        by_value(
            f"ingest at {RATE_RECORDS:,} a period",
            RATE_RECORDS / seconds,
            "records/s",
            bar=_LEAST_RATE,
            bar_is="least",
        ),
        by_ratio(
            f"size at {SIZE_RECORDS:,} a period",
            stored_bytes / SIZE_RECORDS,
            "bytes a record",
            baseline=len(gzip.compress(text, 6)) / SIZE_RECORDS,
            against="gzip -6 of the combined text",
            at_most=_MOST_SIZE,
        ),
        by_value("memory of the ingester", max(run.peak_mb for run in runs), "MB", bar=_MOST_MEMORY_MB),
    ]


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
        _fill_spool(directory, Keyring.open(keys, (secret,)), samples)
        cpu_seconds, peak_mb = _run_ingester(order)
        if list(directory.glob("spool/*/[0-9]*")):
            raise IngesterFailed("the ingester left frames in the spool")
        stored_bytes = sum(path.stat().st_size for path in (directory / "requests").iterdir())
        return Run(cpu_seconds, peak_mb, stored_bytes)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(keys, ignore_errors=True)


def _make_geo_database(path: Path) -> Path:
    writer = MMDBWriter(ip_version=6, database_type="Country", ipv4_compatible=True)
    for network, country in _PLACES.items():
        writer.insert_network(IPSet([network]), {"country": {"iso_code": country}})
    writer.to_db_file(str(path))
    return path


def _fill_spool(directory: Path, keyring: Keyring, samples: list[Sample]) -> None:
    directory.mkdir(mode=0o700)
    redactor = Redactor(("page",))
    spool = Spool(directory, keyring, max_bytes=1 << 40)
    for sample in samples:
        spool.append(as_record(sample, redactor))
    spool.close()
    if spool.lost:
        raise IngesterFailed(f"{spool.lost} records did not fit into the spool")


def _run_ingester(order: IngestOrder) -> tuple[float, float]:
    """Run it until the spool is empty; return its processor time and its peak of resident memory in MB."""
    deadline = time.monotonic() + _RUN_SECONDS
    peak_bytes, ended = 0, 0
    with subprocess.Popen([sys.executable, "-m", "consentkit.archive.ingest"], stdin=subprocess.PIPE) as process:
        if process.stdin is not None:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.close()  # the end of its input tells it to apply what there is, and to end
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
