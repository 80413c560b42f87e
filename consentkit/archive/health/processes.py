"""What the running processes say: the workers and the servers around them, and the ingester."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from consentkit import status
from consentkit.archive.health.finding import Finding, Patient, bad, good, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.status import IngesterStatus, WorkerStatus

_DAY_US: Final = 86_400_000_000
_GEO_OLD_DAYS: Final = 60

_OFF: Final = (
    "Turn the server's own access log off: uvicorn and granian with --no-access-log, hypercorn and gunicorn"
    " without --access-logfile."
)
_PROXY: Final = (
    "Let consentkit see the peer: start uvicorn with --no-proxy-headers, gunicorn's uvicorn worker with"
    " --forwarded-allow-ips '', and list the proxies in requestlog.trusted_proxies."
)


def examine_processes(patient: Patient) -> Iterator[Finding]:
    """Yield what is found of the running workers and the ingester."""
    directory = patient.settings.storage.directory
    running = status.workers(directory, patient.now_us)
    if not running:
        yield unknown("site.workers", "No worker of the site runs: what its server does can't be seen now.")
    else:
        yield from _workers(running)
    yield from _ingester(patient, status.ingester(directory, patient.now_us), is_running=bool(running))


def _workers(running: list[WorkerStatus]) -> Iterator[Finding]:
    faults = sorted({worker.fault for worker in running if worker.fault})
    if faults:
        yield bad("site.workers", f"A worker could not start: {faults[0]}", "Mend that and restart the site.")
    else:
        yield good("site.workers", f"Workers that run: {len(running)}.")
    leaking = sorted({name for worker in running for name in worker.access_loggers})
    yield (
        bad("server.access_log", f"Another access log writes what ours redacts: {', '.join(leaking)}.", _OFF)
        if leaking
        else good("server.access_log", "No other access log of a server that we know is on.")
    )
    yield (
        bad("server.proxy_headers", "The server itself believes forwarding headers, and hides the peer.", _PROXY)
        if any(worker.is_proxied_by_server for worker in running)
        else good("server.proxy_headers", "The server leaves forwarding headers to consentkit.")
    )
    others = sorted({worker.version for worker in running} - {version("consentkit")})
    if others:
        yield bad(
            "site.version",
            f"The site runs version {', '.join(others)}, this command is {version('consentkit')}.",
            "Restart the site, or run the command from its environment.",
        )
    yield from _losses(running)


def _losses(running: list[WorkerStatus]) -> Iterator[Finding]:
    lost = sum(worker.lost for worker in running)
    sampled = sum(worker.sampled for worker in running)
    yield (
        bad(
            "log.lost",
            f"{lost:,} records could not be kept since the workers started.",
            "See log.spool and disk.room.",
        )
        if lost
        else good("log.lost", "No record was lost since the workers started.")
    )
    if sampled:
        yield bad(
            "log.sampled",
            f"{sampled:,} records of a flood were counted and not kept.",
            "See `consentkit log top --by address`; block the network before the site.",
        )
    unkept = sum(worker.unkept_refusals for worker in running)
    if unkept:
        yield bad(
            "consent.unkept",
            f"{unkept:,} refusals hold, and their records could be neither written nor kept for later.",
            "See disk.room; what visitors refused is refused all the same.",
        )
    early = sum(worker.unrecorded for worker in running)
    if early:
        yield bad("log.unrecorded", f"{early:,} requests came before the log was open.", "Serve with a lifespan.")
    plain = sum(worker.pages_without_banner for worker in running)
    if plain:
        yield bad(
            "consent.encoded_pages",
            f"{plain:,} documents came compressed from the application and went out without a banner.",
            "Let the application answer Accept-Encoding: identity uncompressed; consentkit compresses the page.",
        )


def _ingester(patient: Patient, found: IngesterStatus | None, *, is_running: bool) -> Iterator[Finding]:
    if found is None:
        way_out = "Look into the site's log for the ingester's last words."
        if patient.settings.requestlog.ingest == "external":
            way_out = "Start `consentkit ingest` under your supervisor."
        text = "No ingester runs: the spool grows, and nothing is destroyed on its day."
        yield (
            bad("log.ingester", text, way_out)
            if is_running
            else unknown("log.ingester", "No ingester runs.", way_out)
        )
        return
    if found.refused:
        yield bad("log.ingester", f"The log is not being stored: {found.refused}", "The spool keeps it meanwhile.")
    else:
        yield good("log.ingester", "The ingester stores the log.")
    for what, fault in sorted(found.undone.items()):
        yield bad("log.housekeeping", f"{what} is not done: {fault}", "It is tried again each minute.")
    yield from _geo(patient, found)


def _geo(patient: Patient, found: IngesterStatus) -> Iterator[Finding]:
    check = "geo.database"
    if patient.settings.requestlog.geo_database is None:
        return
    if found.geo_fault:
        older = "; the one before it stays in use" if found.geo_built_us is not None else ""
        yield bad(check, f"The geo database {found.geo_fault}{older}.", "Put a whole one in its place.")
    elif found.geo_built_us is not None:
        days = (patient.now_us - found.geo_built_us) // _DAY_US
        text = f"The geo database was built {_counted(days, 'day')} ago."
        yield bad(check, text, "Put a newer one in its place.") if days > _GEO_OLD_DAYS else good(check, text)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
