"""The outermost middleware: times a request, sees its final status, and writes one record.

Owns when a record is taken: just before the last message of the response is handed on, so that whoever
holds a whole answer has a record. What may stand in it is `redact`'s and `address`' job, keeping it is
`spool`'s.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from consentkit.requestlog.headertext import clean_text, referrer_host
from consentkit.requestlog.record import Outcome, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from consentkit.requestlog.address import ClientAddress, Forwarding
    from consentkit.requestlog.redact import Redactor
    from consentkit.requestlog.spool import Spool

logger = logging.getLogger("consentkit")

MAX_AGENT_BYTES: Final = 512
_MAX_HOST_BYTES: Final = 255  # RFC 1035 §2.3.4
_MAX_METHOD_BYTES: Final = 32
_METHODS_KEPT: Final = 64
_WORDS_KEPT: Final = 4096  # distinct texts of one header remembered
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})  # a proxy handling outside of us may give any text


class Capture:
    """Record each request that passes, in one `append` to the spool.

    Args:
        app: the next ASGI application.
        spool: returns the running spool, or None before the start has succeeded.
        redactor: makes URLs fit to be kept.
        forwarding: finds the client behind trusted proxies.
        exclude_paths: paths that are counted and not recorded.
        kept_address: what is kept of an address; the address itself unless it is truncated at once.

    Attributes:
        excluded: requests that were counted and not recorded.
        unrecorded: requests that came before there was a spool, or of which no record could be made.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        spool: Callable[[], Spool | None],
        redactor: Redactor,
        forwarding: Callable[[Scope], Forwarding],
        exclude_paths: tuple[str, ...] = (),
        kept_address: Callable[[str], str] = str,
    ) -> None:
        self.app = app
        self.excluded = 0
        self.unrecorded = 0
        self._spool = spool
        self._redactor = redactor
        self._forwarding = forwarding
        self._exclude_paths = frozenset(exclude_paths)
        self._kept_address = kept_address
        self._agents = _Words(MAX_AGENT_BYTES)
        self._hosts = _Words(_MAX_HOST_BYTES)
        self._methods: dict[str, str] = {}
        self._has_failed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one "http" or "websocket" scope; others pass through."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        forwarding = self._forwarding(scope)
        scope = with_forwarding(scope, forwarding)
        exchange = _Exchange(self, scope, forwarding.address, receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException:
            exchange.finish("client_gone" if exchange.is_client_gone else "app_error")
            raise
        exchange.finish("client_gone" if exchange.is_client_gone else "app_error")

    def write(self, exchange: _Exchange, outcome: Outcome) -> None:
        """Append the record of one exchange."""
        scope = exchange.scope
        if scope["path"] in self._exclude_paths:
            self.excluded += 1
            return
        spool = self._spool()
        if spool is None:
            self.unrecorded += 1
            return
        # Of fields that come once by their definition; where a client repeats one, the last counts.
        fields = dict(scope["headers"])
        referrer = fields.get(b"referer")
        url = self._redactor.url(scope.get("raw_path") or _raw_path(scope), scope.get("query_string", b""))
        address = exchange.address
        method, scheme = scope.get("method", ""), scope.get("scheme", "http")
        spool.append(
            Record(
                exchange.time_us,
                self._kept_address(address.client),
                self._kept_address(address.peer),
                address.source,
                self._methods.get(method) or self._method(method),
                scheme if scheme in _SCHEMES else "",
                self._hosts[fields.get(b"host", b"")].lower(),
                url.url,
                url.flags,
                exchange.status,
                outcome,
                exchange.bytes_sent,
                (time.perf_counter_ns() - exchange.started_ns) // 1000,
                self._agents[fields.get(b"user-agent", b"")],
                referrer_host(referrer) if referrer else "",
            )
        )

    def _method(self, sent: str) -> str:
        method = clean_text(sent.encode("latin-1", "replace"), _MAX_METHOD_BYTES)
        if sent == method and len(self._methods) < _METHODS_KEPT:
            self._methods[sent] = method
        return method

    def failed(self, exc: Exception) -> None:
        """Count a request of which no record could be made: the answer goes on."""
        if not self._has_failed:
            # The name alone: a fault of an encoder quotes what it was given.
            logger.error("a request can't be recorded (%s); more of them are counted alone", type(exc).__name__)
        self._has_failed = True
        self.unrecorded += 1


class _Words(dict[bytes, str]):
    """Header bytes as safe text, cleaned once per distinct value; a flood of invented ones empties the table."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes

    def __missing__(self, raw: bytes) -> str:
        word = clean_text(raw, self._max_bytes)
        if len(raw) <= self._max_bytes:  # a longer one would let a client choose how much is remembered
            if len(self) >= _WORDS_KEPT:
                self.clear()
            self[raw] = word
        return word


class _Exchange:
    """One request and its response, while it lasts."""

    __slots__ = (
        "_capture",
        "_receive",
        "_send",
        "_wants_trailers",
        "address",
        "bytes_sent",
        "is_client_gone",
        "is_written",
        "scope",
        "started_ns",
        "status",
        "time_us",
    )

    def __init__(
        self, capture: Capture, scope: Scope, address: ClientAddress, receive: Receive, send: Send
    ) -> None:
        self._capture = capture
        self._receive = receive
        self._send = send
        self._wants_trailers = False
        self.scope = scope
        self.address = address
        self.status = 0
        self.bytes_sent = 0
        self.is_client_gone = False
        self.is_written = False
        self.started_ns = time.perf_counter_ns()
        self.time_us = time.time_ns() // 1000

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] in ("http.disconnect", "websocket.disconnect"):
            self.is_client_gone = True
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            self._wants_trailers = message.get("trailers", False)
        elif not self.is_written and self._is_last(kind, message):
            self.finish("client_gone" if self.is_client_gone else "complete")
        try:
            await self._send(message)
        except OSError:
            self.is_client_gone = True  # ASGI HTTP §"Disconnected client": send raises a subclass of OSError
            raise

    def finish(self, outcome: Outcome) -> None:
        """Write the record, once."""
        if not self.is_written:
            self.is_written = True
            try:
                self._capture.write(self, outcome)
            except Exception as exc:  # noqa: BLE001 - the log fails open, whatever stands in a scope or message
                self._capture.failed(exc)

    def _is_last(self, kind: str, message: Message) -> bool:
        """Note what the message says of the response, and tell whether it is the last one."""
        if kind in ("http.response.body", "websocket.http.response.body"):
            self.bytes_sent += len(message.get("body", b""))
            return not message.get("more_body", False) and not self._wants_trailers
        return self._is_last_of_rare(kind, message)

    def _is_last_of_rare(self, kind: str, message: Message) -> bool:
        """Tell the same of the messages that few responses use."""
        if kind == "websocket.http.response.start":
            self.status = message["status"]
            return False
        if kind == "http.response.trailers":
            return not message.get("more_trailers", False)
        if kind == "websocket.accept":
            self.status = 101
            return True
        if kind == "websocket.close":  # before any accept: the server answers 403 (ASGI WebSocket, "Close")
            self.status = 403
            return True
        if kind in ("http.response.pathsend", "http.response.zerocopysend"):
            self.bytes_sent += message.get("count", 0) or 0
            return not message.get("more_body", False) and not self._wants_trailers
        return False


def with_forwarding(scope: Scope, forwarding: Forwarding) -> Scope:
    """Return a copy of the scope in which the app sees the client, scheme and host that a trusted proxy gave.

    Where no proxy is trusted the scope itself comes back.
    """
    if forwarding.address.source == "peer" and forwarding.scheme is None and forwarding.host is None:
        return scope
    seen = dict(scope)
    if forwarding.address.source != "peer":
        seen["client"] = (forwarding.address.client, 0)
    if forwarding.scheme is not None:
        seen["scheme"] = forwarding.scheme
    if forwarding.host is not None:
        others = [header for header in scope["headers"] if header[0] != b"host"]
        seen["headers"] = [(b"host", forwarding.host), *others]
    return seen


def _raw_path(scope: Scope) -> bytes:
    from urllib.parse import quote  # noqa: PLC0415 - for servers that give no raw_path

    try:
        raw = scope["path"].encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        raw = scope["path"].encode("utf-8", "surrogatepass")
    return quote(raw, safe="/:@!$&'()*+,;=~-._").encode()
