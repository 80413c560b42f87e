"""``GET {mount}/admin/metrics``: the figures for Prometheus, in its text format 0.0.4.

Owns who may have them and how they are written. There is no session and no entry in the audit: whoever has the
token from ``CONSENTKIT_MONITORING_TOKEN`` (or the file that ``CONSENTKIT_MONITORING_TOKEN_FILE`` names) gets
counts, times and the names of checks, and nothing of any person. Without a token there is nothing at the address.

Source: prometheus.io, "Exposition formats" and "Metric and label naming"; RFC 6750 §2.1 and §3.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal
from weakref import WeakKeyDictionary

import anyio.to_thread
import msgspec
from starlette.responses import Response

from consentkit.admin.checkup import Checkup, checkup
from consentkit.admin.doorway import METRICS_PATH
from consentkit.admin.figures import Figures, figures
from consentkit.errors import StorageError
from consentkit.settings.secret import read_monitoring_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from consentkit.admin.office import Office

PATH: Final = METRICS_PATH
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Prometheus asks every 15 s by custom; more often than this the same figures are told again.
_FRESH_SECONDS: Final = 5.0
# An examination looks into every open period.
_EXAMINED_SECONDS: Final = 30.0
_MAX_HEADER_CHARACTERS: Final = 1024
_US: Final = 1_000_000

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric with its samples.

    Attributes:
        name: without the labels.
        kind: of Prometheus.
        help: in a sentence.
        samples: labels and value.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


class Monitoring:
    """Answer who asks for the figures.

    Args:
        environ: holds the token; None = that of this process.

    Raises:
        SettingsError: the token is too short, or can't be read.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._token = read_monitoring_token(os.environ if environ is None else environ).encode()
        self._lock = threading.Lock()
        self._told: WeakKeyDictionary[Office, tuple[float, bytes]] = WeakKeyDictionary()

    @property
    def is_on(self) -> bool:
        """Whether a token is set."""
        return bool(self._token)

    async def answer(self, request: Request, office: Office) -> Response:
        """Return the figures, or why not: 404 while no token is set, 401 for another one.

        Raises:
            StorageError: the control database refuses.
        """
        if not self._token:
            return _plain("Nothing is here.\n", 404)
        if request.method not in ("GET", "HEAD"):
            return _plain("Ask with GET.\n", 405, {"Allow": "GET, HEAD"})
        if not self._is_known(request.headers.get("authorization", "")):
            return _plain(
                "The token is missing or wrong.\n", 401, {"WWW-Authenticate": 'Bearer realm="consentkit"'}
            )
        content = await anyio.to_thread.run_sync(self._content, office)
        return Response(content, 200, {**_HEADERS, "Content-Type": CONTENT_TYPE})

    def _is_known(self, field: str) -> bool:
        scheme, _, given = field[:_MAX_HEADER_CHARACTERS].partition(" ")
        is_same = hmac.compare_digest(given.strip().encode(errors="replace"), self._token)
        return scheme.lower() == "bearer" and is_same

    def _content(self, office: Office) -> bytes:
        with self._lock:  # many askers at a time cost one look
            made_at, content = self._told.get(office, (-_FRESH_SECONDS, b""))
            if not content or time.monotonic() - made_at >= _FRESH_SECONDS:
                content = "".join(map(write, _found(office))).encode()
                self._told[office] = (time.monotonic(), content)
            return content


def _found(office: Office) -> tuple[Metric, ...]:
    """Return what is known now: while a database server is away, that it is.

    Raises:
        StorageError: the embedded database refuses.
    """
    examined = checkup(office, fresh_seconds=_EXAMINED_SECONDS)
    try:
        now = figures(office)
    except StorageError:
        if not any(server.fault for server in examined.servers):
            raise
        return (*_health(examined), *_servers(examined))
    return metrics(now, examined)


def metrics(now: Figures, examined: Checkup) -> tuple[Metric, ...]:
    """Return every metric; one of which nothing is known yet has no sample."""
    return (
        *_health(examined),
        *_servers(examined),
        *_spool(now),
        *_records(now),
        *_retention(now),
        *_evidence(now),
    )


def write(metric: Metric) -> str:
    """Return a metric in the text format."""
    lines = [f"# HELP {metric.name} {_escaped(metric.help)}", f"# TYPE {metric.name} {metric.kind}"]
    for labels, value in metric.samples:
        told = ",".join(f'{name}="{_escaped(text, is_label=True)}"' for name, text in labels.items())
        lines.append(f"{metric.name}{{{told}}} {value:.15g}" if told else f"{metric.name} {value:.15g}")
    return "\n".join(lines) + "\n"


def _health(examined: Checkup) -> Iterator[Metric]:
    found = Counter((finding.check, finding.level) for finding in examined.findings)
    yield _gauge("build_info", "Version of consentkit that answers.", 1, version=version("consentkit"))
    yield Metric(
        name="consentkit_check",
        kind="gauge",
        help="Findings of an examination, by check and level (good, unknown, bad), as in consentkit doctor.",
        samples=tuple(
            ({"check": check, "level": level}, number) for (check, level), number in sorted(found.items())
        ),
    )
    yield _gauge("examination_timestamp_seconds", "When that examination was made.", examined.made_us / _US)


def _servers(examined: Checkup) -> Iterator[Metric]:
    """Yield what is known of database servers and hosts; nothing where the store is embedded."""
    labelled = [({"kind": one.kind, "host": one.host}, one) for one in examined.servers]
    if not labelled:
        return
    answering = [(labels, one) for labels, one in labelled if not one.fault]
    yield Metric(
        name="consentkit_server_up",
        kind="gauge",
        help="1 while a database server answers.",
        samples=tuple((labels, not one.fault) for labels, one in labelled),
    )
    yield Metric(
        name="consentkit_server_answer_seconds",
        kind="gauge",
        help="How long a database server took for one question.",
        samples=tuple((labels, one.answer_seconds) for labels, one in answering),
    )
    yield Metric(
        name="consentkit_server_clock_ahead_seconds",
        kind="gauge",
        help="Clock of a database server against this host's.",
        samples=tuple((labels, one.ahead_us / _US) for labels, one in answering),
    )
    yield Metric(
        name="consentkit_host_last_stored_timestamp_seconds",
        kind="gauge",
        help="When each host last stored requests, of those that did within a day.",
        samples=tuple(({"lane": lane}, time_us / _US) for lane, time_us in sorted(examined.hosts.items())),
    )


def _spool(now: Figures) -> Iterator[Metric]:
    yield _gauge("workers", "Workers of the site that run.", now.workers)
    yield _gauge("ingester_up", "1 while an ingester runs and the store takes what it brings.", now.is_ingesting)
    yield _gauge("spool_bytes", "Size of what waits to be stored.", now.spooled.bytes)
    yield _gauge("spool_segments", "Files that wait to be stored.", now.spooled.segments)
    yield _gauge(
        "ingest_lag_seconds", "Since the oldest file that waits was written to.", now.spooled.oldest_seconds
    )


def _records(now: Figures) -> Iterator[Metric]:
    yield _counter("requests_total", "Requests counted in the statistics, which outlive the rows.", now.counted)
    yield _gauge("records_kept", "Requests in sealed periods.", now.kept.rows)
    yield _gauge("records_kept_bytes", "Size of sealed periods.", now.kept.bytes)
    since = "since the workers that run have started."
    yield _counter("records_lost_total", f"Requests that could not be recorded {since}", now.lost)
    yield _counter("records_sampled_total", f"Requests of floods, counted and not recorded {since}", now.sampled)
    yield _counter("records_early_total", f"Requests that came before the log was open {since}", now.unrecorded)


def _retention(now: Figures) -> Iterator[Metric]:
    kept = now.kept
    yield Metric(
        name="consentkit_periods",
        kind="gauge",
        help="Periods of the request log by state.",
        samples=tuple(({"state": state}, number) for state, number in kept.by_state.items()),
    )
    yield _gauge("periods_overdue", "Periods that should have been destroyed.", kept.overdue)
    yield _gauge("periods_waiting", "Periods that would go early and wait to be confirmed.", kept.waiting)
    yield _counter(
        "certificates_total", "Periods destroyed, each with its certificate.", kept.by_state["destroyed"]
    )
    yield _time("next_destruction_timestamp_seconds", "When the next period goes.", kept.next_us)
    yield _time("last_destruction_timestamp_seconds", "When the last period went.", kept.last_destroyed_us)
    yield _time(
        "last_heartbeat_timestamp_seconds",
        "The last hour in which an ingester was at work; it runs the retention each minute.",
        now.beat_us,
    )


def _evidence(now: Figures) -> Iterator[Metric]:
    verified = now.verified
    yield _time(
        "last_verification_timestamp_seconds",
        "When the log was last verified.",
        None if verified is None else verified.time_us,
    )
    yield _gauge(
        "last_verification_good", "1 where that verification held.", None if verified is None else verified.is_good
    )
    yield Metric(
        name="consentkit_consent_total",
        kind="counter",
        help="How often visitors were asked and how they answered, by category and kind, as on the Consent page.",
        samples=tuple(
            ({"category": category, "kind": kind}, times) for category, kind, times in sorted(now.consent)
        ),
    )
    yield _counter(
        "sign_in_failures_total", "Failed sign-ins to the admin area that the audit keeps.", now.failed_sign_ins
    )


def _gauge(name: str, text: str, value: float | None, **labels: str) -> Metric:
    samples = () if value is None else ((labels, value),)
    return Metric(name=f"consentkit_{name}", kind="gauge", help=text, samples=samples)


def _counter(name: str, text: str, value: float) -> Metric:
    return Metric(name=f"consentkit_{name}", kind="counter", help=text, samples=(({}, value),))


def _time(name: str, text: str, time_us: int | None) -> Metric:
    return _gauge(name, text, None if time_us is None else time_us / _US)


def _escaped(text: str, *, is_label: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if is_label else text


def _plain(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, status, {**_HEADERS, **(headers or {}), "Content-Type": "text/plain; charset=utf-8"})
