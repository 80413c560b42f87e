"""What the log must answer, in plain Python over a list: no store, no SQL, no index."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import NamedTuple

import msgspec

from consentkit.archive.resolve import Resolvers
from consentkit.archive.search.top import By
from consentkit.archive.store.interface import Cursor, Filters, FoundRequest, iso_time
from consentkit.requestlog.record import Entry, Gap, Record
from consentkit.requestlog.redact import flag_bits, flag_names
from consentkit.requestlog.segment import FrameId
from tests.archive.installation import DAY_US, MONDAY

TWO_DAYS_US = 2 * DAY_US


class Row(NamedTuple):
    """A request with its place in the order of all."""

    cursor: Cursor
    time_us: int
    found: FoundRequest


def rows_of(
    frames: Iterable[tuple[FrameId, Entry]], resolvers: Resolvers, now_us: int, *, waiting: str = ""
) -> list[Row]:
    """Return the requests, newest first; times that can't be true are shown as of the ingester's clock.

    Args:
        frames: all that was spooled.
        resolvers: of agents and addresses.
        now_us: the ingester's clock.
        waiting: a worker of which nothing is stored, so that nobody has doubted its times.
    """
    rows = []
    first_misdated: dict[tuple[str, int], int] = {}
    for frame, entry in frames:
        if not isinstance(entry, Record):
            continue
        time_us, claimed = entry.time_us, ""
        if frame.worker != waiting and not MONDAY - TWO_DAYS_US < time_us <= now_us + TWO_DAYS_US:
            first = first_misdated.setdefault((frame.worker, frame.segment), frame.sequence)
            time_us, claimed = now_us + frame.sequence - first, iso_time(entry.time_us)
        rows.append(Row(place_of(time_us, frame), time_us, found(frame, entry, resolvers, time_us, claimed)))
    return sorted(rows, key=attrgetter("cursor"), reverse=True)


def place_of(time_us: int, frame: FrameId) -> Cursor:
    """Return the place of a row in the order of all: by time, then worker, segment and sequence."""
    worker = int.from_bytes(frame.worker.encode())
    return Cursor(time_us, worker << 96 | frame.segment << 32 | frame.sequence)


def found(frame: FrameId, record: Record, resolvers: Resolvers, time_us: int, claimed: str) -> FoundRequest:
    """Return a record as it is shown."""
    agent, place = resolvers.agents.resolve(record.user_agent), resolvers.places.resolve(record.client_address)
    return FoundRequest(
        time=iso_time(time_us),
        request_id=f"{frame.worker}-{frame.segment}-{frame.sequence}",
        client_address=record.client_address,
        peer_address=record.peer_address,
        address_source=record.address_source,
        method=record.method,
        scheme=record.scheme,
        host=record.host,
        url=record.url,
        query_flags=flag_names(record.query_flags),
        status=record.status,
        outcome=record.outcome,
        bytes_sent=record.bytes_sent,
        duration_us=record.duration_us,
        user_agent=record.user_agent,
        referrer_host=record.referrer_host,
        claimed_time=claimed,
        **msgspec.structs.asdict(agent),
        **msgspec.structs.asdict(place),
    )


def answer(rows: Iterable[Row], filters: Filters) -> list[tuple[Cursor, FoundRequest]]:
    """Return what a search must find, newest first."""
    return [(row.cursor, row.found) for row in rows if matches(row, filters)]


def matches(row: Row, filters: Filters) -> bool:
    """Tell whether a request meets all that is asked."""
    one = row.found
    path = one.url.partition("?")[0]
    is_bot = one.device_type == "bot"
    return all(
        (
            filters.since_us <= row.time_us < filters.until_us,
            not filters.networks or any(lies_in(one.client_address, network) for network in filters.networks),
            not filters.path or fits(filters.path, path),
            not filters.host or one.host == filters.host.lower(),
            not filters.method or one.method.upper() == filters.method.upper(),
            not filters.statuses or any(low <= one.status <= high for low, high in filters.statuses),
            filters.outcome in ("", one.outcome),
            flag_bits(one.query_flags) & filters.flags == filters.flags,
            filters.device_type in ("", one.device_type),
            not filters.browser or one.browser.lower() == filters.browser.lower(),
            not filters.country or one.country == filters.country.upper(),
            filters.is_bot is None or is_bot == filters.is_bot,
            not filters.text or holds(filters.text, one),
        )
    )


def lies_in(address: str, network: str) -> bool:
    if not address:
        return False
    whole, single = ipaddress.ip_network(network, strict=False), ipaddress.ip_address(address)
    return single.version == whole.version and single in whole


def fits(pattern: str, path: str) -> bool:
    """Tell whether a path is as a glob has it: ``*`` any signs, ``?`` one, all else itself."""
    at = in_path = 0
    star, star_path = -1, 0
    while in_path < len(path):
        if at < len(pattern) and pattern[at] == "*":
            star, star_path = at, in_path
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", path[in_path]):
            at += 1
            in_path += 1
        elif star >= 0:
            star_path += 1
            at, in_path = star + 1, star_path
        else:
            return False
    return not pattern[at:].strip("*")


def holds(text: str, one: FoundRequest) -> bool:
    wanted = lower_ascii(text)
    return any(wanted in lower_ascii(value) for value in (one.url, one.user_agent, one.referrer_host))


def lower_ascii(text: str) -> str:
    return text.encode().lower().decode()


_VALUES: dict[By, Callable[[FoundRequest], str]] = {
    "address": attrgetter("client_address"),
    "path": lambda one: one.url.partition("?")[0],
    "agent": attrgetter("user_agent"),
    "status": lambda one: str(one.status),
    "host": attrgetter("host"),
    "referrer": attrgetter("referrer_host"),
    "country": attrgetter("country"),
    "browser": attrgetter("browser"),
    "device-type": attrgetter("device_type"),
}


def top(rows: Iterable[Row], filters: Filters, by: By) -> list[tuple[str, int]]:
    """Return how often each value is there, most frequent first."""
    counts = Counter(_VALUES[by](one) for _, one in answer(rows, filters))
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def over_time(rows: Iterable[Row], filters: Filters, step_us: int) -> dict[int, int]:
    """Return how many match in each step, by its first instant."""
    steps = Counter(row.time_us // step_us * step_us for row in rows if matches(row, filters))
    return dict(sorted(steps.items()))


def gaps(frames: Iterable[tuple[FrameId, Entry]], since_us: int, until_us: int) -> list[Gap]:
    """Return the gaps that touch a time, oldest first."""
    told = [one for _, one in frames if isinstance(one, Gap)]
    touching = [one for one in told if one.since_us < until_us and one.until_us >= since_us]
    return sorted(touching, key=attrgetter("since_us", "until_us", "network"))
