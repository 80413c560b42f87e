"""A place as of one instant: what is committed while it is read is in no answer; words are fetched once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store.interface import Batch, Filters
from consentkit.archive.store.places import Place, RowsOf, TimeIsUp
from consentkit.archive.store.requeststore import Reader
from consentkit.archive.store.server.engine import NOTHING_SEEN, Engine, Kind, Seen, Word
from consentkit.errors import StorageError
from consentkit.requestlog.record import Entry
from tests.archive.installation import HOUR_US, MONDAY, RESOLVERS, request
from tests.archive.store.additions import PLACE, SINCE_US, addition, row
from tests.archive.store.engines import EVERY, EVERY_BUT_CHDB, opened
from tests.archive.store.servercore import PERIOD, Hosts, write
from tests.archive.store.sqlengine import SqlEngine

BOUNDS_US = (1_000, 1_000_000)
ONE = "203.0.113.7"
_names = itertools.count(1)


@pytest.fixture(scope="module", params=EVERY)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with opened(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    return Hosts(tmp_path_factory.mktemp("hosts"))


@pytest.fixture
def place(hosts: Hosts, engine: Engine) -> Iterator[Place]:
    """A place that nobody has written to, under a key of its own."""
    own = msgspec.structs.replace(PERIOD, name=f"2026-03-02-{next(_names)}")
    hosts.keyring.make(own.key_name)
    yield own
    engine.drop(own.key_name)


def frames(count: int, *, start: int = 0) -> list[tuple[int, Entry]]:
    """Requests of nine addresses, minutes apart."""
    return [
        (number, request(MONDAY + number * 60_000_000, f"/page/{number}", address=f"192.0.2.{number % 9}"))
        for number in range(start, start + count)
    ]


def of_one(time_us: int) -> list[tuple[int, Entry]]:
    """The request of an address that nobody else has."""
    return [(0, request(time_us, "/late", address=ONE))]


def answers(reader: Reader) -> list[object]:
    """All that is told of a place, without its order where it has none."""
    everything = Filters()
    reader.hour_words(MONDAY)
    return [
        [found.request_id for _, found in reader.rows(everything, limit=0)],
        reader.measure(),
        reader.measure_hour(MONDAY),
        sorted((one.client, one.requests) for one in reader.hour_requests(MONDAY, BOUNDS_US)),
        reader.counts(everything, "address"),
        reader.counts(Filters(path="/page/*"), "path"),
        reader.counts_over_time(everything, HOUR_US),
        reader.counts_by_status(HOUR_US),
        reader.clients(),
        reader.count_of(RowsOf("192.0.2.1", 0, 2**62)),
        reader.count_of(RowsOf(ONE, 0, 2**62)),
        reader.edge(everything, 10),
        reader.count_withheld(everything, [RowsOf("192.0.2.0/24", MONDAY, MONDAY + HOUR_US)]),
        reader.marks(),
    ]


def test_what_is_committed_after_the_opening_is_in_no_answer(hosts: Hosts, engine: Engine, place: Place) -> None:
    store, other = hosts.store(engine, "a"), hosts.store(engine, "b")
    writer, others = store.writer(place, RESOLVERS), other.writer(place, RESOLVERS)
    write(writer, [Batch("w", 1, frames(40))])
    with store.reader(place) as then:
        assert then is not None
        expected = answers(then)

    with store.reader(place) as opened:
        assert opened is not None
        write(writer, [Batch("w", 1, frames(5, start=40))])
        write(others, [Batch("v", 1, of_one(MONDAY + 5)), Batch("v", 2, frames(3))])
        assert answers(opened) == expected
        assert answers(opened) == expected  # whatever was fetched by the first

    with store.reader(place) as now:
        assert now is not None
        assert now.measure() == (49, MONDAY)
        assert now.counts(Filters(), "address")[ONE] == 1
        assert now.clients() == 10


def test_rows_whose_batch_broke_off_are_not_counted(hosts: Hosts, tmp_path: Path) -> None:
    def break_off(table: str) -> None:
        if table == "batch":
            raise StorageError("server", "is away")

    own = msgspec.structs.replace(PERIOD, name="2026-03-20")
    hosts.keyring.make(own.key_name)
    with closing(SqlEngine(tmp_path / "engine.db")) as small:
        store = hosts.store(small)
        writer = store.writer(own, RESOLVERS)
        write(writer, [Batch("w", 1, frames(7))])
        small.step = break_off
        with pytest.raises(StorageError, match="away"):
            write(writer, [Batch("w", 1, frames(5, start=7))])
        with store.reader(own) as reader:
            assert reader is not None
            assert reader.measure() == (7, MONDAY)
            assert sum(one.requests for one in reader.hour_requests(MONDAY, BOUNDS_US)) == 7


@pytest.mark.parametrize("engine", EVERY_BUT_CHDB, indirect=True)
def test_a_reader_whose_time_was_up_answers_the_next_question(hosts: Hosts, engine: Engine, place: Place) -> None:
    store = hosts.store(engine)
    writer = store.writer(place, RESOLVERS)
    write(writer, [Batch("w", 1, frames(20))])
    with store.reader(place) as reader:
        assert reader is not None
        with pytest.raises(TimeIsUp), reader.limited(Deadline(0)):
            reader.measure()
        with reader.limited(Deadline(30)):
            assert reader.measure() == (20, MONDAY)
        write(writer, [Batch("w", 1, frames(5, start=20))])
        assert reader.measure() == (20, MONDAY)


def words_by(engine: Engine, kind: Kind, beyond: Seen) -> list[int]:
    return sorted(word.number for word in engine.words(PLACE, kind, beyond=beyond))


def test_words_that_were_seen_are_not_fetched_again(engine: Engine) -> None:
    engine.make(PLACE)
    first, second, third = ([row(SINCE_US + one, one, client=10 + one)] for one in range(3))
    engine.append(PLACE, [addition(first)])
    seen = engine.seen(PLACE)
    assert words_by(engine, "client", seen) == []

    again = [Word("client", 10, b"client 10")]  # by a host that did not know of it
    engine.append(PLACE, [addition(second, number=2)])
    engine.append(PLACE, [addition(third, lane="lane-b", segment=2)])
    engine.append(PLACE, [addition([row(SINCE_US, 9)], lane="lane-b", number=2, segment=2, words=again)])

    assert words_by(engine, "client", NOTHING_SEEN) == [10, 11, 12]
    assert {11, 12} <= set(words_by(engine, "client", seen)) <= {10, 11, 12}
    assert words_by(engine, "client", engine.seen(PLACE)) == []
    engine.drop(PLACE)


def test_a_place_that_is_only_marked_is_not_there_and_is_listed_as_a_draft(
    hosts: Hosts, engine: Engine, place: Place
) -> None:
    store = hosts.store(engine)
    store.mark_draft(place)

    assert not store.exists(place)
    assert store.read(place, lambda reader: reader) is None
    assert [(one.name, one.is_draft) for one in store.lying("period")] == [(place.name, True)]

    store.make(place)
    assert store.exists(place)
    assert [(one.name, one.is_draft) for one in store.lying("period")] == [(place.name, True)]
    store.unmark(place)
    assert [(one.name, one.is_draft) for one in store.lying("period")] == [(place.name, False)]


class Watched(SqlEngine):
    """An engine that notes which words it gave: all of a kind, or how many by number or lookup."""

    given: list[str | int]

    def words(self, place: str, kind: Kind, *, beyond: Seen = NOTHING_SEEN) -> Iterator[Word]:
        self.given.append(kind)
        return super().words(place, kind, beyond=beyond)

    def words_by_number(self, place: str, kind: Kind, numbers: Sequence[int]) -> list[Word]:
        found = super().words_by_number(place, kind, numbers)
        self.given.append(len(found))
        return found

    def words_by_lookup(self, place: str, lookups: Sequence[int]) -> list[Word]:
        found = super().words_by_lookup(place, lookups)
        self.given.append(len(found))
        return found


@pytest.fixture
def watched(hosts: Hosts, tmp_path: Path) -> Iterator[Watched]:
    hosts.keyring.make(PERIOD.key_name)
    with closing(Watched(tmp_path / "engine.db")) as made:
        made.given = []
        batches = [Batch("w", 1, frames(40)), Batch("v", 1, of_one(MONDAY))]
        write(hosts.store(made).writer(PERIOD, RESOLVERS), batches)
        made.given.clear()
        yield made


@pytest.mark.parametrize(
    ("filters", "given", "found"),
    [
        pytest.param(Filters(networks=("198.51.100.9",)), [0], 0, id="an address that is nowhere"),
        pytest.param(Filters(networks=(ONE,)), [1, 1, 1, 1], 1, id="an address"),
        pytest.param(Filters(networks=(f"{ONE}/32", "192.0.2.1")), [2, 1, 6, 1], 6, id="two addresses"),
        pytest.param(Filters(networks=("192.0.2.0/30",)), ["client", 1, 20, 1], 20, id="a network"),
        pytest.param(Filters(path="/late"), ["resource", 1, 1, 1], 1, id="a path"),
    ],
)
def test_a_search_fetches_the_words_that_it_needs(
    hosts: Hosts, watched: Watched, filters: Filters, given: list[str | int], found: int
) -> None:
    with hosts.store(watched).reader(PERIOD) as reader:
        assert reader is not None
        assert len(list(reader.rows(filters, limit=0))) == found
        assert watched.given == given
        assert len(list(reader.rows(filters, limit=0))) == found
    looked_up = given[:1] if filters.networks and given[0] != "client" else []
    assert watched.given == given + looked_up  # the others are kept
