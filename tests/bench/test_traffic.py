"""Whether made-up traffic is like real traffic, and harmless."""

from __future__ import annotations

import gzip
import ipaddress
from datetime import UTC, datetime, timedelta

from bench.combined import parse_line
from bench.pages import PAGE_BYTES, make_page
from bench.traffic import traffic

START = datetime(2026, 11, 23, tzinfo=UTC)
DOCUMENTATION = [
    ipaddress.ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another() -> None:
    assert traffic(500, start=START) == traffic(500, start=START)
    assert traffic(500, start=START) != traffic(500, start=START, seed=2)


def test_requests_come_in_order_within_the_day() -> None:
    times = [sample.time_us for sample in traffic(5_000, start=START)]

    assert times == sorted(times)
    assert times[0] >= START.timestamp() * 1e6
    assert times[-1] < (START + timedelta(days=1)).timestamp() * 1e6


def test_all_addresses_are_for_documentation() -> None:
    addresses = {ipaddress.ip_address(sample.address) for sample in traffic(5_000, start=START)}

    assert all(any(address in block for block in DOCUMENTATION) for address in addresses)


def test_lines_read_back_as_the_requests_they_are_made_from() -> None:
    for sample in traffic(500, start=START):
        read = parse_line(sample.combined().encode())
        assert (read.address, read.target, read.status, read.user_agent) == (
            sample.address,
            sample.target.encode(),
            sample.status,
            sample.user_agent.encode(),
        )


def test_it_repeats_and_compresses_as_a_real_log_does() -> None:
    samples = traffic(10_000, start=START)
    text = "\n".join(sample.combined() for sample in samples).encode()

    assert 17 < len(gzip.compress(text, 6)) / len(samples) < 26
    assert 1_000 < len({sample.address for sample in samples}) < 2_000
    assert 400 < len({sample.user_agent for sample in samples}) < 900


def test_the_page_is_whole_and_as_large_as_it_says() -> None:
    page = make_page()

    assert len(page) == PAGE_BYTES
    assert page.startswith(b"<!doctype html>")
    assert page.count(b"<article") == page.count(b"</article>") > 10
    assert 4 < len(page) / len(gzip.compress(page)) < 8
