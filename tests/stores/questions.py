"""What is asked of the log: every filter with what is odd about it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from consentkit.archive.store.interface import Filters
from tests.archive.installation import DAY_US, HOUR_US, MONDAY
from tests.stores.corpus import NOW

SIX = MONDAY + 6 * HOUR_US

SINGLE: dict[str, Filters] = {
    "nothing": Filters(),
    "since, in a crowded microsecond": Filters(since_us=SIX + 1),
    "until, in a crowded microsecond": Filters(until_us=SIX + 1),
    "one microsecond": Filters(since_us=SIX, until_us=SIX + 1),
    "one day": Filters(since_us=MONDAY + DAY_US, until_us=MONDAY + 2 * DAY_US),
    "last instant of a day": Filters(since_us=MONDAY + DAY_US - 1, until_us=MONDAY + DAY_US),
    "under the ingester's clock": Filters(since_us=NOW),
    "before all": Filters(until_us=MONDAY),
    "nobody's time": Filters(since_us=SIX, until_us=SIX),
    "address": Filters(networks=("192.0.2.7",)),
    "address of IPv6": Filters(networks=("2001:db8:1:2::5/128",)),
    "network": Filters(networks=("192.0.2.0/24",)),
    "network of IPv6": Filters(networks=("2001:db8:1::/48",)),
    "several networks": Filters(networks=("203.0.113.9/32", "2001:db8::/64", "192.0.2.8/31")),
    "all of IPv4": Filters(networks=("0.0.0.0/0",)),
    "all of IPv6": Filters(networks=("::/0",)),
    "address of a peer alone": Filters(networks=("198.51.100.1",)),
    "path": Filters(path="/a"),
    "path, any": Filters(path="*"),
    "path with a star in it": Filters(path="/a*b"),
    "path with question marks": Filters(path="/under?score"),
    "path, one sign": Filters(path="?"),
    "path with brackets": Filters(path="/[odd]"),
    "path with brackets within": Filters(path="/admin/[1]*"),
    "path with a percent sign": Filters(path="/100%"),
    "path with an underscore": Filters(path="/under_score"),
    "path with an apostrophe": Filters(path="/o'*"),
    "path with a backslash": Filters(path="*\\*"),
    "path with a quotation mark": Filters(path='*"*'),
    "path outside ASCII": Filters(path="/ķēniņ?"),
    "path outside ASCII, other case": Filters(path="/ĶĒNIŅ?"),
    "path with one sign of four bytes": Filters(path="/emoji/?"),
    "path, case": Filters(path="/upper/*"),
    "path of 2,000 signs": Filters(path="/long/*…"),
    "path with stars enough to be slow": Filters(path="/long/*y*y*y*y*z"),
    "path that is nowhere": Filters(path="/none"),
    "host": Filters(host="SHOP.example.lv"),
    "host with its port": Filters(host="www.example.lv:8080"),
    "host in brackets": Filters(host="[2001:DB8::1]:8443"),
    "host that is nowhere": Filters(host="example"),
    "method": Filters(method="post"),
    "method, as it was sent": Filters(method="GET"),
    "status": Filters(statuses=((404, 404),)),
    "status that was never sent": Filters(statuses=((0, 0),)),
    "class of status": Filters(statuses=((400, 499),)),
    "several statuses": Filters(statuses=((301, 301), (500, 599), (100, 199))),
    "complete": Filters(outcome="complete"),
    "client gone": Filters(outcome="client_gone"),
    "fault of the app": Filters(outcome="app_error"),
    "flag": Filters(flags=0b100),
    "two flags": Filters(flags=0b101),
    "all flags": Filters(flags=0b1_1111_1111),
    **{f"device {kind}": Filters(device_type=kind) for kind in ("pc", "mobile", "tablet", "bot", "other")},
    "browser": Filters(browser="firefox"),
    "browser of two words": Filters(browser="MOBILE SAFARI"),
    "country": Filters(country="lv"),
    "country, of IPv6": Filters(country="LT"),
    "country of nobody": Filters(country="FR"),
    "bots": Filters(is_bot=True),
    "no bots": Filters(is_bot=False),
    "text in a path": Filters(text="ADMIN"),
    "text over path and query": Filters(text="a?page"),
    "text in an agent": Filters(text="googlebot"),
    "text in a referrer": Filters(text="Example.NET"),
    "text with a percent sign": Filters(text="100%"),
    "text with an underscore": Filters(text="r_s"),
    "text with an apostrophe": Filters(text="'quoted'"),
    "text with a backslash": Filters(text="\\"),
    "text outside ASCII": Filters(text="ķēniņš"),
    "text outside ASCII, other case": Filters(text="Ķēniņš/LAPA"),
    "text with a star": Filters(text="*"),
    "text that is nowhere": Filters(text="nowhere at all"),
}

# One of each filter, each of which some hundred requests meet.
EACH: dict[str, Filters] = {
    "time": Filters(since_us=SIX, until_us=MONDAY + 2 * DAY_US + 7 * HOUR_US),
    "network": Filters(networks=("192.0.2.0/24", "2001:db8::/32")),
    "path": Filters(path="/a*"),
    "host": Filters(host="www.example.lv"),
    "method": Filters(method="get"),
    "statuses": Filters(statuses=((200, 299), (404, 404))),
    "outcome": Filters(outcome="complete"),
    "flags": Filters(flags=0b1),
    "device": Filters(device_type="pc"),
    "browser": Filters(browser="Chrome"),
    "country": Filters(country="LV"),
    "bot": Filters(is_bot=False),
    "text": Filters(text="a"),
}


def pairs() -> Iterator[tuple[str, Filters]]:
    """Yield every two filters together."""
    for (one, first), (other, second) in itertools.combinations(EACH.items(), 2):
        asked = {
            name: value
            for filters in (first, second)
            for name, value in msgspec.structs.asdict(filters).items()
            if value != getattr(Filters(), name)
        }
        yield f"{one} and {other}", Filters(**asked)
