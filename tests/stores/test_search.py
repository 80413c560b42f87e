"""Every search gives what a plain list would give, in the same order, from whichever store."""

from __future__ import annotations

import shutil

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive, Found
from consentkit.archive.search.overtime import over_time
from consentkit.archive.search.top import BY, By, top
from consentkit.archive.store.interface import Cursor, Filters
from consentkit.audit import SYSTEM
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY
from tests.stores import oracle
from tests.stores.conftest import MakeSite
from tests.stores.corpus import NOW
from tests.stores.oracle import Row
from tests.stores.questions import EACH, SINGLE, SIX, pairs
from tests.stores.sites import Site


@pytest.fixture(scope="session")
def kept(make_shared: MakeSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The corpus with one day sealed, two open, and what one worker spooled still in the spool."""
    site = make_shared()
    waiting = site.workers()[-1]
    aside = tmp_path_factory.mktemp("aside") / waiting.name
    shutil.move(waiting, aside)
    site.drain()
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    shutil.move(aside, waiting)
    return site


@pytest.fixture(scope="session")
def archive(kept: Site) -> Archive:
    return kept.archive()


@pytest.fixture(scope="session")
def rows(kept: Site) -> list[Row]:
    """What is there, newest first."""
    return oracle.rows_of(kept.corpus.frames, kept.corpus.resolvers, NOW, waiting=kept.workers()[-1].name)


@pytest.mark.parametrize("filters", SINGLE.values(), ids=SINGLE)
def test_each_filter_gives_the_rows_that_meet_it_in_their_order(
    archive: Archive, rows: list[Row], filters: Filters
) -> None:
    expected = oracle.answer(rows, filters)
    assert list(archive.search(filters, limit=0)) == expected
    assert list(archive.search(filters, limit=0, oldest_first=True)) == expected[::-1]


def test_every_two_filters_together_give_the_rows_that_meet_both(archive: Archive, rows: list[Row]) -> None:
    wrong = [
        name for name, filters in pairs() if list(archive.search(filters, limit=0)) != oracle.answer(rows, filters)
    ]
    assert wrong == []


def test_the_questions_are_not_answered_by_everything_or_nothing(rows: list[Row]) -> None:
    for name, filters in EACH.items():
        assert 10 < len(oracle.answer(rows, filters)) < len(rows) - 10, name
    assert sum(not oracle.answer(rows, filters) for filters in SINGLE.values()) < 12


# Of 50 rows they are all that there is, of 20 they reach over a day's edge.
_PAGES = 8


@pytest.mark.parametrize("size", [1, 20, 50])
@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("asked", ["nothing", "network", "text"])
def test_pages_put_together_are_the_whole(
    archive: Archive, rows: list[Row], size: int, oldest_first: bool, asked: str
) -> None:
    filters = SINGLE["nothing"] if asked == "nothing" else EACH[asked]
    paged: list[Found] = []
    while True:
        place = Cursor.parse(str(paged[-1][0])) if paged else None
        before, after = (None, place) if oldest_first else (place, None)
        page = list(archive.search(filters, limit=size, before=before, after=after, oldest_first=oldest_first))
        paged += page
        if len(page) < size or len(paged) >= _PAGES * size:
            break
    expected = oracle.answer(rows, filters)[:: -1 if oldest_first else 1]
    assert len(paged) >= min(_PAGES * size, len(expected))
    assert paged == expected[: len(paged)]


def test_a_page_between_two_rows_holds_neither(archive: Archive, rows: list[Row]) -> None:
    newest, oldest = rows[20].cursor, rows[150].cursor
    found = list(archive.search(Filters(), limit=0, before=newest, after=oldest))
    assert found == [(row.cursor, row.found) for row in rows[21:150]]
    crowded = [row for row in rows if row.time_us == SIX]
    assert len(crowded) > 6
    first, last = crowded[0].cursor, crowded[-1].cursor
    between = archive.search(Filters(), limit=0, before=first, after=last)
    assert list(between) == [(row.cursor, row.found) for row in crowded[1:-1]]


@settings(max_examples=15)
@given(data=st.data())
def test_any_filters_together_give_what_meets_all(archive: Archive, rows: list[Row], data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(EACH)), min_size=3, max_size=6, unique=True))
    asked = {
        name: value
        for each in names
        for name, value in msgspec.structs.asdict(EACH[each]).items()
        if value != getattr(Filters(), name)
    }
    since_us = data.draw(st.integers(MONDAY - HOUR_US, NOW))
    filters = msgspec.structs.replace(Filters(**asked), since_us=since_us)
    assert list(archive.search(filters, limit=0)) == oracle.answer(rows, filters)


def test_a_search_whose_time_is_up_says_where_it_goes_on(archive: Archive, rows: list[Row]) -> None:
    start = rows[3].cursor
    search = archive.search(Filters(), limit=0, before=start, time_limit_seconds=0)
    assert (list(search), search.reached) == ([], start)
    found: list[Found] = []
    kept_going, place, filters = 0, None, Filters(until_us=NOW)
    for attempt in range(60):
        search = archive.search(filters, limit=0, before=place, time_limit_seconds=0.01 * 1.3**attempt)
        found += search
        place = search.reached
        if place is None:
            break
        kept_going += 1
    assert kept_going > 0
    assert found == oracle.answer(rows, filters)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("asked", ["nothing", "bot", "statuses", "network"])
def test_values_are_counted_as_often_as_they_are_there(
    archive: Archive, rows: list[Row], by: By, asked: str
) -> None:
    filters = SINGLE["nothing"] if asked == "nothing" else EACH[asked]
    counted = top(archive, filters, by)
    expected = oracle.top(rows, filters, by)
    assert (counted.counts, counted.rows, counted.ended_by) == (expected, sum(n for _, n in expected), "")


def test_a_count_that_ends_at_its_rows_has_counted_all_of_the_time_that_it_names(
    archive: Archive, rows: list[Row]
) -> None:
    for wanted in (1, 20, 90, 210):
        counted = top(archive, Filters(), "path", rows=wanted)
        assert counted.ended_by == "rows"
        newer = Filters(since_us=counted.back_to_us)
        assert counted.counts == oracle.top(rows, newer, "path"), wanted


@pytest.mark.parametrize("step_us", [HOUR_US, DAY_US, 7 * 60_000_000], ids=["hours", "days", "seven minutes"])
@pytest.mark.parametrize("asked", ["nothing", "time", "text"])
def test_matches_are_counted_over_time(archive: Archive, rows: list[Row], step_us: int, asked: str) -> None:
    filters = SINGLE["nothing"] if asked == "nothing" else EACH[asked]
    counted = over_time(archive, filters, step_us)
    assert (counted.counts, counted.is_cut) == (oracle.over_time(rows, filters, step_us), False)


GAP_TIMES = [
    (0, 2**60), (MONDAY + HOUR_US + 5, 2**60), (MONDAY + HOUR_US + 6, MONDAY + DAY_US - 3),
    (MONDAY + DAY_US, MONDAY + DAY_US + 1), (0, MONDAY), (MONDAY + 2 * DAY_US, MONDAY + 2 * DAY_US + 1),
]  # fmt: skip


@pytest.mark.parametrize(("since_us", "until_us"), GAP_TIMES)
def test_gaps_that_touch_a_time_are_told(
    kept: Site, archive: Archive, rows: list[Row], since_us: int, until_us: int
) -> None:
    filters = Filters(since_us=since_us, until_us=until_us)
    expected = oracle.gaps(kept.corpus.frames, since_us, until_us)
    assert archive.gaps(filters) == expected
    search = archive.search(filters, limit=0)
    assert list(search) == oracle.answer(rows, filters)
    assert sorted(search.gaps.values(), key=lambda gap: gap.since_us) == expected
