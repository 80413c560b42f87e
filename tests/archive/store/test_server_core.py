"""What the store over a server's engine answers, held against the embedded store over the same frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from consentkit.archive.periodlock import PeriodBusy
from consentkit.archive.search.deadline import Deadline
from consentkit.archive.store.interface import Batch, Cursor, Filters
from consentkit.archive.store.places import By, Found, Noted, Place, RowsOf, TimeIsUp
from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.requeststore import Reader, RequestStore
from consentkit.archive.store.server.engine import Engine
from consentkit.errors import KeyUnavailable, StorageError
from consentkit.requestlog.record import Entry, Record
from tests.archive.installation import DAY_US, HOUR_US, MONDAY, RESOLVERS
from tests.archive.store.servercore import INCIDENT, MISFILED, NEXT, PERIOD, Hosts, batches_of, write
from tests.archive.store.sqlengine import SqlEngine
from tests.servers.postgresql import PostgreSQL
from tests.stores import corpus as corpora
from tests.stores.corpus import Corpus
from tests.stores.questions import EACH, SINGLE

BYS: tuple[By, ...] = (
    "address", "path", "agent", "status", "host", "referrer", "country", "browser", "device-type", "query-flags",
)  # fmt: skip
WITHHELD = (
    RowsOf("192.0.2.0/24", MONDAY + 6 * HOUR_US, MONDAY + 2 * DAY_US),
    RowsOf("2001:db8::/32", MONDAY, MONDAY + DAY_US, "curl/8.0"),
    RowsOf("203.0.113.0/24", MONDAY, MONDAY + DAY_US, "of nobody"),
)


class Both:
    """A server's store and the embedded one, with the same rows."""

    def __init__(self, hosts: Hosts, engine: Engine, corpus: Corpus) -> None:
        self.hosts = hosts
        self.engine = engine
        self.server = hosts.store(engine)
        self.embedded = hosts.embedded()
        self.corpus = corpus
        stores: tuple[RequestStore, RequestStore] = (self.server, self.embedded)
        for store in stores:
            writer = store.writer(PERIOD, corpus.resolvers)
            write(writer, batches_of(corpus.frames))
            writer.close()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpora.make(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    """An installation whose server each test brings along."""
    return Hosts(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "sqlite":
        small = SqlEngine(tmp_path_factory.mktemp("engine") / "engine.db")
        yield small
        small.close()
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    database = server.make_database()
    great = PostgresqlEngine(server.url(database))
    yield great
    great.close()
    server.drop_database(database)


@pytest.fixture(scope="module")
def both(engine: Engine, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(Hosts(tmp_path_factory.mktemp("hosts")), engine, corpus)


@pytest.fixture(scope="module")
def readers(both: Both) -> Iterator[tuple[Reader, Reader]]:
    with both.server.reader(PERIOD) as server, both.embedded.reader(PERIOD) as embedded:
        assert server is not None
        assert embedded is not None
        yield server, embedded


@pytest.mark.parametrize("filters", SINGLE.values(), ids=SINGLE)
def test_each_filter_gives_the_embedded_stores_rows_in_its_order(
    readers: tuple[Reader, Reader], filters: Filters
) -> None:
    server, embedded = readers
    expected = list(embedded.rows(filters, limit=0))
    assert list(server.rows(filters, limit=0)) == expected
    assert list(server.rows(filters, limit=0, oldest_first=True)) == expected[::-1]


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
def test_pages_put_together_are_the_whole(readers: tuple[Reader, Reader], size: int, oldest_first: bool) -> None:
    server, embedded = readers
    paged: list[Found] = []
    while True:
        place = Cursor.parse(str(paged[-1][0])) if paged else None
        before, after = (None, place) if oldest_first else (place, None)
        page = list(server.rows(Filters(), limit=size, before=before, after=after, oldest_first=oldest_first))
        if not page:
            break
        paged += page
    assert paged == list(embedded.rows(Filters(), limit=0, oldest_first=oldest_first))


@pytest.mark.parametrize(("at_once_seconds", "times"), [(0.0, range(8, 20)), (60.0, range(2, 5))])
def test_a_scan_tells_how_far_it_came_as_often_as_it_takes_long(
    readers: tuple[Reader, Reader], monkeypatch: pytest.MonkeyPatch, at_once_seconds: float, times: range
) -> None:
    monkeypatch.setattr("consentkit.archive.store.server.paging._AT_ONCE_SECONDS", at_once_seconds)
    told: list[int] = []
    seen: list[int] = []
    for cursor, _ in readers[0].rows(EACH["path"], limit=0, reached=told.append):
        assert all(cursor.time_us < time_us for time_us in told)
        seen.append(cursor.time_us)
    assert told == sorted(told, reverse=True)
    assert len(told) in times
    assert told[-1] <= seen[-1]


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("filters", [Filters(), EACH["path"]], ids=["all", "path"])
def test_counts_by_a_value_are_the_embedded_stores(
    readers: tuple[Reader, Reader], filters: Filters, by: By
) -> None:
    server, embedded = readers
    assert server.counts(filters, by, withheld=WITHHELD) == embedded.counts(filters, by, withheld=WITHHELD)


@pytest.mark.parametrize("filters", [Filters(), EACH["text"], SINGLE["text that is nowhere"]], ids=str)
def test_what_is_withheld_is_left_out_and_counted(readers: tuple[Reader, Reader], filters: Filters) -> None:
    server, embedded = readers
    shown = list(server.rows(filters, limit=0, withheld=WITHHELD))
    assert shown == list(embedded.rows(filters, limit=0, withheld=WITHHELD))
    assert server.count_withheld(filters, WITHHELD) == embedded.count_withheld(filters, WITHHELD)
    assert len(shown) + server.count_withheld(filters, WITHHELD) == len(list(server.rows(filters, limit=0)))


def test_every_other_question_is_answered_as_the_embedded_store_does(readers: tuple[Reader, Reader]) -> None:
    server, embedded = readers
    for rows in (0, 5, 100, 10_000):
        assert server.edge(EACH["path"], rows) == embedded.edge(EACH["path"], rows)
    assert server.counts_over_time(EACH["path"], HOUR_US) == embedded.counts_over_time(EACH["path"], HOUR_US)
    assert server.counts_by_status(HOUR_US) == embedded.counts_by_status(HOUR_US)
    assert server.clients() == embedded.clients()
    assert [server.count_of(rows) for rows in WITHHELD] == [embedded.count_of(rows) for rows in WITHHELD]
    assert server.gaps(Filters()) == embedded.gaps(Filters())
    assert server.gaps(Filters(until_us=MONDAY + DAY_US)) == embedded.gaps(Filters(until_us=MONDAY + DAY_US))
    assert server.marks() == embedded.marks()
    assert set(server.marks(2).items()) <= set(server.marks().items())
    assert server.measure() == embedded.measure()


def test_hours_are_counted_as_the_embedded_store_does(readers: tuple[Reader, Reader]) -> None:
    bounds = (1_000, 1_000_000)
    for hour in range(MONDAY, MONDAY + 3 * DAY_US, HOUR_US):
        answers = []
        for reader in readers:
            words = reader.hour_words(hour)
            counted: dict[tuple[object, ...], int] = {}
            for one in reader.hour_requests(hour, bounds):
                alike = (
                    one.client, one.country, words.agents[one.agent], words.resources[one.resource], one.status,
                    one.outcome, one.duration_class,
                )  # fmt: skip
                counted[alike] = counted.get(alike, 0) + one.requests
            answers.append((reader.measure_hour(hour), counted))
        assert answers[0] == answers[1]


def test_a_search_ends_when_its_time_is_up(readers: tuple[Reader, Reader]) -> None:
    with pytest.raises(TimeIsUp), readers[0].limited(Deadline(0)):
        readers[0].measure()


def test_a_place_that_was_never_made_is_nothing(both: Both) -> None:
    nowhere = msgspec.structs.replace(PERIOD, name="2026-03-09")
    with both.server.reader(nowhere) as reader:
        assert reader is None
    assert not both.server.exists(nowhere)
    assert both.server.size_bytes(nowhere) == 0
    assert both.server.read(nowhere, lambda reader: reader) is None


def test_what_the_server_has_holds_no_text_of_a_request(hosts: Hosts, corpus: Corpus, tmp_path: Path) -> None:
    engine = SqlEngine(tmp_path / "engine.db")
    write(hosts.store(engine).writer(PERIOD, corpus.resolvers), batches_of(corpus.frames))
    engine.close()
    stored = engine.path.read_bytes()
    records = [entry for _, entry in corpus.frames if isinstance(entry, Record)]
    texts = {text for one in records for text in (one.url, one.user_agent, one.host, one.referrer_host)}
    assert len(texts) > 40
    assert [text for text in texts if len(text) > 5 and text.encode() in stored] == []


def sealed_and_checked(store: RequestStore, place: Place) -> tuple[int | None, str]:
    contents = store.seal(place)
    noted = {("", contents.batch): Noted(contents.head, 1)} if contents.head else {}
    shares: list[float] = []
    checked = store.check(place, noted, is_sealed=True, advance=shares.append)
    assert checked.file_hash == contents.file_hash == store.file_hash(place)
    assert sum(shares) == pytest.approx(1)
    return checked.rows, checked.fault


def test_what_was_written_is_found_whole(both: Both) -> None:
    writer = both.server.writer(PERIOD, both.corpus.resolvers)
    head = writer.head
    noted = {("a", head.batch): Noted(head.digest.hex(), 4)}
    checked = both.server.check(PERIOD, noted, is_sealed=False, advance=lambda _: None)
    assert (checked.rows, checked.fault) == (300, "")
    assert sealed_and_checked(both.server, PERIOD) == (300, "")
    assert both.server.seal(PERIOD).oldest_us == MONDAY


@pytest.mark.parametrize("left_out", [None, WITHHELD[0], WITHHELD[1], WITHHELD[2]], ids=str)
@pytest.mark.parametrize("is_cut", [False, True], ids=["addresses whole", "addresses cut"])
def test_rows_written_anew_are_the_embedded_stores(both: Both, left_out: RowsOf | None, is_cut: bool) -> None:
    address = (lambda packed: packed[: len(packed) // 2] + bytes(len(packed) // 2)) if is_cut else None
    answers = []
    for store in (both.server, both.embedded):
        rewritten = store.write_anew(PERIOD, NEXT, address=address, left_out=left_out)
        with store.reader(NEXT) as reader:
            assert reader is not None
            found = list(reader.rows(Filters(), limit=0))
            answers.append((rewritten.left_out, rewritten.contents.rows, found, reader.clients(), reader.marks()))
        assert sealed_and_checked(store, NEXT) == (rewritten.contents.rows, "")
        store.discard(NEXT)
    assert answers[0] == answers[1]
    assert not both.server.exists(NEXT)
    assert not both.hosts.keyring.has(NEXT.key_name)


def test_what_was_written_anew_takes_later_frames_once(both: Both) -> None:
    both.server.write_anew(PERIOD, NEXT)
    writer = both.server.writer(NEXT, both.corpus.resolvers)
    late = next(entry for _, entry in both.corpus.frames if isinstance(entry, Record))
    assert write(writer, batches_of(both.corpus.frames)) == 0
    assert write(writer, [Batch("late", 1, [(0, late)], MISFILED)]) == 1
    assert writer.head.lane == "a"
    assert sealed_and_checked(both.server, NEXT) == (301, "")
    both.server.discard(NEXT)


def test_the_copy_of_an_incident_has_the_rows_that_were_found(both: Both) -> None:
    both.hosts.keyring.make(INCIDENT.key_name)
    with both.server.reader(PERIOD) as reader:
        assert reader is not None
        found = list(reader.rows(EACH["host"], limit=0, oldest_first=True))
        gaps = list(reader.gaps(Filters()).values())
    both.server.mark_draft(INCIDENT)
    with both.server.copy(INCIDENT) as copy:
        for start in range(0, len(found), 13):
            copy.add(found[start : start + 13])
        copy.finish(gaps)
    assert [one.is_draft for one in both.server.lying("incident")] == [True]
    rows, fault = sealed_and_checked(both.server, INCIDENT)
    both.server.unmark(INCIDENT)
    with both.server.reader(INCIDENT) as reader:
        assert reader is not None
        assert list(reader.rows(Filters(), limit=0, oldest_first=True)) == found
        assert sorted(reader.gaps(Filters()).values(), key=gaps.index) == gaps
    assert (rows, fault) == (len(found), "")
    assert [(one.name, one.generation, one.is_draft) for one in both.server.lying("incident")] == [("7", 1, False)]
    fresh = msgspec.structs.replace(INCIDENT, generation=2)
    rewritten = both.server.write_anew(INCIDENT, fresh, left_out=RowsOf("192.0.2.0/24", 0, 2**62))
    kept = [one for one in found if not one[1].client_address.startswith("192.0.2.")]
    with both.server.reader(fresh) as reader:
        assert reader is not None
        assert list(reader.rows(Filters(), limit=0, oldest_first=True)) == kept
    assert rewritten.left_out == len(found) - len(kept) > 0
    assert sealed_and_checked(both.server, fresh) == (len(kept), "")
    for place in (INCIDENT, fresh):
        both.server.discard(place)
    assert both.server.lying("incident") == []


def test_a_lock_keeps_others_out(both: Both) -> None:
    with (
        both.server.lock(PERIOD, exclusive=False, wait_seconds=1),
        both.server.lock(PERIOD, exclusive=False, wait_seconds=1),
        pytest.raises(PeriodBusy),
    ):
        both.server.lock(PERIOD, exclusive=True, wait_seconds=0.05)
    both.server.lock(PERIOD, exclusive=True, wait_seconds=1).release()


def test_a_place_is_gone_when_it_is_proved_by_a_count(hosts: Hosts, engine: Engine, corpus: Corpus) -> None:
    store = hosts.store(engine)
    place = msgspec.structs.replace(PERIOD, name="2026-03-12")
    hosts.keyring.make(place.key_name)
    write(store.writer(place, corpus.resolvers), batches_of(corpus.frames))
    with store.reader(place) as reader:
        assert reader is not None
        assert reader.clients() > 1
    hosts.keyring.destroy(place.key_name)
    with pytest.raises(KeyUnavailable), store.reader(place):
        pass
    assert list(store.remove(place)) == ["dropped", "proved gone"]
    assert list(store.remove(place)) == ["dropped", "proved gone"]
    assert not store.exists(place)


def test_rows_that_are_left_after_dropping_are_told(hosts: Hosts, tmp_path: Path, corpus: Corpus) -> None:
    class Stubborn(SqlEngine):
        def drop(self, place: str) -> None:
            self.connection.execute("DELETE FROM batch WHERE place = ?", (place,))

    store = hosts.store(Stubborn(tmp_path / "engine.db"))
    write(store.writer(PERIOD, corpus.resolvers), batches_of(corpus.frames))
    with pytest.raises(StorageError, match="still on the server"):
        list(store.remove(PERIOD))


def test_words_are_the_same_on_every_host_and_of_one_place_alone(
    hosts: Hosts, tmp_path: Path, corpus: Corpus
) -> None:
    engine = SqlEngine(tmp_path / "engine.db")
    other = msgspec.structs.replace(PERIOD, name="2026-03-12")
    hosts.keyring.make(other.key_name)
    workers = sorted({frame.worker for frame, _ in corpus.frames})
    seen: list[set[int]] = []
    for place in (PERIOD, other):
        for lane in ("a", "b"):
            store = hosts.store(engine, lane)
            own = workers[lane == "b" :: 2]
            frames = (frame for frame in corpus.frames if frame[0].worker in own)
            write(store.writer(place, corpus.resolvers), batches_of(frames))
        checked = store.check(place, {}, is_sealed=True, advance=lambda _: None)
        assert (checked.rows, checked.fault) == (300, "")
        assert len({batch.lane for batch in engine.batches(place.key_name)}) == 2
        seen.append({number for row in engine.in_order(place.key_name) for number in row[3:7]})
    assert not seen[0] & seen[1]


def test_ten_thousand_words_open_within_a_part_of_a_second(hosts: Hosts, tmp_path: Path) -> None:
    store = hosts.store(SqlEngine(tmp_path / "engine.db"))
    record = corpora.records()[5]
    entries: list[tuple[int, Entry]] = [
        (number, msgspec.structs.replace(record, time_us=MONDAY + number, url=f"/page/{number}?q={number * 7}"))
        for number in range(10_000)
    ]
    write(store.writer(PERIOD, RESOLVERS), [Batch("w", 1, entries)])

    before = time.process_time()
    with store.reader(PERIOD) as reader:
        assert reader is not None
        assert len(list(reader.rows(Filters(path="/page/9*"), limit=0))) == 1111
    assert time.process_time() - before < 0.5
