"""Rows, and archives that hold them, for tests of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.archive.search import Archive, Search
from consentkit.requestlog.record import Gap, Record
from consentkit.requestlog.spool import Spool
from tests.archive.installation import MONDAY, RESOLVERS, Installation

if TYPE_CHECKING:
    pass


ROBOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"


def record(number: int, url: str, status: int, agent: str, **changes: object) -> Record:
    values: dict[str, object] = {
        "time_us": MONDAY + number,
        "client_address": "192.0.2.7",
        "peer_address": "198.51.100.1",
        "address_source": "peer",
        "method": "GET",
        "scheme": "https",
        "host": "www.example.lv",
        "url": url,
        "query_flags": 0,
        "status": status,
        "outcome": "complete",
        "bytes_sent": 5,
        "duration_us": 9,
        "user_agent": agent,
        "referrer_host": "",
    }
    return Record(**{**values, **changes})  # type: ignore[arg-type] # names and values are the record's own


ROWS = [
    record(0, "/a", 200, FIREFOX),
    record(1, "/admin/login", 401, FIREFOX, method="POST", client_address="192.0.2.8"),
    record(2, "/admin/x?q=REDACTED", 404, ROBOT, query_flags=0b101, client_address="2001:db8::5"),
    record(3, "/[odd]", 500, FIREFOX, host="shop.example.lv", outcome="app_error", client_address=""),
    record(
        4, "/b", 499, FIREFOX, outcome="client_gone", referrer_host="example.org", client_address="203.0.113.9"
    ),
]


def archive_of(site: Installation) -> Archive:
    return Archive(site.settings, site.holdings, resolvers=RESOLVERS)


def urls(rows: Search) -> list[str]:
    return [found.url for _, found in rows]


def gap(site: Installation, *gaps: Gap) -> None:
    spool = Spool(site.directory, site.keyring, max_bytes=2**30)
    for one in gaps:
        spool.append(one)  # type: ignore[arg-type] # a gap is appended by the spool itself; here by hand
    spool.close()
