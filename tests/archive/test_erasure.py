from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert

from consentkit import audit
from consentkit.archive.child import IngestOrder, take_lock
from consentkit.archive.erasure import Erasure
from consentkit.archive.handover import asked_for, asking_for
from consentkit.archive.incident.listing import place_of
from consentkit.archive.ingest import run
from consentkit.archive.periodlock import PeriodBusy, PeriodLock
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.archive.store.interface import Batch
from consentkit.archive.store.places import Place
from consentkit.archive.store.sqlite.digest import digest_key, stored_head
from consentkit.archive.store.sqlite.recompute import recomputed_heads, unclaimed_rows
from consentkit.archive.subject import Certificate, Person, certificates, find_traces
from consentkit.archive.subject.place import ErasureOrder
from consentkit.archive.truncation import truncate_due
from consentkit.audit import SYSTEM, Look
from consentkit.control import incident, open_sqlcipher
from consentkit.errors import BadSearch, StorageError
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from tests.archive.installation import DAY_US, DAYS, MONDAY, RESOLVERS, WORKER, Installation, detail, request

HERS = "192.0.2.7"
OTHER = "192.0.2.200"
WHY = Look("person", "R-5", "asked by letter")
ALL = Person.at(HERS, MONDAY - 30 * DAY_US, MONDAY + 400 * DAY_US)


class Crash(Exception):
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    site = Installation(folder)
    for day in range(2):
        start = MONDAY + day * DAY_US
        site.store(
            request(start, f"/hers{day}"),
            request(start + 1, f"/other{day}", address=OTHER),
            request(start + 2, f"/hers-again{day}"),
        )
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    return folder


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Installation:
    """A sealed day and an open one, each with two of her requests and one of another's."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


def erase(
    site: Installation, person: Person = ALL, *, released: frozenset[int] = frozenset(), spool_seconds: float = 0.0
) -> Certificate:
    order = ErasureOrder(
        person=person, actor=WORKER, look=WHY, released=released, wait_seconds=0.3, spool_seconds=spool_seconds
    )
    erasure = Erasure(site.holdings, site.settings.requestlog, order)
    for _ in erasure.run():
        pass
    assert erasure.certificate is not None
    return erasure.certificate


def open_incident(site: Installation, *records: Record, number: int = 3) -> Place:
    """Copy records into an open incident's place, as opening it does."""
    copied, store = place_of(number, 1), site.holdings.rows
    site.keyring.make(copied.key_name)
    writing = store.writer(copied, RESOLVERS)
    writing.add(Batch("evidence", 1, list(enumerate(records))))
    writing.commit()
    writing.close()
    contents = store.seal(copied)
    row = {
        "number": number, "generation": 1, "state": "open", "case_id": "I-3", "reason": "a break-in",
        "owner": "liga", "opened_us": MONDAY, "review": "2026-06-01", "filters": "{}", "rows": contents.rows,
        "bytes": contents.bytes, "file_hash": contents.file_hash,
    }  # fmt: skip
    with site.control.transaction() as connection:
        connection.execute(insert(incident).values(row))
    return copied


def incident_rows(site: Installation, number: int = 3) -> list[str]:
    with site.control.transaction() as connection:
        row = connection.execute(incident.select().where(incident.c.number == number)).one()
    place = place_of(number, row.generation)
    assert site.holdings.rows.file_hash(place) == row.file_hash
    connection = open_sqlcipher(site.file(place), site.keyring.load(place.key_name), read_only=True)
    paths = connection.execute("SELECT s.path FROM request r JOIN resource s ON s.id = r.resource").fetchall()
    connection.close()
    return [path for (path,) in paths]


def test_her_rows_go_from_sealed_and_open_periods_and_others_stay(site: Installation) -> None:
    certificate = erase(site)
    assert site.urls() == ["/other0", "/other1"]
    assert (certificate.rows, [place.period for place in certificate.places]) == (4, list(DAYS[:2]))
    assert {site.period(name).generation for name in DAYS[:2]} == {2}
    assert site.actions() == [
        "period.sealed", "subject.erasing", "period.erased", "period.generation_destroyed", "period.sealed",
        "period.erased", "period.generation_destroyed", "subject.erased",
    ]  # fmt: skip
    assert site.keyring.names("period") == [f"period/{name}.2" for name in DAYS[:2]]


def test_only_the_time_asked_for_is_erased(site: Installation) -> None:
    erase(site, Person.at(HERS, MONDAY + 2, MONDAY + DAY_US + 2))
    assert site.urls() == ["/hers-again1", "/hers0", "/other0", "/other1"]


def test_what_only_her_rows_referred_to_is_not_in_the_new_file(site: Installation) -> None:
    erase(site)
    period = site.period(DAYS[0])
    connection = open_sqlcipher(site.file(period.place), site.keyring.load(period.key_name), read_only=True)
    assert connection.execute("SELECT path FROM resource").fetchall() == [("/other0",)]
    assert len(connection.execute("SELECT id FROM client").fetchall()) == 1
    key = digest_key(site.keyring.load(period.key_name))
    assert [*recomputed_heads(connection, key)][-1] == stored_head(connection)
    assert unclaimed_rows(connection) == 0
    connection.close()


def test_the_entries_say_what_the_verification_needs(site: Installation) -> None:
    sealed = site.period(DAYS[0]).file_hash
    erase(site)
    said = detail(site.audited("period.erased")[0])
    present = site.period(DAYS[0])
    assert (said["period"], said["generation"], said["replaces_file_hash"]) == (DAYS[0], 2, sealed)
    assert (said["file_hash"], said["rows"], said["erased"]) == (present.file_hash, 1, 2)
    assert len(str(said["head"])) == 64


def test_no_address_stands_in_the_audit_and_who_names_it_finds_the_certificate(site: Installation) -> None:
    certificate = erase(site)
    assert not [entry for entry in site.audited("subject") + site.audited("period") if HERS in entry.detail]
    found = certificates(site.control, site.keyring, Person.at(HERS, MONDAY, MONDAY + 1))
    assert [one.number for one in found] == [certificate.number]
    assert certificates(site.control, site.keyring, Person.at(OTHER, MONDAY, MONDAY + 1)) == []


def test_a_backup_from_before_does_not_bring_the_rows_back(site: Installation, tmp_path: Path) -> None:
    shutil.copytree(site.directory / "requests", tmp_path / "requests")
    erase(site)
    shutil.copytree(tmp_path / "requests", site.directory / "requests", dirs_exist_ok=True)
    assert site.urls() == ["/other0", "/other1"]
    assert [site.keyring.was_destroyed(f"period/{name}.1") for name in DAYS[:2]] == [True, True]


def test_a_catalogue_from_before_two_rewrites_gets_the_last_one_back(site: Installation, tmp_path: Path) -> None:
    shutil.copy(site.directory / "control.db", tmp_path)
    erase(site, Person.at(HERS, MONDAY, MONDAY + 1))
    erase(site, Person.at(HERS, MONDAY + 2, MONDAY + 3))
    assert site.period(DAYS[0]).generation == 3
    for path in site.directory.glob("control.db*"):
        path.unlink()
    shutil.copy(tmp_path / "control.db", site.directory)
    site.open()
    Retention(site.holdings, 90, SYSTEM, wait_seconds=0.3).run(MONDAY + 4 * DAY_US)
    assert site.period(DAYS[0]).generation == 3
    assert site.urls() == ["/hers-again1", "/hers1", "/other0", "/other1"]


def test_a_segment_that_is_read_again_does_not_bring_them_back(site: Installation, tmp_path: Path) -> None:
    site.spool(request(MONDAY + 60, "/hers-late"))
    shutil.copytree(site.directory / "spool", tmp_path / "spool")
    erase(site)
    shutil.copytree(tmp_path / "spool", site.directory / "spool", dirs_exist_ok=True)
    site.store(request(MONDAY + 70, "/other-late", address=OTHER))
    assert site.urls() == ["/other-late", "/other0", "/other1"]


def test_what_is_still_in_the_spool_is_stored_and_erased(site: Installation) -> None:
    site.spool(request(MONDAY + DAY_US + 60, "/hers-just-now"), request(MONDAY + 2 * DAY_US, "/hers-today"))
    certificate = erase(site)
    assert (certificate.rows, certificate.spooled) == (6, 0)
    assert site.urls() == ["/other0", "/other1"]
    assert list((site.directory / "spool").glob("*/[0-9]*")) == []


def test_a_segment_that_a_worker_still_writes_is_named(site: Installation) -> None:
    spool = Spool(site.directory, site.keyring, max_bytes=2**30)
    spool.append(request(MONDAY + DAY_US + 60, "/hers-just-now"))
    certificate = erase(site)
    assert (certificate.rows, certificate.spooled) == (5, 1)
    assert site.urls() == ["/other0", "/other1"]
    spool.close()


def test_nothing_is_certified_while_records_are_not_stored(site: Installation) -> None:
    site.spool(request(MONDAY + DAY_US + 60, "/hers-just-now"))
    lock = take_lock(site.directory)  # an ingester that stores nothing
    assert lock is not None
    with pytest.raises(StorageError, match="1 records are still not stored"):
        erase(site)
    os.close(lock)
    assert site.actions("subject") == ["subject.erasing"]
    assert erase(site).rows == 5


@pytest.mark.server
def test_todays_rows_are_erased_while_the_ingester_writes_them(site: Installation) -> None:
    storage = site.settings.storage
    order = msgspec.structs.replace(
        IngestOrder.of(site.settings, ()), directory=str(storage.directory), retention_days=9999
    )
    stop, ready = threading.Event(), threading.Event()
    lock = take_lock(site.directory)
    assert lock is not None
    ingester = threading.Thread(target=run, args=(order, stop), kwargs={"ready": ready.set})
    ingester.start()
    try:
        assert ready.wait(30)
        spool = Spool(site.directory, site.keyring, max_bytes=2**30)
        spool.append(request(MONDAY + 5 * DAY_US, "/hers-now"))
        spool.append(request(MONDAY + 5 * DAY_US + 1, "/other-now", address=OTHER))
        erasure_order = ErasureOrder(person=ALL, actor=WORKER, look=WHY, wait_seconds=20, spool_seconds=2)
        erasure = Erasure(site.holdings, site.settings.requestlog, erasure_order)
        assert [step.done for step in erasure.run()][-1] == "certified"
        spool.append(request(MONDAY + 5 * DAY_US + 2, "/other-after", address=OTHER))
        spool.close()
    finally:
        stop.set()
        ingester.join(60)
        os.close(lock)
    assert site.urls() == ["/other-after", "/other-now", "/other0", "/other1"]


def test_the_ingester_is_asked_for_one_file_as_long_as_the_asker_lives(site: Installation) -> None:
    assert asked_for(site.directory) == ""
    with asking_for(site.directory, "2026-03-03.1.db"):
        assert asked_for(site.directory) == "2026-03-03.1.db"
    assert asked_for(site.directory) == ""


def steps_of_an_erasure() -> list[str]:
    places = [f"{name} {done}" for name in DAYS[:2] for done in ("rewritten", "gone")]
    return [" begun", "spool stored", *places, "incident 3 rewritten", "incident 3 gone"]


@pytest.mark.server
@pytest.mark.parametrize("at", steps_of_an_erasure())
@pytest.mark.parametrize("dies", [False, True], ids=["raised", "killed"])
def test_after_a_crash_at_any_step_erasing_again_finishes_and_counts_all(
    site: Installation, at: str, dies: bool
) -> None:
    open_incident(site, request(MONDAY, "/hers0"), request(MONDAY + 1, "/other0", address=OTHER))
    order = ErasureOrder(
        person=ALL, actor=WORKER, look=WHY, released=frozenset({3}), wait_seconds=0.3, spool_seconds=0
    )

    def until_crash() -> None:
        for step in Erasure(site.holdings, site.settings.requestlog, order).run():
            if f"{step.place} {step.done}" == at:
                raise Crash

    if dies:
        child = os.fork()
        if child == 0:
            try:
                until_crash()
            finally:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    else:
        with pytest.raises(Crash):
            until_crash()
    certificate = erase(site, released=frozenset({3}))
    assert (certificate.rows, certificate.kept) == (5, ())
    assert site.urls() == ["/other0", "/other1"]
    assert incident_rows(site) == ["/other0"]
    assert site.keyring.names("period") == [f"period/{name}.2" for name in DAYS[:2]]
    assert site.keyring.names("incident") == ["incident/3.2"]
    assert [place.erased for place in certificate.places] == [2, 2, 1]


def test_a_draft_that_a_crash_left_is_written_anew(site: Installation) -> None:
    site.keyring.make(f"period/{DAYS[0]}.2")
    (site.directory / "requests" / f"{DAYS[0]}.2.db").write_bytes(b"half a draft")
    assert erase(site).rows == 4


def test_a_reader_is_waited_for_and_erasing_again_goes_on(site: Installation) -> None:
    with PeriodLock(site.file(site.period(DAYS[0]).place), exclusive=False), pytest.raises(PeriodBusy):
        erase(site)
    assert len(site.urls()) == 6
    assert erase(site).rows == 4


def test_what_an_open_incident_holds_stays_with_its_reason_and_review_date(site: Installation) -> None:
    open_incident(site, request(MONDAY, "/hers0"), request(MONDAY + 1, "/other0", address=OTHER))
    certificate = erase(site)
    assert certificate.kept == ({"incident": 3, "rows": 1, "reason": "a break-in", "review": "2026-06-01"},)
    assert len(incident_rows(site)) == 2
    assert site.urls() == ["/other0", "/other1"]


def test_a_released_incident_is_written_anew_under_a_new_key(site: Installation) -> None:
    open_incident(site, request(MONDAY, "/hers0"), request(MONDAY + 1, "/other0", address=OTHER))
    certificate = erase(site, released=frozenset({3}))
    assert (certificate.rows, certificate.kept, incident_rows(site)) == (5, (), ["/other0"])
    assert site.keyring.was_destroyed("incident/3.1")
    said = detail(site.audited("incident.erased")[0])
    assert (said["incident"], said["generation"], said["rows"], said["erased"]) == (3, 2, 1, 1)


def test_cut_addresses_cannot_be_told_apart_and_stay(site: Installation) -> None:
    truncate_due(site.holdings, 3, SYSTEM, MONDAY + 3 * DAY_US, wait_seconds=0.3)
    traces = find_traces(site.holdings, ALL, site.settings.requestlog)
    assert (traces.rows, traces.indistinct) == (2, 3)
    certificate = erase(site)
    assert (certificate.rows, certificate.indistinct) == (2, 3)
    assert site.urls() == ["/hers-again0", "/hers0", "/other0", "/other1"]


def test_the_address_that_a_whole_network_was_cut_to_is_nobodys(site: Installation) -> None:
    truncate_due(site.holdings, 3, SYSTEM, MONDAY + 3 * DAY_US, wait_seconds=0.3)
    network = Person.at("192.0.2.0", 0, MONDAY + 400 * DAY_US)
    certificate = erase(site, network)
    assert (certificate.rows, certificate.indistinct) == (0, 3)
    assert len(site.urls()) == 6


def test_a_file_that_is_not_the_sealed_one_is_not_rewritten(site: Installation) -> None:
    file = site.file(site.period(DAYS[0]).place)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(StorageError, match="not the file that was sealed"):
        erase(site)


@pytest.mark.parametrize(
    "address",
    ["192.0.2.0/24", "", "example.lv", "fe80::1%eth0", "192.0.2.7, 192.0.2.8"],
    ids=["network", "empty", "name", "interface", "two"],
)
def test_one_address_alone_is_taken(address: str) -> None:
    with pytest.raises(BadSearch):
        Person.at(address, 0, 1)


def test_an_address_is_found_however_it_is_written(site: Installation) -> None:
    site.store(request(MONDAY + 9, "/six", address="2001:db8:1:2::5"))
    assert erase(site, Person.at("2001:0DB8:1:2:0:0:0:5", 0, MONDAY + DAY_US)).rows == 1
    assert erase(site, Person.at("::ffff:192.0.2.7", 0, MONDAY + 400 * DAY_US)).rows == 4


def test_registered_copies_that_may_hold_her_rows_are_named(site: Installation) -> None:
    numbers = {}
    for address in (HERS, OTHER):
        begun = audit.record(
            site.control, WORKER, "log.export", look=WHY, detail={"filters": {"address": [address]}}
        )
        said = {"export": begun.number, "recipient": "police", "destroy_by": "2026-12-01"}
        numbers[address] = audit.record(site.control, WORKER, "copy.made", look=WHY, detail=said, rows=2).number
    assert erase(site).copies == (numbers[HERS],)


def test_a_search_during_the_rewrite_finds_the_rows_that_stay(site: Installation) -> None:
    archive = Archive(site.settings, site.holdings, resolvers=RESOLVERS)
    found = archive.search(Filters(until_us=MONDAY + DAY_US), limit=0)
    erase(site)
    assert [row.url for _, row in found] == ["/other0"]
