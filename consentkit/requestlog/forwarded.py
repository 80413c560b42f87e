"""How forwarding headers are written: nodes, lists, and the elements of RFC 7239.

Owns their syntax, read from the right. Whom to believe is `address`' matter.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_NODE_BYTES: Final = 72  # "[", 45 of an IPv6 address, "%" and a zone of 16, "]", ":" and a port, and room
MAX_HOPS: Final = 64  # looked at from the right; no one has so many proxies of his own
MAX_HEADER_BYTES: Final = 8192  # of Forwarded, read from the right: 64 elements of 128 bytes

# RFC 7239 §4. Values without quotes are read up to the next delimiter, as many proxies write IPv6 addresses
# and ports unquoted. No class shares a byte with what follows it, so that a match never backtracks far.
_PAIR: Final = re.compile(
    rb"[ \t]*([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})=" rb'(?:"([^"\\]*)"|([^",; \t\\]*))[ \t]*(?:;|\Z)'
)
_QUOTE, _COMMA = ord('"'), ord(",")


class Hop(msgspec.Struct, frozen=True, gc=False):
    """Hold one entry of a forwarding header, as text that nobody has checked.

    Attributes:
        node: the address as written, perhaps with a port; b"?" where the element is malformed.
        proto, host: as written; empty when not given.
        is_empty: nothing stands between two commas.
    """

    node: bytes
    proto: bytes = b""
    host: bytes = b""
    is_empty: bool = False


_EMPTY: Final = Hop(b"", is_empty=True)
_MALFORMED: Final = Hop(b"?")


def parse_node(node: bytes) -> IPAddress | None:
    """Return the address of a node: IPv4[:port], IPv6, or [IPv6][:port]; None for anything else.

    A zone is dropped, and an IPv4 address mapped into IPv6 comes back as IPv4.

    Source: RFC 7239 §6.
    """
    try:
        text = node.decode("ascii")
    except UnicodeDecodeError:
        return None
    if text.startswith("["):
        host, found, rest = text[1:].partition("]")
        is_whole = found and ":" in host and (not rest or (rest[0] == ":" and _is_port(rest[1:])))
        return parse_host(host) if is_whole else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return parse_host(host) if _is_port(port) else None
    return parse_host(text)


def parse_host(text: str) -> IPAddress | None:
    """Return the address that the text is, without port or brackets; None for anything else."""
    try:
        # ipaddress takes any text for a zone, which would carry a client's own text into the log.
        return unmapped(ipaddress.ip_address(text.partition("%")[0] if ":" in text else text))
    except ValueError:
        return None


def unmapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address of an IPv4-mapped IPv6 one, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address


def plain_hops(values: bytes) -> Iterator[Hop]:
    """Yield the entries of X-Forwarded-For, the rightmost first.

    Args:
        values: the header's lines, joined by commas; only the last 64 entries are read.
    """
    for entry in reversed(values.rsplit(b",", MAX_HOPS)[-MAX_HOPS:]):
        node = entry.strip(b" \t")
        yield Hop(node) if node else _EMPTY


def hops(lines: Sequence[bytes]) -> Iterator[Hop]:
    """Yield the elements of Forwarded, the rightmost first.

    Read from the right, a quote that a client left open can't swallow what the proxies appended.

    Args:
        lines: the header's lines in order; only the last 8,192 bytes of all are read.
    """
    budget = MAX_HEADER_BYTES
    for line in reversed(lines):
        tail = _tail(line, budget)
        for element in _elements(tail):
            yield _parse_element(element)
        budget -= len(line)
        if budget <= 0:
            return


def _tail(values: bytes, size: int) -> bytes:
    """Return the whole entries within the last `size` bytes."""
    if len(values) <= size:
        return values
    # Half an address could pass for another one.
    return values[-size:].partition(b",")[2]


def _elements(line: bytes) -> Iterator[bytes]:
    """Yield what stands between the commas outside quoted strings, from the right."""
    if b'"' not in line:
        yield from reversed(line.split(b","))
        return
    end, is_quoted = len(line), False
    for place in range(len(line) - 1, -1, -1):
        if line[place] == _QUOTE:
            is_quoted = not is_quoted
        elif line[place] == _COMMA and not is_quoted:
            yield line[place + 1 : end]
            end = place
    yield line[:end]


def _parse_element(element: bytes) -> Hop:
    if not element.strip(b" \t"):
        return _EMPTY
    values: dict[bytes, bytes] = {}
    place = 0
    while place < len(element):
        pair = _PAIR.match(element, place)
        if pair is None:
            return _MALFORMED
        name = pair[1].lower()
        if name in values:  # RFC 7239 §4: each parameter once an element
            return _MALFORMED
        values[name] = pair[2] if pair[2] is not None else pair[3]
        place = pair.end()
    return Hop(values.get(b"for", b"?"), values.get(b"proto", b""), values.get(b"host", b""))


def _is_port(text: str) -> bool:
    return 0 < len(text) <= 5 and text.isascii() and text.isdigit()
