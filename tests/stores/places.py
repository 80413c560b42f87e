"""Places of a store, made and filled by hand, as custody does it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing

from consentkit.archive.store.interface import Batch, Filters
from consentkit.archive.store.places import Found, Place, RowsOf
from consentkit.requestlog.record import Entry, Record
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY
from tests.stores import oracle
from tests.stores.corpus import NOW, Corpus
from tests.stores.oracle import Row
from tests.stores.questions import SIX
from tests.stores.sites import Site

_generations = itertools.count(1)


def new_place(site: Site, *, day: int = 0, has_key: bool = True) -> Place:
    """Return a place that does not exist yet, on a day of the corpus; its key is made."""
    since_us = MONDAY + day * DAY_US
    place = Place("period", DAYS[day], next(_generations), since_us, since_us + DAY_US)
    if has_key:
        site.keyring.make(place.key_name)
    return place


def batches(corpus: Corpus, place: Place) -> list[Batch]:
    """Return what of the corpus lies in a place by its own time, a batch a segment."""
    found: dict[tuple[str, int], list[tuple[int, Entry]]] = {}
    for frame, entry in corpus.frames:
        time_us = entry.time_us if isinstance(entry, Record) else entry.until_us
        if place.since_us <= time_us < place.until_us:
            found.setdefault((frame.worker, frame.segment), []).append((frame.sequence, entry))
    return [Batch(worker, segment, entries) for (worker, segment), entries in found.items()]


def rows_in(corpus: Corpus, place: Place) -> list[Row]:
    """Return the requests of the corpus that lie in a place, newest first."""
    frames = [
        (frame, entry)
        for frame, entry in corpus.frames
        if isinstance(entry, Record) and place.since_us <= entry.time_us < place.until_us
    ]
    return oracle.rows_of(frames, corpus.resolvers, NOW)


def write(site: Site, place: Place, parts: Iterable[Batch], *, commit_each: int = 1) -> None:
    """Add batches, and make durable so many at a time."""
    with (
        site.holdings.rows.lock(place, exclusive=False, wait_seconds=1),
        closing(site.holdings.rows.writer(place, site.corpus.resolvers)) as writer,
    ):
        waiting = iter(parts)
        while some := list(itertools.islice(waiting, commit_each)):
            for batch in some:
                writer.add(batch)
            writer.commit()


def filled(site: Site, *, day: int = 0) -> Place:
    """Return a new place with all that the corpus has of its day."""
    place = new_place(site, day=day)
    write(site, place, batches(site.corpus, place))
    return place


def found(site: Site, place: Place, filters: Filters | None = None) -> list[Found]:
    """Return the rows of a place, newest first."""
    rows = site.holdings.rows
    with rows.lock(place, exclusive=False, wait_seconds=1), rows.reader(place) as reader:
        return [] if reader is None else list(reader.rows(filters or Filters(), limit=0))


def cut(batch: Batch, sizes: Iterable[int]) -> Iterator[Batch]:
    """Cut a batch into batches of so many frames each, over and over."""
    entries = iter(batch.entries)
    for size in itertools.cycle(sizes):
        part = list(itertools.islice(entries, size))
        if not part:
            return
        yield batch._replace(entries=part)


def answers(rows: list[Row]) -> list[Found]:
    """Return rows as a reader gives them."""
    return [(row.cursor, row.found) for row in rows]


# Somebody, by network and time, and by network and browser.
HERS = RowsOf("192.0.2.0/24", SIX, MONDAY + 9 * HOUR_US)
WITH_AGENT = RowsOf("2001:db8::/32", 0, 2**60, "curl/8.0")


def is_of(row: Row, one: RowsOf) -> bool:
    """Tell whether a row is somebody's."""
    return (
        oracle.lies_in(row.found.client_address, one.network)
        and one.since_us <= row.time_us < one.until_us
        and one.agent in ("", row.found.user_agent)
    )
