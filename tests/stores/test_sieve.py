"""A search that leaves out periods before they are opened finds what it would have found in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from consentkit.archive.destruction import finish_rewrite
from consentkit.archive.incident.listing import today_utc
from consentkit.archive.sealing import seal
from consentkit.archive.search.deadline import Deadline
from consentkit.archive.search.overtime import over_time
from consentkit.archive.search.sieve import Sieve
from consentkit.archive.search.top import top
from consentkit.archive.store.interface import Filters
from consentkit.archive.store.places import TimeIsUp
from consentkit.archive.subject import register
from consentkit.archive.subject.restriction import Restricted, restrict
from consentkit.archive.truncation import truncate
from consentkit.audit import SYSTEM
from consentkit.errors import KeyUnavailable
from consentkit.requestlog.record import Gap
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY, WORKER, request
from tests.archive.searches import gap
from tests.stores.acts import RETENTION_DAYS, retain
from tests.stores.conftest import MakeSite
from tests.stores.sites import Site

# On each day, on the first and the last, on the first alone, never. Cut to its network the first stays as it is.
EVERY, TWICE, ONCE, NEVER = "192.0.2.0", "198.51.100.7", "2001:db8::1", "203.0.113.1"
LOST = Gap(MONDAY + DAY_US + HOUR_US, MONDAY + DAY_US + HOUR_US + 5, 3, "full")
AFTER_IT = MONDAY + DAY_US + 2 * HOUR_US


def fill(site: Site) -> Site:
    """Store four days, and seal three of them; on the second something was lost."""
    shutil.rmtree(site.directory / "spool")
    gap(site, LOST)
    for day in range(4):
        addresses = [EVERY, *([TWICE] if day in (0, 3) else []), *([ONCE] if day == 0 else [])]
        for address in addresses:
            site.spool(request(MONDAY + day * DAY_US + 3 * HOUR_US, f"/{day}/{address}", address=address))
    site.drain()
    for name in DAYS[:3]:
        assert seal(site.holdings, site.period(name), SYSTEM) is not None
    return site


@pytest.fixture(scope="session")
def days(make_shared: MakeSite) -> Site:
    """Days that nobody changes."""
    return fill(make_shared())


@pytest.fixture
def own(site: Site) -> Site:
    """Days of one's own."""
    return fill(site)


def of(*networks: str, since_us: int = 0, until_us: int = 2**62) -> Filters:
    return Filters(networks=networks, since_us=since_us, until_us=until_us)


def urls(site: Site, filters: Filters) -> list[str]:
    return [found.url for _, found in site.found(filters)]


@pytest.mark.parametrize(
    ("filters", "on"),
    [
        (of(EVERY), [(3, EVERY), (2, EVERY), (1, EVERY), (0, EVERY)]),
        (of(TWICE), [(3, TWICE), (0, TWICE)]),
        (of(f"{ONCE}/128"), [(0, ONCE)]),
        (of(NEVER), []),
        (of(NEVER, ONCE), [(0, ONCE)]),
        (of(TWICE, since_us=AFTER_IT), [(3, TWICE)]),
        (of("198.51.100.0/24", NEVER), [(3, TWICE), (0, TWICE)]),
    ],
    ids=["every day", "two days", "one day", "no day", "either", "since", "a network"],
)
def test_the_answer_is_that_of_all_periods(days: Site, filters: Filters, on: list[tuple[int, str]]) -> None:
    expected = [f"/{day}/{address}" for day, address in on]
    assert urls(days, filters) == expected
    oldest_first = days.archive().search(filters, limit=0, oldest_first=True)
    assert [found.url for _, found in oldest_first] == expected[::-1]
    assert oldest_first.reached is None
    counted = top(days.archive(), filters, "path")
    assert sorted(value for value, _ in counted.counts) == sorted(expected)
    assert counted.back_to_us == max(filters.since_us, MONDAY)
    steps = over_time(days.archive(), filters, DAY_US)
    assert [(time_us - MONDAY) // DAY_US for time_us in steps.counts] == [day for day, _ in reversed(on)]


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (of(ONCE, since_us=AFTER_IT - DAY_US, until_us=AFTER_IT - HOUR_US), [0]),
        (of(ONCE), [0, 1]),
        (of(NEVER, since_us=AFTER_IT), []),
        (of(NEVER, EVERY), [0, 1, 2]),
        (of("2001:db8::/127"), [0, 1, 2]),
        (Filters(path="/0/*"), [0, 1, 2]),
    ],
    ids=["address", "gap", "neither", "one of two", "network", "path"],
)
def test_a_server_leaves_out_what_has_neither_the_address_nor_a_gap(
    days: Site, filters: Filters, left: list[int]
) -> None:
    store = days.holdings.rows
    places = [days.period(name).place for name in DAYS[:3]]
    expected = [places[at] for at in left] if store.is_shared else places
    assert store.may_match(places, filters, limit=Deadline(None)) == expected
    assert store.may_match(places[::-1], filters, limit=Deadline(60)) == expected[::-1]
    assert store.may_match([], filters, limit=Deadline(None)) == []


def test_a_server_is_asked_no_longer_than_the_search_may_take(days: Site) -> None:
    search = days.archive().search(of(NEVER, since_us=AFTER_IT), limit=0, time_limit_seconds=0)
    assert list(search) == []
    assert search.reached is not None
    if days.holdings.rows.is_shared:
        with pytest.raises(TimeIsUp):
            days.holdings.rows.may_match([days.period(DAYS[0]).place], of(NEVER), limit=Deadline(0))


def test_what_was_lost_is_told_of_periods_without_the_address(days: Site) -> None:
    for since_us, told in ((0, [LOST]), (AFTER_IT, [])):
        search = days.archive().search(of(NEVER, since_us=since_us), limit=0)
        assert list(search) == []
        assert list(search.gaps.values()) == told
        assert top(days.archive(), of(NEVER, since_us=since_us), "path").gaps == told


def test_on_a_server_what_is_left_out_is_neither_locked_nor_opened(days: Site) -> None:
    rows = days.holdings.rows
    with rows.lock(days.period(DAYS[2]).place, exclusive=True, wait_seconds=1):
        search = days.archive().search(of(TWICE), limit=0, time_limit_seconds=5 if rows.is_shared else 0.3)
        found = [one.url for _, one in search]
        assert (search.reached is None) == rows.is_shared
        assert found == ([f"/3/{TWICE}", f"/0/{TWICE}"] if rows.is_shared else [f"/3/{TWICE}"])
        search = days.archive().search(of(EVERY), limit=0, time_limit_seconds=0.3)
        assert [one.url for _, one in search] == [f"/3/{EVERY}"]
        assert search.reached is not None


def test_what_waits_for_a_sealed_period_is_found(own: Site) -> None:
    own.spool(request(MONDAY + DAY_US, "/late", address=NEVER))
    assert urls(own, of(NEVER)) == ["/late"]
    own.drain()
    assert own.states()[DAYS[1]] == "open"
    assert urls(own, of(NEVER)) == ["/late"]
    seal(own.holdings, own.period(DAYS[1]), SYSTEM)
    assert urls(own, of(NEVER)) == ["/late"]


def rewrite(site: Site) -> None:
    """Cut the addresses of the first day; what was there before is gone."""
    present = truncate(site.holdings, site.period(DAYS[0]), SYSTEM, wait_seconds=1)
    assert present is not None
    finish_rewrite(site.holdings, present, SYSTEM, wait_seconds=1)


def expire(site: Site) -> None:
    """Destroy the first day."""
    assert len(retain(site, MONDAY + RETENTION_DAYS * DAY_US).certificates) == 1


@pytest.mark.parametrize(("change", "left"), [(rewrite, [f"/0/{EVERY}"]), (expire, [])], ids=["rewrite", "expire"])
def test_a_period_that_changed_since_it_was_listed_is_looked_for_anew(
    own: Site, change: Callable[[Site], None], left: list[str]
) -> None:
    listed = own.period(DAYS[0])
    search = own.archive().search(of(EVERY), limit=0)
    assert next(search)[1].url == f"/3/{EVERY}"
    change(own)
    sieve = Sieve(own.holdings.rows, of(NEVER, since_us=1), [listed], {}, Deadline(None))
    assert sieve.keeps(listed)
    with own.holdings.rows.lock(listed.place, exclusive=True, wait_seconds=1):  # who destroyed it is still in it
        assert [found.url for _, found in search] == [f"/2/{EVERY}", f"/1/{EVERY}", *left]
    assert urls(own, of(EVERY)) == [f"/3/{EVERY}", f"/2/{EVERY}", f"/1/{EVERY}", *left]
    assert urls(own, of(ONCE)) == []


def test_a_search_in_which_a_key_is_missing_says_so_whatever_it_is_for(own: Site) -> None:
    (own.keyring.folder / f"{own.period(DAYS[1]).key_name}.key").unlink()
    with pytest.raises(KeyUnavailable):
        urls(own, of(NEVER))


def test_rows_that_may_only_be_stored_are_counted_where_they_are(own: Site) -> None:
    entered = register.enter(own.control, WORKER, "restrict", reference="letter 1", received=today_utc())
    rows = Restricted(network=TWICE, since_us=MONDAY, until_us=MONDAY + 2 * DAY_US, reason="disputed")
    restrict(own.control, WORKER, entered.number, rows, today=today_utc())
    for address, found, restricted in ((TWICE, [f"/3/{TWICE}"], 1), (ONCE, [f"/0/{ONCE}"], 0), (NEVER, [], 0)):
        search = own.archive().search(of(address), limit=0)
        assert ([one.url for _, one in search], search.restricted) == (found, restricted)
