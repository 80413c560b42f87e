"""Made-up traffic that compresses and repeats the way a real site's does.

Owns the mix: visits of a page with what it loads, crawlers that come again, few pages and agents that are
common and many that are rare. 10,000 lines hold some 1,400 addresses and 700 agents and take gzip -6 about
19 bytes each; public logs of small sites take up to 24, so a size measured against it is no easier to reach.
Addresses are documentation ones.
"""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

HOST: Final = "www.example.org"
_PAGES: Final = 3_000
_AGENTS: Final = 3_000
_REQUESTS_PER_ADDRESS: Final = 4
_SECTIONS: Final = ("articles", "blog/tags", "projects", "docs/reference", "shop/items", "files")
WORDS: Final = (
    *("amber", "birch", "cedar", "delta", "ember", "fjord", "grain", "harbour", "island", "jasper", "kelp"),
    *("linden", "maple", "north", "ocean", "pine", "quartz", "river", "slate", "tundra", "umber", "valley"),
    *("willow", "yarrow", "zephyr", "anchor", "beacon", "canvas", "dynamic", "format", "geometry"),
)
_ASSETS: Final = ("/static/site.css", "/static/reset.css", "/static/site.js", "/favicon.ico", "/img/logo.png")
_REFERRERS: Final = (
    *("-", "-", "https://www.google.com/", "https://www.bing.com/search?q={word}+{word2}"),
    *("https://news.example.net/item?id={number}", "https://forum.example.com/{word}/{number}/{word2}"),
)
_STATUSES: Final = ((200, 0.915), (304, 0.96), (404, 0.98), (301, 0.995), (206, 0.999), (500, 1.0))
_PLATFORMS: Final = (
    "Windows NT 10.0; Win64; x64",
    "Windows NT 6.1; WOW64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 14; Pixel 8",
    "Linux; Android 13; SM-S911B",
)
_OLD_PARTS: Final = (
    *("Trident/4.0", "WOW64", "SLCC2", "Media Center PC 6.0", "InfoPath.3", "MS-RTC LM 8", "Zune 4.7"),
    *(f".NET CLR {version}" for version in ("1.1.4322", "2.0.50727", "3.0.30729", "3.5.30729")),
)
_CRAWLERS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "UniversalFeedParser/5.2.1 +https://code.google.com/p/feedparser/",
    "Tiny Tiny RSS/21.05 (http://tt-rss.org/)",
    "curl/8.5.0",
)


class Sample(msgspec.Struct, frozen=True):
    """One request of the mix.

    Attributes:
        time_us: microseconds since 1970 UTC.
        address: canonical text.
        target: path and query, unredacted.
        status, bytes_sent: of the response.
        duration_us: microseconds.
        referrer: the whole field, ``-`` for none.
        user_agent: the whole field.
    """

    time_us: int
    address: str
    target: str
    status: int
    bytes_sent: int
    duration_us: int
    referrer: str
    user_agent: str

    def combined(self) -> str:
        """Return the line that a web server would write, without its end."""
        at = datetime.fromtimestamp(self.time_us // 1_000_000, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        size = self.bytes_sent or "-"
        request = f'"GET {self.target} HTTP/1.1" {self.status} {size}'
        return f'{self.address} - - [{at}] {request} "{self.referrer}" "{self.user_agent}"'


def traffic(count: int, *, start: datetime, days: float = 1.0, seed: int = 1) -> list[Sample]:
    """Return `count` requests in order of time, over `days` from `start`; the same for the same seed."""
    rng = random.Random(seed)
    first_us = int(start.timestamp() * 1_000_000)
    # Stay clear of the end, so that a visit's last request does not fall into the next period.
    span_us = int(days * 86_400_000_000 * 0.99)
    visits = _Visits(rng, count)
    samples: list[Sample] = []
    while len(samples) < count:
        samples += visits.one(first_us + rng.randrange(span_us))
    return sorted(samples[:count], key=lambda sample: sample.time_us)


class _Visits:
    """Make visits: one client, one after another, each a few requests close together."""

    def __init__(self, rng: random.Random, count: int) -> None:
        self._rng = rng
        self._pages = _pages(rng)
        agents = _agents(rng)
        clients = max(count // _REQUESTS_PER_ADDRESS, 10)
        self._clients = [(address, _common(rng, agents)) for address in _addresses(rng, clients)]
        self._crawlers = [(address, rng.choice(_CRAWLERS)) for address in _addresses(rng, 200)]
        self._sizes: dict[str, int] = {}

    def one(self, time_us: int) -> list[Sample]:
        """Return the requests of one visit that begins at a time."""
        rng = self._rng
        if rng.random() < 0.5:
            address, agent = _common(rng, self._crawlers)
            return [self._request(time_us, address, agent, rng.choice(self._pages), "-")]
        address, agent = rng.choice(self._clients)
        samples = []
        referrer = rng.choice(_REFERRERS).format(
            word=rng.choice(WORDS), word2=rng.choice(WORDS), number=rng.randrange(10_000)
        )
        for _ in range(rng.choice((1, 1, 1, 1, 2))):
            page = _common(rng, self._pages)
            samples.append(self._request(time_us, address, agent, page, referrer))
            referrer = f"https://{HOST}{page}"
            own = (f"{page.partition('?')[0]}/{word}.png" for word in WORDS)
            for asset in itertools.islice(itertools.chain(_ASSETS, own), rng.choice((0, 0, 1, 2, 5, 7))):
                time_us += rng.randrange(1_000, 3_000_000)
                samples.append(self._request(time_us, address, agent, asset, referrer))
            time_us += rng.randrange(2_000_000, 60_000_000)
        return samples

    def _request(self, time_us: int, address: str, agent: str, target: str, referrer: str) -> Sample:
        draw = self._rng.random()
        status = next(status for status, up_to in _STATUSES if draw <= up_to)
        size = self._sizes.setdefault(target, int(self._rng.lognormvariate(9, 1.5)))
        duration_us = int(self._rng.lognormvariate(8.5, 1))
        body = 0 if status == 304 else size
        return Sample(time_us, address, target, status, body, duration_us, referrer, agent)


def _common(rng: random.Random, values: Sequence[T]) -> T:
    """Pick one; earlier ones come far more often, as Zipf found, and the last ones still come."""
    return values[int(len(values) ** rng.random() ** 0.5) - 1]


def _pages(rng: random.Random) -> list[str]:
    pages = []
    for number in range(_PAGES):
        path = f"/{rng.choice(_SECTIONS)}/{rng.choice(WORDS)}-{rng.choice(WORDS)}-{number}"
        draw = rng.random()
        if draw < 0.10:
            path += f"?page={rng.randrange(1, 30)}"
        elif draw < 0.18:
            path += f"?utm_source=newsletter&utm_campaign={rng.choice(WORDS)}"
        pages.append(path)
    return pages


def _agents(rng: random.Random) -> list[str]:
    agents = []
    for _ in range(_AGENTS):
        platform = rng.choice(_PLATFORMS)
        major = rng.randrange(90, 142)
        draw = rng.random()
        if draw < 0.15:
            parts = rng.sample(_OLD_PARTS, rng.randrange(2, 6))
            agents.append(
                f"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.{rng.randrange(3)}; {'; '.join(parts)})"
            )
        elif draw < 0.6:
            build = f"{major}.0.{rng.randrange(4000, 7000)}.{rng.randrange(20, 200)}"
            engine = f"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{build} Safari/537.36"
            agents.append(f"Mozilla/5.0 ({platform}) {engine}")
        elif draw < 0.8:
            agents.append(f"Mozilla/5.0 ({platform}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0")
        else:
            system = f"iPhone; CPU iPhone OS {rng.randrange(14, 19)}_{rng.randrange(7)} like Mac OS X"
            engine = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
            agents.append(
                f"Mozilla/5.0 ({system}) {engine} Version/17.{rng.randrange(7)} Mobile/15E148 Safari/604.1"
            )
    return agents


def _addresses(rng: random.Random, count: int) -> list[str]:
    """Return distinct addresses. The IPv6 ones vary in 32 bits, so that they cost gzip what IPv4 ones do."""
    blocks = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737; 2001:db8::/32 is RFC 3849
    addresses = [f"{block}.{last}" for block in blocks for last in range(1, 255)]
    high = (rng.randrange(0x1000, 0x10000) for _ in itertools.count())
    while len(addresses) < count:
        addresses.append(f"2001:db8:{next(high):x}:{next(high):x}::{rng.randrange(1, 10)}")
    rng.shuffle(addresses)
    return addresses[:count]
