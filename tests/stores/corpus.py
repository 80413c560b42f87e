"""Some 300 requests of three days, with all that a record can hold, as several workers spooled them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.spoolreader import SpoolReader
from consentkit.crypto import Keyring
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES, Entry, Gap, Record
from consentkit.requestlog.segment import FrameId
from consentkit.requestlog.spool import Spool
from tests.archive.installation import DAY_US, HOUR_US, MONDAY

# The ingester's clock: late on the third day.
NOW = MONDAY + 2 * DAY_US + 23 * HOUR_US

ADDRESSES = (
    "192.0.2.7", "192.0.2.8", "192.0.2.200", "198.51.100.77", "203.0.113.9", "203.0.113.66",
    "2001:db8::5", "2001:db8:1:2::5", "2001:db8:1:ffff::1", "2001:db8:ffff::1", "",
)  # fmt: skip
PEERS = ("198.51.100.1", "198.51.100.2", "2001:db8:a::1", "")
HOSTS = (
    "www.example.lv",
    "shop.example.lv",
    "[2001:db8::1]:8443",
    "xn--pimrs-mva.example",
    "www.example.lv:8080",
    "",
)
METHODS = ("GET", "GET", "GET", "POST", "HEAD", "get", "PROPFIND", "")
SCHEMES = ("https", "https", "http", "wss")
STATUSES = (200, 200, 200, 204, 301, 304, 400, 401, 404, 418, 499, 500, 503, 599, 101, 0)
REFERRERS = ("", "", "example.org", "search.example.com", "EXAMPLE.net", "xn--bcher-kva.example")
URLS = (
    "/", "/a", "/a?", "/a?page=2", "/a?b?c=d", "/admin/login", "/admin/x?q=REDACTED", "/admin/[1]", "/[odd]",
    "/*", "/a*b", "/a%20b", "/100%", "/under_score", "/underxscore", "/o'clock", "/back\\slash", '/quo"te',
    "/semi;colon?x=1;DROP", "/--", "/ķēniņš", "/Ķēniņš/LAPA", "/emoji/🍪", "/UPPER/lower", "/upper/LOWER",
    "", "*", "?", "?only=query", "/deep/" + "x/" * 40, "/long/" + "y" * 2030 + "…", "/a\tb", "/trailing ", "/a..b",
)  # fmt: skip
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.1.2 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/16.0 Mobile/15E148 Safari/604.1",
    "Googlebot/2.1 (+http://www.google.com/bot.html)", "curl/8.0", "", "x" * 512, "Ķēniņš/1.0 'quoted' \\ 100% _",
)  # fmt: skip
PLACES = {
    "192.0.2.0/24": {"country": {"iso_code": "LV"}, "city": {"names": {"en": "Riga"}}},
    "198.51.100.0/24": {"country": {"iso_code": "EE"}, "city": {"names": {"en": "Tallinn"}}},
    "2001:db8:1::/48": {"country": {"iso_code": "LT"}, "city": {"names": {"en": "Šiauliai"}}},
}

GAPS = (
    Gap(MONDAY + HOUR_US, MONDAY + HOUR_US + 5, 12_345, "sampled", "192.0.2.0/24"),
    Gap(MONDAY + DAY_US - 3, MONDAY + DAY_US + 3, 2, "full"),
    Gap(MONDAY + 2 * DAY_US, MONDAY + 2 * DAY_US, 1, "write"),
)
_TOO_NEW = 4_070_908_800_000_000  # 2099
_TOO_OLD = 31_536_000_000_000  # 1971


class Corpus(NamedTuple):
    """A spool with its keys, and what stands in it.

    Attributes:
        folder: with `data` and `data-keys`, to be copied.
        frames: all of the spool, by segment.
        resolvers: with a geo database of cities.
    """

    folder: Path
    frames: list[tuple[FrameId, Entry]]
    resolvers: Resolvers


def records() -> list[Record]:
    """Return the requests, each value of each list at least once, in about the order of their times."""
    rng = random.Random(7)
    made = []
    for number in range(300):
        time_us = MONDAY + number % 3 * DAY_US + number // 3 * 4 * 60_000_000 + 17
        if number % 5 == 0:  # crowded microseconds: eight and more in each
            time_us = MONDAY + number % 3 * DAY_US + 6 * HOUR_US + number % 2
        made.append(one(number, time_us, rng))
    made[0] = one(0, MONDAY, rng)  # the first instant of a period, and the last
    made[1] = one(1, MONDAY + DAY_US - 1, rng)
    made[40] = one(40, _TOO_NEW, rng)
    made[41] = one(41, _TOO_NEW + 1, rng)
    made[80] = one(80, _TOO_OLD, rng)
    return made


def one(number: int, time_us: int, rng: random.Random) -> Record:
    """Return a request whose values go round by its number, or are drawn."""
    return Record(
        time_us=time_us,
        client_address=rng.choice(ADDRESSES),
        peer_address=PEERS[number % len(PEERS)],
        address_source=ADDRESS_SOURCES[number % len(ADDRESS_SOURCES)],
        method=METHODS[number % len(METHODS)],
        scheme=SCHEMES[number // 2 % len(SCHEMES)],
        host=HOSTS[number // 3 % len(HOSTS)],
        url=URLS[number % len(URLS)],
        query_flags=(0, 0, 0, 0b1, 0b101, 0b100, 0b1_1111_1111)[number % 7],
        status=rng.choice(STATUSES),
        outcome=OUTCOMES[number % 11 % 3],
        bytes_sent=(0, 512, 2**31, 2**40)[number % 4],
        duration_us=(0, 900, 15_000, 2_500_000, 2**36)[number % 5],
        user_agent=AGENTS[number // 4 % len(AGENTS)],
        referrer_host=REFERRERS[number % len(REFERRERS)],
    )


def spool(directory: Path, keyring: Keyring, entries: list[Entry], *, workers: int = 3) -> None:
    """Let workers spool by turns; each fills several segments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consentkit.requestlog.spool.SEGMENT_BYTES", 8_000)
        spools = [Spool(directory, keyring, max_bytes=2**30) for _ in range(workers)]
        for number, entry in enumerate(entries):
            spools[number // 4 % workers].append(entry)  # type: ignore[arg-type] # gaps a spool appends by itself
        for each in spools:
            each.close()


def frames_of(directory: Path, keyring: Keyring) -> list[tuple[FrameId, Entry]]:
    """Return all that lies in a spool."""
    segments = SpoolReader(directory, keyring).segments()
    return [
        (FrameId(segment.worker, segment.number, sequence), entry)
        for segment in segments
        for sequence, entry in segment.read(complete=True)
    ]


def make(folder: Path) -> Corpus:
    """Make the spool, its keys and the geo database in a folder."""
    directory, keys = folder / "data", folder / "data-keys"
    directory.mkdir()
    keyring = Keyring.open(keys, ())
    spool(directory, keyring, [*records()[:150], *GAPS, *records()[150:]])
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, place in PLACES.items():
        writer.insert_network(IPSet([network]), place)
    writer.to_db_file(str(folder / "places.mmdb"))
    resolvers = Resolvers(AgentResolver(), PlaceResolver(folder / "places.mmdb", "city"))
    return Corpus(folder, frames_of(directory, keyring), resolvers)
