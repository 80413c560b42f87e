"""What every backend keeps and gives back.

Owns the shapes at the border between the archive and its stores; how rows lie on a disk is a backend's
business.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import msgspec

from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from consentkit.requestlog.record import Entry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEGMENT_BITS: Final = 64
_SEQUENCE_BITS: Final = 32


class Misfiled(NamedTuple):
    """What was decided of a segment with records whose time can't be true.

    Attributes:
        first_sequence: of the first frame that it holds for.
        time_us: the ingester's clock then; such records stand under it, in the period that holds it.
        since_us, until_us: a time outside of these can't be true.
    """

    first_sequence: int
    time_us: int
    since_us: int
    until_us: int

    def holds(self, sequence: int, time_us: int) -> bool:
        """Tell whether a frame goes by this decision and not by its own time."""
        return sequence >= self.first_sequence and not self.since_us <= time_us < self.until_us

    def shown_us(self, sequence: int) -> int:
        """Return the time under which such a record stands: a microsecond each, in their order."""
        return self.time_us + sequence - self.first_sequence


class Batch(NamedTuple):
    """Consecutive frames of one segment that belong to one period.

    Frames below the mark that the period holds for the segment were applied before and are passed over,
    so that applying a batch twice is the same as once.
    """

    worker: str
    segment: int
    entries: list[tuple[int, Entry]]
    misfiled: Misfiled | None = None


class Cursor(NamedTuple):
    """A place in the order of all rows: by time, and within a microsecond by the frame a row came in.

    It says nothing of where a row lies, so that pages go on exactly while rows move from the spool into
    their period, and while a period is written anew. As text: ``2026-11-20T02:14:05.123456Z``, and for a row
    its request id after a slash.

    Attributes:
        time_us: microseconds since 1970 UTC.
        tie: of a row's frame, as `at` makes it; -1 = before all rows of the microsecond.
    """

    time_us: int
    tie: int = -1

    @classmethod
    def at(cls, time_us: int, frame: FrameId) -> Self:
        """Return the place of a row."""
        worker = int.from_bytes(frame.worker.encode())
        return cls(time_us, ((worker << _SEGMENT_BITS | frame.segment) << _SEQUENCE_BITS) | frame.sequence)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the place that a text names; a time alone is before all rows of its microsecond.

        Raises:
            ValueError: it names none.
        """
        time, slash, request_id = text.partition("/")
        instant = datetime.fromisoformat(time)
        time_us = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH
        place = cls(time_us // timedelta(microseconds=1))
        if not slash:
            return place
        worker, segment, sequence = request_id.rsplit("-", 2)
        if not (worker.isascii() and 0 < len(worker) <= _SEQUENCE_BITS):
            raise ValueError("no worker's name")
        frame = FrameId(worker, _number(segment, _SEGMENT_BITS), _number(sequence, _SEQUENCE_BITS))
        return cls.at(place.time_us, frame)

    def __str__(self) -> str:
        """Return what `parse` takes."""
        return f"{iso_time(self.time_us)}/{self._frame()}" if self.tie >= 0 else iso_time(self.time_us)

    def _frame(self) -> FrameId:
        rest, sequence = divmod(self.tie, 1 << _SEQUENCE_BITS)
        worker, segment = divmod(rest, 1 << _SEGMENT_BITS)
        return FrameId(worker.to_bytes((worker.bit_length() + 7) // 8).decode(), segment, sequence)


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


def iso_time(time_us: int) -> str:
    """Return an instant as ISO 8601 in UTC with microseconds."""
    instant = _EPOCH + timedelta(microseconds=time_us)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _number(text: str, bits: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _SEGMENT_BITS) or int(text) >> bits:
        raise ValueError("no number of a frame")
    return int(text)
