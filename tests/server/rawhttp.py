"""HTTP by hand: an answer as it came over the wire, each header line in its place."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

from tests.serving import Server

# What the server adds of itself, or changes from one answer to the next.
SERVERS_OWN = (b"date", b"server", b"connection")
Line = tuple[bytes, bytes]


class Answer(NamedTuple):
    """An answer as it came over the wire."""

    status: bytes
    headers: list[Line]
    body: bytes


def ask(server: Server, request: str, headers: tuple[str, ...], body: bytes = b"") -> Answer:
    """Ask by hand, and keep the answer's bytes; what names the server, the time or chance is made equal."""
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{request} HTTP/1.1", "Host: example.lv", "Connection: close", *headers, *length]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, content = received.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    pairs = [field.split(b":", 1) for field in fields]
    kept = [(name, value.strip()) for name, value in pairs if name.lower() not in SERVERS_OWN]
    if (b"transfer-encoding", b"chunked") in [(name.lower(), value) for name, value in kept]:
        content = joined(content)
    return Answer(status, [(name, steady(value)) for name, value in kept], steady(content))


def joined(chunked: bytes) -> bytes:
    parts, rest = [], chunked
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        parts.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return b"".join(parts)


def steady(value: bytes) -> bytes:
    """Return text without what is drawn by chance or by the clock: session signatures, multipart boundaries."""
    value = re.sub(rb"(session=[^.;]+\.)[^;]+", rb"\1signed", value)
    return re.sub(rb"(boundary=|--)[0-9a-f]{26}", rb"\1drawn", value)
