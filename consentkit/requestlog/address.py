"""Who sent a request: the peer itself, or the client that trusted proxies name.

Owns which hop is believed. How forwarding headers are written is `forwarded`'s matter, what is done with
the answer is `capture`'s.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.errors import SettingsError
from consentkit.requestlog import forwarded
from consentkit.requestlog.headertext import is_host
from consentkit.requestlog.record import AddressSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import Scope

    from consentkit.requestlog.forwarded import Hop

_KNOWN_KEPT: Final = 4096  # addresses remembered, each at most `forwarded.MAX_NODE_BYTES` long
_UNIX: Final = "unix"
_HEADERS: Final = frozenset({b"x-forwarded-for", b"forwarded", b"x-forwarded-proto", b"x-forwarded-host"})
_SCHEMES: Final = {
    "http": {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"},
    "websocket": {b"http": "ws", b"https": "wss", b"ws": "ws", b"wss": "wss"},
}


class ClientAddress(msgspec.Struct, frozen=True, gc=False):
    """Name both ends of the way a request came.

    Attributes:
        client: canonical text of the client's address; empty when it is not known.
        peer: canonical text of the connection's other end; empty on a Unix socket, or where the server
            put text there that is no address.
        source: where `client` was taken from.
    """

    client: str
    peer: str
    source: AddressSource


class Forwarding(msgspec.Struct, frozen=True):
    """Hold what trusted proxies say of a request.

    Attributes:
        address: the client and the peer.
        scheme: http or https, for a websocket ws or wss; None when no trusted proxy says.
        host: host[:port] as the client asked for it, valid syntax; None when no trusted proxy says.
    """

    address: ClientAddress
    scheme: str | None = None
    host: bytes | None = None


class TrustedProxies:
    """Know whose forwarding headers are believed.

    Args:
        networks: addresses and networks in CIDR form, and ``unix`` for a peer without address. Nothing is
            trusted unless listed.

    Attributes:
        is_preempted: the server put somebody else in the peer's place before us, as uvicorn does unless it is
            told not to: no peer has the port 0, which stands for one that a header gave no port of.

    Raises:
        SettingsError: one of them is none, or is a network of everyone.
    """

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self.is_preempted = False
        self.is_empty = not networks
        self._trusts_unix = _UNIX in networks
        self._ranges = tuple(_address_range(index, text) for index, text in enumerate(networks) if text != _UNIX)
        self._known = lru_cache(maxsize=_KNOWN_KEPT)(self._judge)

    def trusts_peer(self, peer: str, *, has_address: bool) -> bool:
        """Tell whether the peer's headers are believed.

        Args:
            peer: canonical text, or empty.
            has_address: False for a Unix socket. Text that is no address is neither.
        """
        if not has_address:
            return self._trusts_unix
        known = self._known(peer.encode()) if peer else None
        return known is not None and known[1]

    def judge(self, node: bytes) -> tuple[str, bool] | None:
        """Return the canonical address of a node and whether it is trusted; None if it is no address."""
        return self._known(node) if len(node) <= forwarded.MAX_NODE_BYTES else None

    def _judge(self, node: bytes) -> tuple[str, bool] | None:
        address = forwarded.parse_node(node)
        if address is None:
            return None
        number = int(address)
        is_trusted = any(
            version == address.version and first <= number <= last for version, first, last in self._ranges
        )
        return str(address), is_trusted


def resolve_client_address(scope: Scope, trusted: TrustedProxies) -> ClientAddress:
    """Return the address of the client behind any trusted proxies.

    Each hop appends on the right, so headers are joined over all their lines and read right to left: the
    first address that is not trusted is the client; if all are, the leftmost is. What is no address
    (``unknown``, ``_hidden``, anything invented) ends the walk at the last hop that was one.

    Args:
        scope: ASGI "http" or "websocket" scope.
        trusted: networks whose forwarding headers are believed; empty = none.

    Returns:
        The parsed address and where it came from; never the client's own text.

    Source: RFC 7239 §4 and §6; ASGI HTTP connection scope, `client`.
    """
    return resolve_forwarding(scope, trusted).address


def resolve_forwarding(scope: Scope, trusted: TrustedProxies) -> Forwarding:
    """Return the client's address with the scheme and host that it used.

    Where both X-Forwarded-For and Forwarded are there, X-Forwarded-For alone is read, with
    X-Forwarded-Proto and X-Forwarded-Host: most proxies write those and pass a client's Forwarded on
    untouched, and to mix the families would let a client add what its proxy left out. A proxy that writes
    Forwarded must therefore remove X-Forwarded-For.

    Args:
        scope: ASGI "http" or "websocket" scope.
        trusted: networks whose forwarding headers are believed; empty = none.

    Returns:
        The address as `resolve_client_address` finds it; scheme and host from the entry of the same hop
        where the lists are equally long, else from the one that the peer itself wrote.
    """
    client = scope.get("client")
    text = client[0] if client else ""
    if not isinstance(text, str) or len(text) > forwarded.MAX_NODE_BYTES:
        return _NOBODY  # set by a proxy handling that takes any text; too long to be remembered
    if text and client and client[1] == 0:
        trusted.is_preempted = True
    direct = _direct(text)
    if trusted.is_empty or not trusted.trusts_peer(direct.address.peer, has_address=text != ""):
        return direct
    lines: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name in _HEADERS:
            lines.setdefault(name, []).append(value)
    if not lines:
        return direct
    if b"forwarded" in lines and b"x-forwarded-for" not in lines:
        return _from_forwarded(direct, lines[b"forwarded"], trusted, scope["type"])
    return _from_x_forwarded(direct, lines, trusted, scope["type"])


def _from_forwarded(direct: Forwarding, lines: list[bytes], trusted: TrustedProxies, kind: str) -> Forwarding:
    client, hop, _ = _walk(forwarded.hops(lines), trusted)
    if hop is None:
        return direct
    address = ClientAddress(client, direct.address.peer, "forwarded") if client else direct.address
    return Forwarding(address, _scheme(hop.proto, kind), _host(hop.host))


def _from_x_forwarded(
    direct: Forwarding, lines: dict[bytes, list[bytes]], trusted: TrustedProxies, kind: str
) -> Forwarding:
    chain = b",".join(lines.get(b"x-forwarded-for", ()))
    client, _, place = _walk(forwarded.plain_hops(chain), trusted)
    address = ClientAddress(client, direct.address.peer, "x-forwarded-for") if client else direct.address
    hops = chain.count(b",")
    scheme = _entry(lines.get(b"x-forwarded-proto", ()), hops, place)
    host = _entry(lines.get(b"x-forwarded-host", ()), hops, place)
    return Forwarding(address, _scheme(scheme, kind), _host(host))


def _entry(lines: Sequence[bytes], hops: int, place: int) -> bytes:
    """Return the entry that the client's hop wrote where each hop wrote one, else the rightmost."""
    values = b",".join(lines)
    if b"," in values:
        from_right = place if values.count(b",") == hops else 0
        values = values.rsplit(b",", forwarded.MAX_HOPS)[-1 - from_right]
    return values.strip(b" \t")


def _walk(hops: Iterable[Hop], trusted: TrustedProxies) -> tuple[str, Hop | None, int]:
    """Follow hops from the right.

    Returns:
        The client's address, empty if no hop gave one; the hop at which the walk ended, which a trusted
        proxy wrote; its place from the right, 0 if there was none.
    """
    client, last, place = "", None, 0
    for index, hop in enumerate(hops):
        if index == forwarded.MAX_HOPS:
            break
        if hop.is_empty:
            continue  # RFC 9110 §5.6.1.2: empty elements of a list don't count
        last, place = hop, index
        known = trusted.judge(hop.node)
        if known is None:
            break
        client = known[0]
        if not known[1]:
            break
    return client, last, place


def _scheme(raw: bytes, kind: str) -> str | None:
    return _SCHEMES[kind].get(raw.lower()) if kind in _SCHEMES else None


def _host(raw: bytes) -> bytes | None:
    return raw if raw and is_host(raw) else None


def _address_range(index: int, text: str) -> tuple[int, int, int]:
    """Return (IP version, first, last) of a network as it stands in the settings."""
    key = f"requestlog.trusted_proxies[{index}]"
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise SettingsError(key, "is no address or network", 'CIDR, or "unix"') from None
    first = forwarded.unmapped(network.network_address)
    last = forwarded.unmapped(network.broadcast_address)
    if first.version != last.version:  # wider than the mapped range; as IPv6 it holds no IPv4 address
        first, last = network.network_address, network.broadcast_address
    if int(last) - int(first) == 2**first.max_prefixlen - 1:
        raise SettingsError(key, "trusts everyone: any client could write its address", "your own proxies")
    return first.version, int(first), int(last)


@lru_cache(maxsize=_KNOWN_KEPT)
def _direct(text: str) -> Forwarding:
    """Return the answer for a peer whose headers are not believed."""
    address = forwarded.parse_host(text)
    peer = "" if address is None else str(address)
    return Forwarding(ClientAddress(peer, peer, "peer"))


_NOBODY: Final = Forwarding(ClientAddress("", "", "peer"))
