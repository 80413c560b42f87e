"""Custody over every store: sealing, retention, cutting of addresses, erasure, incidents, and their crashes."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from itertools import islice

import msgspec
import pytest

from consentkit.archive.aggregate import Aggregator
from consentkit.archive.destruction import Order, destroy
from consentkit.archive.erasure import Erasure
from consentkit.archive.evidence import LogVerification
from consentkit.archive.incident.listing import today_utc
from consentkit.archive.period import Period
from consentkit.archive.schedule import Going
from consentkit.archive.sealing import seal
from consentkit.archive.store.interface import Filters, FoundRequest
from consentkit.archive.subject import Certificate, Person, register
from consentkit.archive.subject.place import ErasureOrder
from consentkit.archive.subject.restriction import Restricted, lift, restrict
from consentkit.archive.truncation import truncate, truncate_due
from consentkit.audit import SYSTEM, Look
from consentkit.control import aggregate
from consentkit.errors import KeyUnavailable
from consentkit.requestlog.truncate import truncate_address
from tests.archive.installation import DAY_US, DAYS, MONDAY, WORKER, Installation, detail, request
from tests.stores import oracle
from tests.stores.acts import RETENTION_DAYS, held, open_incident, retain
from tests.stores.corpus import NOW, Corpus
from tests.stores.oracle import Row
from tests.stores.sites import Site, Where

HERS = "192.0.2.7"
WHY = Look("person", "R-5", "asked by letter")
ALL = Person.at(HERS, MONDAY - DAY_US, MONDAY + 400 * DAY_US)


def test_a_sealed_period_says_what_it_holds_and_a_late_record_opens_it_again(stored: Site) -> None:
    monday = [row for row in stored.everything() if row.time_us < MONDAY + DAY_US]
    sealed = stored.period(DAYS[0])
    assert (sealed.state, sealed.rows, sealed.oldest_us) == ("sealed", len(monday), MONDAY)
    stored.store(request(MONDAY + 5, "/late"))
    assert stored.states()[DAYS[0]] == "open"
    assert len(stored.found()) == 301
    again = seal(stored.holdings, stored.period(DAYS[0]), SYSTEM)
    assert again is not None
    assert (again.rows, again.file_hash != sealed.file_hash) == (len(monday) + 1, True)
    assert stored.found(Filters(path="/late"))[0][1].url == "/late"
    assert stored.faults() == {}


def test_a_period_goes_on_its_day_with_key_and_rows(stored: Site) -> None:
    old = stored.period(DAYS[0])
    assert retain(stored, MONDAY + RETENTION_DAYS * DAY_US - 1).certificates == ()
    (certificate,) = retain(stored, MONDAY + RETENTION_DAYS * DAY_US).certificates
    said = detail(certificate)
    assert (said["period"], said["rows"], said["file_hash"]) == (DAYS[0], old.rows, old.file_hash)
    assert stored.found() == stored.expected(lambda row: row.time_us >= MONDAY + DAY_US)
    assert not stored.holdings.rows.exists(old.place)
    assert stored.holdings.rows.size_bytes(old.place) == 0
    with pytest.raises(KeyUnavailable):
        stored.keyring.load(old.key_name)
    stored.store(request(MONDAY + 5, "/late"))
    assert stored.period(DAYS[0]).late_dropped == 1
    assert (stored.found(Filters(path="/late")), stored.faults()) == ([], {})


def going(site: Site) -> Generator[str]:
    period = site.period(DAYS[0])
    order = Order(actor=SYSTEM, retention_days=RETENTION_DAYS, confirmed_by="", wait_seconds=0.5)
    return destroy(site.holdings, Going(period=period, due_us=period.since_us), order)  # type: ignore[return-value]


def test_a_destruction_that_breaks_off_after_any_step_is_finished_with_one_certificate(stored: Site) -> None:
    others = stored.expected(lambda row: row.time_us >= MONDAY + DAY_US)
    seen = ["nothing"]
    while seen[-1] != "certified":
        steps = going(stored)
        seen = ["nothing", *islice(steps, len(seen))]
        steps.close()
        assert stored.found() == others
    assert retain(stored, MONDAY).failures == ()
    assert stored.actions("period.destr") == ["period.destroying", "period.destroyed"]
    assert not stored.holdings.rows.exists(stored.period(DAYS[0]).place)
    assert (stored.found(), stored.faults()) == (others, {})


@pytest.mark.parametrize("done", [1, 3])
def test_what_was_begun_is_finished_by_the_next_run(stored: Site, done: int) -> None:
    steps = going(stored)
    assert len(list(islice(steps, done))) == done
    steps.close()
    assert len(retain(stored, MONDAY).certificates) == 1
    assert retain(stored, MONDAY).certificates == ()
    assert stored.states()[DAYS[0]] == "destroyed"
    assert stored.faults() == {}


def cut(row: FoundRequest) -> FoundRequest:
    return msgspec.structs.replace(
        row,
        client_address=truncate_address(row.client_address),
        peer_address=truncate_address(row.peer_address),
    )


def test_addresses_are_cut_on_their_day_and_all_else_stays_in_its_order(stored: Site) -> None:
    old = stored.period(DAYS[0])
    before = stored.found()
    truncate_due(stored.holdings, 3, SYSTEM, MONDAY + 3 * DAY_US, wait_seconds=0.5)
    monday = MONDAY + DAY_US
    assert stored.found() == [(cursor, cut(row) if cursor.time_us < monday else row) for cursor, row in before]
    present = stored.period(DAYS[0])
    assert (present.generation, present.is_truncated, present.rows) == (2, 1, old.rows)
    assert stored.keyring.was_destroyed(old.key_name)
    assert not stored.holdings.rows.exists(old.place)
    assert stored.found(Filters(networks=(HERS,), until_us=monday)) == []
    assert stored.faults() == {}


def test_a_cut_that_breaks_off_after_the_switch_is_finished(stored: Site) -> None:
    before = len(stored.found())
    old = stored.period(DAYS[0])
    assert truncate(stored.holdings, old, SYSTEM, wait_seconds=0.5) is not None
    assert stored.holdings.rows.exists(old.place)
    assert len(stored.found()) == before
    truncate_due(stored.holdings, 3, SYSTEM, MONDAY + 3 * DAY_US, wait_seconds=0.5)
    assert not stored.holdings.rows.exists(old.place)
    assert (len(stored.found()), stored.faults()) == (before, {})


def is_hers(row: Row) -> bool:
    return row.found.client_address == HERS


def erasing(site: Site, *released: int) -> Erasure:
    order = ErasureOrder(
        person=ALL, actor=WORKER, look=WHY, released=frozenset(released), wait_seconds=0.5, spool_seconds=0
    )
    return Erasure(site.holdings, site.settings.requestlog, order)


def erased(site: Site, *released: int) -> Certificate:
    erasure = erasing(site, *released)
    for _ in erasure.run():
        pass
    assert erasure.certificate is not None
    return erasure.certificate


def test_somebodys_rows_go_from_periods_and_from_incidents_and_others_stay(stored: Site) -> None:
    number = open_incident(stored)
    hers = sum(map(is_hers, stored.everything()))
    certificate = erased(stored, number)
    stay = stored.expected(lambda row: not is_hers(row))
    assert (certificate.rows, stored.found()) == (2 * hers, stay)
    assert held(stored) == stay
    assert {stored.period(name).generation for name in DAYS[:3]} == {2}
    assert stored.keyring.was_destroyed("incident/1.1")
    assert stored.faults() == {}


def test_an_erasure_that_breaks_off_after_any_step_is_finished_by_erasing_again(stored: Site) -> None:
    number = open_incident(stored)
    hers = sum(map(is_hers, stored.everything()))
    certificate, done = None, 0
    while certificate is None:
        erasure, done = erasing(stored, number), done + 1
        steps = erasure.run()
        list(islice(steps, done))
        steps.close()  # type: ignore[attr-defined] # a generator's
        certificate = erasure.certificate
    assert (certificate.rows, done > 3) == (2 * hers, True)
    stay = stored.expected(lambda row: not is_hers(row))
    assert (stored.found(), held(stored)) == (stay, stay)
    assert stored.faults() == {}


def test_restricted_rows_are_shown_to_nobody_but_for_their_case(stored: Site) -> None:
    today = today_utc()
    entered = register.enter(stored.control, WORKER, "restrict", reference="letter 1", received=today)
    rows = Restricted(network="192.0.2.0/24", since_us=MONDAY, until_us=MONDAY + 2 * DAY_US, reason="disputed")
    one = restrict(stored.control, WORKER, entered.number, rows, today=today)

    def is_restricted(row: Row) -> bool:
        return oracle.lies_in(row.found.client_address, rows.network) and row.time_us < rows.until_us

    search = stored.archive().search(Filters(), limit=0)
    assert list(search) == stored.expected(lambda row: not is_restricted(row))
    assert search.restricted == sum(map(is_restricted, stored.everything())) > 10
    assert stored.found(case=one.case_id) == stored.expected()
    lift(stored.control, WORKER, one.number, "settled")
    assert stored.found() == stored.expected()


def statistics(site: Installation) -> list[tuple[object, ...]]:
    counting = Aggregator(site.holdings)
    while counting.run(NOW + 2 * DAY_US):
        pass
    with site.control.transaction() as connection:
        return sorted((tuple(row) for row in connection.execute(aggregate.select())), key=repr)


@pytest.fixture(scope="session")
def embedded_statistics(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    site = Site(tmp_path_factory.mktemp("embedded"), corpus, Where())
    site.drain()
    return statistics(site)


def test_the_statistics_are_those_of_the_embedded_store(
    stored: Site, embedded_statistics: list[tuple[object, ...]]
) -> None:
    assert statistics(stored) == embedded_statistics
    assert len(embedded_statistics) > 40


def periods(site: Site) -> Iterator[Period]:
    return (site.period(name) for name in DAYS[:3])


def test_all_holds_after_everything_was_done_to_it(stored: Site) -> None:
    open_incident(stored, Filters(path="/a*"))
    truncate_due(stored.holdings, 3, SYSTEM, MONDAY + 3 * DAY_US, wait_seconds=0.5)
    erased(stored, 1)
    stored.store(request(MONDAY + DAY_US + 5, "/late"))
    for period in periods(stored):
        if period.state == "open":
            with contextlib.suppress(StopIteration):
                seal(stored.holdings, period, SYSTEM)
    retain(stored, MONDAY + RETENTION_DAYS * DAY_US)
    report = LogVerification(stored.holdings).run()
    assert report.bad == []
    assert {verdict.place: verdict.state for verdict in report.verdicts} == {
        DAYS[0]: "destroyed", DAYS[1]: "sealed", DAYS[2]: "sealed", "incident 1": "sealed",
    }  # fmt: skip
