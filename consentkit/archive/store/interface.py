"""What every backend keeps and gives back.

Owns the shapes at the border between the archive and its stores; how rows lie on a disk is a backend's
business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from consentkit.requestlog.record import Entry


class Batch(NamedTuple):
    """Consecutive frames of one segment that belong to one period.

    Frames below the mark that the period holds for the segment were applied before and are passed over,
    so that applying a batch twice is the same as once.
    """

    worker: str
    segment: int
    entries: list[tuple[int, Entry]]


class Cursor(NamedTuple):
    """The row after which the next page begins: newest first, by time and then by number."""

    time_us: int
    tie: int


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a search asks for; an empty field asks nothing.

    Attributes:
        since_us, until_us: from, and before; microseconds since 1970 UTC.
        networks: addresses or CIDR, any of which the client's address is in.
        path: glob over the path, case-sensitive, with ``*`` and ``?``.
        host, method: exact, without regard to case.
        statuses: inclusive ranges, as (404, 404) or (400, 499).
        outcome, device_type, browser, country: exact.
        flags: bits, all of which the query has.
        is_bot: bots alone, or none.
        text: part of the URL, the user agent or the referrer's host, without regard to case.
    """

    since_us: int = 0
    until_us: int = 2**62
    networks: tuple[str, ...] = ()
    path: str = ""
    host: str = ""
    method: str = ""
    statuses: tuple[tuple[int, int], ...] = ()
    outcome: str = ""
    flags: int = 0
    device_type: str = ""
    browser: str = ""
    country: str = ""
    is_bot: bool | None = None
    text: str = ""


class FoundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it is shown: the record, and what was resolved of it.

    `time` is ISO 8601 in UTC with microseconds; other fields are as `requestlog.record.Record` says.

    Attributes:
        claimed_time: what the worker's clock said, where that was far from the ingester's; `time` is then
            when the record was ingested. Empty otherwise.
    """

    time: str
    request_id: str
    client_address: str
    peer_address: str
    address_source: str
    method: str
    scheme: str
    host: str
    url: str
    query_flags: tuple[str, ...]
    status: int
    outcome: str
    bytes_sent: int
    duration_us: int
    user_agent: str
    referrer_host: str
    device: str
    device_type: str
    browser: str
    browser_version: str
    os: str
    os_version: str
    country: str
    city: str
    claimed_time: str = ""
