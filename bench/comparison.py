"""The checking half of a replay: what the store holds, against what was sent.

Owns what a record of each sent request must say, and the counting of both sides. The store is read the
way an operator reads it, with the installed command, so that this look is audited as any other.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self
from urllib.parse import unquote_to_bytes

import msgspec

from bench.playback import SERVABLE_STATUSES
from consentkit.errors import ConsentKitError
from consentkit.requestlog.capture import MAX_AGENT_BYTES
from consentkit.requestlog.headertext import clean_text
from consentkit.requestlog.redact import Redactor
from consentkit.requestlog.truncate import truncate_address
from consentkit.settings import RequestLog, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bench.combined import LoggedRequest

_POLL_SECONDS: Final = 1.0
_TARGETS_KEPT: Final = 65_536

# One reading of the store may take this long; it is not cut off when --settle ends in the middle of it.
_READ_SECONDS: Final = 300.0


class StoreUnreadable(ConsentKitError):
    """Report that the store could not be read back; the message says why."""


class StoredRow(msgspec.Struct, frozen=True):
    """What is compared of one line that ``consentkit log search --json`` prints."""

    request_id: str
    client_address: str
    method: str
    url: str
    status: int
    user_agent: str | None = None


class Rows:
    """Requests counted by each of their facts, and by all of them together."""

    KINDS: Final = ("address", "method", "path and query", "status", "user agent", "all of these")

    def __init__(self) -> None:
        self.total = 0
        self.counts: dict[str, Counter[object]] = {kind: Counter() for kind in self.KINDS}

    def add(self, address: str, method: str, url: str, status: int, user_agent: str) -> None:
        """Count one request."""
        facts = (address, method, url, status, user_agent)
        self.total += 1
        for kind, value in zip(self.KINDS, (*facts, hash(facts)), strict=True):
            self.counts[kind][value] += 1


class Expected:
    """What the store must hold after a replay: each answered request, told as its record must tell it.

    Args:
        settings: the site's settings.
        send_status: the app was asked for the log's own status.

    Attributes:
        rows: the requests so far.
    """

    def __init__(self, settings: Settings, *, send_status: bool) -> None:
        self.rows = Rows()
        self._send_status = send_status
        log = settings.requestlog
        self._excluded = frozenset(log.exclude_paths)
        self._url = lru_cache(maxsize=_TARGETS_KEPT)(_recorded_url(log))
        self._address = truncate_address if log.truncate_ip_after_days == 0 else str

    @classmethod
    def from_settings(cls, path: Path, *, send_status: bool) -> Self:
        """Read the site's settings file.

        Raises:
            SettingsError: it can't be read, or says what is not allowed.
        """
        return cls(Settings.load(path), send_status=send_status)

    def add(self, request: LoggedRequest, status: int) -> None:
        """Count one request that was answered with `status`."""
        path = unquote_to_bytes(_origin_form(request.target).partition(b"?")[0])
        if path.decode("utf-8", "replace") in self._excluded:
            return
        wants_own = self._send_status and request.status in SERVABLE_STATUSES
        self.rows.add(
            self._address(request.address),
            request.method.decode("ascii"),
            self._url(request.target),
            request.status if wants_own else status,
            clean_text(request.user_agent, MAX_AGENT_BYTES),
        )


class Kind(msgspec.Struct, frozen=True):
    """How both sides compare by one fact.

    Attributes:
        kind: which fact.
        sent_distinct, stored_distinct: distinct values on each side.
        differing: values whose counts differ.
        first: some of these, as (value, sent, stored); empty unless asked for, since they are personal data.
    """

    kind: str
    sent_distinct: int
    stored_distinct: int
    differing: int
    first: list[tuple[str, int, int]]


class Comparison(msgspec.Struct, frozen=True):
    """The outcome.

    Attributes:
        sent: requests that must have a record.
        stored: records since the start of the replay.
        doubled: records whose request_id an earlier one has already.
        kinds: one row a fact.
        settled_seconds: how long the store was waited for.
    """

    sent: int
    stored: int
    doubled: int
    kinds: list[Kind]
    settled_seconds: float

    def is_equal(self) -> bool:
        """Tell whether the store holds what was sent, no more and no less."""
        return self.sent == self.stored and not self.doubled and not any(kind.differing for kind in self.kinds)


def compare(expected: Rows, *, config: Path, since: datetime, settle_seconds: float, show: int) -> Comparison:
    """Read the store until its count rests, then compare.

    A count at or past what was sent must be read twice in a row; one short of it is waited for until
    `settle_seconds` are over, for only then is a record lost.

    Raises:
        StoreUnreadable: the command failed, or printed what is no record.
    """
    started = time.monotonic()
    previous = -1
    while True:
        stored, doubled = _read_store(config, since)
        waited = time.monotonic() - started
        if waited >= settle_seconds or stored.total == previous >= expected.total:
            break
        previous = stored.total
        time.sleep(_POLL_SECONDS)
    return Comparison(
        sent=expected.total,
        stored=stored.total,
        doubled=doubled,
        kinds=[_compare_kind(kind, expected.counts[kind], stored.counts[kind], show) for kind in Rows.KINDS],
        settled_seconds=round(waited, 1),
    )


def _compare_kind(kind: str, sent: Counter[object], stored: Counter[object], show: int) -> Kind:
    differing = [value for value in sent.keys() | stored.keys() if sent[value] != stored[value]]
    first = sorted((str(value), sent[value], stored[value]) for value in differing)[: max(show, 0)]
    return Kind(kind, len(sent), len(stored), len(differing), first)


def _recorded_url(log: RequestLog) -> Callable[[bytes], str]:
    redactor = Redactor(log.keep_query_keys, redact_paths=log.redact_paths)

    def recorded(target: bytes) -> str:
        path, _, query = _origin_form(target).partition(b"?")
        return redactor.url(path, query).url

    return recorded


def _origin_form(target: bytes) -> bytes:
    """Return path and query of a target; the other forms are the server's to take apart (RFC 9112 §3.2)."""
    target = target.partition(b"#")[0]
    if target.startswith(b"/") or b"://" not in target:
        return target
    return b"/" + target.partition(b"://")[2].partition(b"/")[2]


def _read_store(config: Path, since: datetime) -> tuple[Rows, int]:
    """Count the records since a time; return them, and how many have a request_id seen before."""
    rows, doubled = Rows(), 0
    seen: set[str] = set()
    decoder = msgspec.json.Decoder(StoredRow)
    with _search(config, since) as lines:
        for line in lines:
            try:
                row = decoder.decode(line)
            except msgspec.DecodeError as exc:
                raise StoreUnreadable("the search printed a line that is no record") from exc
            doubled += row.request_id in seen
            seen.add(row.request_id)
            rows.add(row.client_address, row.method, row.url, row.status, row.user_agent or "")
    return rows, doubled


@contextmanager
def _search(config: Path, since: datetime) -> Iterator[IO[bytes]]:
    """Run the installed command and yield its output; its complaints go to our own standard error."""
    beside = Path(sys.executable).with_name("consentkit")
    command = str(beside) if beside.exists() else shutil.which("consentkit")
    if command is None:
        raise StoreUnreadable("the command consentkit is not installed in this environment")
    arguments = ["log", "search", "--config", str(config), "--json", "--purpose", "operation"]
    arguments += ["--reason", "replay comparison", "--limit", "0", "--since", since.isoformat()]
    with subprocess.Popen([command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        watch = threading.Timer(_READ_SECONDS, process.kill)
        watch.start()
        try:
            yield process.stdout or io.BytesIO()
        finally:
            watch.cancel()
            code = process.wait()
    if code:
        raise StoreUnreadable(f"consentkit log search ended with exit code {code}")
