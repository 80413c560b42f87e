"""Which rows a look has shown: what is recorded of each page, and listing the same rows again.

Owns both sides, so that what is written is what can be read. Each page names its rows by their request ids,
so that exactly those are listed again, whatever came late, was rewritten or went since. Consecutive ids are
written as a range: a page of a whole log costs a few bytes, one of 1,000 scattered rows some 6 KB.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.archive.search import Found
from consentkit.archive.store.interface import Filters
from consentkit.audit import AuditEntry, Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from consentkit.archive.search import Archive
    from consentkit.control import Control

# What truncation leaves of an address: a row found by the whole one is found again by its network.
_CUT_TO: Final = {4: 24, 6: 48}


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded page, and what is left of it.

    Attributes:
        entry: the look, as it stands in the audit.
        shown: how many rows it showed; None where it names none, and shows something else.
        kept: those that are still there, newest first.
        is_whole: all of them were looked for; False where the time was up before.
    """

    entry: AuditEntry
    shown: int | None
    kept: tuple[Found, ...]
    is_whole: bool = True

    @property
    def gone(self) -> int:
        """How many went with their periods, or with what was erased."""
        return (self.shown or 0) - len(self.kept)


class _Page(msgspec.Struct, frozen=True):
    """The part of an entry's detail that `page_detail` makes."""

    requests: dict[str, str] = {}
    since_us: int = 0
    until_us: int = 0
    match: dict[str, object] = {}


def page_detail(filters: Filters, page: Sequence[Found]) -> dict[str, object]:
    """Return what the audit's entry of a shown page says of its rows; it goes into the entry's detail.

    Args:
        filters: by which they were found.
        page: the rows, in any order; nothing where none was found.
    """
    if not page:
        return {}
    times = [cursor.time_us for cursor, _ in page]
    defaults = msgspec.to_builtins(Filters())
    match = {name: value for name, value in msgspec.to_builtins(filters).items() if value != defaults[name]}
    return {
        **({"match": match} if match else {}),
        "since_us": min(times),
        "until_us": max(times) + 1,
        "requests": _packed(found.request_id for _, found in page),
    }


def exposures(
    control: Control,
    archive: Archive,
    numbers: Sequence[int] = (),
    listing: Listing | None = None,
    *,
    before: int | None = None,
) -> Iterator[Exposure]:
    """Yield what looks have shown, newest look first.

    Args:
        control: holds the audit.
        archive: the log, as it is now.
        numbers: these entries alone; nothing = all that `listing` asks for.
        listing: which entries; None = all.
        before: entries before this one alone: what is shown now is itself recorded.

    Raises:
        StorageError: a period, or the audit, can't be read.
    """
    for entry in audit.listed(control, listing or Listing(), before=before):
        if entry.rows and (not numbers or entry.number in numbers):
            yield exposure(archive, entry)


def exposure(archive: Archive, entry: AuditEntry, *, time_limit_seconds: float | None = None) -> Exposure:
    """Return what one look has shown.

    Args:
        archive: the log, as it is now.
        entry: the look, as it stands in the audit.
        time_limit_seconds: what is found until then; None = it may take for ever.

    Raises:
        StorageError: a period can't be read.
    """
    try:
        page = msgspec.json.decode(entry.detail, type=_Page)
        wanted = set(islice(_unpacked(page.requests), entry.rows))  # no more, whatever ranges it names
        filters = _again(page)
    except (msgspec.DecodeError, TypeError, ValueError):
        wanted, filters = set(), Filters()  # another kind of look: its detail says what was shown
    if not wanted:
        return Exposure(entry=entry, shown=None, kept=())
    found = archive.search(filters, limit=0, time_limit_seconds=time_limit_seconds)
    kept = tuple(one for one in found if one[1].request_id in wanted)
    is_whole = found.reached is None or len(kept) == len(wanted)
    return Exposure(entry=entry, shown=len(wanted), kept=kept, is_whole=is_whole)


def _again(page: _Page) -> Filters:
    """Return filters that find at least the page's rows, also after their addresses were cut."""
    filters = msgspec.convert(page.match, Filters)
    networks = tuple(_widened(network) for network in filters.networks)
    return msgspec.structs.replace(filters, since_us=page.since_us, until_us=page.until_us, networks=networks)


def _widened(text: str) -> str:
    network = ipaddress.ip_network(text, strict=False)
    return str(network.supernet(new_prefix=min(network.prefixlen, _CUT_TO[network.version])))


def _packed(request_ids: Iterable[str]) -> dict[str, str]:
    """Return ids by segment, as ``{"worker-segment": "0-9,12"}``."""
    sequences: dict[str, list[int]] = defaultdict(list)
    for request_id in request_ids:
        segment, _, sequence = request_id.rpartition("-")
        sequences[segment].append(int(sequence))
    return {segment: ",".join(_ranges(sorted(numbers))) for segment, numbers in sequences.items()}


def _ranges(numbers: list[int]) -> Iterator[str]:
    first = numbers[0]
    for number, following in pairwise([*numbers, None]):
        if number is None or following == number + 1:
            continue
        yield str(first) if first == number else f"{first}-{number}"
        if following is not None:
            first = following


def _unpacked(requests: Mapping[str, str]) -> Iterator[str]:
    for segment, ranges in requests.items():
        for part in ranges.split(","):
            first, _, last = part.partition("-")
            for sequence in range(int(first), int(last or first) + 1):
                yield f"{segment}-{sequence}"
