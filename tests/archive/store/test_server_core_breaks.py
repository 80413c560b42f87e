"""Exactly once, whatever breaks: every statement of an append, every change from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from consentkit.archive.resolve import AgentResolver, Place, PlaceResolver, Resolvers
from consentkit.archive.store.interface import Batch, Filters
from consentkit.archive.store.places import Found, Noted, NotedHeads
from consentkit.archive.store.requeststore import Reader
from consentkit.archive.store.server.dictionaries import Dictionaries
from consentkit.archive.store.server.engine import Addition
from consentkit.archive.store.server.wanting import ALL
from consentkit.archive.store.server.words import Referrer, Words
from consentkit.errors import StorageError
from consentkit.requestlog.record import Entry, Gap, Record
from tests.archive.installation import MONDAY, RESOLVERS, request
from tests.archive.store.servercore import NEXT, PERIOD, Hosts, write
from tests.archive.store.sqlengine import SqlEngine


class Breaks:
    """Break off before the n-th statement, once.

    Args:
        after: statements that are let through.
    """

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, table: str) -> None:
        self.left -= 1
        if self.left == -1:
            raise StorageError("server", f"is away before {table}")


def frames(count: int, *, start: int = 0) -> list[tuple[int, Entry]]:
    """Return so many frames, a gap every fifth and one at the end."""
    made: list[tuple[int, Entry]] = []
    for number in range(start, start + count):
        time_us = MONDAY + number * 1000
        if number % 5 == 4 or number == start + count - 1:
            made.append((number, Gap(time_us, time_us + 10, number, "full")))
        else:
            made.append((number, request(time_us, f"/page/{number % 7}", address=f"192.0.2.{number % 9}")))
    return made


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    return Hosts(tmp_path_factory.mktemp("hosts"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SqlEngine]:
    engine = SqlEngine(tmp_path / "engine.db")
    engine.prepare()
    yield engine
    engine.close()


def told(hosts: Hosts, engine: SqlEngine) -> tuple[list[str], int, str]:
    """Return the ids of all rows, how many gaps there are, and the first fault."""
    store = hosts.store(engine)
    with store.reader(PERIOD) as reader:
        assert reader is not None
        ids = [found.request_id for _, found in reader.rows(Filters(), limit=0, oldest_first=True)]
        gaps = len(reader.gaps(Filters()))
    return ids, gaps, store.check(PERIOD, {}, is_sealed=True, advance=lambda _: None).fault


BATCHES = [Batch("w", 1, frames(12)), Batch("v", 1, frames(9)), Batch("w", 1, frames(10, start=12))]
WHOLE = sorted(
    f"{batch.worker}-1-{sequence}"
    for batch in BATCHES
    for sequence, entry in batch.entries
    if isinstance(entry, Record)
)
STATEMENTS = 12  # three batches of four statements each


@pytest.mark.parametrize("after", range(STATEMENTS + 1))
@pytest.mark.parametrize("is_same_writer", [True, False], ids=["tried again", "by a new process"])
def test_a_break_at_any_statement_loses_and_doubles_nothing(
    hosts: Hosts, engine: SqlEngine, after: int, is_same_writer: bool
) -> None:
    engine.step = Breaks(after)
    writer = hosts.store(engine).writer(PERIOD, RESOLVERS)
    try:
        write(writer, BATCHES, commit_after=9)
    except StorageError:
        pass
    else:
        assert after == STATEMENTS
    if not is_same_writer:
        writer = hosts.store(engine).writer(PERIOD, RESOLVERS)
    write(writer, BATCHES, commit_after=9)
    ids, gaps, fault = told(hosts, engine)
    assert sorted(ids) == WHOLE
    assert (gaps, fault) == (8, "")


@pytest.mark.parametrize("size", [1, 4, 7])
def test_frames_that_are_added_in_other_pieces_after_a_break_are_in_once(
    hosts: Hosts, engine: SqlEngine, size: int
) -> None:
    engine.step = Breaks(3)  # before the batch: its rows are in
    writer = hosts.store(engine).writer(PERIOD, RESOLVERS)
    entries = frames(30)
    with pytest.raises(StorageError):
        write(writer, [Batch("w", 1, entries[:12])])
    pieces = [Batch("w", 1, entries[start : start + size]) for start in range(0, len(entries), size)]
    write(writer, pieces, commit_after=1)
    ids, _, fault = told(hosts, engine)
    assert len(ids) == len(set(ids)) == sum(isinstance(entry, Record) for _, entry in entries)
    assert fault == ""


def test_rows_that_are_in_without_their_batch_are_told_of_as_they_were_resolved(
    hosts: Hosts, engine: SqlEngine, tmp_path: Path
) -> None:
    class Moved(PlaceResolver):
        def resolve(self, address: str) -> Place:
            return Place("LV", "Rīga")

    engine.step = Breaks(3)
    with pytest.raises(StorageError):
        write(hosts.store(engine).writer(PERIOD, RESOLVERS), BATCHES)
    write(hosts.store(engine).writer(PERIOD, Resolvers(AgentResolver(), Moved(None))), BATCHES)
    ids, _, fault = told(hosts, engine)
    assert (sorted(ids), fault) == (WHOLE, "")


def test_rows_without_their_batch_are_not_shown_yet(hosts: Hosts, engine: SqlEngine) -> None:
    engine.step = Breaks(3)
    with pytest.raises(StorageError):
        write(hosts.store(engine).writer(PERIOD, RESOLVERS), BATCHES)
    assert engine.count(PERIOD.key_name, ALL) > 0
    with hosts.store(engine).reader(PERIOD) as reader:
        assert reader is not None
        assert list(reader.rows(Filters(), limit=0)) == []


def test_a_lost_answer_doubles_nothing(hosts: Hosts, engine: SqlEngine) -> None:
    class Mute(SqlEngine):
        def append(self, place: str, additions: Sequence[Addition]) -> None:
            super().append(place, additions)
            raise StorageError("server", "the answer was lost")

    mute = Mute(engine.path)
    with pytest.raises(StorageError):
        write(hosts.store(mute).writer(PERIOD, RESOLVERS), BATCHES)
    mute.close()
    assert write(hosts.store(engine).writer(PERIOD, RESOLVERS), BATCHES) == 0
    ids, _, fault = told(hosts, engine)
    assert (sorted(ids), fault) == (WHOLE, "")


def test_another_that_writes_the_same_frames_as_the_same_host_is_met(hosts: Hosts, engine: SqlEngine) -> None:
    one, other = (hosts.store(engine).writer(PERIOD, RESOLVERS) for _ in range(2))
    assert write(one, BATCHES[:2]) > 0
    assert write(other, BATCHES) == write(one, BATCHES[2:]) + sum(
        isinstance(entry, Record) for _, entry in BATCHES[2].entries
    )
    ids, _, fault = told(hosts, engine)
    assert (sorted(ids), fault) == (WHOLE, "")


def test_what_was_added_and_rolled_back_is_not_in(hosts: Hosts, engine: SqlEngine) -> None:
    writer = hosts.store(engine).writer(PERIOD, RESOLVERS)
    writer.add(BATCHES[0])
    assert writer.mark("w", 1) == 12
    writer.roll_back()
    assert writer.mark("w", 1) == 0
    assert writer.commit() == 0
    assert writer.head.batch == 0
    assert write(writer, BATCHES) == len(WHOLE)
    assert writer.head.batch == 3


def test_a_word_goes_to_the_server_once(hosts: Hosts, engine: SqlEngine) -> None:
    sent: list[int] = []

    class Counting(SqlEngine):
        def append(self, place: str, additions: Sequence[Addition]) -> None:
            sent.extend(word.number for one in additions for word in one.words)
            super().append(place, additions)

    counting = Counting(engine.path)
    write(hosts.store(counting).writer(PERIOD, RESOLVERS), BATCHES[:2], commit_after=1)
    write(hosts.store(counting, "b").writer(PERIOD, RESOLVERS), BATCHES[2:])
    counting.close()
    assert len(sent) == len(set(sent)) > 10


def everything(reader: Reader | None) -> list[Found]:
    return [] if reader is None else list(reader.rows(Filters(), limit=0))


TAMPERED: dict[str, tuple[str, str]] = {
    "a row changed": ("UPDATE request SET result = 804 WHERE rowid = 3", "are not those"),
    "a row's address changed": (
        "UPDATE request SET client = (SELECT client FROM request WHERE rowid = 4) WHERE rowid = 3",
        "are not those",
    ),
    "a row gone": ("DELETE FROM request WHERE rowid = 3", "are not those"),
    "a row moved in time": ("UPDATE request SET time_us = time_us + 1 WHERE rowid = 3", "are not those"),
    "a row added within a batch": (
        "INSERT INTO request SELECT place, time_us, segment, 4, client, agent, resource, referrer, result,"
        " bytes_sent, duration_us, claimed_us FROM request WHERE rowid = 1",
        "are not those",
    ),
    "a row added to no batch": (
        "INSERT INTO request SELECT place, time_us, 17, 4, client, agent, resource, referrer, result,"
        " bytes_sent, duration_us, claimed_us FROM request WHERE rowid = 1",
        "belong to no batch",
    ),
    "a gap changed": ("UPDATE gap SET sealed = zeroblob(length(sealed)) WHERE rowid = 2", "gaps was changed"),
    "a gap moved in time": ("UPDATE gap SET since_us = since_us - 5 WHERE rowid = 2", "gaps was changed"),
    "a gap gone": ("DELETE FROM gap WHERE rowid = 2", "are not those"),
    "a word changed": ("UPDATE word SET sealed = zeroblob(length(sealed)) WHERE rowid = 2", "words was changed"),
    "a word under another's number": (
        "UPDATE word SET sealed = (SELECT max(sealed) FROM word WHERE kind = 'resource')"
        " WHERE sealed = (SELECT min(sealed) FROM word WHERE kind = 'resource')",
        "words was changed",
    ),
    "a word under another's lookup": (
        "UPDATE word SET lookup = lookup + 1 WHERE sealed = (SELECT min(sealed) FROM word WHERE kind = 'client')",
        "words was changed",
    ),
    "a word gone": ("DELETE FROM word WHERE rowid = 2", "1 of the words"),
    "a batch gone from the middle": ("DELETE FROM batch WHERE number = 2", "batch 2 of host a is missing"),
    "a batch gone from the end": ("DELETE FROM batch WHERE number = 3", "batch 3 of host a, noted in entry 9"),
    "a digest changed": ("UPDATE batch SET digest = zeroblob(32) WHERE number = 2", "its own digest names"),
    "marks moved": (
        "UPDATE batch SET next_sequence = next_sequence + 5 WHERE number = 3",
        "are not those noted in entry 9",
    ),
}


def written(hosts: Hosts, engine: SqlEngine) -> NotedHeads:
    """Write all, and note the last head."""
    writer = hosts.store(engine).writer(PERIOD, RESOLVERS)
    write(writer, BATCHES)
    return {("a", 3): Noted(writer.head.digest.hex(), 9)}


@pytest.mark.parametrize(("statement", "fault"), TAMPERED.values(), ids=TAMPERED)
@pytest.mark.parametrize("is_noted", [True, False], ids=["noted", "not noted"])
def test_a_change_from_outside_is_told(
    hosts: Hosts, engine: SqlEngine, statement: str, fault: str, is_noted: bool
) -> None:
    noted = written(hosts, engine)
    store = hosts.store(engine)
    before = store.check(PERIOD, noted, is_sealed=True, advance=lambda _: None)
    assert before.fault == ""
    assert engine.connection.execute(statement).rowcount == 1
    checked = store.check(PERIOD, noted if is_noted else {}, is_sealed=True, advance=lambda _: None)
    if is_noted or "noted" not in fault:
        assert fault in checked.fault
    else:
        assert checked.fault
    if "INSERT" in statement or "DELETE" in statement or "digest" in statement:
        assert checked.file_hash != before.file_hash


def test_a_changed_word_is_no_answer(hosts: Hosts, engine: SqlEngine) -> None:
    written(hosts, engine)
    engine.connection.execute("UPDATE word SET sealed = zeroblob(40) WHERE kind = 'agent'")
    with pytest.raises(StorageError, match=r"^2026-03-02: a word was changed from outside"):
        hosts.store(engine).read(PERIOD, everything)


def test_a_missing_word_is_no_answer(hosts: Hosts, engine: SqlEngine) -> None:
    written(hosts, engine)
    engine.connection.execute("DELETE FROM word WHERE kind = 'referrer'")
    store = hosts.store(engine)
    with pytest.raises(StorageError, match="is missing"):
        store.read(PERIOD, everything)


def test_rows_of_no_batch_are_not_written_anew(hosts: Hosts, engine: SqlEngine) -> None:
    written(hosts, engine)
    engine.connection.execute("DELETE FROM batch WHERE number = 1")
    with pytest.raises(StorageError, match="belong to no batch"):
        hosts.store(engine).write_anew(PERIOD, NEXT)


def test_what_a_rewrite_left_that_broke_off_is_thrown_away_by_the_next(hosts: Hosts, engine: SqlEngine) -> None:
    written(hosts, engine)
    store = hosts.store(engine)
    engine.step = Breaks(2)
    with pytest.raises(StorageError, match="away"):
        store.write_anew(PERIOD, NEXT)
    rewritten = store.write_anew(PERIOD, NEXT)
    assert rewritten.contents.rows == len(WHOLE)
    assert store.check(NEXT, {}, is_sealed=True, advance=lambda _: None).fault == ""


def test_rows_that_come_while_a_place_is_read_are_left_to_the_next_search(hosts: Hosts, engine: SqlEngine) -> None:
    store = hosts.store(engine)
    writer = store.writer(PERIOD, RESOLVERS)
    write(writer, BATCHES[:1])
    with store.reader(PERIOD) as reader:
        assert reader is not None
        write(writer, [Batch("new", 1, [(0, request(MONDAY + 77, "/new", address="203.0.113.9"))]), *BATCHES[1:]])
        ids = {found.request_id for _, found in reader.rows(Filters(), limit=0)}
        assert {one.rpartition("-")[0] for one in ids} == {"w-1"}
        assert len(ids) == 9
        assert reader.marks() == {("w", 1): 12}
        assert "203.0.113.9" not in reader.counts(Filters(), "address")
        assert sum(one.requests for one in reader.hour_requests(MONDAY, (1000,))) == 9
        assert reader.measure() == (9, MONDAY)
    with store.reader(PERIOD) as reader:
        assert reader is not None
        assert len(list(reader.rows(Filters(), limit=0))) == len(WHOLE) + 1


def test_dictionaries_are_kept_within_their_bound_and_no_longer_than_their_key(
    hosts: Hosts, engine: SqlEngine
) -> None:
    places = [msgspec.structs.replace(PERIOD, name=f"2026-03-{day:02}") for day in range(10, 14)]
    sealed = [Words(hosts.keyring.make(place.key_name)) for place in places]
    kept = Dictionaries(hosts.keyring, kept_bytes=200_000)
    lent = []
    for place, words in zip(places, sealed, strict=True):
        with kept.of(place, words) as dictionary:
            lent.append(dictionary)
            many = [words.word("referrer", Referrer(f"{number}.example")) for number in range(2000)]
            engine.insert("word", place.key_name, many)
            dictionary.complete(engine, place.key_name, "referrer", engine.seen(place.key_name))
            assert len(dictionary.numbers("referrer", "1", [])) == 2000
    with pytest.raises(StorageError, match=places[0].name):
        lent[0].numbers("referrer", "1", [])  # closed to make room
    assert len(lent[-1].numbers("referrer", "1", [])) == 2000
    hosts.keyring.destroy(places[-1].key_name)
    with kept.of(places[0], sealed[0]) as again, kept.of(places[0], sealed[0]) as shared:
        assert again is shared
        assert again is not lent[0]
    with pytest.raises(StorageError, match=places[-1].name):
        lent[-1].numbers("referrer", "1", [])
    kept.close()
    with pytest.raises(StorageError, match=places[0].name):
        again.numbers("referrer", "1", [])
