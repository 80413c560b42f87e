"""The values that custody and the backends of the request log give each other.

Owns what they say, and nothing else: what is done with them is `requeststore`. Times are microseconds since 1970
UTC, everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from consentkit.archive.store.interface import Cursor, FoundRequest

Found: TypeAlias = tuple[Cursor, FoundRequest]
Marks: TypeAlias = dict[tuple[str, int], int]

# What rows are counted by.
By: TypeAlias = Literal[
    "address", "path", "agent", "status", "host", "referrer", "country", "browser", "device-type", "query-flags"
]


class Place(msgspec.Struct, frozen=True):
    """One generation of rows.

    Attributes:
        group: ``period`` or ``incident``.
        name: the period's, as ``2026-11-23``, or the incident's number.
        generation: counts rewrites.
        since_us, until_us: from, and before; no row lies outside.
    """

    group: Literal["period", "incident"]
    name: str
    generation: int
    since_us: int
    until_us: int

    @property
    def key_name(self) -> str:
        """The name of its key in the keys folder."""
        return f"{self.group}/{self.name}.{self.generation}"

    @property
    def stem(self) -> str:
        """What it is called within its group: the name and the generation."""
        return f"{self.name}.{self.generation}"


class RowsOf(NamedTuple):
    """The rows of somebody, as far as they can be told: by network, time and browser.

    Attributes:
        network: address or CIDR that the client's address is in.
        since_us, until_us: from, and before.
        agent: User-Agent, exactly; empty = any.
    """

    network: str
    since_us: int
    until_us: int
    agent: str = ""


class Head(NamedTuple):
    """Where a running digest stands.

    Attributes:
        batch: how many batches it is over.
        digest: 32 bytes.
        lane: whose batches: each host that writes a place has a chain of its own; empty where there is one writer.
    """

    batch: int
    digest: bytes
    lane: str = ""


class Noted(NamedTuple):
    """A head as an entry of the audit noted it, in hexadecimal."""

    head: str
    entry: int


# By lane and batch.
NotedHeads: TypeAlias = Mapping[tuple[str, int], Noted]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a place holds.

    Attributes:
        rows: requests.
        bytes: what it takes on the disk.
        oldest_us: time of the first request; None where there is none.
        file_hash: what tells this content from any other: SHA-256 of the sealed file, or over all lanes' heads;
            empty while it is open.
        batch, head: of the one lane, in hexadecimal; of several 0 and empty, for `file_hash` is over them.
    """

    rows: int
    bytes: int
    oldest_us: int | None
    file_hash: str = ""
    batch: int = 0
    head: str = ""

    @property
    def columns(self) -> dict[str, object]:
        """What the catalogue of periods holds of it."""
        return {"rows": self.rows, "bytes": self.bytes, "oldest_us": self.oldest_us, "file_hash": self.file_hash}


class Rewritten(msgspec.Struct, frozen=True):
    """What a rewrite came to: what is in the fresh place, and how many rows did not go along."""

    contents: Contents
    left_out: int


class Checked(NamedTuple):
    """What a check of a place came to.

    Attributes:
        rows: requests that were read; None where they can't be counted.
        fault: the first thing that does not hold; empty = all does.
        file_hash: of what is there.
    """

    rows: int | None
    fault: str
    file_hash: str = ""


class Lying(NamedTuple):
    """Something that lies where places lie.

    Attributes:
        what: its name there, for people.
        name, generation: the place's; empty and 0 where it is none.
        is_draft: marked as one.
    """

    what: str
    name: str
    generation: int
    is_draft: bool


class TimeIsUp(Exception):
    """End what runs past its limit."""


class HourRequest(NamedTuple):
    """What the statistics look at of requests that are alike: never shown, folded into groups.

    Attributes:
        client: opaque, equal for one address (of an IPv6 address its /64).
        duration_class: how many of the bounds are at or below its duration.
        requests: how many.
    """

    client: bytes
    country: str
    agent: int
    resource: int
    status: int
    outcome: int
    duration_class: int
    requests: int = 1


class HourWords(NamedTuple):
    """What the numbers in `HourRequest` stand for.

    Attributes:
        agents: device type, browser and system by number, in the order in which they were first met.
        resources: method and the beginning of the path by number, likewise.
    """

    agents: dict[int, tuple[str, str, str]]
    resources: dict[int, tuple[str, str]]
