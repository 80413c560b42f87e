from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.requestlog.flood import FLOOR, NETWORKS, SHARE, Flood, one_in
from consentkit.requestlog.losses import MAX_GAPS, Losses
from consentkit.requestlog.record import Gap
from consentkit.requestlog.truncate import network_of


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [(0, 1), (799, 1), (800, 10), (899, 10), (900, 100), (1000, 100), (5000, 100)],
    ids=str,
)
def test_the_fuller_the_spool_the_fewer_are_kept(waiting: int, expected: int) -> None:
    assert one_in(waiting, 1000) == expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.0", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:db8:1::", "2001:db8:1::/48"),
        ("", ""),
    ],
    ids=str,
)
def test_a_network_is_told_in_cidr_form(address: str, network: str) -> None:
    assert network_of(address) == network


@given(
    sizes=st.dictionaries(st.integers(0, 50).map(str), st.integers(1, 3 * FLOOR), min_size=1, max_size=20),
    seed=st.integers(0, 2**32),
)
def test_who_asks_for_little_is_kept_whole(sizes: dict[str, int], seed: int) -> None:
    requests = [network for network, size in sizes.items() for _ in range(size)]
    random.Random(seed).shuffle(requests)
    flood = Flood(10)
    left_out = Counter(network for network in requests if flood.leaves_out(network))
    assert all(sizes[network] > FLOOR for network in left_out)
    assert all(left_out[network] < sizes[network] for network in left_out)


@pytest.mark.parametrize("n", [10, 100])
def test_of_a_busy_network_one_in_n_is_kept(n: int) -> None:
    flood = Flood(n)
    kept = sum(not flood.leaves_out("192.0.2.0/24") for _ in range(FLOOR + 10_000))
    assert kept == FLOOR + 10_000 // n


def test_a_network_below_its_share_is_kept_whole_however_much_it_asks_for() -> None:
    flood = Flood(100)
    visitor_left_out = 0
    for number in range(SHARE * FLOOR * 3):
        flood.leaves_out("192.0.2.0/24")
        if number % (SHARE * 2) == 0:
            visitor_left_out += flood.leaves_out("198.51.100.0/24")
    assert visitor_left_out == 0


def test_a_busy_network_is_found_among_a_hundred_thousand_others() -> None:
    flood = Flood(10)
    others = left_out = 0
    for number in range(100_000):
        others += flood.leaves_out(f"2001:db8:{number:x}::/48")
        if number % 20 == 0:
            left_out += flood.leaves_out("192.0.2.0/24")
    assert others == 0
    assert left_out > 4000  # of 5,000, less those it takes to be known, and one in ten of the rest


def test_the_table_stays_small() -> None:
    flood = Flood(10)
    most = 0
    for number in range(10 * NETWORKS):
        flood.leaves_out(str(number % (3 * NETWORKS)))
        most = max(most, len(flood._counts))
    assert most == NETWORKS


def test_who_was_busy_is_kept_whole_again_after_a_while() -> None:
    flood = Flood(10)
    for _ in range(100 * FLOOR):
        flood.leaves_out("192.0.2.0/24")
    for _ in range(8):
        flood.age()
    assert not any(flood.leaves_out("192.0.2.0/24") for _ in range(FLOOR // 2))


def test_losses_are_summed_up_by_reason_and_network() -> None:
    losses = Losses()
    losses.add("sampled", 5, "192.0.2.0/24")
    losses.add("full", 4)
    losses.add("sampled", 3, "192.0.2.0/24")
    losses.add("sampled", 9, "")
    assert losses.gaps() == [
        Gap(3, 5, 2, "sampled", "192.0.2.0/24"),
        Gap(4, 4, 1, "full"),
        Gap(9, 9, 1, "sampled"),
    ]
    losses.told(losses.gaps()[0])
    assert len(losses) == 2


def test_losses_of_ever_more_networks_are_summed_up_without_them() -> None:
    losses = Losses()
    for number in range(2 * MAX_GAPS):
        losses.add("sampled", number, f"2001:db8:{number:x}::/48")
    assert len(losses) == MAX_GAPS + 1
    assert sum(gap.lost for gap in losses.gaps()) == 2 * MAX_GAPS
