"""The worker's side of the ingester: elect one worker, start the child, start it again if it ends.

Owns the election (an exclusive flock that parent and child share) and the child's life. Light to import:
what the child does is `ingest`'s job.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from consentkit.settings import ConsentPolicy, Keep, RequestLog, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.settings import Settings

logger = logging.getLogger("consentkit")

LOCK_NAME: Final = "ingest.lock"
_ROUND_SECONDS: Final = 1.0
_FAREWELL_SECONDS: Final = 10.0

_URLS: Final = ("url", "requests_url")
_DECLARED: Final = ("services", "cookies", "presets")


class IngestOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the ingester is told: places, secrets and the settings it needs.

    It goes over a pipe: an environment or a command line can be read by others. ``in_force`` holds the
    settings by dotted name as they enter the audit, no secret among them.
    """

    directory: str
    keys: str
    secrets: tuple[str, ...]
    url: str = ""
    requests_url: str = ""
    rotate: Literal["hour", "day"]
    geo_database: str
    geo_precision: Literal["country", "city"]
    retention_days: int = RequestLog().retention_days
    truncate_ip_after_days: int | None = None
    keep_audit_days: int = Keep().audit
    keep_proof_days: int = Keep().proof
    choice_lifetime_days: int = ConsentPolicy().lifetime_days
    service_ended: date | None = None
    wind_down_days: int = Site().wind_down_days
    operator: str = ""
    in_force: dict[str, object] = {}

    @classmethod
    def of(cls, settings: Settings, secrets: tuple[str, ...]) -> IngestOrder:
        """Return what the settings ask of the ingester."""
        storage, log = settings.storage, settings.requestlog
        return cls(
            directory=str(storage.directory),
            keys=str(storage.keys),
            secrets=secrets,
            url=storage.url,
            requests_url=storage.requests_url,
            rotate=log.rotate,
            geo_database=str(log.geo_database or ""),
            geo_precision=log.geo_precision,
            retention_days=log.retention_days,
            truncate_ip_after_days=log.truncate_ip_after_days,
            keep_audit_days=settings.keep.audit,
            keep_proof_days=settings.keep.proof,
            choice_lifetime_days=settings.consent.lifetime_days,
            service_ended=settings.site.service_ended,
            wind_down_days=settings.site.wind_down_days,
            operator=settings.site.operator,
            in_force=settings_in_force(settings),
        )


def settings_in_force(settings: Settings) -> dict[str, object]:
    """Return the settings by dotted name, for the audit: plain values alone, of a URL only whether it is set.

    What is declared in ``[consent]`` is left out: the policies are kept whole by the ledger.
    """
    found: dict[str, object] = {}
    for table in ("site", "storage", "requestlog", "consent", "keep"):
        values = msgspec.to_builtins(getattr(settings, table), enc_hook=str)
        for name, value in values.items():
            if table == "storage" and name in _URLS:
                found[f"{table}.{name}"] = bool(value)
            elif table != "consent" or name not in _DECLARED:
                found[f"{table}.{name}"] = value
    found["recipients"] = [
        [one.name, one.country, str(one.since or ""), str(one.until or "")] for one in settings.recipients
    ]
    return found


class IngestKeeper:
    """Keep one ingester running for an installation, whichever of its workers starts it.

    The child inherits the lock, so that no second one starts while it still ends; it ends with its parent,
    for it reads the end of the pipe.

    Args:
        order: what the child is told.
        each_round: called about once a second, in the keeper's thread.
        is_external: no child is started: ``consentkit ingest`` runs elsewhere.
    """

    def __init__(self, order: IngestOrder, *, each_round: Callable[[], None], is_external: bool) -> None:
        self._order = order
        self._each_round = each_round
        self._is_external = is_external
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the keeper's thread."""
        self._thread = threading.Thread(target=self._run, name="consentkit-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and the child when it has applied what is in the spool (10 s at most)."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._end_child()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _run(self) -> None:
        rounds = 0
        while True:
            try:
                self._each_round()
                if not self._is_external:
                    self._keep_child()
            except OSError:
                if rounds % 60 == 0:
                    logger.exception("the request log can't be tended; trying again")
            rounds += 1
            if self._stop.wait(_ROUND_SECONDS):
                return

    def _keep_child(self) -> None:
        if self._child is not None and self._child.poll() is None:
            return
        if self._child is not None:
            logger.warning("the ingester ended with %d; starting it again", self._child.returncode)
            self._end_child()
            self._stop.wait(_ROUND_SECONDS)
        if self._lock is None:
            self._lock = take_lock(Path(self._order.directory))
        if self._lock is not None:
            self._child = _start_child(self._order, self._lock)

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
        try:
            child.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("the ingester is still applying the spool; leaving it to end by itself")


def take_lock(directory: Path) -> int | None:
    """Return a descriptor that holds the ingester's lock, or None while another process holds it."""
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _start_child(order: IngestOrder, lock: int) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-m", "consentkit.archive.ingest"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=(lock,),
        env={name: value for name, value in os.environ.items() if not name.startswith("CONSENTKIT_SECRET")},
    )
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it ended at once; the next round sees that
            child.stdin.write(msgspec.json.encode(order) + b"\n")
            child.stdin.flush()
    return child
