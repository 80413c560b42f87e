"""The sending half of a replay: each line of a log becomes one request on a loopback connection.

Owns what is sent and what came back. Reading lines is `combined`'s job, telling the user `replay`'s.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from bench.client import Connection, ExchangeFailed
from bench.combined import LoggedRequest, UnreadableLine, parse_line
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# What the served app is asked to answer; only statuses that a final response of any server can carry.
STATUS_FIELD: Final = b"X-Replay-Status"
SERVABLE_STATUSES: Final = range(200, 600)

# How many line numbers of unusable lines are kept to be shown.
SHOWN_LINES: Final = 5

# Methods whose content has a meaning say that there is none. Source: RFC 9110 §8.6.
_METHODS_WITH_CONTENT: Final = frozenset({b"POST", b"PUT", b"PATCH"})


class WrongUse(ConsentKitError):
    """Refuse what the user asked for; the message says why."""


class Site(msgspec.Struct, frozen=True):
    """Where the requests go.

    Attributes:
        host, port: the loopback address to connect to.
        authority: the value of the Host field, as in ``127.0.0.1:8000``.
    """

    host: str
    port: int
    authority: bytes


class Unusable(msgspec.Struct):
    """Lines that no request was made from: how many, why, and where the first ones are."""

    count: int = 0
    reasons: dict[str, int] = {}
    first_lines: list[int] = []

    def add(self, number: int, reason: str) -> None:
        """Count one line by its number, from 1."""
        self.count += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if len(self.first_lines) < SHOWN_LINES:
            self.first_lines.append(number)


class Playback:
    """Send the requests of a log, each once.

    Args:
        site: where to.
        send_status: ask the app for the log's own status, see `STATUS_FIELD`.
        on_answer: called with each request that got an answer, and its status.
        on_line: called once for each line that is done with, usable or not.

    Attributes:
        unusable: the lines that no request was made from.
        answered: how many answers came, by status.
        unanswered: requests that got no whole answer, by the kind of failure.
    """

    def __init__(
        self,
        site: Site,
        *,
        send_status: bool,
        on_answer: Callable[[LoggedRequest, int], None],
        on_line: Callable[[], None],
    ) -> None:
        self._site = site
        self._send_status = send_status
        self._on_answer = on_answer
        self._on_line = on_line
        self.unusable = Unusable()
        self.answered: Counter[int] = Counter()
        self.unanswered: Counter[str] = Counter()

    async def run(self, lines: Iterable[bytes], *, connections: int, timeout_seconds: float) -> bool:
        """Send everything over that many connections; return False where the time was up first."""
        requests = self._requests(lines)
        try:
            async with asyncio.timeout(timeout_seconds), asyncio.TaskGroup() as group:
                for _ in range(connections):
                    group.create_task(self._send_from(requests))
        except TimeoutError:
            return False
        return True

    def _requests(self, lines: Iterable[bytes]) -> Iterator[LoggedRequest]:
        for number, line in enumerate(lines, 1):
            try:
                yield parse_line(line)
            except UnreadableLine as fault:
                self.unusable.add(number, fault.reason)
            self._on_line()

    async def _send_from(self, requests: Iterator[LoggedRequest]) -> None:
        connection = Connection(self._site.host, self._site.port)
        try:
            for request in requests:
                await self._send_one(connection, request)
        finally:
            await connection.close()

    async def _send_one(self, connection: Connection, request: LoggedRequest) -> None:
        message = request_message(request, self._site.authority, send_status=self._send_status)
        try:
            answer = await connection.exchange(message, method=request.method)
        except ExchangeFailed as fault:
            self.unanswered[fault.reason] += 1
        except asyncio.CancelledError:
            self.unanswered["the time was up"] += 1
            raise
        else:
            self.answered[answer.status] += 1
            self._on_answer(request, answer.status)


def request_message(request: LoggedRequest, authority: bytes, *, send_status: bool) -> bytes:
    """Return the bytes of one request: the log's target, method and fields, as HTTP/1.1."""
    fields = [b"Host: " + authority, b"X-Forwarded-For: " + request.address.encode("ascii")]
    if request.user_agent:
        fields.append(b"User-Agent: " + request.user_agent)
    if request.referrer:
        fields.append(b"Referer: " + request.referrer)
    if send_status and request.status in SERVABLE_STATUSES:
        fields.append(STATUS_FIELD + b": %d" % request.status)
    if request.method in _METHODS_WITH_CONTENT:
        fields.append(b"Content-Length: 0")
    head = b" ".join((request.method, request.target, b"HTTP/1.1"))
    return b"\r\n".join((head, *fields, b"", b""))


def parse_site(url: str) -> Site:
    """Read the root URL of a site on this machine.

    Raises:
        WrongUse: it is not the root of an http:// site on a loopback address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError as exc:
        raise WrongUse("the URL can't be read; give one like http://127.0.0.1:8000") from exc
    if parts.scheme != "http" or parts.path not in {"", "/"} or parts.query or parts.username:
        raise WrongUse("the targets come from the log: give the site's root alone, http://HOST:PORT")
    if not _is_loopback(host):
        raise WrongUse(
            "the site is not on this machine's loopback (127.0.0.0/8, ::1, localhost); a replay is a load"
            " test under other people's addresses, which no other machine is sent"
        )
    return Site(host, port, parts.netloc.encode("ascii"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
