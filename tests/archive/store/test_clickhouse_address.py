"""What the URL of ClickHouse may say."""

from __future__ import annotations

import pytest

from consentkit.archive.store.clickhouse.address import Address, parse_address
from consentkit.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("clickhouse://ch.example.net", Address(host="ch.example.net", port=9000)),
        (
            "clickhouse://a%40b:p%2Fw%3A@ch.example.net:9001/requests",
            Address(host="ch.example.net", port=9001, user="a@b", password="p/w:", database="requests"),
        ),
        (
            "clickhouse://[2001:db8::1]/x?cluster=two-shards&secure=true",
            Address(host="2001:db8::1", port=9440, database="x", cluster="two-shards", secure=True),
        ),
        (
            "clickhouse://ch.example.net/x?verify=0&ca_certs=/etc/ca.pem&connect_timeout=3",
            Address(
                host="ch.example.net",
                port=9000,
                database="x",
                options={"verify": False, "ca_certs": "/etc/ca.pem", "connect_timeout": 3},
            ),
        ),
    ],
    ids=["defaults", "percent-encoded", "cluster by TLS", "options"],
)
def test_a_url_names_a_server(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://u:secret@ch.example.net", "names no server"),
        ("clickhouse:///x", "names no server"),
        ("clickhouse://u:secret@ch.example.net:port/x", "can't be read"),
        ("clickhouse://u:secret@ch.example.net:99999/x", "can't be read"),
        ("clickhouse://u:secret@ch.example.net/x;DROP", "database's name"),
        ("clickhouse://u:secret@ch.example.net/x?cluster=a'b", "cluster's name"),
        ("clickhouse://u:secret@ch.example.net/x?cluster=", "cluster's name"),
        ("clickhouse://u:secret@ch.example.net/x?secure=maybe", "neither true nor false"),
        ("clickhouse://u:secret@ch.example.net/x?connect_timeout=0", "no number of seconds"),
        ("clickhouse://u:secret@ch.example.net/x?connect_timeout=1e9", "no number of seconds"),
        ("clickhouse://u:secret@ch.example.net/x?alt_hosts=secret", "not known"),
        ("clickhouse://u:secret@ch.example.net/x?cluster", "can't be read"),
    ],
)
def test_a_url_that_names_none_is_refused_without_showing_it(url: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault) as refused:
        parse_address(url)

    assert "secret" not in str(refused.value)
    assert refused.value.key == "storage.requests_url"


def test_an_address_shows_nothing_of_itself() -> None:
    address = parse_address("clickhouse://u:secret@ch.example.net/x")

    assert "secret" not in repr(address)
    assert "secret" not in repr(address.at("other.example.net", 9000))
    assert "example" not in repr(address)
