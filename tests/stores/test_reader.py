"""What a store promises of reading one place: rows in order, counts, gaps and what the statistics ask."""

from __future__ import annotations

from collections import Counter

import pytest

from consentkit.archive.store.interface import Filters
from consentkit.archive.store.places import Place, RowsOf
from consentkit.archive.store.requeststore import RequestStore
from consentkit.requestlog.record import Gap
from tests.archive.installation import DAY_US, HOUR_US, MONDAY
from tests.stores import oracle
from tests.stores.oracle import Row
from tests.stores.places import (
    HERS,
    WITH_AGENT,
    answers,
    batches,
    found,
    is_of,
    new_place,
    write,
)
from tests.stores.sites import Site


def test_a_reader_sees_the_place_as_of_one_instant(ground: Site, store: RequestStore) -> None:
    place = new_place(ground)
    first, *others = batches(ground.corpus, place)
    write(ground, place, [first])
    with store.reader(place) as reader:
        assert reader is not None
        before, marks = list(reader.rows(Filters(), limit=0)), reader.marks()
        write(ground, place, others)
        assert list(reader.rows(Filters(), limit=0)) == before
        assert reader.marks() == marks
    assert len(found(ground, place)) > len(before)


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 40])
def test_a_reader_gives_rows_between_two_places_of_the_order(
    store: RequestStore, monday: Place, rows: list[Row], limit: int, oldest_first: bool
) -> None:
    inner = rows[3:-3]
    with store.reader(monday) as reader:
        assert reader is not None
        given_ = reader.rows(
            Filters(), limit=limit, before=rows[2].cursor, after=rows[-3].cursor, oldest_first=oldest_first
        )
        assert list(given_) == answers(inner[::-1] if oldest_first else inner)[:limit]


def test_a_reader_says_how_far_it_came(store: RequestStore, monday: Place, rows: list[Row]) -> None:
    reached: list[int] = []
    with store.reader(monday) as reader:
        assert reader is not None
        given_ = list(reader.rows(Filters(is_bot=True), limit=0, reached=reached.append))
    assert given_ == oracle.answer(rows, Filters(is_bot=True))
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] <= rows[-1].time_us


def test_an_edge_has_at_most_so_many_rows_after_it(store: RequestStore, monday: Place, rows: list[Row]) -> None:
    bots = Filters(is_bot=False)
    times = [row.time_us for row in rows if oracle.matches(row, bots)]
    with store.reader(monday) as reader:
        assert reader is not None
        assert reader.edge(bots, len(times)) is None
        for wanted in (1, 5, 30, len(times) - 1):
            edge = reader.edge(bots, wanted)
            assert edge is not None
            newer = sum(time_us >= edge for time_us in times)
            assert newer <= wanted
            assert newer + sum(time_us == max(t for t in times if t < edge) for time_us in times) > wanted


@pytest.mark.parametrize("of", [(HERS,), (WITH_AGENT,), (HERS, WITH_AGENT), (RowsOf("0.0.0.0/0", 0, 2**60),)])
@pytest.mark.parametrize("filters", [Filters(), Filters(path="/a*"), Filters(networks=("192.0.2.0/25",))])
def test_rows_that_are_withheld_are_neither_given_nor_counted(
    store: RequestStore, monday: Place, rows: list[Row], of: tuple[RowsOf, ...], filters: Filters
) -> None:
    shown = [row for row in rows if not any(is_of(row, one) for one in of)]
    matching = oracle.answer(rows, filters)
    with store.reader(monday) as reader:
        assert reader is not None
        assert list(reader.rows(filters, limit=0, withheld=of)) == oracle.answer(shown, filters)
        assert reader.count_withheld(filters, of) == len(matching) - len(oracle.answer(shown, filters))
        assert reader.counts(filters, "path", withheld=of) == dict(oracle.top(shown, filters, "path"))
        steps = reader.counts_over_time(filters, HOUR_US, withheld=of)
        assert {step * HOUR_US: count for step, count in steps.items()} == oracle.over_time(
            shown, filters, HOUR_US
        )
        assert [reader.count_of(one) for one in of] == [sum(is_of(row, one) for row in rows) for one in of]


def test_a_place_is_measured(store: RequestStore, monday: Place, rows: list[Row]) -> None:
    with store.reader(monday) as reader:
        assert reader is not None
        assert reader.measure() == (len(rows), rows[-1].time_us)
        hours = [reader.measure_hour(MONDAY + hour * HOUR_US) for hour in range(24)]
        assert [count for count, _ in hours] == [
            sum(row.time_us // HOUR_US == MONDAY // HOUR_US + hour for row in rows) for hour in range(24)
        ]
        assert [lost for _, lost in hours] == [0, 12_345, *[0] * 22]
        classes = Counter((row.time_us // DAY_US, row.found.status // 100) for row in rows)
        expected = [(day, status if 1 <= status <= 5 else 0, count) for (day, status), count in classes.items()]
        assert reader.counts_by_status(DAY_US) == sorted(expected)
        clients = {(row.found.client_address, row.found.peer_address, row.found.address_source) for row in rows}
        assert 0 < reader.clients() <= len(clients)


BOUNDS_US = (1_000, 10_000, 1_000_000)


def test_the_requests_of_an_hour_are_told_for_the_statistics(
    store: RequestStore, monday: Place, rows: list[Row]
) -> None:
    hour_us = MONDAY + 6 * HOUR_US
    expected: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        if hour_us <= row.time_us < hour_us + HOUR_US:
            one = row.found
            slow = sum(bound <= one.duration_us for bound in BOUNDS_US)
            agent = (one.device_type, one.browser, one.os)
            expected[one.country, agent, one.method, one.status, one.outcome, slow] += 1
    with store.reader(monday) as reader:
        assert reader is not None
        words = reader.hour_words(hour_us)
        told: Counter[tuple[object, ...]] = Counter()
        for each in reader.hour_requests(hour_us, BOUNDS_US):
            outcome = ("complete", "client_gone", "app_error")[each.outcome]
            method, path = words.resources[each.resource]
            agent = words.agents[each.agent]
            told[each.country, agent, method, each.status, outcome, each.duration_class] += each.requests
            assert any(row.found.url.startswith(path[:6]) for row in rows)
    assert told == expected
    assert sum(told.values()) > 20


def test_gaps_are_told_by_the_frame_that_told_them(ground: Site, store: RequestStore, monday: Place) -> None:
    expected = {
        frame: entry
        for frame, entry in ground.corpus.frames
        if isinstance(entry, Gap) and monday.since_us <= entry.until_us < monday.until_us
    }
    with store.reader(monday) as reader:
        assert reader is not None
        assert reader.gaps(Filters()) == expected
        assert reader.gaps(Filters(since_us=MONDAY + 2 * HOUR_US)) == {}
    assert expected
