"""What outsiders may see of custody: which files are written, when, and that nothing personal is in them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from consentkit import audit, signing
from consentkit.archive.caretaker import Caretaker
from consentkit.archive.evidence.notedheads import BadHeads, contradicted, read_heads
from consentkit.archive.farewell.destruction import remove_remains
from consentkit.archive.published import Deletions, Published
from consentkit.archive.publishing import Heads, Publisher, SignedHeads
from consentkit.archive.retention import Retention
from consentkit.audit import SYSTEM
from consentkit.control import audit as audit_table
from consentkit.control import decision as decision_table
from consentkit.crypto.signatures import read_key_set
from tests.archive.installation import DAY_US, DAYS, HOUR_US, MONDAY, Installation

NOW_US = MONDAY + 11 * DAY_US


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def folder(site: Installation) -> Path:
    return site.directory / "published"


def deletions(site: Installation) -> Deletions:
    return Published(site.directory).deletions()


def heads(site: Installation) -> Heads:
    signed = msgspec.json.decode((folder(site) / "heads.json").read_bytes(), type=SignedHeads)
    return msgspec.json.decode(signed.heads, type=Heads)


def test_each_destroyed_period_is_published_with_the_hash_of_its_certificate(site: Installation) -> None:
    site.fill(3)
    Retention(site.holdings, 10, SYSTEM).run(NOW_US)
    Publisher("SIA Piemērs", 10).publish(site.holdings, NOW_US)
    found = deletions(site)
    certificates = {json.loads(e.detail)["period"]: e.hash for e in site.audited("period.destroyed")}
    assert [one.period for one in found.destroyed] == [DAYS[1], DAYS[0]]
    assert {one.period: one.certificate for one in found.destroyed} == certificates
    assert found.next_due == datetime(2026, 3, 14, tzinfo=UTC)  # the third day's, ten days on
    assert not any(one.early for one in found.destroyed)


def test_no_file_names_a_person_a_number_or_a_secret(site: Installation) -> None:
    site.fill(3)
    audit.record(site.control, audit.Actor("liga", "cli"), "log.searched", detail={"address": "192.0.2.7"})
    Retention(site.holdings, 10, SYSTEM).run(NOW_US)
    Publisher("SIA Piemērs", 10).publish(site.holdings, NOW_US)
    for path in folder(site).iterdir():
        text = path.read_text()
        assert not any(word in text for word in ("liga", "192.0.2", "rows", "number", "entries", "private"))
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder(site).stat().st_mode & 0o777 == 0o700


def test_nothing_is_written_where_nothing_has_changed(site: Installation) -> None:
    site.fill(2)
    publisher = Publisher("", 10)
    publisher.publish(site.holdings, MONDAY)
    before = {path.name: path.stat().st_ino for path in folder(site).iterdir()}
    publisher.publish(site.holdings, MONDAY + 10 * HOUR_US)
    assert {path.name: path.stat().st_ino for path in folder(site).iterdir()} == before
    assert set(before) == {"deletions.json", "heads.json", "keys.json"}


def test_heads_are_those_of_the_chains_and_are_signed(site: Installation) -> None:
    site.fill(1)
    Publisher("", 10).publish(site.holdings, MONDAY)
    signed = msgspec.json.decode((folder(site) / "heads.json").read_bytes(), type=SignedHeads)
    keys = read_key_set((folder(site) / "keys.json").read_bytes()).keys
    assert signing.verify(signed.heads.encode(), signed.signature, keys) == signed.key
    with pytest.raises(signing.BadSignature):
        signing.verify(signed.heads.replace("2026", "2025").encode(), signed.signature, keys)
    assert heads(site).audit == audit.CHAIN_START
    assert heads(site).time == datetime(2026, 3, 2, tzinfo=UTC)


def test_no_heads_are_published_before_the_key_that_signed_them(site: Installation) -> None:
    in_the_way = folder(site) / "keys.json"
    in_the_way.mkdir(parents=True)
    with pytest.raises(OSError, match=r"keys\.json"):
        Publisher("SIA Piemērs", 10).publish(site.holdings, NOW_US)
    assert not (folder(site) / "heads.json").exists()
    in_the_way.rmdir()
    Publisher("SIA Piemērs", 10).publish(site.holdings, NOW_US)
    signed = msgspec.json.decode((folder(site) / "heads.json").read_bytes(), type=SignedHeads)
    assert signed.key in read_key_set(in_the_way.read_bytes()).keys


def test_heads_are_published_at_most_once_an_hour(site: Installation) -> None:
    publisher, entry = Publisher("", 10), None
    publisher.publish(site.holdings, MONDAY)
    seen = []
    for minute in range(0, 181, 20):
        entry = audit.record(site.control, SYSTEM, "test.minute", detail={"minute": minute})
        publisher.publish(site.holdings, MONDAY + minute * HOUR_US // 60)
        seen.append(heads(site))
    assert entry is not None
    assert seen[-1].audit == entry.hash
    times = sorted({one.time for one in seen})
    assert [later - earlier for earlier, later in pairwise(times)] == [timedelta(hours=1)] * 3


def test_a_clock_that_was_set_back_does_not_silence_the_heads(site: Installation) -> None:
    publisher = Publisher("", 10)
    publisher.publish(site.holdings, MONDAY + 400 * DAY_US)
    entry = audit.record(site.control, SYSTEM, "test.after")
    publisher.publish(site.holdings, MONDAY)
    assert heads(site).audit == entry.hash


def noted(site: Installation) -> bytes:
    return (folder(site) / "heads.json").read_bytes()


def test_heads_that_were_noted_over_days_hold_while_the_chain_does(site: Installation) -> None:
    publisher, lines = Publisher("", 10), b""
    for day in range(3):
        publisher.publish(site.holdings, MONDAY + day * DAY_US)
        lines += noted(site)
        audit.record(site.control, SYSTEM, "test.entry", detail={"day": day})
    signing.replace_key(site.control, site.keyring)
    assert len(read_heads(lines)) == 3
    assert contradicted(site.control, read_heads(lines)) == ([], 0)


def test_a_rewritten_chain_contradicts_what_was_noted(site: Installation) -> None:
    audit.record(site.control, SYSTEM, "test.entry", detail={"what": "was"})
    Publisher("", 10).publish(site.holdings, 2 * NOW_US)
    with site.control.transaction() as connection:
        connection.execute(audit_table.update().values(detail="{}", hash="f" * 64))
    faults, too_old = contradicted(site.control, read_heads(noted(site)))
    assert ["audit has no entry any more" in fault.reason for fault in faults] == [True]
    assert too_old == 0


def test_what_is_older_than_the_audit_is_counted_as_unchecked(site: Installation) -> None:
    audit.record(site.control, SYSTEM, "test.entry")
    Publisher("", 10).publish(site.holdings, MONDAY)  # months before the entries that are kept
    with site.control.transaction() as connection:
        connection.execute(audit_table.update().values(hash="f" * 64))
    assert contradicted(site.control, read_heads(noted(site))) == ([], 1)


def test_a_ledger_that_is_gone_is_a_fault_unless_the_service_has_ended(site: Installation) -> None:
    add_decision(site)
    Publisher("", 10).publish(site.holdings, MONDAY)
    with site.control.transaction() as connection:
        connection.execute(decision_table.delete())
    faults, _ = contradicted(site.control, read_heads(noted(site)))
    assert len(faults) == 1
    audit.record(site.control, SYSTEM, "service.wound_down")
    assert contradicted(site.control, read_heads(noted(site))) == ([], 1)


def test_heads_of_another_installation_are_told(site: Installation, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Installation(tmp_path / "other")
    for one in (site, other):
        Publisher("", 10).publish(one.holdings, MONDAY)
    faults, _ = contradicted(site.control, read_heads(noted(other)))
    assert ["not this installation's" in fault.reason for fault in faults] == [True]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{}", b"[1]", b"\xff", b'{"heads":"{}"}'])
def test_a_file_that_holds_no_heads_is_refused(content: bytes) -> None:
    with pytest.raises(BadHeads):
        read_heads(content)


def test_keys_follow_a_rotation_and_keep_their_installation(site: Installation) -> None:
    publisher = Publisher("SIA Piemērs", 10)
    publisher.publish(site.holdings, MONDAY)
    first = read_key_set((folder(site) / "keys.json").read_bytes())
    signing.replace_key(site.control, site.keyring)
    publisher.publish(site.holdings, MONDAY)
    second = read_key_set((folder(site) / "keys.json").read_bytes())
    assert (first.installation, first.operator) == (second.installation, "SIA Piemērs")
    assert (len(first.keys), len(second.keys)) == (1, 2)


def test_a_certificate_stays_published_when_the_audit_has_let_go_of_it(site: Installation) -> None:
    site.fill(1)
    Retention(site.holdings, 10, SYSTEM).run(NOW_US)
    Publisher("", 10).publish(site.holdings, NOW_US)
    before = deletions(site)
    with site.control.transaction() as connection:
        connection.execute(audit_table.delete())
    Publisher("", 10).publish(site.holdings, NOW_US)
    assert deletions(site) == before
    (folder(site) / "deletions.json").write_bytes(b"damaged")
    Publisher("", 10).publish(site.holdings, NOW_US)
    assert [(one.period, one.certificate) for one in deletions(site).destroyed] == [(DAYS[0], "")]


def test_what_was_destroyed_before_its_day_is_marked(site: Installation) -> None:
    site.fill(1)
    Retention(site.holdings, 10, SYSTEM).run(MONDAY + 2 * DAY_US, acting_as_us=NOW_US, confirmed_by="liga")
    Publisher("", 10).publish(site.holdings, NOW_US)
    assert [one.early for one in deletions(site).destroyed] == [True]


def add_decision(site: Installation) -> None:
    row = {column.name: column.type.python_type() for column in decision_table.columns if not column.nullable}
    row |= {"number": 1, "hash": "a" * 64}
    with site.control.transaction() as connection:
        connection.execute(decision_table.insert().values(row))


def test_the_decisions_head_follows_the_ledger(site: Installation) -> None:
    add_decision(site)
    Publisher("", 10).publish(site.holdings, MONDAY)
    assert heads(site).decisions == "a" * 64


def test_the_caretaker_publishes_and_goes_on_where_it_can_not(site: Installation) -> None:
    site.fill(1)
    ingester = site.ingester()
    caretaker = Caretaker(
        site.holdings, 10, release=ingester.release, publisher=Publisher("", 10), now_us=lambda: NOW_US
    )
    folder(site).write_text("a file stands where the folder should")
    caretaker.do()
    assert set(caretaker.undone) == {"publishing"}
    os.unlink(folder(site))  # noqa: PTH108 - one line, one deed
    caretaker.do()
    assert caretaker.undone == {}
    assert [one.period for one in deletions(site).destroyed] == [DAYS[0]]


def test_the_end_of_an_installation_takes_what_was_published_along(site: Installation) -> None:
    Publisher("", 10).publish(site.holdings, MONDAY)
    remove_remains(site.directory, site.keyring.folder)
    assert not folder(site).exists()
