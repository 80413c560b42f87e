from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.errors import SettingsError
from consentkit.requestlog.address import (
    ClientAddress,
    TrustedProxies,
    resolve_client_address,
    resolve_forwarding,
)

Headers = list[tuple[bytes, bytes]]

PROXY = "192.0.2.1"
PROXIES = TrustedProxies(["192.0.2.0/24", "2001:db8:ffff::/48"])
NOBODY = TrustedProxies()


def scope(*headers: tuple[bytes, bytes], client: object = (PROXY, 4711), kind: str = "http") -> dict[str, Any]:
    return {"type": kind, "client": client, "headers": list(headers)}


def xff(*lines: bytes) -> Headers:
    return [(b"x-forwarded-for", line) for line in lines]


def fwd(*lines: bytes) -> Headers:
    return [(b"forwarded", line) for line in lines]


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        pytest.param(("203.0.113.9", 80), "203.0.113.9", id="IPv4"),
        pytest.param(["203.0.113.9", 80], "203.0.113.9", id="list, as servers may give"),
        pytest.param(("2001:DB8:0:0::1", 80), "2001:db8::1", id="IPv6 in canonical text"),
        pytest.param(("fe80::1%eth0", 80), "fe80::1", id="zone dropped"),
        pytest.param(("::ffff:203.0.113.9", 80), "203.0.113.9", id="mapped IPv4"),
        pytest.param(None, "", id="Unix socket"),
        pytest.param(("", "0"), "", id="Unix socket, as Granian says it"),
        pytest.param(("testclient", 50000), "", id="text that is no address"),
        pytest.param(("203.0.113.9:80", 0), "", id="text with a port"),
        pytest.param(("203.0.113.09", 0), "", id="leading zero, which others read as octal"),
        pytest.param(("1" * 100_000, 0), "", id="endless text"),
        pytest.param((None, None), "", id="no text"),
    ],
)
def test_without_trusted_proxies_the_peer_is_the_client(client: object, expected: str) -> None:
    request = scope(*xff(b"198.51.100.7"), *fwd(b"for=198.51.100.7;proto=https"), client=client)
    forwarding = resolve_forwarding(request, NOBODY)
    assert forwarding.address == ClientAddress(expected, expected, "peer")
    assert forwarding.scheme is None
    assert forwarding.host is None


def test_headers_of_a_peer_that_is_not_listed_are_not_believed() -> None:
    request = scope(*xff(b"198.51.100.7"), (b"x-forwarded-proto", b"https"), client=("203.0.113.9", 1))
    forwarding = resolve_forwarding(request, PROXIES)
    assert forwarding.address == ClientAddress("203.0.113.9", "203.0.113.9", "peer")
    assert forwarding.scheme is None


@pytest.mark.parametrize(
    ("headers", "client", "source"),
    [
        pytest.param(xff(b"203.0.113.9"), "203.0.113.9", "x-forwarded-for", id="one hop"),
        pytest.param(
            xff(b"198.51.100.7, 203.0.113.9"), "203.0.113.9", "x-forwarded-for", id="what the client wrote"
        ),
        pytest.param(
            xff(b"203.0.113.9, 192.0.2.7, 192.0.2.8"), "203.0.113.9", "x-forwarded-for", id="through three"
        ),
        pytest.param(
            xff(b"198.51.100.7", b"203.0.113.9", b"192.0.2.7"), "203.0.113.9", "x-forwarded-for", id="lines"
        ),
        pytest.param(xff(b"192.0.2.8,192.0.2.7"), "192.0.2.8", "x-forwarded-for", id="all trusted"),
        pytest.param(xff(b" 203.0.113.9\t,,"), "203.0.113.9", "x-forwarded-for", id="empty elements"),
        pytest.param(xff(b"203.0.113.9:4711"), "203.0.113.9", "x-forwarded-for", id="IPv4 with port"),
        pytest.param(xff(b"[2001:db8::1]:4711"), "2001:db8::1", "x-forwarded-for", id="IPv6 with port"),
        pytest.param(xff(b"[2001:db8::1]"), "2001:db8::1", "x-forwarded-for", id="IPv6 in brackets"),
        pytest.param(xff(b"2001:DB8::1%25x"), "2001:db8::1", "x-forwarded-for", id="IPv6 with zone"),
        pytest.param(xff(b"::ffff:203.0.113.9"), "203.0.113.9", "x-forwarded-for", id="mapped"),
        pytest.param(xff(b"203.0.113.9, ::ffff:192.0.2.7"), "203.0.113.9", "x-forwarded-for", id="mapped proxy"),
        pytest.param(xff(b"203.0.113.9, 2001:db8:ffff::7"), "203.0.113.9", "x-forwarded-for", id="IPv6 proxy"),
        pytest.param(xff(b"<script>, 192.0.2.7"), "192.0.2.7", "x-forwarded-for", id="text ends the walk"),
        pytest.param(xff(b"unknown"), PROXY, "peer", id="unknown"),
        pytest.param(xff(b"203.0.113.9:evil"), PROXY, "peer", id="no port"),
        pytest.param(xff(b"203.0.113.9:123456"), PROXY, "peer", id="port too long"),
        pytest.param(xff(b"[203.0.113.9]"), PROXY, "peer", id="IPv4 in brackets"),
        pytest.param(xff(b"[2001:db8::1"), PROXY, "peer", id="open bracket"),
        pytest.param(xff(b"203.0.113.\xd9\xa3"), PROXY, "peer", id="digits outside ASCII"),
        pytest.param(xff(b"203.0.113.9" + b" " * 100 + b"x"), PROXY, "peer", id="endless node"),
        pytest.param(xff(b""), PROXY, "peer", id="empty header"),
        pytest.param(fwd(b"for=203.0.113.9"), "203.0.113.9", "forwarded", id="Forwarded"),
        pytest.param(
            fwd(b'FOR="[2001:db8::1]:4711";proto=https'), "2001:db8::1", "forwarded", id="Forwarded, quoted"
        ),
        pytest.param(
            fwd(b"for=203.0.113.9:80;by=192.0.2.1"), "203.0.113.9", "forwarded", id="Forwarded, unquoted port"
        ),
        pytest.param(
            fwd(b"for=198.51.100.7", b"for=203.0.113.9 ; proto=http, for=192.0.2.7"),
            "203.0.113.9",
            "forwarded",
            id="Forwarded, lines",
        ),
        pytest.param(fwd(b"for=_hidden, for=192.0.2.7"), "192.0.2.7", "forwarded", id="Forwarded, obfuscated"),
        pytest.param(fwd(b"for=unknown"), PROXY, "peer", id="Forwarded, unknown"),
        pytest.param(fwd(b"proto=https"), PROXY, "peer", id="Forwarded without for"),
        pytest.param(fwd(b"for=203.0.113.9;for=198.51.100.7"), PROXY, "peer", id="Forwarded, twice for"),
        pytest.param(fwd(b'for="203.0.113.9'), PROXY, "peer", id="Forwarded, open quote"),
        pytest.param(
            fwd(b'for="198.51.100.7, for=203.0.113.9'), "203.0.113.9", "forwarded", id="Forwarded, swallowing"
        ),
        pytest.param(fwd(b'for=203.0.113.9;host="a,b"'), "203.0.113.9", "forwarded", id="Forwarded, quoted comma"),
        pytest.param(
            xff(b"203.0.113.9") + fwd(b"for=198.51.100.7"),
            "203.0.113.9",
            "x-forwarded-for",
            id="both: X-Forwarded-For alone",
        ),
    ],
)
def test_the_client_is_the_first_address_from_the_right_that_is_not_trusted(
    headers: Headers, client: str, source: str
) -> None:
    address = resolve_client_address(scope(*headers), PROXIES)
    assert (address.client, address.peer, address.source) == (client, PROXY, source)


@pytest.mark.parametrize("client", [None, ("", "0")], ids=["None", "empty"])
def test_a_unix_socket_is_trusted_only_as_unix(client: object) -> None:
    request = scope(*xff(b"203.0.113.9"), client=client)
    assert resolve_client_address(request, PROXIES) == ClientAddress("", "", "peer")
    trusted = TrustedProxies(["unix"])
    assert resolve_client_address(request, trusted) == ClientAddress("203.0.113.9", "", "x-forwarded-for")


def test_text_that_is_no_address_is_not_a_unix_socket() -> None:
    request = scope(*xff(b"203.0.113.9"), client=("unix", 0))
    assert resolve_client_address(request, TrustedProxies(["unix"])) == ClientAddress("", "", "peer")


def test_a_chain_of_a_thousand_hops_is_followed_for_64_of_them() -> None:
    chain = [f"192.0.2.{number % 200}" for number in range(1000)]
    address = resolve_client_address(scope(*xff(",".join(chain).encode())), PROXIES)
    assert address.client == chain[-64]
    elements = [b"for=" + hop.encode() for hop in chain]
    address = resolve_client_address(scope(*fwd(*elements)), PROXIES)
    assert address.client == chain[-64]


@pytest.mark.parametrize(
    ("headers", "scheme", "host"),
    [
        pytest.param([(b"x-forwarded-proto", b"https")], "https", None, id="proto alone"),
        pytest.param([(b"x-forwarded-proto", b"HTTPS ")], "https", None, id="case and space"),
        pytest.param([(b"x-forwarded-proto", b"wss")], "https", None, id="wss, for http"),
        pytest.param([(b"x-forwarded-proto", b"javascript")], None, None, id="no scheme of HTTP"),
        pytest.param([(b"x-forwarded-host", b"www.example.org:8443")], None, b"www.example.org:8443", id="host"),
        pytest.param([(b"x-forwarded-host", b"[2001:db8::1]:80")], None, b"[2001:db8::1]:80", id="IPv6 host"),
        pytest.param([(b"x-forwarded-host", b"a b")], None, None, id="host with a space"),
        pytest.param([(b"x-forwarded-host", b"example.org/path")], None, None, id="host with a path"),
        pytest.param([(b"x-forwarded-host", b"a" * 300)], None, None, id="host too long"),
        pytest.param(
            [*xff(b"203.0.113.9, 192.0.2.7"), (b"x-forwarded-proto", b"https, http")],
            "https",
            None,
            id="entry of the client's hop",
        ),
        pytest.param(
            [
                *xff(b"198.51.100.7, 203.0.113.9"),
                (b"x-forwarded-proto", b"http"),
                (b"x-forwarded-proto", b"https"),
            ],
            "https",
            None,
            id="not what the client wrote",
        ),
        pytest.param(
            [*xff(b"203.0.113.9"), (b"x-forwarded-proto", b"http,https")], "https", None, id="lengths differ"
        ),
        pytest.param(
            fwd(b"for=203.0.113.9;proto=https;host=example.org, for=192.0.2.7;proto=http;host=in.example.org"),
            "https",
            b"example.org",
            id="Forwarded, the client's hop",
        ),
        pytest.param(
            fwd(b'for=unknown;proto=https;host="example.org:80"'), "https", b"example.org:80", id="hidden"
        ),
        pytest.param(fwd(b'for=203.0.113.9;host="a\\"b"'), None, None, id="Forwarded, escaped quote"),
        pytest.param(
            [*xff(b"203.0.113.9"), *fwd(b"for=203.0.113.9;proto=https;host=example.org")],
            None,
            None,
            id="families are not mixed",
        ),
    ],
)
def test_scheme_and_host_come_from_the_hop_that_met_the_client(
    headers: Headers, scheme: str | None, host: bytes | None
) -> None:
    forwarding = resolve_forwarding(scope(*headers), PROXIES)
    assert (forwarding.scheme, forwarding.host) == (scheme, host)


@pytest.mark.parametrize(("sent", "scheme"), [(b"https", "wss"), (b"http", "ws"), (b"wss", "wss")])
def test_a_websocket_gets_a_scheme_of_websockets(sent: bytes, scheme: str) -> None:
    request = scope((b"x-forwarded-proto", sent), kind="websocket")
    assert resolve_forwarding(request, PROXIES).scheme == scheme


@pytest.mark.parametrize(
    "network",
    ["*", "proxy.example.org", "192.0.2.1/24", "192.0.2.0/33", "0.0.0.0/0", "::/0", "::ffff:0:0/96", ""],
)
def test_a_network_that_is_none_or_everyone_is_refused(network: str) -> None:
    with pytest.raises(SettingsError) as raised:
        TrustedProxies(["192.0.2.0/24", network])
    assert raised.value.key == "requestlog.trusted_proxies[1]"


@given(written=st.binary(max_size=200), appended=st.sampled_from([b",", b", ", b" ,\t"]))
def test_nothing_a_client_writes_changes_what_its_proxy_appended(written: bytes, appended: bytes) -> None:
    for family, node in ((xff, b"203.0.113.9"), (fwd, b"for=203.0.113.9;proto=https")):
        for lines in ([written + appended + node], [written, node]):
            forwarding = resolve_forwarding(scope(*family(*lines)), PROXIES)
            assert forwarding.address.client == "203.0.113.9"
            assert forwarding.scheme == ("https" if family is fwd else None)


@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from([b"x-forwarded-for", b"forwarded", b"x-forwarded-proto", b"x-forwarded-host"]),
            st.one_of(st.binary(max_size=300), st.text('for=";,[]:.%_ 129abcdef\\', max_size=80).map(str.encode)),
        ),
        max_size=6,
    ),
    peer=st.one_of(st.just(PROXY), st.text(max_size=80)),
)
def test_any_bytes_give_an_address_or_nothing(lines: Headers, peer: str) -> None:
    forwarding = resolve_forwarding(scope(*lines, client=(peer, 0)), PROXIES)
    for text in (forwarding.address.client, forwarding.address.peer):
        assert text == "" or str(ipaddress.ip_address(text)) == text
    assert forwarding.scheme in (None, "http", "https")
    assert forwarding.host is None or forwarding.host.decode("ascii").isprintable()
