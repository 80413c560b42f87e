"""Copying one place into another store: its rows and gaps, read back and compared before it counts.

Owns one place. A copy is a draft, under the key of the next generation, until it was compared; a draft that is met
again is thrown away, and what was compared is not copied again.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.store.interface import Filters
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.store.places import Contents, Found, Place
    from consentkit.archive.store.requeststore import Reader
    from consentkit.requestlog.record import Gap

_PAGE_ROWS: Final = 5_000
_ALL: Final = Filters()

encode = msgspec.msgpack.Encoder().encode


class Copied(NamedTuple):
    """A place that is in both stores.

    Attributes:
        place: in the old store.
        fresh: in the new one.
        contents: of the new one.
    """

    place: Place
    fresh: Place
    contents: Contents


def copy_place(source: Holdings, target: Holdings, place: Place, *, advance: Callable[[int], None]) -> Copied:
    """Copy a place that nobody writes, unless that is done already.

    Args:
        source, target: from, and to.
        place: in the source; the target has it as the next generation.
        advance: called with rows that were copied, or compared, since the last call: each counts twice.

    Raises:
        StorageError: it can't be read or written, or what was written is not what was read.
    """
    fresh = msgspec.structs.replace(place, generation=place.generation + 1)
    rows = target.rows
    with (
        source.rows.lock(place, exclusive=False, wait_seconds=READER_SECONDS),
        rows.lock(fresh, exclusive=True, wait_seconds=READER_SECONDS),
    ):
        drafts = {(one.name, one.generation) for one in rows.lying(fresh.group) if one.is_draft}
        if not rows.exists(fresh) or (fresh.name, fresh.generation) in drafts:
            _write(source, target, place, fresh, advance)
        contents = rows.seal(fresh)
        return Copied(place, fresh, contents)


def _write(source: Holdings, target: Holdings, place: Place, fresh: Place, advance: Callable[[int], None]) -> None:
    rows = target.rows
    rows.discard(fresh)
    rows.mark_draft(fresh)
    target.keyring.make(fresh.key_name)
    with source.rows.reader(place) as reader:
        with rows.copy(fresh) as copy:
            for page in _pages(reader):
                copy.add(page)
                advance(len(page))
            copy.finish(_gaps(reader))
        rows.seal(fresh)
        with rows.reader(fresh) as written:
            _compare(reader, written, fresh, advance)
    rows.unmark(fresh)


def _compare(reader: Reader | None, written: Reader | None, fresh: Place, advance: Callable[[int], None]) -> None:
    was, now = _fingerprint(reader, lambda _: None), _fingerprint(written, advance)
    if was != now:
        raise StorageError(
            fresh.stem,
            f"{now.rows} rows and {now.gaps} gaps are not the {was.rows} and {was.gaps} that were copied;"
            " nothing was changed where they come from; move again",
        )


class _Fingerprint(NamedTuple):
    """What tells one content from any other: order, places and every field."""

    rows: int
    gaps: int
    digest: bytes


def _fingerprint(reader: Reader | None, advance: Callable[[int], None]) -> _Fingerprint:
    digest, count = blake2b(), 0
    for page in _pages(reader):
        digest.update(encode([request for _, request in page]))
        count += len(page)
        advance(len(page))
    gaps = _gaps(reader)
    digest.update(encode(gaps))
    return _Fingerprint(count, len(gaps), digest.digest())


def _rows(reader: Reader | None) -> Iterator[Found]:
    return iter(()) if reader is None else reader.rows(_ALL, limit=0, oldest_first=True)


def _pages(reader: Reader | None) -> Iterator[list[Found]]:
    rows = _rows(reader)
    while page := list(islice(rows, _PAGE_ROWS)):
        yield page


def _gaps(reader: Reader | None) -> list[Gap]:
    found = {} if reader is None else reader.gaps(_ALL)
    return sorted(found.values(), key=lambda gap: (gap.since_us, gap.until_us, gap.reason, gap.network, gap.lost))
