"""What happened in good order holds; who checked is in the audit; what is old enough is let go."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import msgspec
import pytest

from consentkit import audit
from consentkit.archive import inforce
from consentkit.archive.child import IngestOrder
from consentkit.archive.destruction import Order, destroy
from consentkit.archive.evidence import (
    LogVerification,
    last_verification,
    note_heads,
    record_result,
)
from consentkit.archive.evidence.pruning import prune_due
from consentkit.archive.ingest import run
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.truncation import truncate
from consentkit.audit import SYSTEM, AuditEntry
from consentkit.audit.entry import Link
from consentkit.audit.memory import ChainMemory
from consentkit.errors import StorageError
from tests.archive.installation import (
    DAY_US,
    HOUR_US,
    MONDAY,
    WORKER,
    Installation,
    detail,
    request,
)
from tests.archive.tampering import (
    CUT,
    GONE,
    OPEN,
    SEALED,
    anchor,
    change_a_row,
    destroy_all,
    faults,
    put_the_database_back,
    rechain,
    rename_actors,
    verify,
    write,
)


@pytest.fixture
def site(evident: Installation) -> Installation:
    """An installation to be tampered with."""
    return evident


def test_what_is_as_it_was_written_holds(site: Installation) -> None:
    report = verify(site)
    assert report.bad == []
    assert [(one.place, one.state, one.rows) for one in report.verdicts] == [
        (GONE, "destroyed", None), (SEALED, "sealed", 3), (CUT, "sealed", 3), (OPEN, "open", 3),
    ]  # fmt: skip
    assert report.chain.end.number == 19


def come_late(site: Installation) -> None:
    write(site, 1, "/late")


def come_late_and_seal(site: Installation) -> None:
    write(site, 2, "/late")
    seal(site.holdings, site.period(CUT), SYSTEM)


def crash_before_the_note(site: Installation) -> None:
    site.store(request(MONDAY + 3 * DAY_US + HOUR_US, "/unnoted"))


def come_for_a_new_day(site: Installation) -> None:
    site.store(request(MONDAY + 4 * DAY_US, "/new"))


def come_for_a_destroyed_one(site: Installation) -> None:
    write(site, 0, "/too-late")


def begin_to_destroy(site: Installation) -> None:
    seal(site.holdings, site.period(OPEN), SYSTEM)
    going = Retention(site.holdings, 11, SYSTEM).plan(MONDAY + 12 * DAY_US)[0]
    order = Order(actor=SYSTEM, retention_days=11, confirmed_by="", wait_seconds=1)
    for step in destroy(site.holdings, going, order):
        if step == "key destroyed":
            break


def crash_before_the_old_generation_went(site: Installation) -> None:
    truncate(site.holdings, site.period(SEALED), SYSTEM, wait_seconds=1)


def put_back_on_purpose(site: Installation) -> None:
    older = (site.directory / "control.db").read_bytes()
    write(site, 3, "/after-the-backup")
    write(site, 1, "/late")
    seal(site.holdings, site.period(SEALED), SYSTEM)
    for path in site.directory.glob("control.db*"):
        path.unlink()
    (site.directory / "control.db").write_bytes(older)
    site.open()
    assert audit.accept_put_back(site.control, WORKER, "the disk broke") is not None


HONEST = [
    come_late, come_late_and_seal, crash_before_the_note, come_for_a_new_day, come_for_a_destroyed_one,
    begin_to_destroy, crash_before_the_old_generation_went, destroy_all, put_back_on_purpose,
]  # fmt: skip


@pytest.mark.parametrize("happen", HONEST, ids=lambda happen: happen.__name__)
def test_what_happens_in_good_order_holds(site: Installation, happen: Callable[[Installation], None]) -> None:
    happen(site)
    assert faults(site) == {}


def test_a_restore_fails_until_an_officer_accepts_it(site: Installation) -> None:
    put_the_database_back(site)
    assert "entry 20" in faults(site)
    audit.record(site.control, WORKER, "log.search")
    (told,) = site.audited("audit.put_back")
    assert (detail(told)["remembered_number"], detail(told)["found_number"]) == (20, 19)
    assert list(faults(site)) == ["entry 20"]
    accepted = audit.accept_put_back(site.control, WORKER, "the disk broke")
    assert accepted is not None
    assert (accepted.reason, detail(accepted)) == ("the disk broke", {"entries": [20]})
    assert faults(site) == {}
    assert audit.accept_put_back(site.control, WORKER, "again") is None


def test_an_orderly_end_notes_what_was_stored_last(site: Installation) -> None:
    site.spool(request(time.time_ns() // 1000, "/last"))
    stop = threading.Event()
    stop.set()
    run(IngestOrder.of(msgspec.structs.replace(site.settings), ()), stop)
    (noted,) = [entry for entry in site.audited("period.head") if entry.number > 19]
    assert [head["batch"] for head in heads(noted)] == [1]


def heads(entry: AuditEntry) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(entry.detail)["heads"]
    return found


def test_an_anchor_contradicts_what_was_rewritten_since_with_all_that_remembers_it(site: Installation) -> None:
    kept = anchor(site)
    assert faults(site, kept) == {}
    memory = site.keyring.folder / "chain.head"
    rechain(site, rename_actors)
    memory.unlink()
    newest = site.audited()[-1]
    ChainMemory(site.control).keep(Link(newest.number, newest.hash), replacing=None)
    assert faults(site) == {}
    assert "is another one than the anchor" in faults(site, kept)["anchor 19"]


def test_an_anchor_beyond_the_end_is_named(site: Installation) -> None:
    kept = msgspec.structs.replace(anchor(site), number=30)
    assert "the audit ends at entry 19" in faults(site, kept)["anchor 30"]


def test_the_result_is_in_the_audit_and_can_be_asked_for(site: Installation) -> None:
    with site.control.transaction() as connection:
        assert last_verification(connection) is None
    record_result(site.holdings, WORKER, verify(site))
    change_a_row(site, OPEN)
    record_result(site.holdings, WORKER, verify(site))
    with site.control.transaction() as connection:
        last = last_verification(connection)
    assert last is not None
    assert (last.is_good, last.until, last.bad[0].split(":")[0]) == (False, 20, OPEN)
    assert [detail(entry)["result"] for entry in site.audited("log.verified")] == ["good", "bad"]


def test_a_period_that_is_written_meanwhile_is_read_as_of_one_instant(site: Installation) -> None:
    ingester = site.ingester()
    site.spool(request(MONDAY + 3 * DAY_US + 5, "/at-it"))
    ingester.drain()
    assert faults(site) == {}
    ingester.close()


def test_a_period_that_is_sealed_meanwhile_is_checked_as_sealed(site: Installation) -> None:
    done: list[float] = []

    def seal_meanwhile(share: float) -> None:
        if not done:  # while another is read
            seal(site.holdings, site.period(OPEN), SYSTEM)
        done.append(share)

    report = LogVerification(site.holdings, advance=seal_meanwhile).run()
    assert (report.bad, report.verdicts[-1].state) == ([], "sealed")


def test_progress_adds_up_to_all_bytes(site: Installation) -> None:
    read: list[float] = []
    verification = LogVerification(site.holdings, advance=read.append)
    total = verification.total_bytes()
    verification.run()
    assert sum(read) == pytest.approx(total)


def test_a_note_that_fails_is_made_at_the_next_round(site: Installation) -> None:
    ingester = site.ingester()
    site.spool(request(MONDAY + 3 * DAY_US + 9, "/x"))
    ingester.drain()
    held = dict(ingester.written)
    (site.directory / "control.db").rename(site.directory / "aside.db")
    (site.directory / "control.db").write_bytes(b"damaged" * 1000)
    with pytest.raises(StorageError):
        note_heads(site.control, SYSTEM, ingester.written)
    assert ingester.written == held
    (site.directory / "control.db").unlink()
    (site.directory / "aside.db").rename(site.directory / "control.db")
    note_heads(site.control, SYSTEM, ingester.written)
    note_heads(site.control, SYSTEM, ingester.written)
    assert ingester.written == {}
    assert site.actions("period.head")[-1:] == ["period.head"]
    assert len(site.audited()) == 20
    ingester.close()


def beat(site: Installation, now_us: int) -> None:
    for hour in range(30, -1, -1):
        inforce.beat(site.control, now_us - hour * HOUR_US)


def prune(site: Installation, now_us: int, keep_days: int = 1) -> AuditEntry | None:
    return prune_due(site.control, SYSTEM, keep_days=keep_days, now_us=now_us, retention_days=90)


def test_old_entries_are_let_go_but_those_that_what_is_kept_needs(site: Installation) -> None:
    now_us = time.time_ns() // 1000 + 10 * DAY_US
    beat(site, now_us)
    pruned = prune(site, now_us)
    assert pruned is not None
    assert detail(pruned)["last_number"] == 3  # the fourth tells of a period that is kept
    assert faults(site) == {}
    destroy_all(site)
    assert prune(site, now_us) is not None
    assert len(site.audited()) < 5
    report = verify(site)
    assert (report.bad, report.chain.pruned_to > 20) == ([], True)


@pytest.mark.parametrize(("destroy_by", "is_kept"), [("2999-01-01", True), ("2026-01-01", False), ("", False)])
def test_a_copy_stays_in_the_register_until_its_day(site: Installation, destroy_by: str, is_kept: bool) -> None:
    audit.record(site.control, WORKER, "copy.made", detail={"destroy_by": destroy_by})
    destroy_all(site)
    now_us = time.time_ns() // 1000 + 10 * DAY_US
    beat(site, now_us)
    prune(site, now_us)
    assert bool(site.audited("copy.made")) is is_kept


def test_nothing_is_let_go_by_a_clock_that_leapt(site: Installation) -> None:
    destroy_all(site)
    beat(site, time.time_ns() // 1000)
    assert prune(site, time.time_ns() // 1000 + 1000 * DAY_US) is None


def test_an_anchor_of_what_was_let_go_is_said_to_be_unchecked(site: Installation) -> None:
    old = anchor(site)
    destroy_all(site)
    now_us = time.time_ns() // 1000 + 10 * DAY_US
    beat(site, now_us)
    prune(site, now_us)
    young = anchor(site)
    report = verify(site, old, young)
    assert (report.bad, report.chain.unchecked) == ([], 1)
    assert "none of them lies in what is kept" in faults(site, old)["anchors"]
