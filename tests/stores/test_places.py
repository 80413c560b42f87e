"""What a store promises of places: written once, sealed, checked, held and removed."""

from __future__ import annotations

import contextlib
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.archive.periodlock import PeriodBusy
from consentkit.archive.store.interface import Filters
from consentkit.archive.store.places import Noted, Place
from consentkit.archive.store.requeststore import RequestStore
from consentkit.errors import KeyUnavailable
from tests.archive.installation import DAYS
from tests.stores.oracle import Row
from tests.stores.places import (
    answers,
    batches,
    cut,
    filled,
    found,
    new_place,
    rows_in,
    write,
)
from tests.stores.sites import Site


def test_of_a_place_that_was_never_made_there_is_nothing(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    assert (store.exists(place), store.size_bytes(place)) == (False, 0)
    with store.reader(place) as reader:
        assert reader is None
    assert place.stem not in [f"{one.name}.{one.generation}" for one in store.lying("period")]


def test_a_place_is_made_once_and_holds_nothing(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    store.make(place)
    store.make(place)
    assert store.exists(place)
    with store.reader(place) as reader:
        assert reader is None or (list(reader.rows(Filters(), limit=0)), reader.marks()) == ([], {})
    (lying,) = [one for one in store.lying("period") if one.generation == place.generation]
    assert (lying.name, lying.is_draft) == (place.name, False)


def test_all_that_was_written_is_found_in_order(ground: Site, monday: Place, rows: list[Row]) -> None:
    assert found(ground, monday) == answers(rows)
    assert ground.holdings.rows.size_bytes(monday) > 0


@settings(max_examples=12)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    commit_each=st.integers(1, 40),
    again=st.integers(0, 3),
)
def test_batches_of_any_size_written_again_and_again_come_to_the_same(
    ground: Site, rows: list[Row], sizes: list[int], commit_each: int, again: int
) -> None:
    place = new_place(ground)
    whole = batches(ground.corpus, place)
    for attempt in range(again + 1):
        parts = [part for batch in whole for part in cut(batch, [*sizes[attempt % len(sizes) :], 7])]
        write(ground, place, parts[: len(parts) * (attempt + 1) // (again + 1)], commit_each=commit_each)
    assert found(ground, place) == answers(rows)


def test_what_is_not_committed_is_not_there(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    first, second, *_ = batches(ground.corpus, place)
    with closing(store.writer(place, ground.corpus.resolvers)) as writer:
        writer.add(first)
        assert found(ground, place) == []
        added = writer.commit()
        assert (added, writer.commit()) == (len(found(ground, place)), 0)
        head = writer.head
        writer.add(second)
        writer.roll_back()
        assert (writer.commit(), writer.head) == (0, head)
        assert writer.mark(second.worker, second.segment) == 0
        writer.add(second)
    assert len(found(ground, place)) == added
    assert len(first.entries) >= added


def test_marks_say_how_far_each_segment_is_in(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    whole = batches(ground.corpus, place)
    write(ground, place, whole)
    expected = {(one.worker, one.segment): one.entries[-1][0] + 1 for one in whole}
    with store.reader(place) as reader:
        assert reader is not None
        assert reader.marks() == expected
        newest = reader.marks(2)
        assert len(newest) == 2
        assert newest.items() <= expected.items()
    with closing(store.writer(place, ground.corpus.resolvers)) as writer:
        assert {of: writer.mark(*of) for of in expected} == expected
        assert writer.mark("nobody", 1) == 0


def test_a_frame_below_the_mark_is_passed_over(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    batch = max(batches(ground.corpus, place), key=lambda one: len(one.entries))
    middle = len(batch.entries) // 2
    write(ground, place, [batch._replace(entries=batch.entries[:middle])])
    with closing(store.writer(place, ground.corpus.resolvers)) as writer:
        before = writer.head
        writer.add(batch._replace(entries=batch.entries[:middle]))
        assert (writer.commit(), writer.head) == (0, before)
        writer.add(batch)
        assert writer.commit() <= len(batch.entries) - middle
        assert writer.head.batch == before.batch + 1
    ids = [one.request_id for _, one in found(ground, place)]
    assert len(ids) == len(set(ids))


def test_a_sealed_place_says_what_it_holds(ground: Site, store: RequestStore, rows: list[Row]) -> None:
    place, other = filled(ground), filled(ground)
    with store.lock(place, exclusive=True, wait_seconds=1):
        contents = store.seal(place)
        assert store.seal(place).file_hash == contents.file_hash == store.file_hash(place)
    assert (contents.rows, contents.oldest_us) == (len(rows), rows[-1].time_us)
    assert contents.bytes == store.size_bytes(place)
    assert len(contents.file_hash) == 64
    assert contents.file_hash != store.seal(other).file_hash
    assert found(ground, place) == answers(rows)


def test_another_content_has_another_hash(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    whole = batches(ground.corpus, place)
    write(ground, place, whole[:-1])
    before = store.seal(place)
    write(ground, place, whole[-1:])
    after = store.seal(place)
    assert before.file_hash != after.file_hash
    assert (after.rows, store.check(place, {}, is_sealed=True, advance=lambda _: None).fault) == (
        len(found(ground, place)),
        "",
    )


def test_all_holds_in_a_place_that_nobody_touched(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    noted: dict[tuple[str, int], Noted] = {}
    with closing(store.writer(place, ground.corpus.resolvers)) as writer:
        for number, batch in enumerate(batches(ground.corpus, place)):
            writer.add(batch)
            writer.commit()
            noted[writer.head.lane, writer.head.batch] = Noted(writer.head.digest.hex(), number)
    told: list[float] = []
    checked = store.check(place, noted, is_sealed=False, advance=told.append)
    assert (checked.fault, checked.rows) == ("", len(found(ground, place)))
    assert sum(told) <= 1.0001
    assert len(noted) > 3
    wrong = {of: one._replace(head="0" * 64) for of, one in noted.items()}
    assert store.check(place, wrong, is_sealed=False, advance=told.append).fault != ""
    (lane, last), one = list(noted.items())[-1]
    missing = {**noted, (lane, last + 1): one}
    assert store.check(place, missing, is_sealed=False, advance=told.append).fault != ""


def test_a_removed_place_is_gone_after_its_last_step_however_often_it_broke_off(
    ground: Site, store: RequestStore
) -> None:
    steps = list(store.remove(place := filled(ground)))
    assert not store.exists(place)
    for done in range(len(steps) + 1):
        place = filled(ground)
        ground.keyring.destroy(place.key_name, is_remembered=True)
        begun = store.remove(place)
        for _ in range(done):
            next(begun)
        begun.close()  # type: ignore[attr-defined] # a generator's
        assert list(store.remove(place))
        assert (store.exists(place), store.size_bytes(place)) == (False, 0)
        assert place.generation not in [one.generation for one in store.lying("period")]
        assert list(store.remove(place))


def test_what_has_no_key_any_more_opens_for_nobody(ground: Site, store: RequestStore) -> None:
    place = filled(ground)
    ground.keyring.destroy(place.key_name, is_remembered=True)
    with pytest.raises(KeyUnavailable):
        found(ground, place)
    with pytest.raises(KeyUnavailable):
        store.writer(place, ground.corpus.resolvers)


def test_a_place_is_held_by_many_or_by_one(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    with (
        store.lock(place, exclusive=False, wait_seconds=0),
        store.lock(place, exclusive=False, wait_seconds=0),
        pytest.raises(PeriodBusy),
    ):
        store.lock(place, exclusive=True, wait_seconds=0.05)
    held = store.lock(place, exclusive=True, wait_seconds=0)
    for exclusive in (False, True):
        with pytest.raises(PeriodBusy):
            store.lock(place, exclusive=exclusive, wait_seconds=0.05)
    with store.lock(new_place(ground), exclusive=True, wait_seconds=0):
        held.release()
    held.release()
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.enter_context(store.lock(place, exclusive=True, wait_seconds=0))


def test_days_that_share_words_do_not_share_numbers_or_rows(ground: Site, store: RequestStore) -> None:
    days = [filled(ground, day=day) for day in range(3)]
    for place in days:
        assert found(ground, place) == answers(rows_in(ground.corpus, place))
    assert len({place.name for place in days}) == len(DAYS[:3])
    list(store.remove(days[1]))
    assert found(ground, days[1]) == []
    assert found(ground, days[0]) == answers(rows_in(ground.corpus, days[0]))
